// A Sidegate beside a certified OAuth server, with one customer's connection to it: what the tests of refreshing share.
import assert from 'node:assert/strict';
import http from 'node:http';
import jwt from 'jsonwebtoken';
import { configuration, plant, sidegate } from './support.mjs';
import { oauthServer } from './oauth_server.mjs';

const workspace = 'acme';

/**
 * Starts both. `environment` is Sidegate's. `proof`: how the app proves itself instead of by its secret in the header, as it is
 * registered (`metadata`) and configured (`app`, `tokenEndpoint`).
 */
export async function refreshing({ callers, accessTokenSeconds, environment, proof = {} }) {
  const [secret, clientSecret] = [plant('workspace-secret'), plant('client-secret')];
  const token = (claims) => jwt.sign({ iss: workspace, ...claims }, secret, { expiresIn: '4h' });
  const customer = token({ id: 'customer-1' });
  const admin = token({ id: 'customer-1', isAdmin: true });
  const agent = new http.Agent({ keepAlive: true, maxSockets: callers });
  const oauth = await oauthServer({ clientId: 'sidegate', clientSecret, accessTokenSeconds, metadata: proof.metadata });
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
apps: [{id: own, clientId: sidegate, ${proof.app ?? `clientSecret: {value: "${clientSecret}"}`}}]
tokenEndpoint: ${proof.tokenEndpoint ?? '{}'}
egress: {allowPrivate: true, allowPlain: true}
`;
  const gate = await sidegate({
    'sidegate.yaml': configuration({ workspace, secret }),
    'upstreams/api.yaml': `upstream: ${oauth.url}\n`,
    'connectors/rotating/spec.yml': spec(''),
    'connectors/machine/spec.yml': spec('grantType: client_credentials'),
    'integrations/rotating.yaml': integration('rotating'),
    'integrations/machine.yaml': integration('machine'),
  }, { environment });

  /** A request to Sidegate; `body` is a value, or a stream that is sent as it comes. */
  const ask = (method, path, bearer, body, more = {}) => new Promise((resolve, reject) => {
    const headers = { authorization: `Bearer ${bearer}`, ...more };
    const streams = typeof body?.pipe === 'function';
    if (body && !streams) headers['content-type'] = 'application/json';
    const request = http.request(gate.outbound + path, { method, headers, agent }, (response) => {
      let text = '';
      response.on('data', (chunk) => { text += chunk; });
      response.on('end', () => resolve({ status: response.statusCode, headers: response.headers, text }));
      response.on('error', reject);
    });
    request.on('error', (error) => {
      // A kept connection may be closed just as it is used again; nothing was answered on it.
      if (error.code === 'ECONNRESET' && request.reusedSocket && !streams) resolve(ask(method, path, bearer, body, more));
      else reject(error);
    });
    if (streams) body.pipe(request); else request.end(body && JSON.stringify(body));
  });

  const family = await oauth.grant('ada');
  const tokens = { access_token: family.access_token, refresh_token: family.refresh_token };
  const created = await ask('POST', '/connections', customer, {
    name: 'Ada', integrationKey: 'rotating', credentials: { ...tokens, expires_in: accessTokenSeconds ?? 3600 },
  });
  assert.equal(created.status, 200, created.text);
  const { id } = JSON.parse(created.text);

  const call = (path = '/resource') => ask('GET', `/connections/rotating/proxy${path}`, customer);
  const everybodyCalls = (many = callers, path) => Promise.all(Array.from({ length: many }, () => call(path)));
  const credentials = async () => {
    const { text } = await ask('GET', `/connections/${id}?includeSecrets=true`, admin);
    return JSON.parse(text).credentials;
  };
  /** What Sidegate holds is said to have ended a while ago. */
  const expire = async () => {
    const { expires_in: _, ...kept } = await credentials();
    const body = { credentials: { ...kept, expires_at: Math.floor(Date.now() / 1000) - 60 } };
    const { status, text } = await ask('PATCH', `/connections/${id}`, admin, body);
    assert.equal(status, 200, text);
  };
  const connection = async () => JSON.parse((await ask('GET', `/connections/${id}`, customer)).text);
  const stop = async () => {
    agent.destroy();
    assert.equal(await gate.stop(), 0);
    const held = gate.storeFile();
    for (const hidden of [family.access_token, family.refresh_token, clientSecret, secret]) assert(!held.includes(hidden), 'a secret in the store file');
    gate.remove();
    oauth.close();
  };
  return { oauth, gate, ask, call, everybodyCalls, credentials, expire, connection, stop, family, id, customer, admin };
}

/** How many answers had each status. */
export const outcomes = (answers) => {
  const counts = {};
  for (const { status } of answers) counts[status] = (counts[status] ?? 0) + 1;
  return counts;
};
