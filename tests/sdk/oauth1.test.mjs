// OAuth 1.0a against implementations that are not ours: signatures equal to npm oauth-1.0a's, and taken by PyPI's oauthlib.
import assert from 'node:assert/strict';
import { createHmac, randomInt } from 'node:crypto';
import http from 'node:http';
import { after, test } from 'node:test';
import jwt from 'jsonwebtoken';
import OAuth from 'oauth-1.0a';
import { noOauthlib, oauth1Server, oauth1Spec, realm } from './oauth1_server.mjs';
import { configuration, plant, server, sidegate } from './support.mjs';

const methods = { sha1: 'HMAC-SHA1', sha256: 'HMAC-SHA256', plain: 'PLAINTEXT' };
const hashes = { 'HMAC-SHA1': 'sha1', 'HMAC-SHA256': 'sha256' };
const workspace = 'acme';
const secret = plant('workspace-secret');
const app = { key: 'app/1', secret: plant('app &%+ü') };
const ada = { oauth_token: 'ada-token/1', oauth_token_secret: plant('token &%+') };
const customer = jwt.sign({ iss: workspace, id: 'ada' }, secret, { expiresIn: '4h' });
const agent = new http.Agent({ keepAlive: true, maxSockets: 100 });
after(() => agent.destroy());

/** A Sidegate with one integration for each signature method, and a connection of ada's for each. */
async function gateTo(url, realm) {
  const files = { 'sidegate.yaml': configuration({ workspace, secret }), 'upstreams/api.yaml': `upstream: ${url}\n` };
  for (const [name, method] of Object.entries(methods)) {
    files[`connectors/${name}/spec.yml`] = oauth1Spec({ url, method, realm });
    files[`integrations/${name}.yaml`] = `
connector: ${name}
apps: [{id: own, clientId: ${app.key}, clientSecret: {value: ${JSON.stringify(app.secret)}}}]
egress: {allowPrivate: true, allowPlain: true}
`;
  }
  const gate = await sidegate(files);
  for (const name of Object.keys(methods)) {
    const body = JSON.stringify({ integrationKey: name, credentials: ada });
    const created = await ask(gate, { method: 'POST', path: '/connections', type: 'application/json', body });
    assert.equal(created.status, 200, created.text);
  }
  return gate;
}

function ask(gate, { method, path, type, body }) {
  return new Promise((resolve, reject) => {
    const headers = { authorization: `Bearer ${customer}`, 'content-length': Buffer.byteLength(body ?? '') };
    if (type) headers['content-type'] = type;
    const request = http.request(gate.outbound + path, { method, headers, agent }, (response) => {
      let text = '';
      response.on('data', (chunk) => { text += chunk; });
      response.on('end', () => resolve({ status: response.statusCode, text }));
      response.on('error', reject);
    });
    request.on('error', reject);
    request.end(body);
  });
}

/** Asks for all of them, a hundred at a time. */
async function all(requests, each) {
  const waiting = requests.entries();
  await Promise.all(Array.from({ length: 100 }, async () => {
    for (const [index, request] of waiting) await each(request, index);
  }));
}

const pick = (list) => list[randomInt(list.length)];
const letters = [...'abcXYZ019-._~ !*\'()%&=+,/?:@;$#"<>[]{}|\\^`äß漢😀'];
const text = (longest) => Array.from({ length: randomInt(longest + 1) }, () => pick(letters)).join('');
/** As RFC 3986 wants it: the oracle takes `+` for itself, where RFC 5849 takes it for a blank. */
const encoded = (value) => encodeURIComponent(value).replace(/[!*'()]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
const query = (pairs) => pairs.map(([name, value]) => `${encoded(name)}=${encoded(value)}`).join('&');
const paths = ['/', '/a', '/a//b/', '/%2F%2f;x=1/~', '/1/boards/%C3%BC'];

/** Any request. The oracle decodes no names and knows none that is both in the query and in the form: names differ. */
function anything() {
  const inQuery = Array.from({ length: randomInt(5) }, (_, n) => [pick(['q', `q${n}`]), `${n}${text(12)}`]);
  const isForm = randomInt(2) === 1;
  const inForm = isForm ? Array.from({ length: randomInt(5) }, (_, n) => [`f${n}${text(4)}`, text(12)]) : [];
  return {
    method: isForm ? pick(['POST', 'PUT', 'PATCH']) : pick(['GET', 'POST', 'DELETE']),
    integration: pick(Object.keys(methods)),
    target: pick(paths) + (inQuery.length ? `?${query(inQuery)}` : ''),
    form: isForm ? new URLSearchParams(inForm).toString() : undefined,
    inForm,
  };
}

/** The parameters of an `Authorization` header. */
const parameters = (header) =>
  Object.fromEntries([...header.matchAll(/(\w+)="([^"]*)"/g)].map(([, name, value]) => [name, decodeURIComponent(value)]));

test('10,000 random requests are signed as npm oauth-1.0a signs them, each with a nonce of its own', async () => {
  const third = await server((request, _, response) => response.end(request.headers.authorization));
  const gate = await gateTo(third.url, 'Boards_1');
  const nonces = new Set();
  try {
    await all(Array.from({ length: 10_000 }, anything), async (request) => {
      const { method, integration, target, form, inForm } = request;
      const type = form === undefined ? undefined : 'application/x-www-form-urlencoded';
      const answer = await ask(gate, { method, path: `/connections/${integration}/proxy${target}`, type, body: form });
      assert.equal(answer.status, 200, answer.text);
      const { realm, oauth_signature: signature, ...protocol } = parameters(answer.text);
      const name = methods[integration];
      const oracle = new OAuth({
        consumer: app,
        signature_method: name,
        hash_function: name === 'PLAINTEXT' ? undefined : (base, key) => createHmac(hashes[name], key).update(base).digest('base64'),
      });
      const signed = { method, url: third.url + target, data: Object.fromEntries(inForm) };
      assert.equal(signature, oracle.getSignature(signed, ada.oauth_token_secret, protocol), JSON.stringify(request));
      assert.deepEqual([realm, protocol.oauth_token, protocol.oauth_consumer_key], ['Boards_1', ada.oauth_token, app.key]);
      nonces.add(protocol.oauth_nonce);
    });
    assert.equal(nonces.size, 10_000);
    assert.equal(await gate.stop(), 0);
  } finally {
    await gate.kill();
    gate.remove();
    third.close();
  }
});

test('oauthlib takes every request of each method, and sees no nonce twice', { skip: noOauthlib }, async () => {
  const third = await oauth1Server(app, ada);
  const gate = await gateTo(third.url, realm);
  const multipart = '--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--b--\r\n';
  const form = 'application/x-www-form-urlencoded';
  const shapes = [
    { method: 'GET', target: '/a' },
    { method: 'GET', target: '/a?x=1&x=2&x=&y&z=%26%3D+%C3%BC' },
    { method: 'GET', target: '/%7Ea//b;c=1?b=2&a=1' },
    { method: 'POST', target: '/a?x=1', type: form, body: 'x=2&x=1&empty=&n+m=%2B+%C3%BC' },
    { method: 'PUT', target: '/a', type: `${form}; charset=utf-8`, body: 'a=1' },
    { method: 'POST', target: '/a', type: 'application/json', body: '{"a": 1}' },
    { method: 'POST', target: '/a?x=1', type: 'multipart/form-data; boundary=b', body: multipart },
    { method: 'DELETE', target: '/a' },
  ];
  try {
    const requests = Array.from({ length: 10_000 }, (_, n) => ({ ...shapes[n % shapes.length], integration: Object.keys(methods)[n % 3] }));
    await all(requests, async ({ target, integration, ...request }) => {
      const answer = await ask(gate, { ...request, path: `/connections/${integration}/proxy${target}` });
      assert.equal(answer.status, 200, `${integration} ${target}: ${answer.text}\n${third.refused}`);
    });
    const seen = await (await fetch(`${third.url}/seen`)).json();
    // The three connections were tested when they were made.
    assert.deepEqual({ nonces: seen.nonces, replayed: seen.replayed }, { nonces: 10_003, replayed: 0 });
    assert.deepEqual(Object.keys(seen.valid).sort(), Object.values(methods).sort());
    assert.equal(await gate.stop(), 0);
  } finally {
    await gate.kill();
    gate.remove();
    third.close();
  }
});
