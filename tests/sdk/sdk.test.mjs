// The vendor's own SDK for Node against the binary: what works there must work here.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { BadRequestError, ConnectionError, IntegrationAppClient } from '@integration-app/sdk';
import jwt from 'jsonwebtoken';
import { configuration, json, plant, server, sidegate } from './support.mjs';

const workspace = 'acme';
const secret = plant('workspace-secret');
const apiKey = plant('api-key');
const token = (claims) => jwt.sign({ iss: workspace, ...claims }, secret, { expiresIn: '2h' });

let thirdParty; let gate; let client;

before(async () => {
  thirdParty = await server((request, body, response) =>
    json(response, request.url.startsWith('/fail') ? 422 : 200, { url: request.url, method: request.method, key: request.headers['x-api-key'] === apiKey, body }));
  const connector = (placement) => `
name: Keys
auth:
  type: client-credentials
  ui: {schema: {type: object, properties: {apiKey: {type: string}}}}
  makeApiClient:
    type: mapping
    mapping:
      baseUri: ${thirdParty.url}
      ${placement}
`;
  const integration = (name) => `connector: ${name}\negress: {allowPrivate: true, allowPlain: true}\n`;
  gate = await sidegate({
    'sidegate.yaml': configuration({ workspace, secret }),
    'upstreams/api.yaml': `upstream: ${thirdParty.url}\n`,
    'connectors/header/spec.yml': connector('headers: {X-Api-Key: {$var: credentials.apiKey}}'),
    'connectors/query/spec.yml': connector('query: {api_token: {$var: credentials.apiKey}}'),
    'connectors/basic/spec.yml': connector('auth: {username: {$var: credentials.user}, password: {$var: credentials.apiKey}}'),
    'connectors/down/spec.yml': connector('').replace(thirdParty.url, 'http://127.0.0.1:1'),
    'integrations/down.yaml': integration('down'),
    'integrations/header.yaml': integration('header'),
    'integrations/query.yaml': integration('query'),
    'integrations/basic.yaml': `${integration('basic')}route: {pathPrefix: /basic-api}\n`,
  });
  client = sdk(token({ id: 'customer-1', name: 'Ada', fields: { plan: 'pro' } }));
});

after(async () => {
  assert.equal(await gate.stop(), 0);
  gate.remove();
  thirdParty.close();
});

const sdk = (bearer) => new IntegrationAppClient({ token: bearer, apiUri: gate.outbound, uiUri: gate.outbound });

const fails = async (promise, kind) => {
  const error = await promise.then(() => assert.fail('it did not fail'), (error) => error);
  assert(error instanceof kind, `${error?.constructor?.name}: ${error?.message}`);
  assert.equal(error.isIntegrationAppError, true);
  return error;
};

test('self.get answers the customer of the token, made on first sight', async () => {
  const self = await client.self.get();
  assert.equal(self.internalId, 'customer-1');
  assert.equal(self.name, 'Ada');
  assert.deepEqual(self.fields, { plan: 'pro' });
  assert.equal((await client.self.get()).id, self.id);
});

test('self.patch stores credentials and does not show them', async () => {
  const hidden = plant('self-credentials');
  const self = await client.self.patch({ credentials: { apiKey: hidden } });
  assert(!JSON.stringify(self).includes(hidden));
  assert(!JSON.stringify(await client.self.get()).includes(hidden));
});

test('connections are created, read, listed, patched and archived', async () => {
  const created = await client.connections.create({ name: 'Key', integrationId: 'header', credentials: { apiKey } });
  assert.ok(created.id);
  assert.equal(created.name, 'Key');
  assert.equal(created.credentials, undefined);
  const read = await client.connection(created.id).get();
  assert.equal(read.id, created.id);
  assert.equal(read.disconnected, false);
  assert((await client.connections.find()).items.some((item) => item.id === created.id));
  assert.equal((await client.connection(created.id).patch({ name: 'Renamed' })).name, 'Renamed');
  await client.connection(created.id).archive();
  assert(!(await client.connections.find()).items.some((item) => item.id === created.id));
});

test('proxy.get and proxy.post inject an API key in a header', async () => {
  await client.connections.create({ name: 'Key', integrationId: 'header', credentials: { apiKey } });
  const got = await client.connection('header').proxy.get('/crm/v3/owners?limit=1');
  assert.deepEqual(got, { url: '/crm/v3/owners?limit=1', method: 'GET', key: true, body: '' });
  const posted = await client.connection('header').proxy.post('/things', { a: 1 });
  assert.deepEqual(posted, { url: '/things', method: 'POST', key: true, body: '{"a":1}' });
});

test('every path form of the SDK arrives as the SDK meant it', async () => {
  const forms = {
    '/crm/v3/owners/': '/crm/v3/owners/',
    'crm/v3/owners?limit=1&x=a b': '/crm/v3/owners?limit=1&x=a%20b',
    [`${thirdParty.url}/crm/v3/owners?limit=1`]: '/crm/v3/owners?limit=1',
    '?q=1': '/?q=1',
    '': '/',
  };
  for (const [argument, expected] of Object.entries(forms)) {
    assert.equal((await client.connection('header').proxy.get(argument)).url, expected, argument);
  }
});

test('an API key in the query and basic credentials are injected', async () => {
  await client.connections.create({ name: 'Query', integrationId: 'query', credentials: { apiKey } });
  assert.equal((await client.connection('query').proxy.get('/x?a=1')).url, `/x?a=1&api_token=${apiKey}`);
  await client.connections.create({ name: 'Basic', integrationId: 'basic', credentials: { user: 'ada', apiKey } });
  await client.connection('basic').proxy.get('/x');
  const sent = thirdParty.requests.at(-1).headers.authorization;
  assert.equal(sent, `Basic ${Buffer.from(`ada:${apiKey}`).toString('base64')}`);
});

test('a transparent route strips its prefix and injects', async () => {
  const response = await fetch(`${gate.outbound}/basic-api/a/b?c=1`, { headers: { 'X-Integration-App-Token': token({ id: 'customer-1' }) } });
  assert.equal(response.status, 200);
  assert.equal((await response.json()).url, '/a/b?c=1');
});

test("the third party's own failure comes back as it is", async () => {
  const error = await client.connection('header').proxy.get('/fail').catch((error) => error);
  assert.equal(error.response?.status, 422);
});

test('errors come back as the classes of the SDK, with the key of what happened', async () => {
  const forged = jwt.sign({ iss: workspace, id: 'customer-1' }, 'not the secret, but long enough', { expiresIn: '2h' });
  const nobody = token({ isAdmin: true });
  await client.connections.create({ name: 'Down', integrationId: 'down', credentials: { apiKey } });
  const cases = [
    [() => sdk(forged).self.get(), BadRequestError, 'not_authenticated'],
    [() => sdk(nobody).self.get(), BadRequestError, 'access_denied'],
    [() => client.connection('nothing').get(), BadRequestError, 'not_found'],
    [() => client.connection('nothing').proxy.get('/x'), BadRequestError, 'not_found'],
    [() => client.connections.create({ name: 'x', integrationId: 'nothing', credentials: {} }), BadRequestError, 'not_found'],
    [() => client.connection('header').proxy.get('https://evil.example/x'), BadRequestError, 'access_denied'],
    [() => client.flows.find(), BadRequestError, 'not_found'],
    [() => client.connection('down').proxy.get('/x'), ConnectionError, undefined],
  ];
  for (const [act, kind, key] of cases) assert.equal((await fails(act(), kind)).data.key, key);
});

test("another customer's connections are not found", async () => {
  const other = sdk(token({ id: 'customer-2' }));
  const { items } = await client.connections.find();
  assert.equal((await fails(other.connection(items[0].id).get(), BadRequestError)).data.key, 'not_found');
  assert.equal((await fails(other.connection(items[0].id).proxy.get('/x'), BadRequestError)).data.key, 'not_found');
  assert.deepEqual((await other.connections.find()).items, []);
});

test('secrets come back only to an admin who asks for one connection', async () => {
  const { items } = await client.connections.find();
  const { id } = items.find((item) => item.integrationKey === 'header' || item.integrationId === 'header');
  assert.equal((await client.connection(id).get({ includeSecrets: true })).credentials, undefined);
  const admin = sdk(token({ id: 'customer-1', isAdmin: true }));
  assert.deepEqual((await admin.connection(id).get({ includeSecrets: true })).credentials, { apiKey });
});

test('no planted secret stands in the store file', () => {
  const held = gate.storeFile();
  assert(!held.includes(apiKey) && !held.includes(secret));
});
