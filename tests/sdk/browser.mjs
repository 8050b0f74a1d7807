// A headless Chromium on loopback only, and a web app of the test's own that has the vendor's SDKs in it.
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { chromium } from 'playwright-core';
import { server } from './support.mjs';

const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium';
/** Why there is no browser; undefined where there is one. */
export const noBrowser = existsSync(executablePath) ? undefined : `${executablePath} is not there (Debian package chromium)`;

const resolve = createRequire(import.meta.url).resolve;
const bundle = (name) => readFileSync(join(dirname(resolve(name)), 'bundle.js'));

/** A browser with a profile of its own, which is gone when it is closed. */
export async function browser(options = {}) {
  const profile = mkdtempSync(join(tmpdir(), 'sidegate-browser-'));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath,
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
      '--disable-component-update', '--disable-sync'],
    ...options,
  });
  // Third parties' pages ask for fonts and the like from elsewhere.
  await context.route((url) => !['127.0.0.1', 'localhost'].includes(url.hostname), (route) => route.abort());
  const close = context.close.bind(context);
  context.close = async () => {
    await close();
    rmSync(profile, { recursive: true, force: true });
  };
  return context;
}

/** A web app: `/old` and `/new` have the SDK of that generation as `IntegrationAppClient`; a browser may be sent to `/done`. */
export async function webApp() {
  const scripts = { '/old.js': bundle('@integration-app/sdk'), '/new.js': bundle('@membranehq/sdk') };
  return server((request, body, response) => {
    const path = request.url.split('?')[0];
    if (scripts[path]) {
      response.setHeader('content-type', 'text/javascript');
      return response.end(scripts[path]);
    }
    response.setHeader('content-type', 'text/html; charset=utf-8');
    return response.end(`<!doctype html><title>app</title><link rel="icon" href="data:,"><body>${scripts[`${path}.js`] ? `<script src="${path}.js"></script>` : ''}`);
  });
}
