// What the tests speak in: a Sidegate started from files, an API and third parties that remember what they saw,
// and secrets that must never show.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const binary = process.env.SIDEGATE_BIN ?? fileURLToPath(new URL('../../target/debug/sidegate', import.meta.url));
// Sidegate takes every variable under its prefix for a key.
delete process.env.SIDEGATE_BIN;

/** Every secret the tests planted; none may show in a log, a metric, an error or a store file. */
const planted = new Set();

/** A secret nobody else has: 48 letters and digits, so that it cannot occur by chance. */
export function plant(label) {
  const secret = `${label}-${randomBytes(24).toString('hex')}`;
  planted.add(secret);
  return secret;
}

/** Fails if a planted secret shows in the text, raw or in the forms it would travel in. */
export function assertNoSecret(text, where) {
  for (const secret of planted) {
    const bytes = Buffer.from(secret);
    const hex = bytes.toString('hex');
    const forms = [
      secret, bytes.toString('base64').replace(/=+$/, ''), bytes.toString('base64url'), hex, hex.toUpperCase(),
      encodeURIComponent(secret), new URLSearchParams([[secret, '']]).toString().slice(0, -1), JSON.stringify(secret).slice(1, -1),
    ];
    for (const form of forms) assert(!text.includes(form), `a planted secret shows in ${where}`);
  }
}

/** A folder of configuration files; `{ 'sidegate.yaml': text, … }`. */
export function folder(files) {
  const path = mkdtempSync(join(tmpdir(), 'sidegate-test-'));
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(path, name)), { recursive: true });
    writeFileSync(join(path, name), text, { mode: 0o600 });
  }
  return path;
}

/** Starts the binary with these files and waits until every listener is up. */
export async function sidegate(files, { environment = {} } = {}) {
  const path = typeof files === 'string' ? files : folder(files);
  const child = spawn(binary, ['run', '--config', path], { env: { PATH: process.env.PATH, ...environment } });
  const gate = new Sidegate(child, path);
  await gate.up;
  return gate;
}

/** In characters. */
const longestLog = 128 * 1024 * 1024;

export class Sidegate {
  constructor(child, path) {
    Object.assign(this, { child, path, log: '', diagnostics: '', listeners: {} });
    this.exited = new Promise((resolve) => child.once('exit', (code, signal) => resolve({ code, signal })));
    child.stdout.on('data', (data) => {
      this.log += data;
      if (this.log.length > longestLog) this.#lookThrough();
    });
    this.up = new Promise((resolve, reject) => {
      let seen = 0;
      child.stderr.on('data', (data) => {
        this.diagnostics += data;
        const lines = this.diagnostics.split('\n');
        for (; seen < lines.length - 1; seen += 1) this.#note(lines[seen]);
        if (this.listeners.health) resolve();
      });
      this.exited.then(({ code }) => reject(new Error(`sidegate ended with ${code}:\n${this.diagnostics}`)));
    });
  }

  /** A run of hours logs more than a string can hold: whole lines are looked through when they are many, and let go. */
  #lookThrough() {
    const end = this.log.lastIndexOf('\n') + 1;
    assertNoSecret(this.log.slice(0, end), 'the access log');
    this.log = this.log.slice(end);
  }

  #note(line) {
    let entry;
    try { entry = JSON.parse(line); } catch { return; }
    const fields = entry.fields ?? entry;
    if (fields.message === 'listening') this.listeners[fields.listener] = `http://${fields.address}`;
  }

  get inbound() { return this.listeners.inbound; }
  get outbound() { return this.listeners.outbound; }

  async metrics() { return (await fetch(`${this.listeners.health}/metrics`)).text(); }

  /** Access-log entries so far. */
  get entries() { return this.log.split('\n').filter(Boolean).map((line) => JSON.parse(line)); }

  /** Waits for what an event brings about; fails if the process ends first. */
  async until(holds) {
    const { child } = this;
    while (!holds()) {
      assert(child.exitCode === null && child.signalCode === null, `sidegate ended (${child.exitCode ?? child.signalCode}):\n${this.diagnostics}`);
      await new Promise(setImmediate);
    }
  }

  /** SIGTERM, wait for the end, and look for secrets in everything that was written. */
  async stop() {
    const metrics = await this.metrics().catch(() => '');
    this.child.kill('SIGTERM');
    const { code } = await this.exited;
    assertNoSecret(this.log, 'the access log');
    assertNoSecret(this.diagnostics, 'the diagnostics');
    assertNoSecret(metrics, 'the metrics');
    return code;
  }

  async kill() {
    this.child.kill('SIGKILL');
    await this.exited;
  }

  remove() { rmSync(this.path, { recursive: true, force: true }); }

  storeFile() { return readFileSync(join(this.path, 'store.redb')).toString('latin1'); }
}

/** An HTTP server on loopback that keeps what it was asked; `answer(request, body, response)` answers. */
export async function server(answer) {
  const requests = [];
  const handler = http.createServer({ maxHeaderSize: 64 * 1024 }, async (request, response) => {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const body = Buffer.concat(chunks).toString();
    requests.push({ method: request.method, url: request.url, headers: request.headers, raw: request.rawHeaders, body });
    await answer(request, body, response);
  });
  await new Promise((resolve) => handler.listen({ port: 0, host: '127.0.0.1', backlog: 4096 }, resolve));
  const { port } = handler.address();
  return { url: `http://127.0.0.1:${port}`, port, requests, close: () => { handler.closeAllConnections(); handler.close(); } };
}

/** A port of loopback that is free, for what must know its own address before it listens. */
export async function freePort() {
  const { port, close } = await server(() => {});
  close();
  return port;
}

/** An API that answers 200 to everything. */
export const api = () => server((request, body, response) => {
  response.setHeader('content-type', 'application/json');
  response.end(JSON.stringify({ seen: request.headers, body }));
});

export const json = (response, status, value) => {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(value));
};

/** The configuration of a Sidegate with a store, ready to have upstreams and integrations added. */
export function configuration({ workspace, secret, sealingKey = randomBytes(32).toString('base64'), more = '' }) {
  return `
listeners:
  inbound: {address: "127.0.0.1:0"}
  outbound: {address: "127.0.0.1:0"}
  health: {address: "127.0.0.1:0"}
workers: 1
shutdown: {delay: 0s, grace: 10s}
workspaces:
  ${workspace}:
    secret: {value: "${secret}"}
store: {redb: {path: store.redb}}
encryption: {keys: [{id: k1, key: {value: "${sealingKey}"}}]}
${more}`;
}
