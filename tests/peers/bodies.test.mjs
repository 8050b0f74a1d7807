// Bodies far larger than memory, both ways at once, and streams that never end: hashes agree, and the process stays small.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import http from 'node:http';
import { test } from 'node:test';
import { MIB, api, ask, asCustomer, eventually, gateBefore, memory, memoryBar, pattern, scale, tell } from './support.mjs';

const size = scale(128, 1024) * MIB;
const piece = pattern(MIB);
const expected = (() => {
  const hash = createHash('sha256');
  for (let at = 0; at < size; at += MIB) hash.update(piece);
  return hash.digest('hex');
})();

/** Writes the whole body, no faster than it is taken. */
async function pour(stream) {
  for (let at = 0; at < size; at += MIB) {
    if (!stream.write(piece)) await once(stream, 'drain');
  }
  stream.end();
}

async function hashed(stream) {
  const hash = createHash('sha256');
  for await (const chunk of stream) hash.update(chunk);
  return hash.digest('hex');
}

const send = (url, framing) => new Promise((resolve, reject) => {
  const request = http.request(url, { method: 'POST', headers: { ...asCustomer(), ...framing }, agent: false }, resolve);
  request.on('error', reject);
  pour(request).catch(reject);
});

test(`${size / MIB} MiB up and ${size / MIB} MiB down leave no trace in memory`, async (t) => {
  const origin = await api(t, async (request, response) => {
    if (request.method === 'GET') return pour(response);
    return response.end(await hashed(request));
  });
  const gate = await gateBefore(t, origin.url);
  const bar = memoryBar(memory(gate));
  for (const framing of [{ 'content-length': size }, { 'transfer-encoding': 'chunked' }]) {
    const answer = await send(gate.inbound, framing);
    let text = '';
    for await (const chunk of answer) text += chunk;
    assert.deepEqual([answer.statusCode, text], [200, expected], JSON.stringify(framing));
  }
  const down = await new Promise((resolve, reject) => { http.get(gate.inbound, { headers: asCustomer() }, resolve).on('error', reject); });
  assert.equal(await hashed(down), expected);
  const { peak } = memory(gate);
  tell(t, `peak ${peak} KiB`);
  assert(peak <= bar, `${peak} KiB`);
});

test('echoes of a large body, several at once, each up and down together, take next to nothing', async (t) => {
  const echoes = scale(3, 10);
  const origin = await api(t, (request, response) => { response.writeHead(200); request.pipe(response); });
  const gate = await gateBefore(t, origin.url);
  const before = memory(gate).resident;
  const hashes = await Promise.all(Array.from({ length: echoes }, async () => hashed(await send(gate.inbound, {}))));
  assert.deepEqual([...new Set(hashes)], [expected]);
  const grown = memory(gate).peak - before;
  tell(t, `${grown} KiB more for ${echoes} echoes of ${size / MIB} MiB`);
  assert(grown <= 8 * 1024 + echoes * 1024, `${grown} KiB`);
});

test('server-sent events arrive one by one, as they are made', async (t) => {
  let send;
  const origin = await api(t, (request, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
    response.flushHeaders();
    send = (text) => (text ? response.write(text) : response.end());
  });
  const gate = await gateBefore(t, origin.url);
  const stream = await new Promise((resolve, reject) => {
    http.get(`${gate.inbound}/events`, { headers: { ...asCustomer(), accept: 'text/event-stream' } }, resolve).on('error', reject);
  });
  assert.equal(stream.headers['content-type'], 'text/event-stream');
  let seen = '';
  stream.setEncoding('utf8').on('data', (text) => { seen += text; });
  // The next event is made only once the one before has arrived: nothing on the way may wait for more.
  for (let event = 1; event <= 200; event += 1) {
    send(`id: ${event}\ndata: ${'x'.repeat(event)}\n\n`);
    await eventually(`event ${event}`, () => seen.endsWith(`id: ${event}\ndata: ${'x'.repeat(event)}\n\n`));
  }
  send();
  await new Promise((resolve) => { stream.on('end', resolve); });
});

test('a reader of events who leaves is noticed by the API', async (t) => {
  const left = Promise.withResolvers();
  const origin = await api(t, (request, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write('data: 1\n\n');
    response.on('close', left.resolve);
  });
  const gate = await gateBefore(t, origin.url);
  const request = http.get(gate.inbound, { headers: asCustomer() });
  request.on('error', () => {});
  const [answer] = await new Promise((resolve) => { request.on('response', (...all) => resolve(all)); });
  await new Promise((resolve) => { answer.once('data', resolve); });
  request.destroy();
  await left.promise;
  assert.equal((await ask(gate.inbound, { headers: {} })).status, 401);
});
