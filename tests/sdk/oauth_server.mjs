// npm oidc-provider, a certified OAuth server, with rotating refresh tokens: replaying a spent one ends the family.
import Provider from 'oidc-provider';
import { createHash } from 'node:crypto';
import http from 'node:http';

/**
 * Starts a provider with one client. `/resource` takes only its live access tokens; `/forbidden` takes none, and `/scope`
 * misses a scope. With `redirectUris` people may log in with any name and password, and are asked for their consent.
 * `metadata`: what else is registered for the client.
 */
export async function oauthServer({ clientId, clientSecret, accessTokenSeconds = 3600, redirectUris = [], metadata = {} }) {
  const tokenRequests = [];
  const seen = { resource: 0, rejected: 0, bodies: [] };
  let delayed = 0;
  let provider;
  const listener = http.createServer(async (request, response) => {
    if (/^\/(resource|forbidden|scope)/.test(request.url)) return resource(request, response);
    if (request.url === '/token' && request.method === 'POST') {
      tokenRequests.push(Date.now());
      await new Promise((resolve) => { setTimeout(resolve, delayed); });
    }
    return provider.callback()(request, response);
  });
  await new Promise((resolve) => listener.listen({ port: 0, host: '127.0.0.1', backlog: 4096 }, resolve));
  const url = `http://127.0.0.1:${listener.address().port}`;
  provider = new Provider(url, {
    clients: [{
      client_id: clientId,
      client_secret: clientSecret,
      grant_types: ['authorization_code', 'refresh_token', 'client_credentials'],
      redirect_uris: [`${url}/callback`, ...redirectUris],
      ...metadata,
    }],
    features: { devInteractions: { enabled: redirectUris.length > 0 }, clientCredentials: { enabled: true } },
    findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
    rotateRefreshToken: true,
    ttl: { AccessToken: accessTokenSeconds, ClientCredentials: accessTokenSeconds, RefreshToken: 86400, Grant: 86400 },
    scopes: ['openid', 'offline_access'],
  });
  provider.on('server_error', (_, error) => { throw error; });

  async function resource(request, response) {
    seen.resource += 1;
    const token = /^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1];
    const found = token && request.url.startsWith('/resource')
      && (await provider.AccessToken.find(token) ?? await provider.ClientCredentials.find(token));
    if (!found) seen.rejected += 1;
    const answer = () => {
      const headers = { 'content-type': 'application/json' };
      if (request.url.startsWith('/scope')) headers['www-authenticate'] = 'Bearer error="insufficient_scope"';
      response.writeHead(found ? 200 : 401, headers);
      response.end(JSON.stringify(found ? { ok: true } : { error: 'invalid_token' }));
    };
    const body = await read(request);
    if (body.bytes > 0) seen.bodies.push(body);
    answer();
  }

  /** A family of tokens, as after a customer's consent. */
  async function grant(accountId) {
    const client = await provider.Client.find(clientId);
    const grantId = await Object.assign(new provider.Grant({ accountId, clientId }), {}).save();
    const stored = await provider.Grant.find(grantId);
    stored.addOIDCScope('openid offline_access');
    await stored.save();
    const common = { accountId, client, grantId, scope: 'openid offline_access', gty: 'authorization_code', expiresWithSession: false };
    const access = new provider.AccessToken(common);
    const refresh = new provider.RefreshToken(common);
    return { grantId, access_token: await access.save(), refresh_token: await refresh.save() };
  }

  /** The access token stops working; the refresh token does not. */
  const revoke = async (token) => { const found = await provider.AccessToken.find(token); await found?.destroy(); };
  const alive = async (grantId) => Boolean(await provider.Grant.find(grantId));
  /** How long the token endpoint takes to answer from now on, in milliseconds. */
  const delay = (milliseconds) => { delayed = milliseconds; };
  const close = () => { listener.closeAllConnections(); listener.close(); };
  return { url, provider, tokenRequests, seen, grant, revoke, alive, delay, close };
}

/** How long a body is and what it hashes to, as far as it comes. */
async function read(request) {
  const hash = createHash('sha256');
  let bytes = 0;
  try {
    for await (const chunk of request) {
      bytes += chunk.length;
      hash.update(chunk);
    }
  } catch { /* it broke off */ }
  return { bytes, sha256: hash.digest('hex') };
}
