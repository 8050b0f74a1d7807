// Both generations of the vendor's SDK in Node against the binary: the same calls, the same ends.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import * as older from '@integration-app/sdk';
import * as newer from '@membranehq/sdk';
import jwt from 'jsonwebtoken';
import { configuration, json, plant, server, sidegate } from './support.mjs';

const workspace = 'acme';
const secret = plant('workspace-secret');
const apiKey = plant('api-key');
const token = (claims) => jwt.sign({ iss: workspace, ...claims }, secret, { expiresIn: '2h' });

let thirdParty; let gate;

before(async () => {
  // A third party that takes one key, and says what it was asked.
  thirdParty = await server((request, body, response) => {
    if (request.headers['x-api-key']?.startsWith('wrong')) return json(response, 403, {});
    return json(response, 200, { method: request.method, url: request.url, key: request.headers['x-api-key'], body, version: request.headers['membrane-api-version'] ?? null });
  });
  const connector = `
name: CRM
auth:
  type: client-credentials
  ui: {schema: {type: object, required: [apiKey], properties: {apiKey: {type: string}}}}
  makeApiClient: {type: mapping, mapping: {baseUri: "${thirdParty.url}", headers: {X-Api-Key: {$var: credentials.apiKey}}}}
  test: {type: rest-api-mapping, mapping: {path: /me, method: get}}
`;
  const integration = 'connector: crm\negress: {allowPrivate: true, allowPlain: true}\n';
  gate = await sidegate({
    'sidegate.yaml': configuration({ workspace, secret }),
    'upstreams/api.yaml': `upstream: ${thirdParty.url}\n`,
    'connectors/crm/spec.yml': connector,
    'integrations/crm.yaml': integration,
    'integrations/many.yaml': `${integration}connections: many\n`,
    'integrations/internal-api.yaml': `${integration}credentialsSchema: {type: object, required: [apiKey], properties: {apiKey: {type: string}}}\n`,
  });
});

after(async () => {
  assert.equal(await gate.stop(), 0);
  gate.remove();
  thirdParty.close();
});

const generations = {
  older: { Client: older.IntegrationAppClient, errors: older, mark: 'isIntegrationAppError' },
  newer: { Client: newer.MembraneClient ?? newer.IntegrationAppClient, errors: newer, mark: 'isMembraneError' },
};

for (const [name, { Client, errors, mark }] of Object.entries(generations)) {
  describe(`the ${name} SDK`, () => {
    const customer = `customer-of-${name}`;
    const sdk = (claims = { id: customer, name: 'Ada', fields: { plan: 'pro' } }, more = {}) =>
      new Client({ token: token(claims), apiUri: gate.outbound, uiUri: gate.outbound, ...more });
    const fails = async (promise, kind, key) => {
      const error = await promise.then(() => assert.fail('it did not fail'), (error) => error);
      assert(error instanceof kind, `${error?.constructor?.name}: ${error?.message}`);
      assert.equal(error[mark], true);
      assert.equal(error.data.key, key);
      return error;
    };
    const ownKey = async () =>
      (await sdk({ id: customer, isAdmin: true }).connection('internal-api').get({ includeSecrets: true })).credentials?.apiKey;
    const until = async (holds) => {
      for (;;) {
        if (await holds().catch(() => false)) return;
        await new Promise(setImmediate);
      }
    };

    test('reads and patches self', async () => {
      const self = await sdk().self.get();
      assert.deepEqual([self.internalId, self.name, self.fields], [customer, 'Ada', { plan: 'pro' }]);
      assert.equal((await sdk().self.patch({ credentials: { apiKey: plant('patched') } })).id, self.id);
      const wrong = await fails(sdk().self.patch({ credentials: { apiKey: 7 } }), errors.BadRequestError, undefined);
      assert.equal(wrong.data.data[0].path, '/apiKey');
    });

    test('hands over credentials when it is constructed', async () => {
      const given = plant('constructed');
      sdk(undefined, { credentials: { apiKey: given } });
      await until(async () => (await ownKey()) === given);
      const fetched = plant('fetched');
      sdk(undefined, { fetchCredentials: async () => ({ apiKey: fetched }), credentials: { apiKey: 'not this one' } });
      await until(async () => (await ownKey()) === fetched);
      assert.equal((await sdk().connection('internal-api').proxy.get('/own')).key, fetched);
    });

    test('creates, reads, lists, changes and archives connections', async () => {
      const client = sdk();
      const made = await client.connections.create({ name: 'One', integrationId: 'crm', credentials: { apiKey } });
      assert.equal(made.credentials, undefined);
      assert.deepEqual([made.canTest, made.connected, made.disconnected], [true, true, false]);
      assert.equal((await client.connection(made.id).get()).name, 'One');
      assert.equal((await client.connection('crm').patch({ name: 'Two' })).name, 'Two');
      assert.equal((await client.connection('crm').put({ name: 'Three' })).id, made.id);
      assert.deepEqual((await client.connections.find({ integrationKey: 'crm' })).items.map((item) => item.name), ['Three']);
      assert.deepEqual((await client.connections.find({ limit: 1, cursor: '0' })).items.map((item) => item.id), [made.id]);
      await client.connection('crm').archive();
      assert.deepEqual((await client.connections.find()).items, []);
      assert.equal((await client.connections.find({ includeArchived: true })).items.some((item) => item.id === made.id), true);
    });

    test('is told when the connector’s test says no, and nothing is stored', async () => {
      const client = sdk();
      await client.connections.create({ name: 'x', integrationId: 'crm', credentials: { apiKey: 'wrong' } }).then(() => assert.fail('it did not fail'), () => {});
      assert.deepEqual((await client.connections.find()).items, []);
    });

    test('calls by every method, with every form of a path', async () => {
      const client = sdk();
      await client.connections.create({ name: 'One', integrationId: 'crm', credentials: { apiKey } });
      const { proxy } = client.connection('crm');
      for (const method of ['get', 'post', 'put', 'patch', 'delete']) {
        const told = await proxy[method]('/things/1?a=b', ['get', 'delete'].includes(method) ? undefined : { x: 1 });
        assert.deepEqual([told.method, told.url, told.key, told.version], [method.toUpperCase(), '/things/1?a=b', apiKey, null]);
        if (!['get', 'delete'].includes(method)) assert.equal(told.body, '{"x":1}');
      }
      const forms = {
        '/crm/v3/owners/': '/crm/v3/owners/',
        'crm/v3/owners?limit=1&x=a b': '/crm/v3/owners?limit=1&x=a%20b',
        [`${thirdParty.url}/crm/v3/owners?limit=1`]: '/crm/v3/owners?limit=1',
        '//a//b': '/a//b',
        '?q=1': '/?q=1',
        '': '/',
      };
      for (const [argument, expected] of Object.entries(forms)) {
        assert.equal((await proxy.get(argument)).url, expected, argument);
      }
    });

    test('reads integrations, their spec, and disconnects', async () => {
      const client = sdk();
      await client.connections.create({ name: 'One', integrationId: 'crm', credentials: { apiKey } });
      const found = await client.integrations.findAll();
      assert.deepEqual(found.map((item) => item.key).sort(), ['crm', 'many']);
      const one = await client.integration('crm').get();
      assert.equal(one.connection.name, 'One');
      assert.deepEqual(one.authOptions[0].inputSchema.required, ['apiKey']);
      assert.equal((await client.integration('crm').getConnectorSpec()).auth.type, 'client-credentials');
      assert.equal((await client.integration({ key: 'crm' }).get()).id, 'crm');
      await client.post('/integrations/crm/disconnect');
      assert.equal((await client.integration('crm').get()).connection, undefined);
    });

    test('keeps customers as an admin, and only so', async () => {
      const admin = sdk({ isAdmin: true });
      const id = `kept-by-${name}`;
      assert.equal((await admin.customers.create({ internalId: id, name: 'Kept', fields: { a: 1 } })).name, 'Kept');
      assert.equal((await admin.customer({ id }).get()).internalId, id);
      assert.equal((await admin.customer(id).patch({ name: 'Changed' })).name, 'Changed');
      assert.deepEqual((await admin.customer({ id }).put({ fields: { a: 2 } })).fields, { a: 2 });
      assert((await admin.customers.findAll()).some((item) => item.id === id));
      for (const act of [
        (client) => client.customers.create({ name: 'x' }),
        (client) => client.customers.find(),
        (client) => client.customer(id).get(),
        (client) => client.customer({ id }).patch({ name: 'x' }),
        (client) => client.customer(id).put({ name: 'x' }),
        (client) => client.customer(id).archive(),
      ]) await fails(act(sdk()), errors.BadRequestError, 'access_denied');
      await admin.customer(id).archive();
      await fails(admin.customer(id).get(), errors.BadRequestError, 'not_found');
    });

    test('gets its own classes of errors', async () => {
      const client = sdk();
      const forged = new Client({ token: jwt.sign({ iss: workspace, id: customer }, 'another secret, long enough to sign with', { expiresIn: '2h' }), apiUri: gate.outbound });
      await fails(forged.self.get(), errors.BadRequestError, 'not_authenticated');
      await fails(client.connection('nothing').get(), errors.BadRequestError, 'not_found');
      await fails(client.connection('nothing').proxy.get('/x'), errors.BadRequestError, 'not_found');
      await fails(client.flows.find(), errors.BadRequestError, 'not_found');
      await client.connections.create({ name: 'One', integrationId: 'crm', credentials: { apiKey } });
      await fails(client.connection('crm').proxy.get('https://evil.example/x'), errors.BadRequestError, 'access_denied');
      await fails(client.connection('crm').refreshCredentials(), errors.ConnectionError, 'access_token_expired');
      for (let count = 0; count < 2; count += 1) await client.connections.create({ name: 'x', integrationId: 'many', credentials: { apiKey } });
      await fails(client.connection('many').get(), errors.BadRequestError, undefined);
    });

    test('tests a connection', async () => {
      const client = sdk();
      const made = await client.connections.create({ name: 'One', integrationId: 'crm', credentials: { apiKey } });
      assert.equal((await client.post(`/connections/${made.id}/test`)).success, true);
      assert.equal((await client.post('/connection/test?integrationKey=crm')).success, true);
    });
  });
}

test('no planted secret stands in the store file', () => {
  const held = gate.storeFile();
  assert(!held.includes(apiKey) && !held.includes(secret));
});
