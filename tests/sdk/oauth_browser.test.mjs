// Connecting by OAuth as people do it: in a real Chromium, by the real SDKs, through the login page of npm oidc-provider.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { browser, noBrowser as skip } from './browser.mjs';
import { oauthServer } from './oauth_server.mjs';
import { egress, setStage } from './stage.mjs';
import { assertNoSecret, plant } from './support.mjs';

const clientSecret = plant('client-secret');

let stage; let app; let oauth; let chromium;

before(async () => {
  if (skip) return;
  stage = await setStage();
  ({ app, chromium } = stage);
  oauth = await oauthServer({ clientId: 'sidegate', clientSecret, redirectUris: [stage.callback] });
  const spec = (test, authorizeUri = `${oauth.url}/auth`, more = '') => `
name: Pipeline CRM
auth:
  type: oauth2
  getOAuthConfig:
    type: mapping
    mapping:
      clientId: {$var: connectorParameters.clientId}
      clientSecret: {$var: connectorParameters.clientSecret}
      authorizeUri: ${authorizeUri}
      issuer: ${oauth.url}
      tokenUri: ${oauth.url}/token
      clientAuthLocation: headers
      scopes: [openid, offline_access]
      extra: {prompt: consent${more}}
  makeApiClient:
    type: mapping
    mapping:
      baseUri: ${oauth.url}
      headers: {Authorization: {$concat: ['Bearer ', {$var: credentials.access_token}]}}
  test: {type: rest-api-mapping, mapping: {path: ${test}, method: get}}
`;
  const integration = (connector, appSecret) => `
connector: ${connector}
apps: [{id: own, clientId: sidegate, clientSecret: {value: "${appSecret}"}}]
${egress}`;
  await stage.start({
    'connectors/crm/spec.yml': spec('/resource'),
    'connectors/untested/spec.yml': spec('/nothing-here'),
    // Its pages are on another site then, for `localhost` and 127.0.0.1 are two.
    'connectors/posting/spec.yml': spec('/resource', oauth.url.replace('127.0.0.1', 'localhost') + '/auth', ', response_mode: form_post'),
    'integrations/crm.yaml': integration('crm', clientSecret),
    'integrations/wrong.yaml': integration('crm', plant('another-secret')),
    'integrations/untested.yaml': integration('untested', clientSecret),
    'integrations/posting.yaml': integration('posting', clientSecret),
  });
});

after(() => stage?.clear(oauth));

/** Logs in at the provider, if it asks, and gives or refuses the consent. */
async function consents(window, { refuses = false } = {}) {
  const [signIn, goOn] = ['Sign-in', 'Continue'].map((name) => window.getByRole('button', { name }));
  await signIn.or(goOn).waitFor();
  if (await signIn.count()) {
    await window.locator('[name=login]').fill('ada');
    await window.locator('[name=password]').fill('any');
    await signIn.click();
    await goOn.waitFor();
  }
  await (refuses ? window.getByRole('link', { name: 'Cancel' }) : goOn).click();
}

/** Whether the third party takes a call with the customer's connection. */
const works = async (claims) => (await stage.asked('/connections/crm/proxy/resource', claims)).status === 200;

/** Ends what the customer's consent gave, and lets Sidegate find out. */
async function disconnect(claims) {
  const { body } = await stage.asked('/connections/crm?includeSecrets=true', { ...claims, isAdmin: true });
  const grant = await oauth.provider.RefreshToken.find(body.credentials.refresh_token);
  await grant.destroy();
  await stage.asked('/connections/crm/refresh-credentials', claims, { method: 'POST' });
  const { body: after } = await stage.asked('/connections/crm', claims);
  assert.equal(after.disconnected, true);
  return after.id;
}

/** The end of a link that a person follows. */
async function followed(integration, how, context = chromium) {
  const { url, state } = await stage.link(integration, { id: 'hedy' });
  const page = await context.newPage();
  await page.goto(url);
  await page.getByRole('button', { name: 'Connect' }).click();
  await consents(page, how);
  await page.getByRole('heading', { name: /onnected/ }).waitFor();
  return { page, state };
}

for (const generation of ['old', 'new']) {
  const claims = { id: `customer-of-${generation}` };

  test(`the ${generation} SDK connects by a popup`, { skip }, async () => {
    const { page, run } = await stage.open(generation, claims);
    const popup = page.waitForEvent('popup');
    const connected = run((client) => client.integration('crm').connect({ name: 'By popup' }));
    const window = await popup;
    await Promise.all([window.waitForEvent('close'), consents(window)]);
    const { value, error } = await connected;
    assert.equal(error, undefined);
    assert.deepEqual([value.name, value.integrationKey, value.credentials], ['By popup', 'crm', undefined]);
    assert(await works(claims));
    await page.close();
  });

  test(`the ${generation} SDK connects a disconnected connection again, and its id stays`, { skip }, async () => {
    const id = await disconnect(claims);
    assert(!await works(claims));
    const { page, run } = await stage.open(generation, claims);
    const popup = page.waitForEvent('popup');
    const connected = run((client) => client.connection('crm').reconnect());
    await consents(await popup);
    const { value, error } = await connected;
    assert.equal(error, undefined);
    assert.deepEqual([value.id, value.disconnected], [id, false]);
    assert(await works(claims));
    await page.close();
  });

  test(`the ${generation} SDK is told why when the consent is refused in a popup`, { skip }, async () => {
    const { page, run } = await stage.open(generation, claims);
    const popup = page.waitForEvent('popup');
    const connected = run((client) => client.integration('crm').connect());
    const window = await popup;
    await Promise.all([window.waitForEvent('close'), consents(window, { refuses: true })]);
    const { error } = await connected;
    assert.match(error.message, /refused|denied|allow/i);
    assert.match(JSON.stringify(error.data), /access_denied/);
    assert(await works(claims), 'what was connected before still is');
    await page.close();
  });

  test(`the ${generation} SDK ends with nothing when the popup is closed`, { skip }, async () => {
    const { page, run } = await stage.open(generation, claims);
    const popup = page.waitForEvent('popup');
    const connected = run((client) => client.integration('crm').connect());
    const window = await popup;
    await window.getByRole('button', { name: /Sign-in|Continue/ }).waitFor();
    await window.close();
    assert.deepEqual(await connected, { value: null });
    await page.close();
  });

  test(`where the ${generation} SDK's popup is blocked, a redirect connects`, { skip }, async () => {
    const strict = await browser({ ignoreDefaultArgs: ['--disable-popup-blocking'] });
    const redirected = { id: `redirected-by-${generation}` };
    const { page, run } = await stage.open(generation, redirected, strict);
    // A browser opens windows for a while after somebody has touched the page, as the test does by running this.
    const { error } = await run(async (client) => {
      while (navigator.userActivation.isActive) await new Promise((resolve) => { setTimeout(resolve, 50); });
      return client.integration('crm').connect();
    });
    assert.match(error.message, /blocked/);
    const arrives = page.waitForURL(`${app.url}/done?*`);
    run((client, options) => client.integration('crm').connect(options), { sameWindow: true, redirectUri: `${app.url}/done?tab=2` }).catch(() => {});
    await consents(page);
    await arrives;
    const place = new URL(page.url()).searchParams;
    assert.equal(place.get('tab'), '2');
    const { body } = await stage.asked(`/connections/${place.get('connectionId')}`, redirected);
    assert.equal(body.connected, true);
    assert(await works(redirected));
    await strict.close();
  });

  test(`the ${generation} SDK's redirect brings the reason when the consent is refused`, { skip }, async () => {
    const { page, run } = await stage.open(generation, { id: 'nobody' });
    const arrives = page.waitForURL(`${app.url}/done?*`);
    run((client, options) => client.integration('crm').connect(options), { sameWindow: true, redirectUri: `${app.url}/done` }).catch(() => {});
    await consents(page, { refuses: true });
    await arrives;
    const place = new URL(page.url()).searchParams;
    assert.match(place.get('error'), /refused|denied|allow/i);
    const { type, data } = JSON.parse(place.get('errorData'));
    assert.deepEqual([type, data.response.data.error], ['connection', 'access_denied']);
    await page.close();
  });
}

test('an answer that is posted from another site connects, and tells a no', { skip }, async () => {
  for (const refuses of [true, false]) {
    const posts = [];
    const note = (request) => { if (request.method() === 'POST' && request.url() === stage.callback) posts.push(request.headers().origin); };
    chromium.on('request', note);
    const { page, state } = await followed('posting', { refuses });
    chromium.off('request', note);
    assert.deepEqual(posts, [oauth.url.replace('127.0.0.1', 'localhost')]);
    const { status, steps } = await state();
    assert.equal(status, refuses ? 'error' : 'success');
    if (refuses) assert.equal(steps.find((step) => step.state === 'failed').code, 'access_denied');
    await page.close();
  }
});

test('a refused consent shows its reason, what to do, and how far it came', { skip }, async () => {
  const { page, state } = await followed('crm', { refuses: true });
  await page.getByRole('alert').waitFor();
  assert.match(await page.locator('main').innerText(), /allow it/);
  const failed = page.getByRole('listitem').filter({ hasText: 'failed' });
  assert.match(await failed.innerText(), /access_denied/);
  await failed.getByText('View payload').click();
  assert.match(await failed.innerText(), /error\s+access_denied/);
  const { status, resultError, steps } = await state();
  assert.deepEqual([status, steps.find((step) => step.state === 'failed').code], ['error', 'access_denied']);
  assert.ok(resultError.message);
  await page.close();
});

test('a wrong client secret and a test that fails are told apart, with their statuses', { skip }, async () => {
  for (const [integration, stage, shown] of [['wrong', 'exchange', /401 · invalid_client/], ['untested', 'test', /404/]]) {
    const { page, state } = await followed(integration);
    const failed = page.getByRole('listitem').filter({ hasText: 'failed' });
    assert.match(await failed.innerText(), shown, integration);
    const { status, steps } = await state();
    assert.deepEqual([status, steps.find((step) => step.state === 'failed').stage], ['error', stage]);
    assertNoSecret(await page.content(), 'the result page');
    await page.screenshot({ path: `/tmp/connect-failed-${integration}.png`, fullPage: true });
    await page.getByRole('link', { name: 'Try again' }).click();
    await page.getByRole('button', { name: 'Connect' }).waitFor();
    await page.close();
  }
});

test('the page at the end has a green tick, and the steps for who wants to see them', { skip }, async () => {
  const { page, state } = await followed('crm');
  await page.getByRole('heading', { name: 'Connected to Pipeline CRM', exact: true }).waitFor();
  await page.getByText('What was done').click();
  assert.equal(await page.getByRole('listitem').filter({ hasText: 'done' }).count(), 7);
  const exchange = page.getByRole('listitem').filter({ hasText: 'for tokens' });
  await exchange.getByText('View payload').click();
  assert.match(await exchange.innerText(), /access_token\s+\[masked\]/);
  assert.equal((await state()).status, 'success');
  await page.screenshot({ path: '/tmp/connect-oauth-done.png', fullPage: true });
  await page.close();
});

test('the page at the end is plain and readable on a telephone, in the dark, and without scripts', { skip }, async () => {
  const small = await browser({ viewport: { width: 360, height: 740 }, colorScheme: 'dark', javaScriptEnabled: false });
  for (const [integration, how] of [['wrong', {}], ['crm', { refuses: true }], ['crm', {}]]) {
    const { page } = await followed(integration, how, small);
    const [wanted, shown, card] = await page.evaluate(() =>
      [document.documentElement.scrollWidth, document.documentElement.clientWidth, document.querySelector('main').getBoundingClientRect().bottom]);
    assert(wanted <= shown, `it is ${wanted} wide, and the screen ${shown}`);
    assert(card >= 740, 'the card ends where the screen does, or below');
    await page.screenshot({ path: `/tmp/connect-small-${integration}-${how.refuses ? 'refused' : 'allowed'}.png`, fullPage: true });
    await page.close();
  }
  await small.close();
});

test('`integrations test` prints an address, and shows the steps as they are taken', { skip }, async () => {
  for (const [integration, code, shown] of [['crm', 0, /✓ Test the connection: done.* answer 200\n/], ['wrong', 1, /✗ Exchange .*401, invalid_client\n(.*\n)*.*client id and secret/]]) {
    const { out, err, ...ended } = await stage.tested(integration, async (address, prints) => {
      const page = await chromium.newPage();
      await page.goto(address);
      await page.getByRole('button', { name: 'Connect' }).click();
      await prints(/✓ Send the browser.*: done.*\n(.*\n)*.*… Wait for the browser to come back: under way\n/);
      await consents(page);
      await page.getByRole('heading', { name: /onnected/ }).waitFor();
      await page.close();
    });
    assert.equal(ended.code, code, err);
    assert.match(out, shown);
    assert.equal(out.match(/: (done|failed|not reached)/g).length, 7, `each step ends once: ${out}`);
  }
  const { body } = await stage.asked('/connections?userId=sidegate-test', { isAdmin: true });
  assert.deepEqual(body.items.filter((item) => item.userId === 'sidegate-test'), [], 'the test took its connection away again');
});
