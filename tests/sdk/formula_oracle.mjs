// The vendor's formula engine as an oracle: reads {"template": …, "variables": …} lines on stdin and writes each back
// with what the engine made of it: "result", no "result" for undefined, or "throws".
import { createInterface } from 'node:readline'
import { buildValue } from '@integration-app/sdk'

export function answer({ template, variables }) {
  try {
    // `$formula` writes into its template, and the result may share parts with the input, so it is written out at once.
    const result = buildValue(structuredClone(template), variables)
    return JSON.parse(JSON.stringify({ template, variables, result }))
  } catch {
    return { template, variables, throws: true }
  }
}

if (import.meta.url === `file://${process.argv[1]}`) {
  for await (const line of createInterface({ input: process.stdin })) {
    if (line.trim()) console.log(JSON.stringify(answer(JSON.parse(line))))
  }
}
