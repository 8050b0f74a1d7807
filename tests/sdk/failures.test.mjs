// What an operator meets on a bad day: things that are dead, broken, locked or wrong. Each has one documented answer.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import jwt from 'jsonwebtoken';
import { binary, api, assertNoSecret, configuration, folder, json, plant, server, sidegate } from './support.mjs';

const workspace = 'acme';
const secret = plant('workspace-secret');
const clientSecret = plant('client-secret');
const sealingKey = randomBytes(32).toString('base64');
const customer = jwt.sign({ iss: workspace, id: 'customer-1' }, secret, { expiresIn: '2h' });
const bearer = { authorization: `Bearer ${customer}` };

let thirdParty; let tokens; let dead; let gate; let files; let tokenAnswer;

before(async () => {
  thirdParty = await server((request, body, response) =>
    json(response, request.headers.authorization === 'Bearer good' ? 200 : 401, { ok: true }));
  tokens = await server((request, body, response) => tokenAnswer(response));
  const gone = await api();
  dead = gone.url;
  gone.close();
  const spec = (base, token) => `
name: OAuth
auth:
  type: oauth2
  getOAuthConfig: {type: mapping, mapping: {clientId: c, clientSecret: {$var: connectorParameters.clientSecret}, authorizeUri: "${base}/a", tokenUri: "${token}/token"}}
  makeApiClient: {type: mapping, mapping: {baseUri: "${base}", headers: {Authorization: {$concat: ['Bearer ', {$var: credentials.access_token}]}}}}
`;
  const integration = (connector) => `
connector: ${connector}
apps: [{id: own, clientId: c, clientSecret: {value: "${clientSecret}"}}]
egress: {allowPrivate: true, allowPlain: true}
`;
  files = folder({
    'sidegate.yaml': configuration({ workspace, secret, sealingKey }),
    'upstreams/api.yaml': `upstream: ${dead}\n`,
    'connectors/alive/spec.yml': spec(thirdParty.url, tokens.url),
    'connectors/gone/spec.yml': spec(dead, tokens.url),
    'connectors/no-tokens/spec.yml': spec(thirdParty.url, dead),
    'connectors/guarded/spec.yml': spec('http://127.0.0.1:9', tokens.url),
    'connectors/typed/spec.yml': spec(thirdParty.url, 'TYPED').replace('"TYPED/token"', '{$var: connectorParameters.tokenUri}'),
    'integrations/typed.yaml': `${integration('typed')}hosts: [127.0.0.1:1]\n`,
    'integrations/alive.yaml': integration('alive'),
    'integrations/gone.yaml': integration('gone'),
    'integrations/no-tokens.yaml': integration('no-tokens'),
    'integrations/guarded.yaml': 'connector: guarded\n',
  });
  gate = await sidegate(files);
});

after(async () => {
  assert.equal(await gate.stop(), 0);
  gate.remove();
  thirdParty.close();
  tokens.close();
});

const create = async (integrationKey, credentials) => {
  const response = await fetch(`${gate.outbound}/connections`, {
    method: 'POST', headers: { ...bearer, 'content-type': 'application/json' },
    body: JSON.stringify({ name: integrationKey, integrationKey, credentials }),
  });
  const text = await response.text();
  assertNoSecret(text, 'a reply');
  return { status: response.status, body: JSON.parse(text) };
};

const call = async (integration) => {
  const response = await fetch(`${gate.outbound}/connections/${integration}/proxy/x`, { headers: bearer });
  const text = await response.text();
  assertNoSecret(text, 'a reply');
  return { status: response.status, code: response.headers.get('x-sidegate-rejection'), refresh: response.headers.get('x-sidegate-refresh'), body: JSON.parse(text) };
};

test('a dead upstream is 502 upstream_down in the vendor\'s error body', async () => {
  const response = await fetch(gate.inbound, { headers: { 'X-Integration-App-Token': customer } });
  assert.equal(response.status, 502);
  assert.equal(response.headers.get('x-sidegate-rejection'), 'upstream_down');
  assert.equal((await response.json()).type, 'internal');
});

test('a dead third party is 502 third_party_down', async () => {
  await create('gone', { access_token: 'good' });
  const { status, code, body } = await call('gone');
  assert.equal(status, 502);
  assert.equal(code, 'third_party_down');
  assert.equal(body.type, 'connection');
});

test('a third party on a private address is refused unless the operator opened that door', async () => {
  await create('guarded', { access_token: 'good' });
  const { status, code, body } = await call('guarded');
  assert(status >= 400 && code, JSON.stringify(body));
  assert.match(body.message, /allowP(rivate|lain)/);
});

test('a dead token endpoint leaves the third party\'s 401 as it is, and says why', async () => {
  await create('no-tokens', { access_token: plant('stale'), refresh_token: plant('refresh'), expires_in: 3600 });
  const { status, refresh } = await call('no-tokens');
  assert.equal(status, 401);
  assert.equal(refresh, 'provider_down');
});

test('a dead token endpoint and an ended token answer 503 provider_down, and disconnect nothing', async () => {
  const created = await create('no-tokens', { access_token: plant('ended'), refresh_token: plant('refresh'), expires_at: 1 });
  const { status, code } = await call('no-tokens');
  assert.equal(status, 503);
  assert.equal(code, 'provider_down');
  const kept = await (await fetch(`${gate.outbound}/connections/${created.body.id}`, { headers: bearer })).json();
  assert.equal(kept.disconnected, false);
});

test("a token endpoint that a customer typed in never gets the app's secret", async () => {
  const seen = tokens.requests.length;
  const response = await fetch(`${gate.outbound}/connections`, {
    method: 'POST', headers: { ...bearer, 'content-type': 'application/json' },
    body: JSON.stringify({
      name: 'typed', integrationKey: 'typed', connectorParameters: { tokenUri: `${tokens.url}/token` },
      credentials: { access_token: plant('ended'), refresh_token: plant('refresh'), expires_at: 1 },
    }),
  });
  assert.equal(response.status, 200, await response.text());
  const { status, code } = await call('typed');
  assert.equal(status, 500);
  assert.equal(code, 'misconfigured_app');
  assert.equal(tokens.requests.length, seen);
});

test('invalid_grant disconnects; a failing token server does not', async () => {
  tokenAnswer = (response) => json(response, 500, { error: 'oops' });
  const { body: { id } } = await create('alive', { access_token: plant('stale'), refresh_token: plant('refresh'), expires_in: 3600 });
  assert.equal((await call('alive')).status, 401);
  const connection = async () => (await fetch(`${gate.outbound}/connections/${id}`, { headers: bearer })).json();
  assert.equal((await connection()).disconnected, false);
  const second = await create('alive', { access_token: plant('stale'), refresh_token: plant('refresh'), expires_in: 3600 });
  tokenAnswer = (response) => json(response, 400, { error: 'invalid_grant' });
  assert.equal((await call('alive')).status, 401);
  const dead = await (await fetch(`${gate.outbound}/connections/${second.body.id}`, { headers: bearer })).json();
  assert.equal(dead.disconnected, true);
});

test('a second process on the same store is told so', () => {
  const second = spawnSync(binary, ['run', '--config', files], { encoding: 'utf8', timeout: 20_000 });
  assert.equal(second.status, 1);
  assert.match(second.stderr, /store/);
  assert.match(second.stderr, /another process|locked|holds/);
});

test('kill -9 loses no acknowledged connection, and the wrong sealing key says so', async () => {
  const path = folder({
    'sidegate.yaml': configuration({ workspace, secret, sealingKey }),
    'upstreams/api.yaml': `upstream: ${dead}\n`,
    'connectors/alive/spec.yml': `name: K\nauth: {type: client-credentials, makeApiClient: {type: mapping, mapping: {baseUri: "${thirdParty.url}"}}}\n`,
    'integrations/alive.yaml': 'connector: alive\nconnections: many\negress: {allowPrivate: true, allowPlain: true}\n',
  });
  const first = await sidegate(path);
  const acknowledged = [];
  const body = JSON.stringify({ name: 'n', integrationKey: 'alive', credentials: { apiKey: plant('key') } });
  const headers = { ...bearer, 'content-type': 'application/json' };
  const writer = async () => {
    for (let i = 0; i < 1000 / 20; i += 1) {
      const response = await fetch(`${first.outbound}/connections`, { method: 'POST', headers, body }).catch(() => null);
      if (!response?.ok) return;
      acknowledged.push((await response.json()).id);
      if (acknowledged.length === 500) first.kill();
    }
  };
  await Promise.all(Array.from({ length: 20 }, () => writer().catch(() => {})));
  await first.exited;
  assert(acknowledged.length >= 500);

  const again = await sidegate(path);
  const found = new Set();
  for (let cursor = '0'; cursor !== undefined;) {
    const page = await (await fetch(`${again.outbound}/connections?limit=1000&cursor=${cursor}`, { headers: bearer })).json();
    page.items.forEach(({ id }) => found.add(id));
    cursor = page.cursor;
  }
  assert.deepEqual(acknowledged.filter((id) => !found.has(id)), []);
  assertNoSecret(again.storeFile(), 'the store file');
  assert.equal(await again.stop(), 0);

  writeFileSync(join(path, 'sidegate.yaml'), configuration({ workspace, secret }));
  const wrong = spawnSync(binary, ['run', '--config', path], { encoding: 'utf8', timeout: 20_000 });
  assert.equal(wrong.status, 1);
  assert.match(wrong.stderr, /sealing key/);
  assertNoSecret(wrong.stderr, 'the diagnostics');
  again.remove();
});

test('a request in flight is finished when a SIGTERM comes', async () => {
  let release;
  const slow = await server(async (request, body, response) => {
    await new Promise((resolve) => { release = resolve; });
    response.end('done');
  });
  const stopping = await sidegate({
    'sidegate.yaml': configuration({ workspace, secret, sealingKey }),
    'upstreams/api.yaml': `upstream: ${slow.url}\n`,
  });
  const answer = fetch(stopping.inbound, { headers: { 'X-Integration-App-Token': customer } });
  answer.catch(() => {}); // It is awaited below.
  await stopping.until(() => release);
  stopping.child.kill('SIGTERM');
  await stopping.until(() => stopping.diagnostics.includes('stopping'));
  release();
  assert.equal(await (await answer).text(), 'done');
  assert.equal((await stopping.exited).code, 0);
  stopping.remove();
  slow.close();
});

test('a SIGTERM is an orderly stop from the moment that a listener is named', async () => {
  const path = folder({
    'sidegate.yaml': configuration({ workspace, secret, sealingKey }),
    'upstreams/api.yaml': `upstream: ${dead}\n`,
  });
  for (let round = 0; round < 20; round += 1) {
    const child = spawn(binary, ['run', '--config', path]);
    child.stderr.on('data', (data) => data.includes('listening') && child.kill('SIGTERM'));
    const ended = await new Promise((resolve) => child.once('exit', (code, signal) => resolve({ code, signal })));
    assert.deepEqual(ended, { code: 0, signal: null });
  }
});

test('ten mistakes are all reported with their places and cures', () => {
  const path = folder({
    'sidegate.yaml': `listenerz: {}
listeners:
  inbound: {address: "127.0.0.1:notaport"}
  outbound: {address: "0.0.0.0:8081", trustCaller: true}
workers: many
shutdown: {delay: soon}
workspaces:
  acme:
    secret: {value: a, file: b}
    algorithms: [HS257]
`,
    'upstreams/api.yaml': `upstream: ftp://127.0.0.1
rules:
  - {path: orders, allow: verified}
  - {path: /x, allow: everybody}
  - {path: /y, alow: verified}
`,
  });
  const { status, stderr } = spawnSync(binary, ['check', '--config', path], { encoding: 'utf8' });
  assert.equal(status, 1);
  const places = stderr.split('\n').filter((line) => /\.yaml:\d+:\d+: /.test(line));
  assert(places.length >= 10, stderr);
  assert.match(stderr, /listenerz.*listeners/);
  assert.match(stderr, /alow.*allow/);
});

test('the health command tells a ready Sidegate from a missing one', () => {
  const { host } = new URL(gate.listeners.health);
  assert.equal(spawnSync(binary, ['healthcheck', '--address', host]).status, 0);
  assert.equal(spawnSync(binary, ['healthcheck', '--address', new URL(dead).host]).status, 1);
});

test('a token is explained, and its fields stay hidden', async () => {
  const hidden = plant('field');
  const signed = jwt.sign({ iss: workspace, id: 'customer-1', fields: { apiKey: hidden } }, secret, { expiresIn: -10 });
  const child = spawn(binary, ['token', 'explain', '--config', files, '--path', '/x', '-']);
  let out = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => { out += chunk; });
  child.stdin.end(signed);
  await new Promise((resolve) => child.on('close', resolve));
  assert.match(out, /expired/);
  assert.match(out, /customer-1/);
  assertNoSecret(out, 'the explanation');
});
