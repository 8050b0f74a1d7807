// Tokens made by the npm package jsonwebtoken, which the vendor's own examples use, against the real binary.
import assert from 'node:assert/strict';
import { createHmac, generateKeyPairSync } from 'node:crypto';
import { after, before, test } from 'node:test';
import jwt from 'jsonwebtoken';
import { api, assertNoSecret, plant, sidegate } from './support.mjs';

const workspace = 'acme';
const secret = plant('workspace-secret');
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const curves = Object.fromEntries([['ES256', 'P-256'], ['ES384', 'P-384'], ['ES512', 'P-521']]
  .map(([algorithm, namedCurve]) => [algorithm, generateKeyPairSync('ec', { namedCurve })]));
const spki = (pair) => pair.publicKey.export({ type: 'spki', format: 'pem' });
const pkcs1 = rsa.publicKey.export({ type: 'pkcs1', format: 'pem' });

let origin; let gate;

before(async () => {
  origin = await api();
  const keys = { rsa: spki(rsa), ES256: spki(curves.ES256), ES384: spki(curves.ES384), ES512: spki(curves.ES512) };
  gate = await sidegate({
    'sidegate.yaml': `
listeners: {inbound: {address: "127.0.0.1:0"}, health: {address: "127.0.0.1:0"}}
workers: 1
shutdown: {delay: 0s, grace: 5s}
workspaces:
  ${workspace}:
    secret: {file: secret}
    publicKeys: [${Object.keys(keys).map((name) => `{name: ${name}, file: ${name}.pem}`).join(', ')}]
  other: {secret: {value: "${plant('other-secret')}"}}
  old-rsa:
    publicKeys: [{name: pkcs1, file: pkcs1.pem}]
`,
    'upstreams/api.yaml': `
upstream: ${origin.url}
rules:
  - {path: /admin, allow: admin}
  - {path: /customer, allow: customer}
  - {path: /*, allow: verified}
`,
    secret,
    'pkcs1.pem': pkcs1,
    ...Object.fromEntries(Object.entries(keys).map(([name, pem]) => [`${name}.pem`, pem])),
  });
});

after(async () => {
  assert.equal(await gate.stop(), 0);
  gate.remove();
  origin.close();
});

const ask = (token, path = '/', header = 'X-Integration-App-Token') =>
  fetch(gate.inbound + path, { headers: token === undefined ? {} : { [header]: token } });

const sign = (claims, key = secret, options = {}) =>
  jwt.sign({ iss: workspace, id: 'customer-1', ...claims }, key, { expiresIn: '2h', ...options });

const keyOf = (algorithm) =>
  algorithm.startsWith('HS') ? secret : (curves[algorithm] ?? rsa).privateKey;

for (const algorithm of ['HS256', 'HS384', 'HS512', 'RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512']) {
  test(`a token signed with ${algorithm} is admitted with its identity`, async () => {
    const response = await ask(sign({ name: 'Ada' }, keyOf(algorithm), { algorithm }));
    assert.equal(response.status, 200);
    const { seen } = await response.json();
    assert.equal(seen['x-sidegate-customer'], 'customer-1');
    assert.equal(seen['x-sidegate-workspace'], workspace);
    assert.equal(seen['x-integration-app-token'], undefined);
  });
}

test('a PKCS#1 PEM public key verifies RSA tokens', async () => {
  const token = jwt.sign({ iss: 'old-rsa', id: 'c' }, rsa.privateKey, { algorithm: 'RS256' });
  assert.equal((await ask(token)).status, 200);
});

const now = () => Math.floor(Date.now() / 1000);
const b64 = (value) => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');
const raw = (header, claims, key = secret) => {
  const signed = `${b64(header)}.${b64(claims)}`;
  return `${signed}.${createHmac('sha256', key).update(signed).digest('base64url')}`;
};
const claims = (more = {}) => ({ iss: workspace, id: 'customer-1', exp: now() + 600, ...more });
const HS256 = { alg: 'HS256', typ: 'JWT' };

/** Table 2.3 of the vendor's behaviour, under the rulings of the design. */
const refused = {
  'no token': () => undefined,
  'an RS256 token whose workspace holds another key': () => jwt.sign({ iss: 'other', id: 'c' }, rsa.privateKey, { algorithm: 'RS256' }),
  'an HS256 token forged with the PEM text as its key': () => raw(HS256, claims(), spki(rsa)),
  'an HS256 token forged with the PKCS#1 PEM text as its key': () => raw(HS256, claims({ iss: 'old-rsa' }), pkcs1),
  'alg none with an empty signature': () => `${b64({ alg: 'none' })}.${b64(claims())}.`,
  'alg None with a signature': () => raw({ alg: 'None' }, claims()),
  'a lower-case alg': () => raw({ alg: 'hs256' }, claims()),
  'EdDSA': () => raw({ alg: 'EdDSA' }, claims()),
  'a wrong secret': () => sign({}, 'not the secret at all, but long enough'),
  'exp in the past': () => raw(HS256, claims({ exp: now() - 1 })),
  'exp exactly now': () => raw(HS256, claims({ exp: now() })),
  'exp zero': () => raw(HS256, claims({ exp: 0 })),
  'exp as a string': () => raw(HS256, claims({ exp: String(now() + 600) })),
  'nbf in the future': () => raw(HS256, claims({ nbf: now() + 600 })),
  'a crit header': () => raw({ ...HS256, crit: ['exp'] }, claims()),
  'two parts': () => raw(HS256, claims()).split('.').slice(0, 2).join('.'),
  'four parts': () => `${raw(HS256, claims())}.x`,
  'parts that do not decode': () => 'a.b.c',
  'an empty value': () => '',
  'a Bearer prefix inside the value': () => `Bearer ${raw(HS256, claims())}`,
  'padding at the end': () => `${raw(HS256, claims())}=`,
  'an unknown workspace': () => raw(HS256, claims({ iss: 'nobody' })),
  "another workspace's key": () => raw(HS256, claims({ iss: 'other' })),
  'no workspace': () => raw(HS256, { id: 'customer-1', exp: now() + 600 }),
  'iss and workspaceKey that differ': () => raw(HS256, claims({ workspaceKey: 'other' })),
  'id and tenantKey that differ': () => raw(HS256, claims({ tenantKey: 'customer-2' })),
};

for (const [what, token] of Object.entries(refused)) {
  test(`${what} is refused and does not reach the API`, async () => {
    const before = origin.requests.length;
    const response = await ask(token());
    assert.equal(response.status, 401);
    assert.equal(origin.requests.length, before);
    const body = await response.text();
    assertNoSecret(body, 'an error body');
    const error = JSON.parse(body);
    assert.equal(error.type, 'bad_request');
    assert.equal(error.key, 'not_authenticated');
    assert.match(response.headers.get('www-authenticate'), /^Bearer/);
    assert.ok(response.headers.get('x-request-id'));
    assert.ok(response.headers.get('x-sidegate-rejection'));
  });
}

const admitted = {
  'a fractional exp': () => raw(HS256, claims({ exp: now() + 600.5 })),
  'no exp': () => raw(HS256, { iss: workspace, id: 'c' }),
  'iat in the future': () => raw(HS256, claims({ iat: now() + 600 })),
  'an audience nobody asked for': () => raw(HS256, claims({ aud: 'somebody' })),
  'the new claim names': () => raw(HS256, { workspaceKey: workspace, tenantKey: 'customer-1', exp: now() + 60 }),
  'sub as the customer': () => raw(HS256, { iss: workspace, sub: 'customer-1', fields: { plan: 'pro' }, exp: now() + 60 }),
};

for (const [what, token] of Object.entries(admitted)) {
  test(`${what} is admitted`, async () => assert.equal((await ask(token())).status, 200));
}

test('isAdmin is admin by truth, not by presence', async () => {
  for (const [isAdmin, status] of [[true, 200], [1, 200], ['yes', 200], [0, 403], [false, 403], ['', 403], [null, 403]]) {
    const response = await ask(raw(HS256, claims({ isAdmin })), '/admin');
    assert.equal(response.status, status, `isAdmin: ${JSON.stringify(isAdmin)}`);
  }
});

test('an admin token without an id is no customer', async () => {
  const token = raw(HS256, { iss: workspace, isAdmin: true, exp: now() + 60 });
  assert.equal((await ask(token, '/admin')).status, 200);
  const response = await ask(token, '/customer');
  assert.equal(response.status, 403);
  assert.equal((await response.json()).key, 'access_denied');
});

test('the newer header is read first, and two that disagree are refused', async () => {
  const token = sign({});
  assert.equal((await ask(token, '/', 'X-Membrane-Token')).status, 200);
  const both = (first, second) =>
    fetch(gate.inbound, { headers: { 'X-Membrane-Token': first, 'X-Integration-App-Token': second } });
  assert.equal((await both(token, token)).status, 200);
  assert.equal((await both(token, sign({ id: 'customer-2' }))).status, 400);
});

test('a caller cannot write identity headers', async () => {
  const response = await fetch(gate.inbound, {
    headers: { 'X-Integration-App-Token': sign({}), 'x-sidegate-CUSTOMER': 'root', 'X-Sidegate-Admin': 'true', 'X-Sidegate-Anything': '1' },
  });
  const { seen } = await response.json();
  assert.equal(seen['x-sidegate-customer'], 'customer-1');
  assert.notEqual(seen['x-sidegate-admin'], 'true');
  assert.equal(seen['x-sidegate-anything'], undefined);
});

test('every request is one line of the access log with a reason and no token', async () => {
  const token = raw(HS256, claims({ exp: now() - 5 }));
  const { headers } = await ask(token, '/logged');
  const id = headers.get('x-request-id');
  await gate.until(() => gate.log.includes(id));
  const entry = gate.entries.find((line) => JSON.stringify(line).includes(id));
  assert.equal(entry.status, 401);
  assert.equal(entry.reason, 'expired');
  assert.equal(entry.path, '/logged');
  assert(!gate.log.includes(token.split('.')[2]), 'a signature stands in the log');
});
