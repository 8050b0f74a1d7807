// What the browser tests stand on: a web app with the SDKs in it, a Sidegate whose connect pages that app may use, and a
// Chromium. What there is to be connected, and to whom, each test says itself.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import jwt from 'jsonwebtoken';
import { browser, webApp } from './browser.mjs';
import { assertNoSecret, binary, configuration, freePort, plant, sidegate } from './support.mjs';

const workspace = 'acme';
const secret = plant('workspace-secret');

/** Third parties of the tests are on loopback, and speak no TLS. */
export const egress = 'egress: {allowPrivate: true, allowPlain: true}\n';

/** A token of the web app's service for one of its customers. */
export const token = (claims = {}) => jwt.sign({ iss: workspace, id: 'ada', ...claims }, secret, { expiresIn: '2h' });

/** A web app and a browser; Sidegate's address is known before it is started, for those who must be told it. */
export async function setStage(options) {
  return new Stage(await webApp(), await freePort(), await browser(options));
}

class Stage {
  constructor(app, port, chromium) {
    Object.assign(this, { app, port, chromium, connectUrl: `http://127.0.0.1:${port}` });
  }

  /** Where third parties send browsers back to. */
  get callback() { return `${this.connectUrl}/oauth-callback`; }

  /** Starts Sidegate with these connectors and integrations. */
  async start(files) {
    const ours = configuration({
      workspace,
      secret,
      more: `
publicUrl: ${this.connectUrl}
cors: {origins: ["${this.app.url}"]}
connect: {redirectUris: ["${this.app.url}/done"]}
`,
    }).replace('listeners:', `listeners:\n  connect: {address: "127.0.0.1:${this.port}"}`);
    this.gate = await sidegate({ 'sidegate.yaml': ours, 'upstreams/api.yaml': `upstream: ${this.app.url}\n`, ...files });
  }

  /** Ends it all, and the third parties with it. Sidegate must end well, and have told nobody a secret. */
  async clear(...thirdParties) {
    await this.chromium.close();
    assert.equal(await this.gate.stop(), 0);
    this.gate.remove();
    [this.app, ...thirdParties].forEach((one) => one.close());
  }

  /** Opens the web app with one of the SDKs, and gives the page and what evaluates `act(client, argument)` in it. */
  async open(generation, claims, context = this.chromium) {
    const page = await context.newPage();
    await page.goto(`${this.app.url}/${generation}`);
    const options = { token: token(claims), apiUri: this.connectUrl, uiUri: this.connectUrl };
    const run = (act, argument) => page.evaluate(
      ([options, act, argument]) => {
        const client = new window.IntegrationAppClient(options);
        return (0, eval)(act)(client, argument).then((value) => ({ value }), (error) => ({ error: { message: error.message, data: error.data } }));
      },
      [options, `(${act})`, argument],
    );
    return { page, run };
  }

  /** What the API says to the service that asks for a customer. */
  async asked(path, claims, options = {}) {
    const answer = await fetch(`${this.gate.outbound}${path}`, { ...options, headers: { Authorization: `Bearer ${token(claims)}` } });
    return { status: answer.status, body: await answer.json() };
  }

  /**
   * What `integrations test` prints, and its exit code. `follow(address, prints)` does what a person would; `prints(pattern)`
   * waits for what is printed meanwhile.
   */
  async tested(integration, follow) {
    const command = spawn(binary, ['integrations', 'test', integration, '--config', this.gate.path, '--address', new URL(this.gate.outbound).host], { env: {} });
    const printed = { out: '', err: '' };
    command.stdout.on('data', (data) => { printed.out += data; });
    command.stderr.on('data', (data) => { printed.err += data; });
    const ended = once(command, 'close');
    const early = ended.then(() => { throw new Error(`it ended:\n${printed.err}${printed.out}`); });
    const prints = async (pattern, stream = 'out') => {
      while (!pattern.test(printed[stream])) await Promise.race([once(command[`std${stream}`], 'data'), early]);
      return pattern.exec(printed[stream])[0];
    };
    early.catch(() => {});
    await follow(await prints(/http\S+connectionRequestId=\S+(?=\s)/, 'err'), prints);
    const [code] = await ended;
    assertNoSecret(printed.out + printed.err, 'what the command prints');
    return { ...printed, code };
  }

  /** A link that a person opens in a tab of its own, where nothing closes it and nobody is told; and what is known of it. */
  async link(integrationKey, claims) {
    const body = JSON.stringify({ integrationKey });
    const { body: { url, requestId } } = await this.asked('/connection-requests', claims, { method: 'POST', body });
    return { url, state: async () => (await this.asked(`/connection-requests/${requestId}`, claims)).body };
  }
}
