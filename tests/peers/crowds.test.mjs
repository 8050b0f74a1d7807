// Crowds that want nothing, or want it slowly, beside callers who must not notice.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { Load, Raw, Sidegate, api, binary, descriptors, eventually, folder, gateBefore, inParallel, memory, metric, mirror, openFiles, scale, settings, tell, token, tokenHeader } from './support.mjs';

// One end of each connection is ours: leave room for the good ones and for whatever else this process holds.
const idle = Math.min(scale(2_000, 10_000), openFiles - 4_000);
const slow = scale(200, 1_000);
const good = 100;

const request = (path = '/') => `GET ${path} HTTP/1.1\r\nHost: api.test\r\n${tokenHeader}: ${token()}\r\n\r\n`;

test(`${idle} idle and ${slow} slow clients take nothing from ${good} good ones`, async (t) => {
  const large = Buffer.alloc(8 * 1024 * 1024, 'y');
  const origin = await api(t, (query, response) => (query.url === '/large' ? response.end(large) : mirror(query, response)));
  // The slow are slower than the head's limit allows: it is raised so that all of them stay.
  const gate = await gateBefore(t, origin.url, { inbound: 'limits: {requestHead: 10m, keepAlive: 10m}' });
  const before = { ...memory(gate), descriptors: descriptors(gate) };

  const crowd = [];
  t.after(() => crowd.forEach((raw) => raw.end()));
  await inParallel(idle, 200, async (index) => {
    const raw = await Raw.to(gate.inbound);
    crowd.push(raw);
    // Half of the idle have asked once, half never said a word.
    if (index % 2) { raw.say(request()); await raw.until('"customer"'); raw.text = ''; }
  });
  const resting = memory(gate).resident;

  const kinds = [
    (raw) => raw.say('GET / HTTP/1.1\r\nHost: api.test\r\nX-Slow: '), // a head that never ends
    (raw) => raw.say(`POST / HTTP/1.1\r\nHost: api.test\r\n${tokenHeader}: ${token()}\r\nContent-Length: 1000000\r\n\r\n`), // a body in drops
    (raw) => { raw.say(request('/large')); raw.socket.pause(); }, // an answer that nobody reads
  ];
  await inParallel(slow, 100, async (index) => {
    const raw = await Raw.to(gate.inbound);
    crowd.push(raw);
    kinds[index % 3](raw);
    if (index % 3 < 2) raw.drip = setInterval(() => raw.say('x'), 200);
    raw.closed.then(() => clearInterval(raw.drip));
  });

  const load = new Load(t, gate.inbound, { callers: good });
  await load.more(scale(3_000, 30_000));
  const { done, failures } = await load.stop();
  assert.deepEqual(failures, []);
  assert(crowd.every((raw) => !raw.isClosed), `${crowd.filter((raw) => raw.isClosed).length} of the crowd were thrown out`);
  const full = memory(gate);
  tell(t, `${done} good answers; KiB resident: ${before.resident} alone, ${resting} with ${idle} idle (${((resting - before.resident) * 1024 / idle).toFixed(0)} bytes each), ${full.resident} with the slow too`);

  // The idle are as good as new.
  await inParallel(idle, 200, async (index) => {
    crowd[index].say(request());
    await crowd[index].until('"customer"');
  });
  for (const raw of crowd) raw.end();
  await eventually('all descriptors come back', () => descriptors(gate) <= before.descriptors + good + 8);
});

test('who is too slow with the head is let go, and the good do not notice', async (t) => {
  const origin = await api(t, mirror);
  const gate = await gateBefore(t, origin.url, { inbound: 'limits: {requestHead: 1s}' });
  const load = new Load(t, gate.inbound, { callers: 10 });
  const crowd = [];
  await inParallel(scale(200, 1_000), 100, async () => {
    const raw = await Raw.to(gate.inbound);
    raw.say('GET / HTTP/1.1\r\nHost: api.test\r\nX-Slow: ');
    raw.drip = setInterval(() => raw.say('x'), 100);
    raw.closed.then(() => clearInterval(raw.drip));
    crowd.push(raw);
  });
  await Promise.all(crowd.map((raw) => raw.closed));
  await load.more(100);
  assert.deepEqual((await load.stop()).failures, []);
});

test('over the limit of connections the next waits, and nobody who is in loses anything', async (t) => {
  const origin = await api(t, mirror);
  const gate = await gateBefore(t, origin.url, { workers: 1, inbound: 'limits: {maxConnections: 20}' });
  const inside = [];
  for (let index = 0; index < 20; index += 1) {
    const raw = await Raw.to(gate.inbound);
    raw.say(request());
    await raw.until('"customer"');
    inside.push(raw);
  }
  const outside = await Raw.to(gate.inbound); // the system's queue takes it
  outside.say(request());
  for (const raw of inside) { raw.text = ''; raw.say(request()); await raw.until('"customer"'); }
  assert.equal(outside.text, '');
  inside[7].end();
  await outside.until('"customer"');
  for (const raw of [...inside, outside]) raw.end();
});

test('a wave of callers who leave in the middle leaves nothing behind', async (t) => {
  const origin = await api(t, (query, response) => { query.resume(); response.write('a'); });
  const gate = await gateBefore(t, origin.url);
  const before = descriptors(gate);
  await inParallel(scale(1_000, 10_000), 100, async (index) => {
    const raw = await Raw.to(gate.inbound);
    const [head] = request().split('\r\n\r\n');
    raw.say([request(), `${head}\r\nContent-Length: 10\r\n\r\nhalf`, head, ''][index % 4]);
    if (index % 4 === 0) await raw.until('HTTP/1.1 200');
    raw.end();
  });
  await eventually('all descriptors come back', () => descriptors(gate) <= before + 4);
  await eventually('the API is let go too', () => origin.sockets.size === 0);
  await eventually('nothing is in flight', async () => await metric(gate, 'http_server_active_requests', 'door="inbound"') === 0);
});

test('it raises its own limit of open files as far as it may', async (t) => {
  const path = folder({ 'sidegate.yaml': settings({ upstream: 'http://127.0.0.1:9' }) });
  const child = spawn('sh', ['-c', 'ulimit -Sn 64; exec "$0" run --config "$1"', binary, path]);
  const gate = new Sidegate(child, path);
  await gate.up;
  t.after(async () => { assert.equal(await gate.stop(), 0); gate.remove(); });
  const [, soft, hard] = readFileSync(`/proc/${child.pid}/limits`, 'utf8').match(/^Max open files\s+(\d+)\s+(\d+)/m);
  assert.equal(soft, hard);
  await inParallel(200, 200, async () => {
    const raw = await Raw.to(gate.inbound);
    raw.say('GET / HTTP/1.1\r\nHost: api.test\r\n\r\n');
    await raw.until('401');
    t.after(() => raw.end());
  });
});
