// Sidegate under libfaketime, with a clock that is wrong, or jumps while an exchange is under way: nothing changes.
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { outcomes, refreshing } from './refreshing.mjs';

const library = (() => {
  for (const folder of readdirSync('/usr/lib').map((name) => join('/usr/lib', name, 'faketime'))) {
    try {
      if (readdirSync(folder).includes('libfaketimeMT.so.1')) return join(folder, 'libfaketimeMT.so.1');
    } catch { /* not there */ }
  }
  return undefined;
})();
const needs = { skip: library ? false : 'faketime is not installed' };
const callers = 50;
const life = 10;
const seconds = (count) => new Promise((resolve) => { setTimeout(resolve, count * 1000); });

/** What happens to a connection from its first token to its fourth. `jump` moves the clock while the third is fetched. */
async function story(environment, jump = () => {}) {
  const scene = await refreshing({ callers, accessTokenSeconds: life, environment });
  const { oauth } = scene;
  const told = [];
  const note = async (what, answers) => {
    told.push([what, outcomes(answers), oauth.tokenRequests.length, await oauth.alive(scene.family.grantId)]);
  };
  try {
    await note('fresh', await scene.everybodyCalls());
    await seconds(life + 0.5);
    await note('ended', await scene.everybodyCalls());
    await oauth.revoke((await scene.credentials()).access_token);
    oauth.delay(2000);
    const waiting = scene.everybodyCalls();
    await seconds(1);
    jump();
    await note('revoked', await waiting);
    oauth.delay(0);
    await note('fresh again', await scene.everybodyCalls());
    await seconds(life + 0.5);
    await note('ended again', await scene.everybodyCalls());
  } finally {
    await scene.stop();
  }
  return told;
}

const expected = [
  ['fresh', { 200: callers }, 0, true],
  ['ended', { 200: callers }, 1, true],
  ['revoked', { 200: callers }, 2, true],
  ['fresh again', { 200: callers }, 2, true],
  ['ended again', { 200: callers }, 3, true],
];

// Timers go by the monotonic clock, which an operator's mistake does not touch.
const fake = { LD_PRELOAD: library, FAKETIME_DONT_FAKE_MONOTONIC: '1', DONT_FAKE_MONOTONIC: '1' };

for (const [what, offset] of [['right', '+0'], ['an hour behind', '-3600'], ['an hour ahead', '+3600']]) {
  test(`the clock is ${what}`, needs, async () => {
    assert.deepEqual(await story({ ...fake, FAKETIME: offset }), expected);
  });
}

for (const [what, to] of [['ahead', '+600'], ['back', '-600']]) {
  test(`the clock jumps ten minutes ${what} while an exchange is under way`, needs, async () => {
    const folder = mkdtempSync(join(tmpdir(), 'sidegate-clock-'));
    const file = join(folder, 'offset');
    writeFileSync(file, '+0\n');
    const jump = () => writeFileSync(file, `${to}\n`);
    try {
      const environment = { ...fake, FAKETIME_TIMESTAMP_FILE: file, FAKETIME_NO_CACHE: '1' };
      assert.deepEqual(await story(environment, jump), expected);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
}
