// The promise about refresh, against a certified server that ends a family whose refresh token is replayed:
// however many callers, one token request; and the family lives. FULL=1 takes a thousand rounds.
import assert from 'node:assert/strict';
import http from 'node:http';
import { after, before, test } from 'node:test';
import { outcomes, refreshing } from './refreshing.mjs';

const full = process.env.FULL === '1';
const rounds = Number(process.env.ROUNDS ?? (full ? 1000 : 5));
const callers = 2000;

let scene; let oauth; let gate; let family; let id; let customer; let ask; let credentials; let expire;

before(async () => {
  scene = await refreshing({ callers });
  ({ oauth, gate, family, id, customer, ask, credentials, expire } = scene);
});
after(() => scene.stop());

test(`${callers} callers on an expired token cause one token request, ${rounds} times`, async () => {
  for (let round = 1; round <= rounds; round += 1) {
    await expire();
    const before = oauth.tokenRequests.length;
    assert.deepEqual(outcomes(await scene.everybodyCalls()), { 200: callers }, `round ${round}`);
    assert.equal(oauth.tokenRequests.length - before, 1, `round ${round}`);
  }
  assert(await oauth.alive(family.grantId), 'the family was ended');
});

const refusals = Math.min(rounds, 100);
test(`1000 answers of 401 to a revoked token cause one token request, ${refusals} times`, async () => {
  for (let round = 1; round <= refusals; round += 1) {
    await oauth.revoke((await credentials()).access_token);
    const before = oauth.tokenRequests.length;
    assert.deepEqual(outcomes(await scene.everybodyCalls(1000)), { 200: 1000 }, `round ${round}`);
    assert.equal(oauth.tokenRequests.length - before, 1, `round ${round}`);
  }
  assert(await oauth.alive(family.grantId), 'the family was ended');
});

for (const [seconds, statuses] of [[5, [200]], [15, [200, 503]], [40, [503]]]) {
  test(`a token endpoint that takes ${seconds} s is asked once, and callers are told if they wait in vain`, async () => {
    await expire();
    const before = oauth.tokenRequests.length;
    oauth.delay(seconds * 1000);
    const answers = await scene.everybodyCalls();
    oauth.delay(0);
    for (const { status, headers, text } of answers) {
      assert(statuses.includes(status), text);
      if (status === 200) continue;
      assert.equal(headers['x-sidegate-rejection'], 'provider_down');
      assert(Number(headers['retry-after']) >= 1);
      assert.deepEqual(JSON.parse(text).data.refresh, { code: 'provider_down' });
    }
    // Who comes later joins the same exchange; at last it lands.
    let late;
    do { late = await scene.call(); } while (late.status === 503);
    assert.equal(late.status, 200, late.text);
    assert.equal(oauth.tokenRequests.length - before, 1);
    assert(await oauth.alive(family.grantId), 'the family was ended');
  });
}

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
    assert.equal((await scene.call()).status, 200);
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
  const { text } = await ask('GET', '/connections/machine?includeSecrets=true', scene.admin);
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
  for (const { status, text } of await scene.everybodyCalls(50)) {
    assert(status >= 400, text);
    assert.equal(JSON.parse(text).type, 'connection');
  }
  assert.equal(oauth.tokenRequests.length - before, 1);
  const connection = await scene.connection();
  assert.equal(connection.disconnected, true);
  assert.equal(connection.connected, false);
  assert.equal(connection.refresh.failure.class, 'dead_grant');
  await scene.call();
  assert.equal(oauth.tokenRequests.length - before, 1);
});
