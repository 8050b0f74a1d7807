// A configuration that changes under load: every answer is right under one generation or the next, and none is lost. A mistake changes nothing.
import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import jwt from 'jsonwebtoken';
import { Load, Raw, api, ask, descriptors, eventually, gateBefore, memory, metric, scale, secret, settings, tell, token, tokenHeader, workspace } from './support.mjs';

const rounds = scale(100, 1_000);
const generation = (gate) => metric(gate, 'sidegate_config_generation');

/** Writes files of the gate's folder (null removes one), has it read them, and waits until it has. */
async function reload(gate, files, outcome = 'applied') {
  const attempts = () => metric(gate, 'sidegate_config_reloads_total', `outcome="${outcome}"`);
  const before = await attempts();
  for (const [name, text] of Object.entries(files)) {
    if (text === null) rmSync(join(gate.path, name)); else writeFileSync(join(gate.path, name), text, { mode: 0o600 });
  }
  gate.child.kill('SIGHUP');
  await eventually(`the reload is ${outcome}`, async () => await attempts() > before);
}

const named = (t, name) => api(t, (request, response) => response.end(`${name} ${request.headers['x-who']}`));
const quiet = 'reload: {poll: 0s}\n';

test(`${rounds} reloads under load: no request fails, each is answered by one API or the other, nothing grows`, async (t) => {
  const origins = [await named(t, 'even'), await named(t, 'odd')];
  const upstream = (round) => `${quiet}upstreams:
  api: {upstream: "${origins[round % 2].url}", identity: {X-Who: id, X-Round-${round}: workspace}, timeouts: {responseHead: ${30 + (round % 7)}s}, rules: [{path: /a, allow: customer}, {path: /*, allow: verified}]}
`;
  const gate = await gateBefore(t, undefined, { more: upstream(0) });
  const load = new Load(t, gate.inbound, { callers: 16, path: '/a' });
  // One that has been open all the time, asking now and then.
  const kept = await Raw.to(gate.inbound);
  const askKept = async (name) => {
    kept.text = '';
    kept.say(`GET / HTTP/1.1\r\nHost: a.test\r\n${tokenHeader}: ${token('kept')}\r\n\r\n`);
    await kept.until(`${name} kept`);
  };
  await load.more(100);
  let early;
  for (let round = 1; round <= rounds; round += 1) {
    await reload(gate, { 'sidegate.yaml': settings({ more: upstream(round) }) });
    // Whoever asks from now on is answered under the new one.
    if (round % 10 === 0) await askKept(['even', 'odd'][round % 2]);
    if (round === Math.floor(rounds / 4)) early = { ...memory(gate), files: descriptors(gate) };
  }
  const { done, failures } = await load.stop();
  kept.end();
  assert.deepEqual(failures, []);
  assert.equal(await generation(gate), rounds + 1);
  const late = { ...memory(gate), files: descriptors(gate) };
  tell(t, `${done} answers, ${rounds} reloads; KiB resident after a quarter of them and at the end: ${early.resident}, ${late.resident}`);
  assert(late.resident - early.resident < 6 * 1024, `${early.resident} KiB, then ${late.resident} KiB`);
  assert(late.files <= early.files + 4, `${early.files} descriptors, then ${late.files}`);
});

test(`${rounds} changes of keys by reload: who has the newest key gets in, who has the one before is refused once it is gone`, async (t) => {
  const origin = await named(t, 'api');
  const pair = () => generateKeyPairSync('ec', { namedCurve: 'P-256', privateKeyEncoding: { type: 'pkcs8', format: 'pem' }, publicKeyEncoding: { type: 'spki', format: 'pem' } });
  const config = (names) => ({ 'sidegate.yaml': settings({ upstream: origin.url, more: quiet, keys: `publicKeys: [${names.map((name) => `{name: ${name}, kid: ${name}, file: ${name}.pem}`).join(', ')}]` }) });
  const sign = (name, { privateKey }) => jwt.sign({ iss: workspace, id: name }, privateKey, { algorithm: 'ES256', keyid: name, expiresIn: '2h' });
  const gate = await gateBefore(t, origin.url, { more: quiet });
  let current = { name: 'key-0', ...pair() };
  await reload(gate, { 'key-0.pem': current.publicKey, ...config(['key-0']) });
  current.token = sign('key-0', current);
  const load = new Load(t, gate.inbound, { callers: 8, headers: () => ({ [tokenHeader]: current.token }) });
  const spare = Array.from({ length: 8 }, pair);
  for (let round = 1; round <= rounds; round += 1) {
    const next = { name: `key-${round}`, ...spare[round % 8] };
    // The new key beside the old, then tokens under the new, then the old one away.
    await reload(gate, { [`${next.name}.pem`]: next.publicKey, ...config([current.name, next.name]) });
    const old = current;
    next.token = sign(next.name, next);
    current = next;
    await load.turnover();
    await reload(gate, config([next.name]));
    rmSync(join(gate.path, `${old.name}.pem`));
    // It verified a moment ago, and was remembered.
    assert.equal((await ask(gate.inbound, { headers: { [tokenHeader]: old.token } })).code, 'invalid_token');
  }
  const { done, failures } = await load.stop();
  assert.deepEqual(failures, []);
  tell(t, `${done} answers, ${rounds} keys`);
});

test('a mistake is told with its place, nothing changes, and the cure is taken', async (t) => {
  const origin = await named(t, 'api');
  const gate = await gateBefore(t, origin.url, { more: quiet });
  const load = new Load(t, gate.inbound, { callers: 4 });
  const broken = {
    'listeners: [': /sidegate\.yaml:\d+:\d+/,
    [`${settings({ upstream: origin.url, more: quiet })}workersss: 3\n`]: /workers/,
    [settings({ upstream: origin.url, more: quiet, keys: 'secret: {file: nowhere}' })]: /nowhere/,
    [settings({ upstream: origin.url, more: `${quiet}upstreamz: {}` })]: /upstreams/,
  };
  for (const [text, told] of Object.entries(broken)) {
    const before = gate.diagnostics.length;
    await reload(gate, { 'sidegate.yaml': text }, 'refused');
    await eventually('it is told', () => told.test(gate.diagnostics.slice(before)));
    assert(!gate.diagnostics.includes(secret));
    await load.more(20);
  }
  assert.equal(await generation(gate), 1);
  await reload(gate, { 'sidegate.yaml': settings({ upstream: origin.url, more: quiet }) });
  assert.equal(await generation(gate), 2);
  assert.deepEqual((await load.stop()).failures, []);
});

test('a hail of SIGHUPs is many reloads or few, and no harm', async (t) => {
  const origin = await named(t, 'api');
  const gate = await gateBefore(t, origin.url, { more: quiet });
  await eventually('it is ready', async () => (await fetch(`${gate.listeners.health}/readyz`)).status === 200);
  const load = new Load(t, gate.inbound, { callers: 4 });
  for (let i = 0; i < 500; i += 1) { gate.child.kill('SIGHUP'); if (i % 50 === 0) await load.more(5); }
  await load.more(50);
  const { failures } = await load.stop();
  assert.deepEqual(failures, []);
});

test('a changed file is noticed without being told', async (t) => {
  const first = await named(t, 'first');
  const second = await named(t, 'second');
  const more = 'reload: {poll: 100ms}\n';
  const gate = await gateBefore(t, first.url, { more });
  assert.match((await ask(gate.inbound)).text, /^first/);
  writeFileSync(join(gate.path, 'sidegate.yaml'), settings({ upstream: second.url, more }));
  await eventually('the new API answers', async () => /^second/.test((await ask(gate.inbound)).text));
});
