// A third party that speaks OAuth 1.0a, in Python: oauth1_server.py, which tests/run installs oauthlib for.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const python = fileURLToPath(new URL('../../target/oauthlib/bin/python', import.meta.url));
const script = fileURLToPath(new URL('oauth1_server.py', import.meta.url));

/** Why there is no such third party; undefined where there is one. */
export const noOauthlib = existsSync(python) ? undefined : 'tests/run installs oauthlib';

/** The realm of its resource. */
export const realm = 'Boards_1 SB';

/** Starts one that knows one app, and one token that nobody had to consent to. What it refused is in `refused`. */
export async function oauth1Server(app, token) {
  const third = spawn(python, [script, app.key, app.secret, token.oauth_token, token.oauth_token_secret]);
  const server = { refused: '', close: () => third.kill() };
  third.stderr.on('data', (data) => { server.refused += data; });
  const lines = createInterface({ input: third.stdout });
  const port = await new Promise((resolve) => lines.once('line', resolve));
  lines.on('line', (line) => { server.refused += `${line}\n`; });
  return Object.assign(server, { url: `http://127.0.0.1:${port}` });
}

/** A connector to the one at this address. */
export const oauth1Spec = ({ url, method, realm }) => `
name: Boards
type: oauth1
makeApiClient: {type: mapping, mapping: {baseUri: '${url}'}}
test: {type: mapping, mapping: {path: /test}}
getOAuthConfig:
  type: mapping
  mapping:
    consumerKey: {$var: connectorParameters.clientId}
    consumerSecret: {$var: connectorParameters.clientSecret}
    requestTokenUri: ${url}/request
    authorizeUri: ${url}/authorize
    tokenUri: ${url}/access
    signatureMethod: ${method}
    ${realm ? `realm: ${realm}` : ''}
`;
