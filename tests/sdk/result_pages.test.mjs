// What people read where connecting has failed: for each way to fail what the page says, what it tells whom to do, and that everybody
// can read it, in light and dark, on any screen, without scripts.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { browser, noBrowser as skip } from './browser.mjs';
import { flaws } from './readable.mjs';
import { egress, setStage } from './stage.mjs';
import { assertNoSecret, json, plant, server } from './support.mjs';

const code = plant('code');

let stage; let provider;
/** What the provider does next: what the browser brings back, if by itself, and what is answered at /token and /me. */
let next;

const answer = (request, body, response) => {
  const url = new URL(request.url, 'http://provider');
  const { redirect_uri: back, state } = Object.fromEntries(url.searchParams);
  switch (url.pathname) {
    case '/authorize': {
      const location = `${back}?${new URLSearchParams({ ...next.brings ?? { code }, state })}`;
      response.writeHead(next.waits ? 200 : 302, next.waits ? { 'content-type': 'text/html' } : { location });
      return response.end(`<a href="${location}">Back</a>`);
    }
    case '/token':
      return json(response, ...next.token ?? [200, { access_token: plant('access-token') }]);
    default:
      return json(response, ...next.me ?? [200, {}]);
  }
};

before(async () => {
  if (skip) return;
  provider = await server(answer);
  stage = await setStage();
  const spec = (tokens) => `
name: Pipeline CRM
auth:
  type: oauth2
  getOAuthConfig: {type: mapping, mapping: {clientId: app, clientSecret: "${plant('client-secret')}", authorizeUri: "${provider.url}/authorize", tokenUri: "${tokens}"}}
  makeApiClient: {type: mapping, mapping: {baseUri: "${provider.url}", headers: {Authorization: {$concat: ['Bearer ', {$var: credentials.access_token}]}}}}
  test: {type: rest-api-mapping, mapping: {path: /me}}
`;
  const files = {};
  for (const [name, tokens] of [['crm', `${provider.url}/token`], ['gone', 'http://127.0.0.1:9/token']]) {
    files[`connectors/${name}/spec.yml`] = spec(tokens);
    files[`integrations/${name}.yaml`] = `connector: ${name}\n${egress}`;
  }
  await stage.start(files);
});

after(() => stage?.clear(provider));

const passItOn = 'Show this page to whoever runs your app';
/** What the provider does, what the page says of it, what it tells the customer and the operator, and what stands at the step. */
const kinds = [
  {
    name: 'a used code',
    token: [400, { error: 'invalid_grant', error_description: 'Code was already redeemed.' }],
    says: 'invalid_grant (Code was already redeemed.)', customer: 'Start again.', operator: 'another app or redirect URL', step: '400 · invalid_grant',
  },
  {
    name: 'a wrong secret',
    token: [400, { status: 'BAD_CLIENT_SECRET', message: 'missing or invalid client secret' }],
    says: 'BAD_CLIENT_SECRET (missing or invalid client secret)', customer: passItOn, operator: 'Copy it again', step: '400 · BAD_CLIENT_SECRET',
  },
  {
    name: 'an unknown app',
    token: [401, { error: 'invalid_client' }],
    says: 'does not take the app: invalid_client', customer: passItOn, operator: 'Compare the client id and secret', step: '401 · invalid_client',
  },
  {
    name: 'a no',
    brings: { error: 'access_denied', error_description: 'The user denied the request' },
    says: 'gave no access: access_denied (The user denied the request)', customer: 'Start again and allow it', step: 'access_denied',
  },
  { name: 'a scope', brings: { error: 'invalid_scope' }, says: 'invalid_scope', customer: passItOn, operator: 'Compare the integration\'s scopes', step: 'invalid_scope' },
  {
    name: 'a redirect address',
    brings: { error: 'redirect_uri_mismatch' },
    says: 'redirect_uri_mismatch', customer: passItOn, operator: 'exactly as `sidegate check` prints it', step: 'redirect_uri_mismatch',
  },
  {
    name: 'an unauthorized token',
    me: [401, { error: 'Unauthorized' }],
    says: '401 Unauthorized', customer: 'an account that may use', operator: 'compare scopes and address', step: '401 · test_failed',
  },
  { name: 'a forbidden token', me: [403, {}], says: '403 Forbidden', customer: 'an account that may use', operator: 'compare scopes', step: '403 · test_failed' },
  { name: 'a refusing test', me: [200, false], says: 'the credentials do not work', customer: 'Start again.', step: '200 · test_failed' },
  { name: 'a provider with trouble', token: [503, {}], says: 'is down: status 503', customer: 'Try again in a few minutes', operator: 'the connector\'s addresses', step: '503 · provider_down' },
  { name: 'a provider that is gone', integration: 'gone', says: 'is down: tcp connect error', customer: 'Try again in a few minutes', operator: 'the connector\'s addresses', step: 'provider_down' },
  { name: 'nonsense', token: [200, {}], says: 'no access_token in its reply', customer: 'Try again in a few minutes', operator: 'the connector\'s addresses', step: '200 · provider_down' },
  {
    name: 'another issuer',
    brings: { code, iss: 'https://elsewhere.example' },
    says: 'it names https://elsewhere.example', customer: 'do not go on', operator: '`issuer` in getOAuthConfig', step: 'wrong_issuer',
  },
  { name: 'no code', brings: {}, says: 'without a code', customer: 'Start again', step: 'no_code' },
];
const looks = [
  ['light', {}],
  ['dark', { colorScheme: 'dark' }],
  ['narrow', { viewport: { width: 320, height: 640 } }],
  ['plain', { javaScriptEnabled: false, colorScheme: 'dark', viewport: { width: 320, height: 640 } }],
];

/** Follows a link to its end. */
async function followed({ integration = 'crm', ...provided }, context = stage.chromium) {
  next = provided;
  const { url } = await stage.link(integration, { id: 'hedy' });
  const page = await context.newPage();
  await page.goto(url);
  const comesBack = page.waitForRequest((request) => request.url().startsWith(stage.callback));
  await page.getByRole('button', { name: 'Connect' }).click();
  const place = (await comesBack).url();
  await page.getByRole('heading', { level: 1, name: /onnected/ }).waitFor();
  return { page, place };
}

const shoot = (page, name) => page.screenshot({ path: `/tmp/result-${name.replaceAll(' ', '-')}.png`, fullPage: true });

for (const { name, says, customer, operator, step, ...kind } of kinds) {
  test(`${name}: the page says what went wrong, and what to do to whom`, { skip }, async () => {
    const { page } = await followed(kind);
    assert.equal(await page.title(), 'Not connected to Pipeline CRM');
    const [reason, told] = [page.getByRole('alert'), page.locator('.alert + p')];
    assert((await reason.innerText()).includes(says), await reason.innerText());
    assert((await told.innerText()).includes(customer), await told.innerText());
    const forOperator = page.getByRole('heading', { name: 'For whoever set this up' });
    assert.equal(await forOperator.count(), operator ? 1 : 0);
    if (operator) assert((await page.locator('h2 + p').innerText()).includes(operator), await page.locator('h2 + p').innerText());
    const failed = page.getByRole('listitem').filter({ hasText: 'failed' });
    assert((await failed.innerText()).includes(step), await failed.innerText());
    // A screen reader begins with the reason.
    assert.equal(await page.evaluate(() => document.activeElement.getAttribute('role')), 'alert');
    assert.deepEqual(await flaws(page), []);
    assertNoSecret(await page.content(), name);
    await shoot(page, name);
    await page.getByRole('link', { name: 'Try again' }).click();
    await page.getByRole('button', { name: 'Connect' }).waitFor();
    await page.close();
  });
}

for (const [look, options] of looks) {
  test(`how it ended can be read: ${look}`, { skip }, async () => {
    const context = await browser(options);
    for (const [name, kind] of [['failed', kinds[0]], ['connected', {}]]) {
      const { page, place } = await followed(kind, context);
      if (name === 'failed') {
        assert.equal(await page.evaluate(() => document.activeElement.getAttribute('role')), 'alert');
      }
      if (name === 'connected') await page.getByText('What was done').click();
      await page.getByText('View payload').last().click();
      assert.deepEqual(await flaws(page), [], name);
      await shoot(page, `${look} ${name}`);
      // It has come to its end, and coming back once more does nothing.
      await page.goto(place);
      await page.getByText('Start again from your app').waitFor();
      assert.deepEqual(await flaws(page), [], 'once more');
      await shoot(page, `${look} again`);
      await page.close();
    }
    await context.close();
  });
}

test('an answer in another browser than was sent away is told, and what to do', { skip }, async () => {
  next = { waits: true };
  const { url } = await stage.link('crm', { id: 'hedy' });
  const page = await stage.chromium.newPage();
  await page.goto(url);
  await page.getByRole('button', { name: 'Connect' }).click();
  const place = await page.getByRole('link', { name: 'Back' }).getAttribute('href');
  const other = await browser();
  const elsewhere = await other.newPage();
  await elsewhere.goto(place);
  await elsewhere.getByText('begun in another browser').waitFor();
  assert.deepEqual(await flaws(elsewhere), []);
  await shoot(elsewhere, 'other browser');
  await other.close();
  await page.close();
});
