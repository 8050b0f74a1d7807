// Tokens that Sidegate makes for a customer's API, verified as the vendor's page says, by jsonwebtoken.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import jwt from 'jsonwebtoken';
import { assertNoSecret, json, plant, server, sidegate } from './support.mjs';

const workspaceSecret = plant('workspace-secret');
let api; let gate;

before(async () => {
  api = await server((request, body, response) => {
    // The vendor's own snippet.
    const token = request.headers['x-integration-app-token'];
    if (!token) return json(response, 200, {});
    const decoded = jwt.verify(token, workspaceSecret);
    return json(response, 200, { decoded, newer: request.headers['x-membrane-token'] });
  });
  gate = await sidegate({
    'sidegate.yaml': `
listeners: {inbound: {address: "127.0.0.1:0"}, outbound: {address: "127.0.0.1:0", trustCaller: true}, health: {address: "127.0.0.1:0"}}
workers: 1
shutdown: {delay: 0s, grace: 5s}
workspaces: {acme: {secret: {file: secret}}}
store: {redb: {path: store.redb}}
encryption: {keys: [{id: k1, key: {value: MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=}}]}
upstreams: {api: {upstream: "${api.url}"}}
connectors:
  older: {type: integration-app-token, test: {type: not-supported}}
  newer: {type: membrane-token, test: {type: not-supported}, makeApiClient: {type: mapping, mapping: {baseUri: "${api.url}"}}}
integrations:
  older: {connector: older, parameters: {baseUri: "${api.url}"}, hosts: ["${new URL(api.url).host}"], egress: {allowPrivate: true, allowPlain: true}}
  newer: {connector: newer, egress: {allowPrivate: true, allowPlain: true}}
`,
    secret: workspaceSecret,
  });
});

after(async () => {
  assert.equal(await gate.stop(), 0);
  assertNoSecret(gate.log + gate.diagnostics, 'the log');
  gate.remove();
  api.close();
});

const token = jwt.sign({ iss: 'acme', id: 'ada', name: 'Ada', fields: { plan: 'pro' } }, workspaceSecret, { expiresIn: '2h' });
const ask = (path, more = {}) =>
  fetch(gate.listeners.outbound + path, { ...more, headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' } });

async function called(integration) {
  const made = await ask('/connections', { method: 'POST', body: JSON.stringify({ integrationKey: integration }) });
  assert.equal(made.status, 200, await made.clone().text());
  assert.equal((await ask('/self')).status, 200);
  const answer = await ask(`/connections/${integration}/proxy/orders`);
  assert.equal(answer.status, 200, await answer.clone().text());
  return answer.json();
}

test("the vendor's snippet verifies what the API is sent", async () => {
  const { decoded, newer } = await called('older');
  assert.equal(newer, undefined);
  const { iss, sub, fields, iat, exp, ...rest } = decoded;
  assert.deepEqual({ iss, sub, fields, rest }, { iss: 'acme', sub: 'ada', fields: { plan: 'pro' }, rest: {} });
  assert.equal(exp - iat, 300);
  assert(Math.abs(iat - Date.now() / 1000) < 60);
});

test('a membrane token goes under both names, and our own inbound side admits it', async () => {
  const { newer } = await called('newer');
  assert.equal(jwt.verify(newer, workspaceSecret).sub, 'ada');
  const admitted = await fetch(gate.inbound, { headers: { 'x-membrane-token': newer, 'x-integration-app-token': newer } });
  assert.equal(admitted.status, 200);
});
