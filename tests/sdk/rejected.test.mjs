// What a 401 of the third party brings about: never an upload cut short or sent again empty, and no refresh for each
// request of somebody who lacks a right.
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import { outcomes, refreshing } from './refreshing.mjs';

const MIB = 1024 * 1024;
const GIB = 1024 * MIB;

// Each in a Sidegate of its own: a token that came of a refusal is suspect for a minute.
const scened = (name, run) => test(name, async () => {
  const scene = await refreshing({ callers: 200 });
  try {
    await run(scene, scene.oauth);
  } finally {
    await scene.stop();
  }
});

/** So many bytes, each mebibyte another, and the hash of what was read of them. */
function upload(bytes) {
  const block = randomBytes(MIB);
  const hash = createHash('sha256');
  const pieces = function* pieces() {
    for (let sent = 0; sent < bytes; sent += MIB) {
      block.writeUInt32BE(sent / MIB);
      const piece = Buffer.from(block);
      hash.update(piece);
      yield piece;
    }
  };
  return { body: Readable.from(pieces(), { objectMode: false, highWaterMark: MIB }), hash: () => hash.digest('hex') };
}

for (const [how, headers] of [['chunked', { 'transfer-encoding': 'chunked' }], ['with its length', { 'content-length': GIB }]]) {
  scened(`a 401 to a streamed body of 1 GiB, ${how}, is passed on, and the body was sent once and whole`, async (scene, oauth) => {
    await oauth.revoke((await scene.credentials()).access_token);
    const [tokens, bodies] = [oauth.tokenRequests.length, oauth.seen.bodies.length];
    const { body, hash } = upload(GIB);
    const answer = await scene.ask('POST', '/connections/rotating/proxy/resource', scene.customer, body, headers);
    assert.deepEqual([answer.status, JSON.parse(answer.text)], [401, { error: 'invalid_token' }]);
    assert.equal(answer.headers['x-sidegate-rejection'], undefined, 'it is the third party\'s own answer');
    assert.deepEqual(oauth.seen.bodies.slice(bodies), [{ bytes: GIB, sha256: hash() }], 'one body came');
    // The next caller has a token that is good, and it was fetched once.
    assert.equal((await scene.call()).status, 200);
    assert.equal(oauth.tokenRequests.length - tokens, 1);
  });
}

scened('a short body is sent a second time, the same to the byte', async (scene, oauth) => {
  await oauth.revoke((await scene.credentials()).access_token);
  const bodies = oauth.seen.bodies.length;
  const text = randomBytes(8192).toString('hex');
  const answer = await scene.ask('POST', '/connections/rotating/proxy/resource', scene.customer, { text });
  assert.equal(answer.status, 200);
  const sent = JSON.stringify({ text });
  const expected = { bytes: sent.length, sha256: createHash('sha256').update(sent).digest('hex') };
  assert.deepEqual(oauth.seen.bodies.slice(bodies), [expected, expected]);
});

scened('who lacks a right gets the 401, and causes one refresh in a minute however often it asks', async (scene, oauth) => {
  const before = oauth.tokenRequests.length;
  for (let round = 0; round < 5; round += 1) {
    const answers = await scene.everybodyCalls(200, '/forbidden');
    assert.deepEqual(outcomes(answers), { 401: 200 });
    for (const { text } of answers) assert.deepEqual(JSON.parse(text), { error: 'invalid_token' });
  }
  assert.equal(oauth.tokenRequests.length - before, 1);
  const { headers } = await scene.call('/forbidden');
  assert.equal(headers['x-sidegate-refresh'], 'rejected_while_fresh');
  assert.equal((await scene.call()).status, 200, 'the others are not held to it');
});

scened('a missing scope refreshes nothing', async (scene, oauth) => {
  const before = oauth.tokenRequests.length;
  assert.deepEqual(outcomes(await scene.everybodyCalls(50, '/scope')), { 401: 50 });
  assert.equal(oauth.tokenRequests.length, before);
});
