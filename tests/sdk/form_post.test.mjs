// Providers that answer by a form (response_mode=form_post, as Apple and Microsoft do): their page posts itself to us from another
// site, so that the browser keeps to itself the cookie that says which one was sent away.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { browser, noBrowser as skip } from './browser.mjs';
import { egress, setStage } from './stage.mjs';
import { json, plant, server } from './support.mjs';

const accessToken = plant('access-token');
const clientSecret = plant('client-secret');
const code = plant('code');

let stage; let provider; let site;

/** A provider whose pages are on `localhost`: to a browser another site than Sidegate's, on 127.0.0.1. */
const answer = (request, body, response) => {
  const url = new URL(request.url, site);
  const field = ([name, value]) => `<input type="hidden" name="${name}" value='${value}'>`;
  const page = (html) => {
    response.setHeader('content-type', 'text/html');
    response.end(`<!doctype html><title>Provider</title>${html}`);
  };
  switch (url.pathname) {
    case '/authorize': {
      assert.equal(url.searchParams.get('response_mode'), 'form_post');
      const asked = [...url.searchParams].filter(([name]) => ['redirect_uri', 'state'].includes(name)).map(field).join('');
      return page(`<form action="/answer">${asked}<button name="says" value="yes">Allow</button><button name="says" value="no">Refuse</button></form>`);
    }
    case '/answer': {
      const { redirect_uri: back, state, says } = Object.fromEntries(url.searchParams);
      const said = says === 'yes' ? { code, user: '{"name":{"firstName":"Zoë & Co"}}' } : { error: 'user_cancelled_authorize' };
      const fields = Object.entries({ state, ...said }).map(field).join('');
      return page(`<form method="post" action="${back}">${fields}</form><script>document.forms[0].submit()</script>`);
    }
    case '/token':
      return json(response, 200, { access_token: accessToken, echoed: new URLSearchParams(body).get('code') === code });
    default:
      return json(response, 200, { taken: request.headers.authorization === `Bearer ${accessToken}` });
  }
};

before(async () => {
  if (skip) return;
  provider = await server(answer);
  site = `http://localhost:${provider.port}`;
  stage = await setStage();
  await stage.start({
    'connectors/apple/spec.yml': `
name: Orchard
auth:
  type: oauth2
  getOAuthConfig:
    type: mapping
    mapping:
      clientId: orchard
      clientSecret: ${clientSecret}
      authorizeUri: ${site}/authorize
      tokenUri: ${provider.url}/token
      extra: {response_mode: form_post}
  getCredentialsFromAccessTokenResponse:
    type: mapping
    mapping: {user: {$var: queryParameters.user}}
  makeApiClient:
    type: mapping
    mapping: {baseUri: '${provider.url}', headers: {Authorization: {$concat: ['Bearer ', {$var: credentials.access_token}]}}}
`,
    'integrations/orchard.yaml': `connector: apple\n${egress}`,
  });
});

after(() => stage?.clear(provider));

/** Follows a link as far as the provider's question. */
async function atProvider(context = stage.chromium) {
  const { url, state } = await stage.link('orchard', { id: 'hedy' });
  const page = await context.newPage();
  await page.goto(url);
  await page.getByRole('button', { name: 'Connect' }).click();
  await page.getByRole('button', { name: 'Allow' }).waitFor();
  return { page, state };
}

for (const generation of ['old', 'new']) {
  test(`the ${generation} SDK connects by a popup to a provider that answers by a form`, { skip }, async () => {
    const claims = { id: `customer-of-${generation}` };
    const { page, run } = await stage.open(generation, claims);
    const popup = page.waitForEvent('popup');
    const connected = run((client) => client.integration('orchard').connect());
    const window = await popup;
    await Promise.all([window.waitForEvent('close'), window.getByRole('button', { name: 'Allow' }).click()]);
    const { value, error } = await connected;
    assert.equal(error, undefined);
    const { body: kept } = await stage.asked(`/connections/${value.id}?includeSecrets=true`, { ...claims, isAdmin: true });
    assert.equal(kept.credentials.user, '{"name":{"firstName":"Zoë & Co"}}');
    assert.equal(kept.credentials.echoed, true);
    assert.deepEqual((await stage.asked('/connections/orchard/proxy/', claims)).body, { taken: true });
    await page.close();
  });

  test(`the ${generation} SDK is told by it why nothing was connected`, { skip }, async () => {
    const { page, run } = await stage.open(generation, { id: 'nobody' });
    const popup = page.waitForEvent('popup');
    const connected = run((client) => client.integration('orchard').connect());
    const window = await popup;
    await Promise.all([window.waitForEvent('close'), window.getByRole('button', { name: 'Refuse' }).click()]);
    assert.match((await connected).error.message, /user_cancelled_authorize/);
    await page.close();
  });
}

test('the form comes without the cookie, and what it is turned into with it', { skip }, async () => {
  const { page, state } = await atProvider();
  const seen = {};
  page.on('request', (request) => {
    if (request.url().startsWith(stage.callback)) seen[request.method()] = request.allHeaders();
  });
  await page.getByRole('button', { name: 'Allow' }).click();
  await page.getByRole('heading', { name: 'Connected to Orchard', exact: true }).waitFor();
  assert.deepEqual(Object.keys(seen), ['POST', 'GET']);
  const [posted, got] = await Promise.all([seen.POST, seen.GET]);
  assert.deepEqual([posted.cookie, posted.origin], [undefined, site]);
  assert.match(got.cookie, /^sidegate-/);
  assert.equal((await state()).status, 'success');
  await page.close();
});

test('a site that posts its own answer through the browser of somebody else connects nothing', { skip }, async () => {
  const exchanges = () => provider.requests.filter(({ url }) => url === '/token').length;
  const before = exchanges();
  const { page: own } = await atProvider();
  const [back, state] = await Promise.all(['redirect_uri', 'state'].map((name) => own.locator(`[name=${name}]`).inputValue()));
  const victim = await browser();
  const page = await victim.newPage();
  await page.goto(`${site}/answer?${new URLSearchParams({ redirect_uri: back, state, says: 'yes' })}`);
  await page.getByText('another browser').waitFor();
  await victim.close();
  // Whoever has the state may have sent it there: it is over for both.
  await own.getByRole('button', { name: 'Allow' }).click();
  await own.getByText('come to its end before').waitFor();
  assert.equal(exchanges(), before);
  await own.close();
});
