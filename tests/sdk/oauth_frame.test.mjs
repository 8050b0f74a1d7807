// openNewConnection() for what needs a consent: the SDK's frame holds our form, and the third party's login gets a window.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import jwt from 'jsonwebtoken';
import { browser, noBrowser, webApp } from './browser.mjs';
import { configuration, plant, server, sidegate } from './support.mjs';

const workspace = 'acme';
const secret = plant('workspace-secret');
const accessToken = plant('access-token');
const clientSecret = plant('client-secret');
const code = plant('code');
const skip = noBrowser;

let app; let provider; let gate; let chromium; let connectUrl;

/** A provider that lets itself be held in no frame, and asks once whether access is allowed. */
const consentPage = (request, body, response) => {
  const url = new URL(request.url, 'http://provider');
  const { redirect_uri: back, state } = Object.fromEntries(url.searchParams);
  response.setHeader('x-frame-options', 'DENY');
  if (url.pathname === '/authorize') {
    const link = (query, text) => `<a href="${back}?${query}&amp;state=${encodeURIComponent(state)}">${text}</a>`;
    response.setHeader('content-type', 'text/html');
    response.end(`${link(`code=${code}`, 'Allow')} ${link('error=access_denied', 'Refuse')}`);
    return;
  }
  response.setHeader('content-type', 'application/json');
  response.end(url.pathname === '/token' ? JSON.stringify({ access_token: accessToken }) : '{}');
};

before(async () => {
  if (skip) return;
  app = await webApp();
  provider = await server(consentPage);
  const free = await server(() => {});
  connectUrl = `http://127.0.0.1:${free.port}`;
  free.close();
  gate = await sidegate({
    'sidegate.yaml': configuration({
      workspace,
      secret,
      more: `\npublicUrl: ${connectUrl}\ncors: {origins: ["${app.url}"]}\n`,
    }).replace('listeners:', `listeners:\n  connect: {address: "127.0.0.1:${free.port}"}`),
    'upstreams/api.yaml': `upstream: ${provider.url}\n`,
    'connectors/crm/spec.yml': `
name: CRM
auth:
  type: oauth2
  inputSchema: {type: object, required: [region], properties: {region: {type: string, title: Region}}}
  getOAuthConfig: {type: mapping, mapping: {clientId: c, clientSecret: "${clientSecret}", authorizeUri: "${provider.url}/authorize", tokenUri: "${provider.url}/token"}}
  makeApiClient: {type: mapping, mapping: {baseUri: "${provider.url}"}}
`,
    'integrations/crm.yaml': 'connector: crm\negress: {allowPrivate: true, allowPlain: true}\n',
  });
  chromium = await browser();
});

after(async () => {
  if (skip) return;
  await chromium.close();
  assert.equal(await gate.stop(), 0);
  gate.remove();
  app.close();
  provider.close();
});

for (const generation of ['old', 'new']) {
  test(`the ${generation} SDK's openNewConnection() goes through a window for the consent`, { skip }, async () => {
    const page = await chromium.newPage();
    await page.goto(`${app.url}/${generation}`);
    const token = jwt.sign({ iss: workspace, id: `ada-of-${generation}` }, secret, { expiresIn: '2h' });
    const opened = page.evaluate(
      (options) => new window.IntegrationAppClient(options).integration('crm').openNewConnection({ name: 'Framed' }),
      { token, apiUri: connectUrl, uiUri: connectUrl },
    );
    const frame = page.frameLocator('iframe');
    await frame.getByLabel('Region').fill('eu');
    const goes = async (how) => {
      const window = chromium.waitForEvent('page');
      await frame.getByRole('button', { name: 'Connect' }).click();
      await (await window).getByRole('link', { name: how }).click();
      return window;
    };
    // A refusal leaves the form as it is, to try again, and says why above it.
    const refused = await goes('Refuse');
    if (!refused.isClosed()) await refused.waitForEvent('close');
    assert.match(await frame.getByRole('alert').innerText(), /access_denied/);
    await page.screenshot({ path: '/tmp/connect-frame-refused.png' });
    await goes('Allow');
    const connection = await opened;
    assert.equal(connection.name, 'Framed');
    assert.equal(await page.locator('iframe').count(), 0);
    await page.close();
  });
}
