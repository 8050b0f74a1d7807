// An app that signs instead of showing a secret: oidc-provider, which takes exactly one proof and checks all that RFC 7523
// wants of an assertion, is the judge.
import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { test } from 'node:test';
import { refreshing } from './refreshing.mjs';

/** A key as Sidegate has it, and as its provider knows it. */
function key(type, options, more) {
  const { privateKey, publicKey } = generateKeyPairSync(type, options);
  const jwk = { ...publicKey.export({ format: 'jwk' }), kid: 'key-1', use: 'sig' };
  return {
    metadata: { token_endpoint_auth_method: 'private_key_jwt', client_secret: undefined, jwks: { keys: [jwk] } },
    app: `privateKey: {env: APP_KEY}, keyId: key-1${more}`,
    tokenEndpoint: '{clientAuthentication: privateKeyJwt}',
    environment: { APP_KEY: privateKey.export({ format: 'pem', type: 'pkcs8' }) },
  };
}

const ways = {
  'an RSA key': key('rsa', { modulusLength: 2048 }, ''),
  'an RSA key and PS256': key('rsa', { modulusLength: 2048 }, ', algorithm: PS256'),
  'a key on P-256': key('ec', { namedCurve: 'P-256' }, ''),
  'its secret': {
    metadata: { token_endpoint_auth_method: 'client_secret_jwt' },
    tokenEndpoint: '{clientAuthentication: clientSecretJwt}',
  },
};

for (const [name, proof] of Object.entries(ways)) {
  test(`an app that signs with ${name} gets its own tokens and refreshes a customer's, each with one request`, async () => {
    const { oauth, gate, ask, call, expire, customer, stop } = await refreshing({ callers: 1, environment: proof.environment, proof });
    try {
      const made = await ask('POST', '/connections', customer, { integrationKey: 'machine' });
      assert.equal(made.status, 200, made.text);
      assert.equal(oauth.tokenRequests.length, 1);
      for (const round of [1, 2]) {
        await expire();
        assert.equal((await call()).status, 200);
        assert.equal(oauth.tokenRequests.length, 1 + round);
      }
      await stop();
    } finally {
      await gate.kill();
    }
  });
}
