// Too many at once: who is turned away is told when to come again, and the API and everybody else are spared.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Load, api, ask, asCustomer, eventually, gateBefore, run, scale, tell, tokenHeader, token, without } from './support.mjs';

/** An API that holds every request until it is let go, and knows how many it holds, in all and of each customer. */
async function holding(t) {
  const held = { now: [], most: 0, of: new Map() };
  const origin = await api(t, (request, response) => {
    const customer = request.headers['x-sidegate-customer'];
    held.now.push(response);
    held.most = Math.max(held.most, held.now.length);
    const mine = (held.of.get(customer) ?? 0) + 1;
    held.of.set(customer, Math.max(mine, held.of.get(customer) ?? 0));
    response.on('close', () => { held.now = held.now.filter((one) => one !== response); });
  });
  held.letGo = () => { for (const response of held.now) response.end('ok'); };
  return { ...origin, held };
}

test('over the limit of all requests the rest is turned away, and all are served again after it', async (t) => {
  const { url, held } = await holding(t);
  const gate = await gateBefore(t, url, { more: 'overload: {maxRequests: 20, retryAfter: 7s}' });
  const answers = Array.from({ length: 100 }, () => ask(gate.inbound));
  const early = [];
  for (const answer of answers) answer.then((one) => early.push(one));
  await eventually('80 are turned away', () => early.length === 80 && held.now.length === 20);
  assert.deepEqual([...new Set(early.map(({ status, code, headers }) => `${status} ${code} ${headers['retry-after']}`))], ['503 overloaded 7']);
  held.letGo();
  await Promise.all(answers);
  assert.equal(early.filter(({ status }) => status === 200).length, 20);
  assert.equal(held.most, 20);
  const again = ask(gate.inbound);
  await eventually('it is served', () => held.now.length === 1);
  held.letGo();
  assert.equal((await again).status, 200);
});

test('callers who leave give their places back', async (t) => {
  const { url, held } = await holding(t);
  const gate = await gateBefore(t, undefined, { more: `upstreams: {api: {upstream: "${url}", limits: {maxRequests: 10, perCustomer: {concurrency: 5}}}}` });
  for (let round = 0; round < scale(20, 200); round += 1) {
    const leaving = new AbortController();
    const asked = Array.from({ length: 5 }, () => fetch(gate.inbound, { headers: asCustomer(), signal: leaving.signal }).then(({ status }) => assert.fail(`${status}`), () => {}));
    await eventually('they are held', () => held.now.length === 5);
    leaving.abort();
    await Promise.all(asked);
    await eventually('they are gone', () => held.now.length === 0);
  }
  const last = ask(gate.inbound);
  await eventually('it is held', () => held.now.length === 1);
  held.letGo();
  assert.equal((await last).status, 200);
});

test('a noisy customer is held to its share, and a quiet one does not notice', async (t) => {
  const origin = await api(t, (request, response) => response.end('ok'));
  const gate = await gateBefore(t, undefined, { more: `upstreams: {api: {upstream: "${origin.url}", limits: {perCustomer: {rate: 50, burst: 50, concurrency: 100}}}}` });
  const noisy = new Load(t, gate.inbound, { callers: 20, headers: () => asCustomer('noisy') });
  const quiet = [];
  for (let i = 0; i < 30; i += 1) quiet.push((await ask(gate.inbound, { headers: asCustomer('quiet') })).status);
  await eventually('the noisy one is limited', () => noisy.failures.length > 50);
  const { done, failures } = await noisy.stop();
  assert.deepEqual([...new Set(quiet)], [200]);
  assert(failures.every((failure) => failure.startsWith('429 rate_limited')), failures[0]);
  tell(t, `the noisy customer: ${done} served, ${failures.length} turned away`);
  assert(done >= 50);
});

test('h2load of one customer over its concurrency: the API never holds more', { skip: without('h2load') }, async (t) => {
  let now = 0; let most = 0;
  const origin = await api(t, (request, response) => { now += 1; most = Math.max(most, now); setTimeout(() => { now -= 1; response.end('ok'); }, 5); });
  const gate = await gateBefore(t, undefined, { more: `upstreams: {api: {upstream: "${origin.url}", limits: {perCustomer: {concurrency: 8}}}}` });
  const { stdout } = await run('h2load', ['-n', scale(2_000, 20_000), '-c', 4, '-m', 50, '-H', `${tokenHeader}: ${token()}`, gate.inbound]);
  const [, good, bad] = stdout.toString().match(/status codes: (\d+) 2xx, 0 3xx, (\d+) 4xx, 0 5xx/);
  tell(t, `${good} served, ${bad} turned away, ${most} at once at the API`);
  assert(most <= 8, `${most}`);
  assert(good > 0 && bad > 0);
});
