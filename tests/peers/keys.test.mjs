// Issuers that publish and rotate their keys, and those who try to make Sidegate pay for what they send: good traffic does not notice.
import assert from 'node:assert/strict';
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import { test } from 'node:test';
import jwt from 'jsonwebtoken';
import { Load, api, ask, eventually, fastApi, folder, gateBefore, isFull, memory, metric, scale, tell, tokenHeader, without, workspace, wrk } from './support.mjs';

const curves = { ES256: 'P-256', ES512: 'P-521' };
let made = 0;
/** A new key with its kid, its JWK and what signs with it. */
function key(algorithm = 'ES256') {
  const kid = `key-${made += 1}`;
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: curves[algorithm] });
  return {
    kid, jwk: { ...publicKey.export({ format: 'jwk' }), kid, alg: algorithm, use: 'sig' },
    sign: (id = 'customer-1', more = {}) => jwt.sign({ iss: workspace, id }, privateKey, { algorithm, keyid: kid, expiresIn: '2h', ...more }),
  };
}

/** An issuer's endpoint; what it publishes may be changed, and every reading is counted. */
async function issuer(t, ...keys) {
  const publishes = { keys, readings: 0, answer: null };
  const origin = await api(t, (request, response) => {
    publishes.readings += 1;
    if (publishes.answer) return publishes.answer(response);
    response.setHeader('content-type', 'application/jwk-set+json');
    return response.end(JSON.stringify({ keys: publishes.keys.map(({ jwk }) => jwk) }));
  });
  return Object.assign(publishes, { url: `${origin.url}/jwks.json`, origin });
}

const jwks = (url, more = '') => `jwks: {url: "${url}", allowPrivate: true, allowPlain: true, ${more}}`;
const as = (signed) => ({ [tokenHeader]: signed });
const ready = (gate) => eventually('it is ready', async () => (await fetch(`${gate.listeners.health}/readyz`)).status === 200);
const plain = (t) => api(t, (request, response) => response.end('ok'));

const rotations = scale(100, 1_000);
test(`${rotations} rotations of a published key set under load: no request fails`, async (t) => {
  let current = key();
  const published = await issuer(t, current);
  const gate = await gateBefore(t, (await plain(t)).url, { keys: jwks(published.url, 'cooldown: 1ms') });
  await ready(gate);
  let signed = current.sign();
  const load = new Load(t, gate.inbound, { callers: 16, headers: () => as(signed) });
  for (let round = 1; round <= rotations; round += 1) {
    // As issuers do: the new key beside the old, then tokens under the new one. Nobody tells Sidegate.
    const next = key();
    published.keys = [current, next];
    signed = next.sign(`customer-${round}`);
    current = next;
    await load.turnover();
  }
  const { done, failures } = await load.stop();
  assert.deepEqual(failures, []);
  tell(t, `${done} answers, ${rotations} keys, ${published.readings} readings of the set`);
  assert(published.readings <= rotations * 2 + 2, `${published.readings} readings`);
});

test('a key that leaves the set stops working, remembered tokens too', async (t) => {
  const [old, next] = [key(), key()];
  const published = await issuer(t, old);
  const gate = await gateBefore(t, (await plain(t)).url, { keys: jwks(published.url, 'cooldown: 1ms') });
  await ready(gate);
  for (let i = 0; i < 10; i += 1) assert.equal((await ask(gate.inbound, { headers: as(old.sign()) })).status, 200);
  published.keys = [next];
  assert.equal((await ask(gate.inbound, { headers: as(next.sign()) })).status, 200);
  await eventually('the old key is gone on each worker', async () => (await Promise.all(Array.from({ length: 8 }, () => ask(gate.inbound, { headers: as(old.sign()) })))).every(({ code }) => code === 'invalid_token'));
});

test('it starts before its issuer, is not ready, answers 503, and serves when the issuer is there', async (t) => {
  const current = key();
  const published = await issuer(t, current);
  published.answer = (response) => response.writeHead(503).end('not yet');
  const gate = await gateBefore(t, (await plain(t)).url, { keys: jwks(published.url) });
  const answer = await ask(gate.inbound, { headers: as(current.sign()) });
  assert.deepEqual([answer.status, answer.code], [503, 'keys_unavailable']);
  assert(answer.headers['retry-after'] > 0);
  assert.equal((await fetch(`${gate.listeners.health}/readyz`)).status, 503);
  published.answer = null;
  await ready(gate);
  assert.equal((await ask(gate.inbound, { headers: as(current.sign()) })).status, 200);
});

test('an issuer that is gone or talks nonsense costs nobody who has a key of the last good set', async (t) => {
  const current = key();
  const published = await issuer(t, current);
  const gate = await gateBefore(t, (await plain(t)).url, { keys: jwks(published.url, 'refresh: 50ms, cooldown: 10ms') });
  await ready(gate);
  const load = new Load(t, gate.inbound, { callers: 4, headers: () => as(current.sign()) });
  const nonsense = [
    (response) => response.destroy(), (response) => response.writeHead(500).end(), (response) => response.end('<html>'),
    (response) => response.end('{"keys": []}'), (response) => response.end('{"keys": [{"kty'), (response) => response.writeHead(302, { location: '/elsewhere' }).end(),
    (response) => response.end(JSON.stringify({ keys: [{ kty: 'oct', k: 'c2VjcmV0', kid: current.kid }] })),
    (response) => response.end(Buffer.alloc(4_000_000, ' ')), () => {},
  ];
  for (const answer of nonsense) {
    published.answer = answer;
    const before = published.readings;
    await eventually('it was read', () => published.readings > before);
    await load.more(20);
  }
  assert.deepEqual((await load.stop()).failures, []);
});

/** Good traffic and a flood beside it, by turns with the same flood's harmless twin: each pair stands in the same moment of the same machine. */
async function besideFlood(t, { gate, good, harmless, flood, rounds = scale(3, 7), seconds = scale(2, 4) }) {
  const measure = async (script) => {
    const other = script && wrk(gate.inbound, { seconds: seconds + 1, connections: 8, headers: {}, more: ['-s', script] });
    const { rate, failed, text } = await wrk(gate.inbound, { seconds, connections: 32, headers: as(good) });
    assert.equal(failed, 0, text);
    const beside = other && await other;
    return { rate, flood: beside?.rate ?? 0 };
  };
  const measured = { alone: [], harmless: [], flood: [] };
  await measure();
  for (let round = 0; round < rounds; round += 1) {
    measured.alone.push(await measure());
    measured.harmless.push(await measure(harmless));
    measured.flood.push(await measure(flood));
  }
  const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];
  const rates = Object.fromEntries(Object.entries(measured).map(([name, list]) => [name, { rate: median(list.map(({ rate }) => rate)), flood: median(list.map(({ flood: rate }) => rate)) }]));
  const kept = median(measured.flood.map(({ rate }, round) => rate / measured.alone[round].rate));
  const keptBesideTwin = median(measured.flood.map(({ rate }, round) => rate / measured.harmless[round].rate));
  tell(t, `good requests a second: ${Math.round(rates.alone.rate)} alone, ${Math.round(rates.harmless.rate)} beside ${Math.round(rates.harmless.flood)} harmless ones, ${Math.round(rates.flood.rate)} beside ${Math.round(rates.flood.flood)} of the flood; ratios ${kept.toFixed(3)} and ${keptBesideTwin.toFixed(3)}`);
  return { kept, keptBesideTwin };
}

/**
 * A wrk script in which each request takes the next of these tokens, so many milliseconds after the one before on its connection. With
 * `isAltered` each has another twenty letters in the second half of its signature, so that none is sent twice.
 */
function script(t, tokens, delay, isAltered = false) {
  const path = folder({
    'flood.lua': `
local tokens = {${tokens.map((one) => JSON.stringify(one)).join(',')}}
local letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
local at = 0
local function altered(token)
  local some = {}
  for i = 1, 20 do local n = math.random(64); some[i] = letters:sub(n, n) end
  return token:sub(1, -61) .. table.concat(some) .. token:sub(-40)
end
function init() math.randomseed(os.time()) end
function delay() return ${delay} end
function request()
  at = at % #tokens + 1
  return wrk.format('GET', '/', {['${tokenHeader}'] = ${isAltered ? 'altered(tokens[at])' : 'tokens[at]'}})
end
`,
  });
  t.after(() => rmSync(path, { recursive: true }));
  return `${path}/flood.lua`;
}

/** The same length and shape, refused before any key is looked for: the payload names no workspace. */
const harmlessTwin = (signed) => { const [head, , signature] = signed.split('.'); return [head, Buffer.from('{"id":"x"}').toString('base64url'), signature].join('.'); };
/** A signature whose first number is 0: it is refused without a calculation, and must not make those that need one look cheap. */
const withEmptySignature = (signed) => `${signed.slice(0, signed.lastIndexOf('.') + 1)}${Buffer.alloc(132).toString('base64url')}`;

test('a flood of bad ES512 signatures leaves the known their throughput', { skip: without('wrk') }, async (t) => {
  const costly = key('ES512');
  const published = await issuer(t, costly);
  const gate = await gateBefore(t, (await fastApi(t)).url, { keys: jwks(published.url) });
  await ready(gate);
  const good = costly.sign();
  const flood = Array.from({ length: 50 }, (_, index) => costly.sign(`customer-${index}`));
  const cheap = withEmptySignature(good);
  for (let i = 0; i < 10; i += 1) assert.equal((await ask(gate.inbound, { headers: as(cheap) })).status, 401);
  const { kept, keptBesideTwin } = await besideFlood(t, { gate, good, harmless: script(t, flood.map(harmlessTwin), 2, true), flood: script(t, flood, 2, true) });
  const refused = await metric(gate, 'sidegate_requests_total', 'reason="bad_signature"');
  assert(refused > 0, 'no bad signature was ever checked');
  tell(t, `bad signatures checked ${refused}, not checked ${await metric(gate, 'sidegate_requests_total', 'reason="verification_saturated"')}`);
  assert.equal((await ask(gate.inbound, { headers: as(good) })).status, 200);
  const bar = isFull ? 0.9 : 0.4; // a short run in a debug build tells little
  assert(kept >= bar || keptBesideTwin >= bar, `${kept} of the throughput alone, ${keptBesideTwin} of that beside harmless requests`);
});

test('a flood of made-up key ids has the set read once, and leaves good traffic alone', { skip: without('wrk') }, async (t) => {
  const current = key();
  const published = await issuer(t, current);
  const gate = await gateBefore(t, (await fastApi(t)).url, { keys: jwks(published.url) });
  await ready(gate);
  const good = current.sign();
  const readings = published.readings;
  const flood = Array.from({ length: 2_000 }, () => current.sign('x', { keyid: randomBytes(12).toString('hex') }));
  const before = memory(gate).resident;
  const { kept, keptBesideTwin } = await besideFlood(t, { gate, good, harmless: script(t, flood.map(harmlessTwin), 1), flood: script(t, flood, 1) });
  const asked = await metric(gate, 'sidegate_requests_total', 'reason="unknown_kid"');
  tell(t, `${asked} made-up key ids, ${published.readings - readings} readings, ${memory(gate).resident - before} KiB more`);
  assert(asked > 500, `${asked}`);
  // The shortest time between two is 30 s, and the whole flood may take longer than that in a full run.
  assert(published.readings - readings <= scale(2, 6), `${published.readings - readings} readings`);
  const bar = isFull ? 0.9 : 0.4; // a short run in a debug build tells little
  assert(keptBesideTwin >= bar || kept >= bar, `${kept}, ${keptBesideTwin}`);
});
