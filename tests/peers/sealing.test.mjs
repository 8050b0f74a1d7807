// Sealing keys that are rotated while a service calls out: every call is answered, every round ends with one key in use, and each old one
// is taken out. FULL=1 asks for the promised rate.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { configuration } from '../sdk/support.mjs';
import { Load, api, ask, binary, eventually, metric, plant, run, scale, secret, sidegate, tell, workspace } from './support.mjs';

const connections = scale(200, 5_000);
const rounds = scale(3, 10);
/** Calls a second, at least. */
const rate = scale(0, 1_000);
const customer = (id) => ({ 'x-sidegate-workspace': workspace, 'x-sidegate-customer': `customer-${id}` });

test(`${rounds} rotations of ${connections} connections under load: no call fails`, async (t) => {
  const key = plant('api-key');
  const third = await api(t, (request, response) => { response.statusCode = request.headers['x-api-key'] === key ? 200 : 401; response.end(); });
  const keys = [];
  const settings = () => configuration({ workspace, secret, more: `accessLog: {to: "off"}
reload: {poll: 0s}
connectors: {crm: {name: CRM, auth: {type: client-credentials, makeApiClient: {implementationType: mapping, mapping: {baseUri: "${third.url}", headers: {X-Api-Key: {$var: credentials.key}}}}}}}
integrations: {crm: {connector: crm, egress: {allowPrivate: true, allowPlain: true}}}
` })
    .replace('  inbound: {address: "127.0.0.1:0"}\n', '')
    .replace('outbound: {address: "127.0.0.1:0"}', 'outbound: {address: "127.0.0.1:0", trustCaller: true}\n  admin: {address: "127.0.0.1:0"}')
    .replace(/encryption: .*/, `encryption: {keys: [${keys.map(({ id, value }) => `{id: ${id}, key: {value: "${value}"}}`).join(', ')}]}`);
  const newKey = () => keys.unshift({ id: `k${keys.length}-${randomBytes(4).toString('hex')}`, value: randomBytes(32).toString('base64') });
  newKey();
  const gate = await sidegate({ 'sidegate.yaml': settings() });
  t.after(async () => { assert.equal(await gate.stop(), 0, gate.diagnostics.slice(-2000)); gate.remove(); });
  await eventually('the admin listener is told', () => gate.listeners.admin);
  const create = async (from) => {
    for (let number = from; number < connections; number += 16) {
      const body = JSON.stringify({ integrationKey: 'crm', credentials: { key } });
      const { status, text } = await ask(`${gate.outbound}/connections`, { method: 'POST', headers: customer(number), body });
      assert.equal(status, 200, text);
    }
  };
  await Promise.all(Array.from({ length: 16 }, (_, from) => create(from)));

  const command = (...words) => run(binary, [...words, '--address', new URL(gate.listeners.admin).host]);
  const reload = async () => { writeFileSync(join(gate.path, 'sidegate.yaml'), settings(), { mode: 0o600 }); await command('reload'); };
  let turn = 0;
  const load = new Load(t, gate.outbound, { callers: 16, path: '/connections/crm/proxy/x', headers: () => customer((turn += 1) % connections) });
  await load.more(100);
  const before = { done: load.done, at: performance.now() };
  for (let round = 0; round < rounds; round += 1) {
    newKey();
    await reload();
    await command('key', 'rotate');
    keys.pop();
    await reload();
    await load.turnover();
  }
  const perSecond = ((load.done - before.done) * 1000) / (performance.now() - before.at);
  const { done, failures } = await load.stop();
  assert.deepEqual(failures, []);
  assert.equal(await metric(gate, 'sidegate_rotated_rows_total', 'outcome="resealed"'), connections * rounds);
  assert.equal(await metric(gate, 'sidegate_sealed_rows_outdated'), 0);
  tell(t, `${done} calls answered, ${Math.round(perSecond)} a second while keys were rotated`);
  assert(perSecond >= rate, `${perSecond} calls a second`);
});
