// What the tests with real peers speak in: a Sidegate with two workers before a real API, real clients as programs, crowds of
// raw connections, and what the process itself costs while they are there. FULL=1 raises every count to the promised figure.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import { delimiter, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import jwt from 'jsonwebtoken';
import { plant, sidegate } from '../sdk/support.mjs';

export { Sidegate, binary, folder, plant, sidegate } from '../sdk/support.mjs';

export const isFull = process.env.FULL === '1';
/** A count for every run, and the promised one for FULL=1. */
export const scale = (short, full) => (isFull ? full : short);
/** KiB that a process may ever have resident: the project's promise, or, for a debug build that is larger at rest, so much more than then. */
export const memoryBar = (atRest) => (isFull ? 32 * 1024 : atRest.resident + 12 * 1024);
export const MIB = 1024 * 1024;

export const workspace = 'acme';
export const secret = plant('workspace-secret');
export const token = (id = 'customer-1', more = {}) => jwt.sign({ iss: workspace, id, ...more }, secret, { expiresIn: '2h', algorithm: 'HS512' });
export const tokenHeader = 'x-integration-app-token';
export const asCustomer = (id) => ({ [tokenHeader]: token(id) });

/** Figures for people: they are printed, and only ratios and counts are judged. */
export const tell = (t, ...figures) => t.diagnostic(figures.join(' '));

/** `sidegate.yaml` of a gate with two workers; `more` adds top-level keys, `inbound` keys of the listener. */
export const settings = ({ upstream, port = 0, inbound = '', more = '', delay = '0s', keys = `secret: {value: "${secret}"}`, log = 'off', workers = 2 }) => `
listeners:
  inbound: {address: "127.0.0.1:${port}", ${inbound}}
  health: {address: "127.0.0.1:0"}
workers: ${workers}
accessLog: {to: "${log}"}
shutdown: {delay: ${delay}, grace: 30s}
workspaces: {${workspace}: {${keys}}}
${upstream ? `upstreams: {api: {upstream: "${upstream}"}}` : ''}
${more}`;

/** A running gate before this upstream; it is stopped, and must end well, when the test is over. */
export async function gateBefore(t, upstream, options = {}) {
  const gate = await sidegate({ 'sidegate.yaml': settings({ upstream, ...options }) });
  t.after(async () => {
    if (gate.child.exitCode === null && gate.child.signalCode === null) assert.equal(await gate.stop(), 0, gate.diagnostics.slice(-2000));
    gate.remove();
  });
  return gate;
}

export const address = (url) => ({ host: new URL(url).hostname, port: Number(new URL(url).port) });

// The process

const status = (pid, field) => {
  const [, value] = readFileSync(`/proc/${pid}/status`, 'utf8').match(new RegExp(`^${field}:\\s+(\\d+)`, 'm'));
  return Number(value);
};
/** KiB: what is resident now, and the most that ever was. */
export const memory = ({ child }) => ({ resident: status(child.pid, 'VmRSS'), peak: status(child.pid, 'VmHWM') });
export const descriptors = ({ child }) => readdirSync(`/proc/${child.pid}/fd`).length;
/** The number of files this process may hold open: crowds are cut to it. */
export const openFiles = Number(readFileSync('/proc/self/limits', 'utf8').match(/^Max open files\s+(\d+)/m)[1]);

/** Waits until `check` gives something true. The patience is for a broken run: nothing is judged by it. */
export async function eventually(what, check, patience = 60_000) {
  for (const end = Date.now() + patience; ;) {
    const result = await check();
    if (result) return result;
    assert(Date.now() < end, `never came true: ${what}`);
    await pause(10);
  }
}

/** One counter's or gauge's value, summed over the labels that match. */
export async function metric(gate, name, labels = '') {
  const text = await gate.metrics();
  assert(text.includes(name.replace(/_total$/, '')), `there is no metric ${name}`);
  const lines = text.split('\n').filter((line) => line.startsWith(name) && line.includes(labels));
  return lines.reduce((sum, line) => sum + Number(line.split(' ')[1]), 0);
}

// Programs

const executable = (name) => process.env.PATH.split(delimiter).map((folder) => join(folder, name)).find((path) => existsSync(path));
/** For `test(…, { skip })`: why a test cannot run here, or false. */
export const without = (...programs) => {
  const missing = programs.filter((name) => !executable(name));
  return missing.length > 0 && `${missing.join(', ')} not installed`;
};

/** Runs a program to its end; its output is bytes. */
export async function run(command, args, { input, ok = true } = {}) {
  const child = spawn(command, args);
  const out = []; const err = [];
  child.stdout.on('data', (data) => out.push(data));
  child.stderr.on('data', (data) => err.push(data));
  child.stdin.on('error', () => {}); // it may end without reading
  child.stdin.end(input);
  const [code] = await once(child, 'close');
  const result = { code, stdout: Buffer.concat(out), stderr: Buffer.concat(err).toString() };
  if (ok) assert.equal(code, 0, `${command} ended with ${code}: ${result.stderr}${result.stdout.subarray(0, 2000)}`);
  return result;
}

/** wrk for some seconds: how many requests it got answered, how many not well, and the rate. */
export async function wrk(url, { seconds = 2, connections = 16, threads = 1, headers = asCustomer(), more = [] } = {}) {
  const fields = Object.entries(headers).flatMap(([name, value]) => ['-H', `${name}: ${value}`]);
  const { stdout } = await run('wrk', ['-t', threads, '-c', connections, '-d', `${seconds}s`, ...fields, url, ...more]);
  const text = stdout.toString();
  const number = (pattern) => Number(text.match(pattern)?.[1] ?? 0);
  const errors = text.match(/Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)/)?.slice(1).map(Number) ?? [];
  return {
    requests: number(/(\d+) requests in/),
    rate: number(/Requests\/sec:\s+([\d.]+)/),
    failed: number(/Non-2xx or 3xx responses: (\d+)/) + errors.reduce((sum, count) => sum + count, 0),
    text,
  };
}

// The API

export const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex');
/** Bytes that repeat at no round length, so that a lost or doubled piece shows. */
export const pattern = (length) => Buffer.alloc(length, Buffer.from(Array.from({ length: 251 }, (_, at) => (at * 7 + 3) % 256)));

/** An API of Node's own server; `answer(request, response)` answers. */
export async function api(t, answer, options = {}, port = 0) {
  const handler = http.createServer({ keepAliveTimeout: 60_000, ...options }, answer);
  return listen(t, handler, port);
}

/** Anything that listens, on loopback, until the test is over. */
export async function listen(t, handler, port = 0) {
  const sockets = new Set();
  handler.on('connection', (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  handler.listen({ port, host: '127.0.0.1', backlog: 4096 });
  await once(handler, 'listening');
  const close = () => { handler.close(); sockets.forEach((socket) => socket.destroy()); };
  t.after(close);
  return { url: `http://127.0.0.1:${handler.address().port}`, port: handler.address().port, sockets, close, handler };
}

/** Tells what it was sent: the hash of the body, the headers, and whom Sidegate names. */
export async function mirror(request, response) {
  const hash = createHash('sha256');
  let length = 0;
  try {
    for await (const chunk of request) { hash.update(chunk); length += chunk.length; }
  } catch { return; } // the caller left
  response.setHeader('content-type', 'application/json');
  response.end(JSON.stringify({
    method: request.method, url: request.url, length, hash: hash.digest('hex'), headers: request.headers, customer: request.headers['x-sidegate-customer'],
  }));
}

/** An API in a process of its own that answers each request with the same few bytes, as fast as Node can. */
export async function fastApi(t) {
  const child = spawn(process.execPath, [new URL('./fast_api.mjs', import.meta.url).pathname], { stdio: ['pipe', 'pipe', 'inherit'] });
  t.after(() => child.kill('SIGKILL'));
  const [data] = await once(child.stdout, 'data');
  return { url: `http://127.0.0.1:${data.toString().trim()}`, child };
}

// Raw connections

/** One end of a connection, byte for byte. */
export class Raw {
  constructor(socket) {
    Object.assign(this, { socket, text: '', isClosed: false });
    socket.setEncoding('latin1');
    socket.on('data', (data) => { this.text += data; });
    socket.on('error', () => {});
    this.closed = new Promise((resolve) => socket.once('close', () => { this.isClosed = true; resolve(); }));
  }

  static async to(url) {
    const socket = net.connect({ ...address(url), noDelay: true });
    const raw = new Raw(socket);
    await once(socket, 'connect');
    return raw;
  }

  say(text) { this.socket.write(text, 'latin1'); }

  /** The statuses of all answers so far. */
  get statuses() { return [...this.text.matchAll(/^HTTP\/1\.1 (\d{3})/gm)].map(([, status]) => Number(status)); }

  /** Waits until this stands in what was answered. */
  async until(text) {
    await eventually(`${JSON.stringify(text)} in ${JSON.stringify(this.text.slice(0, 300))}`, () => this.text.includes(text) || this.isClosed);
    assert(this.text.includes(text), `closed after ${JSON.stringify(this.text.slice(0, 300))}`);
  }

  end() { this.socket.destroy(); }
}

/** `work(index)` for each index below `count`, `width` at a time. */
export async function inParallel(count, width, work) {
  let next = 0;
  const lane = async () => { while (next < count) await work(next++); };
  await Promise.all(Array.from({ length: Math.min(width, count) }, lane));
}

/** Callers that ask without pause on kept connections until told to stop; every answer is counted, and the first that was not well is kept. */
export class Load {
  constructor(t, url, { callers = 8, headers = () => asCustomer(), path = '/', body } = {}) {
    Object.assign(this, { url, headers, path, body, done: 0, failures: [], isStopping: false, turns: Array(callers).fill(0) });
    this.agent = new http.Agent({ keepAlive: true, maxSockets: callers });
    this.lanes = Promise.all(Array.from({ length: callers }, (_, caller) => this.#lane(caller)));
    t.after(() => this.stop()); // a test that has failed must not go on asking
  }

  async #lane(caller) {
    for (; !this.isStopping; this.turns[caller] += 1) {
      const failure = await this.#ask().catch((error) => error.code ?? String(error));
      if (failure) this.failures.push(failure); else this.done += 1;
    }
  }

  async #ask() {
    const { status, code, text } = await ask(this.url + this.path, { headers: this.headers(), agent: this.agent, body: this.body, method: this.body ? 'POST' : 'GET' });
    return status === 200 ? undefined : `${status} ${code ?? ''} ${text.slice(0, 200)}`;
  }

  /** Waits for so many more good answers. */
  async more(count) {
    const until = this.done + count;
    await eventually(`${count} more answers; failures: ${this.failures.slice(0, 3)}`, () => this.done >= until || this.failures.length > 100);
  }

  /** Waits until every caller has been answered what it asked before now, and once more what it asked after. */
  async turnover() {
    const before = [...this.turns];
    await eventually('every caller has asked anew', () => this.turns.every((turn, caller) => turn > before[caller] + 1));
  }

  async stop() {
    this.isStopping = true;
    await this.lanes;
    this.agent.destroy();
    return { done: this.done, failures: this.failures };
  }
}

/** One exchange through Node's own client. */
export function ask(url, { method = 'GET', headers = asCustomer(), body, agent = false } = {}) {
  return new Promise((resolve, reject) => {
    const request = http.request(url, { method, headers, agent }, (response) => {
      const chunks = [];
      response.on('data', (chunk) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        const bytes = Buffer.concat(chunks);
        resolve({ status: response.statusCode, headers: response.headers, code: response.headers['x-sidegate-rejection'], bytes, text: bytes.toString() });
      });
    });
    request.on('error', reject);
    request.end(body);
  });
}
