// The committed answers of the vendor's formula engine, held against the engine itself. The evaluator is held against them by `cargo test`.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { answer } from './formula_oracle.mjs';

test("the vectors are the engine's answers", () => {
  const lines = readFileSync(new URL('../vectors/formula/cases.jsonl', import.meta.url), 'utf8').split('\n').filter(Boolean);
  const [{ variables }, ...cases] = lines.map((line) => JSON.parse(line));
  assert(cases.length >= 10000);
  for (const { template, result } of cases) {
    assert.deepEqual(answer({ template, variables }).result, result, JSON.stringify(template));
  }
});
