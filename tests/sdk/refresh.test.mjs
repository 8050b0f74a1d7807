// The promise about refresh, against a certified server that ends a family whose refresh token is replayed:
// however many callers, one token request; and the family lives.
import assert from 'node:assert/strict';
import http from 'node:http';
import { after, before, test } from 'node:test';
import jwt from 'jsonwebtoken';
import { configuration, plant, sidegate } from './support.mjs';
import { oauthServer } from './oauth_server.mjs';

const rounds = Number(process.env.ROUNDS ?? 100);
const callers = 500;
const workspace = 'acme';
const secret = plant('workspace-secret');
const clientSecret = plant('client-secret');
const token = (claims) => jwt.sign({ iss: workspace, ...claims }, secret, { expiresIn: '4h' });
const customer = token({ id: 'customer-1' });
const admin = token({ id: 'customer-1', isAdmin: true });

let oauth; let gate; let family; let id;
const agent = new http.Agent({ keepAlive: true, maxSockets: callers });

before(async () => {
  oauth = await oauthServer({ clientId: 'sidegate', clientSecret });
  const spec = (grantType) => `
name: OAuth
auth:
  type: oauth2
  getOAuthConfig:
    type: mapping
    mapping:
      clientId: {$var: connectorParameters.clientId}
      clientSecret: {$var: connectorParameters.clientSecret}
      authorizeUri: ${oauth.url}/auth
      tokenUri: ${oauth.url}/token
      clientAuthLocation: headers
      ${grantType}
  makeApiClient:
    type: mapping
    mapping:
      baseUri: ${oauth.url}
      headers: {Authorization: {$concat: ['Bearer ', {$var: credentials.access_token}]}}
`;
  const integration = (connector) => `
connector: ${connector}
apps: [{id: own, clientId: sidegate, clientSecret: {value: "${clientSecret}"}}]
egress: {allowPrivate: true, allowPlain: true}
`;
  gate = await sidegate({
    'sidegate.yaml': configuration({ workspace, secret }),
    'upstreams/api.yaml': `upstream: ${oauth.url}\n`,
    'connectors/rotating/spec.yml': spec(''),
    'connectors/machine/spec.yml': spec('grantType: client_credentials'),
    'integrations/rotating.yaml': integration('rotating'),
    'integrations/machine.yaml': integration('machine'),
  });
  family = await oauth.grant('ada');
  const created = await ask('POST', '/connections', customer, {
    name: 'Ada', integrationKey: 'rotating',
    credentials: { access_token: family.access_token, refresh_token: family.refresh_token, expires_in: 3600 },
  });
  assert.equal(created.status, 200, created.text);
  id = JSON.parse(created.text).id;
});

after(async () => {
  agent.destroy();
  assert.equal(await gate.stop(), 0);
  gate.remove();
  oauth.close();
});

function ask(method, path, bearer, body) {
  return new Promise((resolve, reject) => {
    const headers = { authorization: `Bearer ${bearer}` };
    if (body) headers['content-type'] = 'application/json';
    const request = http.request(gate.outbound + path, { method, headers, agent }, (response) => {
      let text = '';
      response.on('data', (chunk) => { text += chunk; });
      response.on('end', () => resolve({ status: response.statusCode, headers: response.headers, text }));
      response.on('error', reject);
    });
    request.on('error', reject);
    request.end(body && JSON.stringify(body));
  });
}

const credentials = async () => {
  const { text } = await ask('GET', `/connections/${id}?includeSecrets=true`, admin);
  return JSON.parse(text).credentials;
};

/** What Sidegate holds is said to have ended a while ago. */
const expire = async () => {
  const { expires_in, ...kept } = await credentials();
  const { status, text } = await ask('PATCH', `/connections/${id}`, admin, { credentials: { ...kept, expires_at: Math.floor(Date.now() / 1000) - 60 } });
  assert.equal(status, 200, text);
};

const everybodyCalls = () =>
  Promise.all(Array.from({ length: callers }, () => ask('GET', '/connections/rotating/proxy/resource', customer)));

const outcomes = (answers) => {
  const counts = {};
  for (const { status } of answers) counts[status] = (counts[status] ?? 0) + 1;
  return counts;
};

test(`${callers} callers on an expired token cause one token request, ${rounds} times`, async () => {
  for (let round = 1; round <= rounds; round += 1) {
    await expire();
    const before = oauth.tokenRequests.length;
    assert.deepEqual(outcomes(await everybodyCalls()), { 200: callers }, `round ${round}`);
    assert.equal(oauth.tokenRequests.length - before, 1, `round ${round}`);
  }
  assert(await oauth.alive(family.grantId), 'the family was ended');
});

test(`${callers} answers of 401 cause one token request, ${rounds} times`, async () => {
  for (let round = 1; round <= rounds; round += 1) {
    await oauth.revoke((await credentials()).access_token);
    const before = oauth.tokenRequests.length;
    assert.deepEqual(outcomes(await everybodyCalls()), { 200: callers }, `round ${round}`);
    assert.equal(oauth.tokenRequests.length - before, 1, `round ${round}`);
  }
  assert(await oauth.alive(family.grantId), 'the family was ended');
});

test('callers that hang up at once change nothing', async () => {
  for (let round = 1; round <= Math.min(rounds, 20); round += 1) {
    await expire();
    const before = oauth.tokenRequests.length;
    await Promise.all(Array.from({ length: 50 }, () => new Promise((resolve) => {
      const request = http.request(`${gate.outbound}/connections/rotating/proxy/resource`,
        { headers: { authorization: `Bearer ${customer}` } });
      request.on('error', () => {});
      request.on('close', resolve);
      request.on('socket', (socket) => socket.on('connect', () => { request.end(); setImmediate(() => request.destroy()); }));
    })));
    // The next caller either finds the token refreshed or joins the exchange that the leavers started.
    const { status } = await ask('GET', '/connections/rotating/proxy/resource', customer);
    assert.equal(status, 200);
    assert.equal(oauth.tokenRequests.length - before, 1, `round ${round}`);
  }
  assert(await oauth.alive(family.grantId), 'the family was ended');
});

test('a forced refresh changes the token once', async () => {
  const before = await credentials();
  const { status } = await ask('POST', `/connections/${id}/refresh-credentials`, customer);
  assert.equal(status, 200);
  const later = await credentials();
  assert.notEqual(later.access_token, before.access_token);
  assert.notEqual(later.refresh_token, before.refresh_token);
});

test('a client credentials grant fetches its own first token, and another after a 401', async () => {
  const created = await ask('POST', '/connections', customer, { name: 'Machine', integrationKey: 'machine' });
  assert.equal(created.status, 200, created.text);
  const call = () => ask('GET', '/connections/machine/proxy/resource', customer);
  assert.equal((await call()).status, 200);
  const { text } = await ask('GET', '/connections/machine?includeSecrets=true', admin);
  const held = await oauth.provider.ClientCredentials.find(JSON.parse(text).credentials.access_token);
  await held.destroy();
  const before = oauth.tokenRequests.length;
  assert.equal((await call()).status, 200);
  assert.equal(oauth.tokenRequests.length - before, 1);
});

test('a dead grant disconnects, and costs no further token request', async () => {
  const { refresh_token } = await credentials();
  // Somebody else replays the spent token: the family dies at the provider.
  await oauth.provider.Grant.find(family.grantId).then((grant) => grant.destroy());
  await (await oauth.provider.RefreshToken.find(refresh_token))?.destroy();
  await expire();
  const before = oauth.tokenRequests.length;
  const answers = await Promise.all(Array.from({ length: 50 }, () => ask('GET', '/connections/rotating/proxy/resource', customer)));
  for (const { status, text } of answers) {
    assert(status >= 400, text);
    assert.equal(JSON.parse(text).type, 'connection');
  }
  assert.equal(oauth.tokenRequests.length - before, 1);
  const { text } = await ask('GET', `/connections/${id}`, customer);
  const connection = JSON.parse(text);
  assert.equal(connection.disconnected, true);
  assert.equal(connection.connected, false);
  await ask('GET', '/connections/rotating/proxy/resource', customer);
  assert.equal(oauth.tokenRequests.length - before, 1);
});

test('no secret stands in the store file', async () => {
  const held = gate.storeFile();
  for (const hidden of [family.access_token, family.refresh_token, clientSecret, secret]) assert(!held.includes(hidden));
});
