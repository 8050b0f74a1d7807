// What people do in a browser: the SDKs' connect without a form, and the forms, in a real Chromium.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { browser, noBrowser as skip, webApp } from './browser.mjs';
import { flaws } from './readable.mjs';
import { egress, setStage, token } from './stage.mjs';
import { json, plant, server } from './support.mjs';

let stage; let app; let thirdParty; let chromium; let page;

const SPEC = (baseUri) => `
name: Pipeline CRM
auth:
  type: client-credentials
  title: API key
  description: You need to be an administrator of your CRM to do this.
  ui:
    helpUri: https://help.example.com/api-keys
    schema:
      type: object
      required: [username, apiKey, region]
      properties:
        username: {type: string, title: User name, description: The e-mail address you log in with., format: email}
        apiKey: {type: string, title: API key}
        region: {type: string, enum: [eu, us], default: eu}
        pageSize: {type: integer, title: Page size, minimum: 1, maximum: 100}
        sandbox: {type: boolean, title: This is a sandbox}
        tags: {type: array, items: {type: string}}
        proxy:
          type: object
          title: Proxy
          properties: {host: {type: string}, port: {type: integer}}
  makeApiClient:
    type: mapping
    mapping:
      baseUri: ${baseUri}
      headers: {X-Api-Key: {$var: credentials.apiKey}, X-Region: {$var: credentials.region}}
`;

before(async () => {
  if (skip) return;
  thirdParty = await server((request, body, response) =>
    json(response, 200, { url: request.url, key: request.headers['x-api-key'], region: request.headers['x-region'] }));
  stage = await setStage({ colorScheme: process.env.DARK ? 'dark' : 'light' });
  ({ app, chromium } = stage);
  await stage.start({
    'connectors/crm/spec.yml': SPEC(thirdParty.url),
    'integrations/crm.yaml': `connector: crm\n${egress}`,
    'connectors/several/spec.yml': `
name: Several ways
auth:
  type: client-credentials
  options:
    key:
      type: client-credentials
      title: Key and account
      description: For one account. You find both under Settings.
      ui: {schema: {type: object, required: [account, key], properties: {account: {type: string}, key: {type: string}}}}
    token:
      type: client-credentials
      title: Token of the whole company
      ui: {schema: {type: object, required: [token], properties: {token: {type: string}}}}
  makeApiClient: {type: mapping, mapping: {baseUri: "${thirdParty.url}", headers: {X-Api-Key: {$var: credentials.key}}}}
`,
    'integrations/several.yaml': `connector: several\n${egress}`,
    'integrations/many.yaml': `connector: crm\nconnections: many\n${egress}`,
  });
});

after(() => stage?.clear(thirdParty));

/** Opens the web app with one of the SDKs, and gives what evaluates `act(client, argument)` in it. */
async function open(generation, claims) {
  const opened = await stage.open(generation, claims);
  ({ page } = opened);
  return opened.run;
}

const input = { username: 'ada@example.com', apiKey: plant('api-key'), region: 'eu' };

/** What the third party sees of the customer's connection, called by the service. */
const seen = async (customer = 'ada') => (await stage.asked('/connections/crm/proxy/x', { id: customer })).body;

for (const generation of ['old', 'new']) {
  test(`the ${generation} SDK connects by a hidden frame`, { skip }, async () => {
    const run = await open(generation);
    const { value, error } = await run((client, parameters) => client.integration('crm').connect({ name: 'Ada', parameters }), input);
    assert.equal(error, undefined);
    assert.equal(value.name, 'Ada');
    assert.equal(value.integrationKey, 'crm');
    assert.equal(value.credentials, undefined);
    assert.equal((await seen()).key, input.apiKey);
    await page.close();
  });

  test(`the ${generation} SDK tells what is wrong when connecting by a hidden frame fails`, { skip }, async () => {
    const run = await open(generation);
    const { error } = await run((client, parameters) => client.integration('crm').connect({ parameters, allowMultipleConnections: true }), input);
    assert.match(error.message, /connections: many/);
    assert.equal(error.data.type, 'bad_request');
    await page.close();
  });

  test(`the ${generation} SDK connects again by a hidden frame and keeps the id`, { skip }, async () => {
    const run = await open(generation);
    const apiKey = plant('renewed-key');
    const { value: before } = await run((client) => client.connection('crm').get());
    const { value, error } = await run((client, parameters) => client.connection('crm').reconnect({ parameters }), { ...input, apiKey });
    assert.equal(error, undefined);
    assert.equal(value.id, before.id);
    assert.equal((await seen()).key, apiKey);
    await page.close();
  });

  test(`the ${generation} SDK's openNewConnection() gives the connection that a person typed in`, { skip }, async () => {
    const run = await open(generation, { id: 'grace' });
    const opened = run((client) => client.integration('crm').openNewConnection({ name: 'Typed' }));
    const frame = page.frameLocator('iframe');
    const apiKey = plant('typed-key');
    await frame.getByLabel('User name').fill('grace@example.com');
    await frame.getByLabel('API key').fill(apiKey);
    await frame.getByRole('button', { name: 'Connect' }).click();
    const { value, error } = await opened;
    assert.equal(error, undefined);
    assert.equal(value.name, 'Typed');
    assert.deepEqual(await seen('grace'), { url: '/x', key: apiKey, region: 'eu' });
    assert.equal(await page.locator('iframe').count(), 0);
    await page.close();
  });

  test(`the ${generation} SDK's openNewConnection() ends with nothing when a person cancels`, { skip }, async () => {
    const run = await open(generation, { id: 'nobody' });
    const opened = run((client) => client.integration('crm').openNewConnection());
    await page.frameLocator('iframe').getByRole('button', { name: 'Cancel' }).click();
    assert.deepEqual(await opened, { value: null });
    await page.close();
  });

  test(`the ${generation} SDK's openReconnectUI() connects again`, { skip }, async () => {
    const run = await open(generation, { id: 'grace' });
    const opened = run((client) => client.connection('crm').openReconnectUI());
    const frame = page.frameLocator('iframe');
    const apiKey = plant('again-key');
    await frame.getByLabel('User name').fill('grace@example.com');
    await frame.getByLabel('API key').fill(apiKey);
    await frame.getByRole('button', { name: 'Reconnect' }).click();
    const { value } = await opened;
    assert.equal(value.integrationKey, 'crm');
    assert.equal((await seen('grace')).key, apiKey);
    await page.close();
  });
}

test('the new SDK connects by a redirect', { skip }, async () => {
  const run = await open('new', { id: 'hedy' });
  const arrives = page.waitForURL(`${app.url}/done?*`);
  run((client, options) => client.integration('crm').connect(options), { parameters: input, sameWindow: true, redirectUri: `${app.url}/done?tab=2` }).catch(() => {});
  await arrives;
  const place = new URL(page.url());
  assert.equal(place.searchParams.get('tab'), '2');
  const { body } = await stage.asked(`/connections/${place.searchParams.get('connectionId')}`, { id: 'hedy' });
  assert.equal(body.connected, true);
  await page.close();
});

test('a redirect that failed says why, and nobody is sent anywhere else', { skip }, async () => {
  page = await chromium.newPage();
  const payload = { token: token(), integrationKey: 'nothing', redirectUri: `${app.url}/done` };
  await page.goto(`${stage.connectUrl}/connect?${new URLSearchParams(payload)}`);
  const place = new URL(page.url());
  assert.match(place.searchParams.get('error'), /no integration/);
  assert.equal(JSON.parse(place.searchParams.get('errorData')).key, 'not_found');
  const answer = await page.goto(`${stage.connectUrl}/connect?${new URLSearchParams({ ...payload, redirectUri: 'https://evil.example/' })}`);
  assert.equal(answer.headers()['x-sidegate-rejection'], 'redirect_not_allowed');
  await page.close();
});

test('a form works without scripts, keeps what was typed but secrets, and says what is wrong beside each field', { skip }, async () => {
  const plain = await browser({ javaScriptEnabled: false });
  page = await plain.newPage();
  const query = new URLSearchParams({ token: token({ id: 'joan' }), redirectUri: `${app.url}/done` });
  await page.goto(`${stage.connectUrl}/embed/integrations/crm/connect?${query}`);
  await page.screenshot({ path: '/tmp/connect-form.png', fullPage: true });
  assert.deepEqual(await flaws(page), []);
  // What a browser would refuse itself is let through, to see what we say of it.
  await page.locator('form').evaluate((form) => { form.noValidate = true; });
  const typed = plant('mistyped-key');
  await page.getByLabel('User name').fill('joan@example.com');
  await page.getByLabel('API key').fill(typed);
  await page.getByLabel('Page size').fill('many');
  await page.getByLabel('Tags').fill('one\ntwo');
  await page.getByLabel('sandbox').check();
  await page.getByLabel('Region').selectOption('us');
  await page.getByRole('button', { name: 'Connect' }).click();
  await page.screenshot({ path: '/tmp/connect-wrong.png', fullPage: true });
  assert.deepEqual(await flaws(page), []);
  assert.equal(await page.getByLabel('Page size').getAttribute('aria-invalid'), 'true');
  assert.match(await page.locator('.wrong').innerText(), /whole number/);
  assert.equal(await page.getByLabel('User name').inputValue(), 'joan@example.com');
  assert.equal(await page.getByLabel('Tags').inputValue(), 'one\ntwo');
  assert.equal(await page.getByLabel('Region').inputValue(), 'us');
  assert.equal(await page.getByLabel('sandbox').isChecked(), true);
  assert.equal(await page.getByLabel('API key').inputValue(), '');
  assert(!(await page.content()).includes(typed));
  await page.getByLabel('API key').fill(typed);
  await page.getByLabel('Page size').fill('50');
  await page.getByRole('button', { name: 'Connect' }).click();
  assert.ok(new URL(page.url()).searchParams.get('connectionId'));
  assert.deepEqual(await seen('joan'), { url: '/x', key: typed, region: 'us' });
  await plain.close();
});

test('a form is plain and readable on a telephone, in the dark, and when it offers a choice', { skip }, async () => {
  const small = await browser({ viewport: { width: 360, height: 740 }, colorScheme: 'dark' });
  page = await small.newPage();
  for (const [integration, name] of [['crm', 'form'], ['several', 'ways']]) {
    await page.goto(`${stage.connectUrl}/embed/integrations/${integration}/connect?token=${token({ id: 'joan' })}`);
    assert.deepEqual(await flaws(page), [], integration);
    await page.screenshot({ path: `/tmp/connect-dark-${name}.png`, fullPage: true });
  }
  await page.getByRole('button', { name: 'Key and account' }).click();
  await page.getByLabel('Account').fill('joan');
  await page.getByLabel('Key', { exact: true }).fill(plant('chosen-key'));
  await page.getByRole('button', { name: 'Connect' }).click();
  await page.getByRole('heading', { name: 'Connected' }).waitFor();
  await page.screenshot({ path: '/tmp/connect-done.png' });
  await small.close();
});

test('every field of a form has a label and what is wrong with it is told to who cannot see', { skip }, async () => {
  page = await chromium.newPage();
  await page.goto(`${stage.connectUrl}/embed/integrations/crm/connect?token=${token()}`);
  const unlabelled = await page.evaluate(() => [...document.querySelectorAll('input:not([type=hidden]), select, textarea')].filter((control) => control.labels.length !== 1).map((control) => control.name));
  assert.deepEqual(unlabelled, []);
  const order = await page.evaluate(() => [...document.querySelectorAll('input:not([type=hidden]), select, textarea')].map((control) => control.name));
  assert.deepEqual(order.slice(0, 3), ['/username', '/apiKey', '/region']);
  assert.equal(await page.getByRole('link', { name: 'Where do I find this?' }).getAttribute('href'), 'https://help.example.com/api-keys');
  await page.getByLabel('User name').fill('ada@example.com');
  await page.getByLabel('API key').fill('wrong');
  await page.getByLabel('Page size').fill('1000');
  await page.getByRole('button', { name: 'Connect' }).click();
  const wrong = page.getByLabel('Page size');
  await wrong.and(page.locator('[aria-invalid]')).waitFor();
  const described = await wrong.evaluate((control) => control.getAttribute('aria-describedby').split(' ').map((id) => document.getElementById(id)?.textContent ?? '').join(''));
  assert.match(described, /100/);
  assert.equal(await page.getByRole('alert').count(), 1);
  assert.equal(await page.evaluate(() => document.activeElement.name), '/pageSize');
  await page.close();
});

test('no other site may hold a form in a frame, and no script but ours runs in one', { skip }, async () => {
  const answer = await fetch(`${stage.connectUrl}/embed/integrations/crm/connect?token=${token()}`);
  const policy = answer.headers.get('content-security-policy');
  assert.match(policy, new RegExp(`frame-ancestors ${app.url.replaceAll('.', '\\.')}$`));
  assert.match(policy, /default-src 'none'; style-src 'nonce-[^']+'; script-src 'nonce-[^']+'; connect-src 'self'; base-uri 'none'; form-action 'self'/);
  assert.equal(answer.headers.get('cache-control'), 'no-store');
  assert.equal(answer.headers.get('referrer-policy'), 'no-referrer');
  const other = await webApp();
  page = await chromium.newPage();
  await page.goto(`${other.url}/none`);
  const blocked = page.waitForEvent('console', (message) => message.text().includes('frame-ancestors'));
  await page.evaluate((url) => { document.body.append(Object.assign(document.createElement('iframe'), { src: url })); }, answer.url);
  await blocked;
  await page.close();
  other.close();
});

test('a browser of a web app that is not listed is refused by the API, and told the key to set', { skip }, async () => {
  const refused = await fetch(`${stage.connectUrl}/self`, { headers: { Origin: 'https://other.example', Authorization: `Bearer ${token()}` } });
  assert.equal(refused.status, 403);
  assert.match((await refused.json()).message, /cors\.origins/);
  assert.equal(refused.headers.get('access-control-allow-origin'), null);
});

test('the connect listener has no credential proxy and believes no service', { skip }, async () => {
  const proxied = await fetch(`${stage.connectUrl}/connections/crm/proxy/x`, { headers: { Authorization: `Bearer ${token()}` } });
  assert.equal(proxied.headers.get('x-sidegate-rejection'), 'nothing_here');
  const pair = await fetch(`${stage.connectUrl}/self`, { headers: { 'X-Sidegate-Workspace': 'acme', 'X-Sidegate-Customer': 'ada' } });
  assert.equal(pair.headers.get('x-sidegate-rejection'), 'caller_not_trusted');
});
