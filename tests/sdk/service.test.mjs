// A service behind Sidegate that holds no token and no credential: the inbound side tells it who asks, and with just that
// it calls out. Everything it sends and gets goes through the real binary.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, test } from 'node:test';
import jwt from 'jsonwebtoken';
import { assertNoSecret, configuration, json, plant, server, sidegate } from './support.mjs';

const workspace = 'acme';
const secret = plant('workspace-secret');
const clientSecret = plant('client-secret');
const serviceSecret = plant('service-secret');
const token = (id) => jwt.sign({ iss: workspace, id }, secret, { expiresIn: '2h' });
const pair = (customer) => ({ 'x-sidegate-workspace': workspace, 'x-sidegate-customer': customer });
/** The longest body that is kept to be sent again. */
const replayLimit = 64 * 1024;

let thirdParty; let tokens; let service; let trusting; let guarded; let files;
/** What the third party takes, what the token server takes, and what holds its answer back. */
const live = new Set(); const refreshable = new Set(); let held = Promise.resolve();
/** Gives the waiting event stream its next piece. */
let next;

const grant = () => {
  const [access, refresh] = [plant('access'), plant('refresh')];
  live.add(access);
  refreshable.add(refresh);
  return { access_token: access, refresh_token: refresh };
};

before(async () => {
  thirdParty = await server(async (request, body, response) => {
    const [, bearer] = (request.headers.authorization ?? '').split(' ');
    if (!live.has(bearer)) return json(response, 401, { error: 'invalid_token' });
    if (request.url !== '/events') return json(response, 200, { length: body.length });
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    for (let piece = 1; piece <= 3; piece += 1) {
      response.write(`data: ${piece}\n\n`);
      await new Promise((resolve) => { next = resolve; });
    }
    return response.end();
  });
  tokens = await server(async (request, body, response) => {
    await held;
    // One use each, and the answers live for twenty seconds.
    if (!refreshable.delete(new URLSearchParams(body).get('refresh_token'))) return json(response, 400, { error: 'invalid_grant' });
    return json(response, 200, { ...grant(), expires_in: 20, token_type: 'Bearer' });
  });
  service = await server(async (request, body, response) => {
    const who = Object.fromEntries(Object.entries(request.headers).filter(([name]) => /sidegate|token/.test(name)));
    if (!request.url.startsWith('/call')) return json(response, 200, who);
    const answer = await fetch(`${trusting.outbound}/connections/crm/proxy/things`, { headers: who });
    return json(response, answer.status, { who, code: answer.headers.get('x-sidegate-rejection') });
  });
  files = (listener) => ({
    'sidegate.yaml': configuration({ workspace, secret, sealingKey: randomBytes(32).toString('base64') })
      .replace('outbound: {address: "127.0.0.1:0"}', `outbound: {address: "127.0.0.1:0", ${listener}}`),
    'upstreams/service.yaml': `upstream: ${service.url}\nrules:\n  - {path: /public, allow: public}\n  - {path: /*, allow: customer}\n`,
    'connectors/crm/spec.yml': `
name: CRM
auth:
  type: oauth2
  getOAuthConfig: {type: mapping, mapping: {clientId: c, clientSecret: {$var: connectorParameters.clientSecret}, authorizeUri: "${tokens.url}/a", tokenUri: "${tokens.url}/token"}}
  makeApiClient: {type: mapping, mapping: {baseUri: "${thirdParty.url}", headers: {Authorization: {$concat: ['Bearer ', {$var: credentials.access_token}]}}}}
`,
    'integrations/crm.yaml': `
connector: crm
apps: [{id: own, clientId: c, clientSecret: {value: "${clientSecret}"}}]
egress: {allowPrivate: true, allowPlain: true}
`,
  });
  trusting = await sidegate(files('trustCaller: true'));
  guarded = await sidegate(files(`serviceSecret: {value: "${serviceSecret}"}`));
});

after(async () => {
  for (const gate of [trusting, guarded]) {
    assertNoSecret(gate.storeFile(), 'the store file');
    assert.equal(await gate.stop(), 0);
    gate.remove();
  }
  for (const one of [thirdParty, tokens, service]) one.close();
});

const ask = async (gate, path, { headers, ...options } = {}) => {
  const response = await fetch(gate.outbound + path, { ...options, headers });
  const text = await response.text();
  assertNoSecret(text, 'a reply');
  return { status: response.status, code: response.headers.get('x-sidegate-rejection'), body: text && JSON.parse(text) };
};

const connect = async (gate, headers, credentials = grant()) => {
  const body = JSON.stringify({ integrationKey: 'crm', credentials });
  const created = await ask(gate, '/connections', { method: 'POST', headers, body });
  assert.equal(created.status, 200, JSON.stringify(created.body));
  return created.body.id;
};

/** What the third party and the token server see while `work` runs. */
const seenDuring = async (work) => {
  const [calls, exchanges] = [thirdParty.requests.length, tokens.requests.length];
  const result = await work();
  return { result, calls: thirdParty.requests.slice(calls), exchanges: tokens.requests.length - exchanges };
};

test('what the inbound side tells the service is all that it needs to call out', async () => {
  await connect(trusting, pair('customer-1'));
  const inbound = await fetch(`${trusting.inbound}/call`, { headers: { 'X-Integration-App-Token': token('customer-1') } });
  assert.equal(inbound.status, 200);
  const { who } = await inbound.json();
  assert.equal(who['x-sidegate-customer'], 'customer-1');
  assert.equal(who['x-integration-app-token'], undefined);
  const [call] = thirdParty.requests.slice(-1);
  assert.deepEqual(Object.keys(call.headers).filter((name) => /sidegate|membrane|integration/.test(name)), []);
});

test('a pair that comes from outside never reaches the service', async () => {
  const forged = { ...pair('customer-2'), 'X-Sidegate-Admin': 'true' };
  const headers = { ...forged, 'X-Integration-App-Token': token('customer-1') };
  const asked = await (await fetch(`${trusting.inbound}/who`, { headers })).json();
  // The hop is no identity: it only lets a request that comes back be told.
  const { 'x-sidegate-admin': admin, 'x-sidegate-hops': hop, ...who } = asked;
  assert.deepEqual(who, pair('customer-1'));
  assert.notEqual(admin, 'true');
  assert.match(hop, /^[0-9a-f]{16}$/);
  const open = await (await fetch(`${trusting.inbound}/public`, { headers: forged })).json();
  assert.deepEqual(Object.keys(open), ['x-sidegate-hops']);
  const twin = await fetch(`${trusting.inbound}/who`, { headers: { ...headers, x_sidegate_customer: 'customer-2' } });
  assert.equal(twin.headers.get('x-sidegate-rejection'), 'ambiguous_header');
});

test('a trusted service reaches the connections of the customer that it names and no others', async () => {
  const id = await connect(trusting, pair('customer-1'));
  assert.equal((await ask(trusting, `/connections/${id}/proxy/things`, { headers: pair('customer-1') })).status, 200);
  const { result, calls } = await seenDuring(async () => [
    await ask(trusting, `/connections/${id}/proxy/things`, { headers: pair('customer-2') }),
    await ask(trusting, `/connections/${id}/proxy/things`),
    await ask(trusting, `/connections/${id}/proxy/things`, { headers: { 'x-sidegate-customer': 'customer-1' } }),
    await ask(trusting, `/connections/${id}?includeSecrets=true`, { headers: { ...pair('customer-2'), 'x-sidegate-admin': 'true' } }),
  ]);
  assert.deepEqual(result.map(({ status, code }) => [status, code]),
    [[404, 'unknown_connection'], [401, 'no_caller'], [400, 'malformed_pair'], [404, 'unknown_connection']]);
  assert.deepEqual(calls, []);
  // An admin would see them: the pair makes nobody an admin.
  const own = await ask(trusting, `/connections/${id}?includeSecrets=true`, { headers: { ...pair('customer-1'), 'x-sidegate-admin': 'true' } });
  assert.equal(own.body.credentials, undefined);
});

test('with a service secret the pair is believed only beside it', async () => {
  const known = { ...pair('customer-1'), authorization: `Bearer ${serviceSecret}` };
  await connect(guarded, known);
  const path = '/connections/crm/proxy/things';
  for (const headers of [pair('customer-1'), { ...pair('customer-1'), authorization: `Bearer ${serviceSecret}x` }]) {
    const { status, code } = await ask(guarded, path, { headers });
    assert.deepEqual([status, code], [401, 'caller_not_trusted']);
  }
  const { result, calls } = await seenDuring(() => ask(guarded, path, { headers: known }));
  assert.equal(result.status, 200);
  assert(!JSON.stringify(calls).includes(serviceSecret), 'the service secret travelled');
  // A token speaks for itself, and for nobody else.
  const bearer = { authorization: `Bearer ${token('customer-1')}` };
  assert.equal((await ask(guarded, path, { headers: bearer })).status, 200);
  assert.equal((await ask(guarded, path, { headers: { ...bearer, ...pair('customer-2') } })).code, 'callers_disagree');
});

test('a token that nears its end is served while it is refreshed behind', async () => {
  const old = grant();
  // Good for six seconds more, and due for a refresh in the last three.
  await connect(trusting, pair('customer-1'), { ...old, expires_at: Date.now() / 1000 + 6 });
  let release;
  held = new Promise((resolve) => { release = resolve; });
  const call = () => seenDuring(() => ask(trusting, '/connections/crm/proxy/things', { headers: pair('customer-1') }));
  const before = tokens.requests.length;
  const sentWith = async () => {
    const { result, calls } = await call();
    assert.equal(result.status, 200);
    return calls[0].headers.authorization.split(' ')[1];
  };
  while (tokens.requests.length === before) assert.equal(await sentWith(), old.access_token);
  // The exchange is under way, and nobody waits for it.
  for (let again = 0; again < 10; again += 1) assert.equal(await sentWith(), old.access_token);
  release();
  while (await sentWith() === old.access_token);
  live.delete(old.access_token);
  for (let again = 0; again < 10; again += 1) assert.notEqual(await sentWith(), old.access_token);
  assert.equal(tokens.requests.length - before, 1);
});

test('a body within the limit arrives whole both times', async () => {
  const old = grant();
  await connect(trusting, pair('customer-1'), old);
  live.delete(old.access_token);
  const body = randomBytes(replayLimit / 2).toString('hex');
  const { result, calls, exchanges } = await seenDuring(() =>
    ask(trusting, '/connections/crm/proxy/things', { method: 'POST', headers: pair('customer-1'), body }));
  assert.deepEqual([result.status, result.body.length, exchanges], [200, replayLimit, 1]);
  assert.equal(calls.length, 2);
  for (const { method, headers, body: arrived } of calls) {
    assert.equal(method, 'POST');
    assert.equal(headers['content-length'], String(replayLimit));
    assert.equal(arrived, body);
  }
});

test('a body over the limit is sent once: the refusal goes back, and the next call is fresh', async () => {
  const old = grant();
  await connect(trusting, pair('customer-1'), old);
  live.delete(old.access_token);
  const body = 'x'.repeat(replayLimit + 1);
  const post = () => ask(trusting, '/connections/crm/proxy/things', { method: 'POST', headers: pair('customer-1'), body });
  const { result, calls, exchanges } = await seenDuring(async () => [await post(), await post()]);
  assert.deepEqual(result.map(({ status, code }) => [status, code]), [[401, null], [200, null]]);
  assert.deepEqual(calls.map((call) => call.body.length), [body.length, body.length]);
  assert.equal(exchanges, 1);
});

test('an event stream arrives piece by piece', async () => {
  await connect(trusting, pair('customer-1'));
  const response = await fetch(`${trusting.outbound}/connections/crm/proxy/events`, { headers: pair('customer-1') });
  assert.equal(response.headers.get('content-type'), 'text/event-stream');
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  for (let piece = 1; piece <= 3; piece += 1) {
    // The third party sends the next one only when this one has arrived.
    assert.deepEqual(await reader.read(), { done: false, value: `data: ${piece}\n\n` });
    next();
  }
  assert.equal((await reader.read()).done, true);
});

/** A Sidegate that is told to stop while a token request is on its way and nobody waits for it any more. */
const stoppedDuringAnExchange = async () => {
  let release;
  held = new Promise((resolve) => { release = resolve; });
  const gate = await sidegate(files('trustCaller: true'));
  const old = grant();
  const id = await connect(gate, pair('customer-1'), { ...old, expires_at: 1 });
  const before = tokens.requests.length;
  const caller = new AbortController();
  const leaves = assert.rejects(fetch(`${gate.outbound}/connections/crm/proxy/things`, { headers: pair('customer-1'), signal: caller.signal }));
  await gate.until(() => tokens.requests.length > before);
  caller.abort();
  await leaves;
  gate.child.kill('SIGTERM');
  await gate.until(() => gate.diagnostics.includes('stopping'));
  return { gate, id, old, release };
};

test('a stop waits for the token that is on its way, and stores it', async () => {
  const { gate, id, old, release } = await stoppedDuringAnExchange();
  release();
  assert.equal((await gate.exited).code, 0);
  const again = await sidegate(gate.path);
  const bearer = { authorization: `Bearer ${jwt.sign({ iss: workspace, id: 'customer-1', isAdmin: true }, secret, { expiresIn: '1h' })}` };
  const kept = await (await fetch(`${again.outbound}/connections/${id}?includeSecrets=true`, { headers: bearer })).json();
  assert.notEqual(kept.credentials.refresh_token, old.refresh_token);
  assert(refreshable.has(kept.credentials.refresh_token));
  assert.equal(await again.stop(), 0);
  again.remove();
});

test('a further signal ends a stop that waits for a token', async () => {
  const { gate, release } = await stoppedDuringAnExchange();
  // The first may only end the stage before; whoever insists is heard.
  let ended = false;
  gate.exited.then(() => { ended = true; });
  while (!ended) {
    gate.child.kill('SIGTERM');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  assert.match(gate.diagnostics, /further signal/);
  assertNoSecret(gate.diagnostics, 'the diagnostics');
  release();
  gate.remove();
});
