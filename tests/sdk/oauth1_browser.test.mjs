// Connecting by OAuth 1.0a as people do it: in a real Chromium, by the real SDKs, through the login page of a third party that
// is PyPI's oauthlib; and what it says of the calls that are signed with what came of it.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { browser, noBrowser } from './browser.mjs';
import { noOauthlib, oauth1Server, oauth1Spec, realm } from './oauth1_server.mjs';
import { flaws } from './readable.mjs';
import { egress, setStage } from './stage.mjs';
import { assertNoSecret, plant } from './support.mjs';

const skip = noBrowser ?? noOauthlib;
const methods = { sha1: 'HMAC-SHA1', sha256: 'HMAC-SHA256', plain: 'PLAINTEXT' };
const app = { key: 'boards/app', secret: plant('app &%+') };

let stage; let boards;

before(async () => {
  if (skip) return;
  stage = await setStage();
  boards = await oauth1Server(app, { oauth_token: 'unused', oauth_token_secret: plant('unused') });
  const integration = (connector, appSecret) => `
connector: ${connector}
apps: [{id: own, clientId: ${app.key}, clientSecret: {value: ${JSON.stringify(appSecret)}}}]
${egress}`;
  const form = 'inputSchema: {type: object, required: [board], properties: {board: {type: string, title: Board}}}\n';
  const files = {
    'integrations/wrong.yaml': integration('sha1', plant('another-secret')),
    'connectors/asking/spec.yml': oauth1Spec({ url: boards.url, method: methods.sha1, realm }) + form,
    'integrations/asking.yaml': integration('asking', plant('another-secret')),
  };
  for (const [name, method] of Object.entries(methods)) {
    files[`connectors/${name}/spec.yml`] = oauth1Spec({ url: boards.url, method, realm });
    files[`integrations/${name}.yaml`] = integration(name, app.secret);
  }
  await stage.start(files);
});

after(() => stage?.clear(boards));

/** Logs in at the third party, and allows it or not. */
async function consents(window, { as, refuses = false }) {
  await window.getByLabel('Name').fill(as);
  await window.getByRole('button', { name: refuses ? 'Deny' : 'Allow' }).click();
}

/** What the third party says of a signed call: whether it is valid, and whose it is. */
async function called(integration, claims) {
  const { status, body } = await stage.asked(`/connections/${integration}/proxy/me?x=1&x=%2B`, claims);
  return { status, ...body };
}

for (const [generation, integration] of [['old', 'sha1'], ['new', 'sha256']]) {
  const as = `customer-of-${generation}`;

  test(`the ${generation} SDK connects by a popup, and ${methods[integration]} signs what is called then`, { skip }, async () => {
    const { page, run } = await stage.open(generation, { id: as });
    const popup = page.waitForEvent('popup');
    const connected = run((client, key) => client.integration(key).connect({ name: 'By popup' }), integration);
    const window = await popup;
    await Promise.all([window.waitForEvent('close'), consents(window, { as })]);
    const { value, error } = await connected;
    assert.equal(error, undefined, boards.refused);
    assert.deepEqual([value.name, value.integrationKey, value.credentials], ['By popup', integration, undefined]);
    assert.deepEqual(await called(integration, { id: as }), { status: 200, valid: true, user: as }, boards.refused);
    await page.close();
  });

  test(`the ${generation} SDK is told why when it is not allowed in a popup, and stays connected`, { skip }, async () => {
    const { page, run } = await stage.open(generation, { id: as });
    const popup = page.waitForEvent('popup');
    const connected = run((client, key) => client.integration(key).connect(), integration);
    const window = await popup;
    await Promise.all([window.waitForEvent('close'), consents(window, { as, refuses: true })]);
    const { error } = await connected;
    assert.match(error.message, /access_denied/);
    assert.equal((await called(integration, { id: as })).user, as);
    await page.close();
  });

  test(`the ${generation} SDK connects by a redirect, and PLAINTEXT signs what is called then`, { skip }, async () => {
    const { page, run } = await stage.open(generation, { id: as });
    const back = `${stage.app.url}/done`;
    const arrives = page.waitForURL(`${back}?*`);
    run((client, redirectUri) => client.integration('plain').connect({ sameWindow: true, redirectUri }), `${back}?tab=2`).catch(() => {});
    await consents(page, { as: `${as} again` });
    await arrives;
    const place = new URL(page.url()).searchParams;
    assert.equal(place.get('tab'), '2');
    assert.deepEqual(await called(place.get('connectionId'), { id: as }), { status: 200, valid: true, user: `${as} again` }, boards.refused);
    await page.close();
  });

  test(`the ${generation} SDK's redirect brings the reason when it is not allowed`, { skip }, async () => {
    const { page, run } = await stage.open(generation, { id: as });
    const back = `${stage.app.url}/done`;
    const arrives = page.waitForURL(`${back}?*`);
    run((client, redirectUri) => client.integration('plain').connect({ sameWindow: true, redirectUri }), back).catch(() => {});
    await consents(page, { as, refuses: true });
    await arrives;
    assert.match(new URL(page.url()).searchParams.get('error'), /access_denied/);
    await page.close();
  });
}

test('a link ends at a page that shows all steps, on any screen', { skip }, async () => {
  for (const [look, options] of [['light', {}], ['dark', { colorScheme: 'dark' }], ['narrow', { viewport: { width: 360, height: 740 } }]]) {
    const context = await browser(options);
    const { url, state } = await stage.link('sha1', { id: 'hedy' });
    for (const refuses of [true, false]) {
      const page = await context.newPage();
      await page.goto(url);
      await page.getByRole('button', { name: 'Connect' }).click();
      await consents(page, { as: 'hedy', refuses });
      const title = refuses ? 'Not connected to Boards' : 'Connected to Boards';
      await page.getByRole('heading', { name: title, exact: true }).waitFor();
      assert.equal(await page.title(), title);
      assert.deepEqual(await flaws(page), [], look);
      if (refuses) assert.match(await page.locator('main').innerText(), /allow it/);
      else await page.getByText('What was done').click();
      const steps = page.getByRole('listitem');
      assert.equal(await steps.count(), 8);
      assert.match(await steps.filter({ hasText: 'request token' }).innerText(), /done/);
      assert.match(await steps.filter({ hasText: 'come back' }).innerText(), refuses ? /failed.*access_denied/ : /done/);
      assertNoSecret(await page.content(), 'the page at the end');
      await page.screenshot({ path: `/tmp/oauth1-${look}-${refuses ? 'refused' : 'done'}.png`, fullPage: true });
      assert.equal((await state()).status, refuses ? 'error' : 'success');
      await page.close();
    }
    await context.close();
  }
});

test('a wrong consumer secret is told at the first step that needs it, with what to do', { skip }, async () => {
  const { url, state } = await stage.link('wrong', { id: 'hedy' });
  const page = await stage.chromium.newPage();
  await page.goto(url);
  await page.getByRole('button', { name: 'Connect' }).click();
  await page.getByRole('heading', { name: 'Not connected' }).waitFor();
  assert.match(await page.locator('main').innerText(), /Compare the client id and secret/);
  const failed = page.getByRole('listitem').filter({ hasText: 'failed' });
  assert.match(await failed.innerText(), /Get a request token\s+failed.* answer 401/);
  await page.screenshot({ path: '/tmp/oauth1-wrong.png', fullPage: true });
  const { status, steps } = await state();
  assert.deepEqual([status, steps.find((step) => step.state === 'failed').stage], ['error', 'requestToken']);
  await page.close();
});

test('where something was typed in, the form comes back with what went wrong and what to do', { skip }, async () => {
  const { url, state } = await stage.link('asking', { id: 'hedy' });
  const page = await stage.chromium.newPage();
  await page.goto(url);
  await page.getByLabel('Board').fill('Roadmap');
  await page.getByRole('button', { name: 'Connect' }).click();
  assert.match(await page.getByRole('alert').innerText(), /gave no tokens: status 401\s+.*client id and secret/);
  assert.equal(await page.getByLabel('Board').inputValue(), 'Roadmap');
  assert.equal((await state()).status, 'pending');
  await page.close();
});

test('`integrations test` ends where the third party refuses before the browser is sent there', { skip }, async () => {
  const { code, out, err } = await stage.tested('wrong', async (address) => {
    const page = await stage.chromium.newPage();
    await page.goto(address);
    await page.getByRole('button', { name: 'Connect' }).click();
    await page.getByRole('heading', { name: 'Not connected to Boards' }).waitFor();
    await page.close();
  });
  assert.equal(code, 1, err);
  assert.match(out, /✗ Get a request token: failed.*, answer 401\n(.*\n)*.*Compare the client id and secret/);
});

for (const generation of ['old', 'new']) {
  test(`the ${generation} SDK's openNewConnection() says in its frame why nobody could be sent there`, { skip }, async () => {
    const { page, run } = await stage.open(generation, { id: 'nobody' });
    const opened = run((client) => client.integration('wrong').openNewConnection());
    const frame = page.frameLocator('iframe');
    const window = stage.chromium.waitForEvent('page');
    await frame.getByRole('button', { name: 'Connect' }).click();
    const own = await window;
    if (!own.isClosed()) await own.waitForEvent('close');
    assert.match(await frame.getByRole('alert').innerText(), /gave no tokens: status 401/);
    await frame.getByRole('button', { name: 'Cancel' }).click();
    assert.deepEqual(await opened, { value: null });
    await page.close();
  });
}
