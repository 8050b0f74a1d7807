// How an app proves itself at a token endpoint: secrets with every awkward character, in each of the ways there are, and
// oidc-provider, which takes one way at a time and decodes what it gets, is the judge.
import assert from 'node:assert/strict';
import http from 'node:http';
import { test } from 'node:test';
import jwt from 'jsonwebtoken';
import { configuration, plant, sidegate } from './support.mjs';
import { oauthServer } from './oauth_server.mjs';

const workspace = 'acme';
const secret = plant('workspace-secret');
const customer = jwt.sign({ iss: workspace, id: 'ada' }, secret, { expiresIn: '4h' });
const awkward = [':', '%', '%41', '+', ' ', '&', '=', 'ä漢', '"\\', ':% + &ü'];

const form = (text) => new URLSearchParams([['', text]]).toString().slice(1);
/** oidc-provider takes ASCII secrets only (RFC 6749 appendix A.2): it knows any other by another name. */
const known = (text) => (/^[ -~]*$/.test(text) ? text : Buffer.from(text).toString('hex'));

/** A server in front of oidc-provider that reads HTTP Basic encoded, or as it is: the id up to the first colon, then the secret. */
function reading(how, target) {
  const decoded = (text) => (how === 'encoded' ? new URLSearchParams(`=${text}`).get('') : text);
  const front = http.createServer(async (request, response) => {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const body = new URLSearchParams(Buffer.concat(chunks).toString());
    if (body.has('client_secret')) body.set('client_secret', known(body.get('client_secret')));
    const headers = { 'content-type': request.headers['content-type'] };
    const basic = /^Basic (.+)$/.exec(request.headers.authorization ?? '')?.[1];
    if (basic) {
      const pair = Buffer.from(basic, 'base64').toString();
      const colon = pair.indexOf(':');
      const [id, proof] = [pair.slice(0, colon), pair.slice(colon + 1)].map(decoded);
      headers.authorization = `Basic ${Buffer.from(`${form(id)}:${form(known(proof))}`).toString('base64')}`;
    }
    const answer = await fetch(target + request.url, { method: request.method, headers, body: body.toString() });
    response.writeHead(answer.status, { 'content-type': 'application/json' });
    response.end(await answer.text());
  });
  return new Promise((resolve) => {
    front.listen(0, '127.0.0.1', () => resolve({
      url: `http://127.0.0.1:${front.address().port}`,
      close: () => { front.closeAllConnections(); front.close(); },
    }));
  });
}

/** The status of making a connection in each way, where the server reads Basic encoded, as oidc-provider does, or raw. */
async function outcomes(clientSecret, reads) {
  const oauth = await oauthServer({ clientId: 'side+gate', clientSecret: known(clientSecret) });
  const direct = reads === 'encoded' && known(clientSecret) === clientSecret;
  const front = direct ? undefined : await reading(reads, oauth.url);
  const url = front?.url ?? oauth.url;
  const spec = `
type: oauth2
getOAuthConfig:
  type: mapping
  mapping:
    clientId: {$var: connectorParameters.clientId}
    clientSecret: {$var: connectorParameters.clientSecret}
    tokenUri: ${url}/token
    grantType: client_credentials
makeApiClient:
  type: mapping
  mapping: {baseUri: '${oauth.url}', headers: {Authorization: {$concat: ['Bearer ', {$var: credentials.access_token}]}}}
`;
  const ways = {
    encoded: '{clientAuthentication: header}',
    raw: '{clientAuthentication: header, basic: raw}',
    body: '{clientAuthentication: body}',
    both: '{clientAuthentication: both}',
  };
  const files = { 'sidegate.yaml': configuration({ workspace, secret }), 'upstreams/api.yaml': `upstream: ${url}\n`, 'connectors/machine/spec.yml': spec };
  for (const [name, settings] of Object.entries(ways)) {
    files[`integrations/${name}.yaml`] = `
connector: machine
apps: [{id: own, clientId: side+gate, clientSecret: {value: ${JSON.stringify(clientSecret)}}}]
tokenEndpoint: ${settings}
egress: {allowPrivate: true, allowPlain: true}
`;
  }
  const gate = await sidegate(files);
  const made = {};
  try {
    for (const integrationKey of Object.keys(ways)) {
      const answer = await fetch(`${gate.outbound}/connections`, {
        method: 'POST',
        headers: { authorization: `Bearer ${customer}`, 'content-type': 'application/json' },
        body: JSON.stringify({ integrationKey }),
      });
      made[integrationKey] = answer.status;
    }
    assert.equal(oauth.tokenRequests.length, Object.keys(ways).length, 'one request for each');
    assert.equal(await gate.stop(), 0);
  } finally {
    await gate.kill();
    gate.remove();
    front?.close();
    oauth.close();
  }
  return made;
}

for (const part of awkward) {
  test(`a secret with ${JSON.stringify(part)} proves the app in every way that its server reads`, async () => {
    const clientSecret = plant(`s${part}`) + part;
    const decoding = await outcomes(clientSecret, 'encoded');
    assert.deepEqual([decoding.encoded, decoding.body], [200, 200]);
    assert.notEqual(decoding.both, 200, 'a certified server takes one proof at a time');
    const plain = await outcomes(clientSecret, 'raw');
    assert.deepEqual([plain.raw, plain.body], [200, 200]);
    assert.notEqual(plain.both, 200);
  });
}
