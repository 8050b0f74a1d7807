// openNewConnection() for what needs a consent: the SDK's frame holds our form, and the third party's login gets a window.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { noBrowser as skip } from './browser.mjs';
import { egress, setStage } from './stage.mjs';
import { plant, server } from './support.mjs';

const accessToken = plant('access-token');
const clientSecret = plant('client-secret');
const code = plant('code');

let stage; let provider;

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
  provider = await server(consentPage);
  stage = await setStage();
  await stage.start({
    'connectors/crm/spec.yml': `
name: CRM
auth:
  type: oauth2
  inputSchema: {type: object, required: [region], properties: {region: {type: string, title: Region}}}
  getOAuthConfig: {type: mapping, mapping: {clientId: c, clientSecret: "${clientSecret}", authorizeUri: "${provider.url}/authorize", tokenUri: "${provider.url}/token"}}
  makeApiClient: {type: mapping, mapping: {baseUri: "${provider.url}"}}
`,
    'integrations/crm.yaml': `connector: crm\n${egress}`,
  });
});

after(() => stage?.clear(provider));

for (const generation of ['old', 'new']) {
  test(`the ${generation} SDK's openNewConnection() goes through a window for the consent`, { skip }, async () => {
    const { page, run } = await stage.open(generation, { id: `ada-of-${generation}` });
    const opened = run((client) => client.integration('crm').openNewConnection({ name: 'Framed' }));
    const frame = page.frameLocator('iframe');
    await frame.getByLabel('Region').fill('eu');
    const goes = async (how) => {
      const window = stage.chromium.waitForEvent('page');
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
    const { value, error } = await opened;
    assert.equal(error, undefined);
    assert.equal(value.name, 'Framed');
    assert.equal(await page.locator('iframe').count(), 0);
    await page.close();
  });
}
