// The way out with real third parties: gRPC over HTTP/2 that ALPN chooses, npm's ws, server-sent events, and bodies far larger than memory.
// Each is asked for on a transparent route, by a service on loopback that names its customer, with a key that only Sidegate has.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import grpc from '@grpc/grpc-js';
import { WebSocket, WebSocketServer } from 'ws';
import { configuration } from '../sdk/support.mjs';
import { MIB, api, eventually, listen, memory, memoryBar, pattern, plant, scale, sidegate, tell } from './support.mjs';

const scope = { endings: [], after(ending) { this.endings.push(ending); } };
const vector = (name) => fileURLToPath(new URL(`../vectors/tls/${name}`, import.meta.url));
const key = plant('api-key');
const customer = { 'x-sidegate-workspace': 'acme', 'x-sidegate-customer': 'Ann' };
/** Megabytes of one body. */
const size = (Number(process.env.BODY_MIB) || scale(128, 10 * 1024)) * MIB;
const piece = pattern(MIB);

/** A gate with one third party for each of these: its base URI, and the prefix of its route. */
async function gateTo(t, thirdParties) {
  const spec = (base) => `{name: Test, auth: {type: client-credentials, makeApiClient: {implementationType: mapping, mapping: {baseUri: "${base}", headers: {X-Api-Key: {$var: credentials.key}}}}}}`;
  const all = Object.entries(thirdParties);
  const connectors = all.map(([name, { base }]) => `  ${name}: ${spec(base)}`);
  const integrations = all.map(([name, { route }]) => `  ${name}: {connector: ${name}, egress: {allowPrivate: true, allowPlain: true}, route: {pathPrefix: ${route}}}`);
  const more = `accessLog: {to: "off"}\nconnectors:\n${connectors.join('\n')}\nintegrations:\n${integrations.join('\n')}\n`;
  const text = configuration({ workspace: 'acme', secret: plant('workspace-secret'), more });
  const trusting = text.replace('  inbound: {address: "127.0.0.1:0"}\n', '').replace('outbound: {address: "127.0.0.1:0"}', 'outbound: {address: "127.0.0.1:0", trustCaller: true}');
  const gate = await sidegate({ 'sidegate.yaml': trusting }, { environment: { SSL_CERT_FILE: vector('ca.pem') } });
  t.after(async () => { assert.equal(await gate.stop(), 0, gate.diagnostics.slice(-2000)); gate.remove(); });
  for (const [name] of all) {
    const body = JSON.stringify({ name, integrationKey: name, credentials: { key } });
    const answer = await fetch(`${gate.outbound}/connections`, { method: 'POST', headers: { ...customer, 'content-type': 'application/json' }, body });
    assert.equal(answer.status, 200, await answer.text());
  }
  return gate;
}

after(async () => { for (const ending of scope.endings.reverse()) await ending(); });

// gRPC

const bytes = { requestSerialize: (value) => value, requestDeserialize: (value) => value, responseSerialize: (value) => value, responseDeserialize: (value) => value };
const method = (name, requestStream, responseStream) => ({ path: `/test.Echo/${name}`, requestStream, responseStream, ...bytes });
const definition = { who: method('Who', false, false), fails: method('Fails', false, false), repeat: method('Repeat', false, true), chat: method('Chat', true, true) };
let client; let rpc;

before(async () => {
  const server = new grpc.Server();
  server.addService(definition, {
    who: (call, answer) => { const trailer = new grpc.Metadata(); trailer.set('x-trailer', 'behind'); answer(null, Buffer.from(JSON.stringify(call.metadata.getMap())), trailer); },
    fails: (call, answer) => answer({ code: grpc.status.FAILED_PRECONDITION, details: 'not today: é' }),
    repeat: (call) => { for (let i = 0; i < Number(call.request); i += 1) call.write(Buffer.from(`${i}`)); call.end(); },
    chat: (call) => { call.on('data', (data) => call.write(data)); call.on('end', () => call.end()); },
  });
  const pair = { private_key: readFileSync(vector('server.key')), cert_chain: readFileSync(vector('server.pem')) };
  const credentials = grpc.ServerCredentials.createSsl(null, [pair]);
  const port = await new Promise((resolve, reject) => server.bindAsync('127.0.0.1:0', credentials, (error, bound) => (error ? reject(error) : resolve(bound))));
  scope.after(() => server.forceShutdown());
  const gate = await gateTo(scope, { rpc: { base: `https://127.0.0.1:${port}/test.Echo`, route: '/test.Echo' } });
  client = new (grpc.makeGenericClientConstructor(definition, 'Echo'))(new URL(gate.outbound).host, grpc.credentials.createInsecure());
  scope.after(() => client.close());
  rpc = (more = {}) => { const metadata = new grpc.Metadata(); for (const [name, value] of Object.entries({ ...customer, ...more })) metadata.set(name, value); return metadata; };
});

const call = (name, metadata) => new Promise((resolve) => {
  let trailers;
  const running = client[name](Buffer.from('x'), metadata, (error, value) => setImmediate(() => resolve({ error, value, trailers })));
  running.on('status', (status) => { trailers = status.metadata; });
});

test('a gRPC call carries the key and nothing of ours, and comes back with its trailers', async () => {
  const { error, value, trailers } = await call('who', rpc({ 'x-api-key': 'theirs', x_api_key: 'theirs', 'x-mine': 'kept' }));
  assert.equal(error, null);
  const seen = JSON.parse(value);
  assert.deepEqual([seen['x-api-key'], seen.x_api_key, seen['x-mine']], [key, undefined, 'kept']);
  assert(!Object.keys(seen).some((name) => name.startsWith('x-sidegate')), value.toString());
  assert.deepEqual(trailers.get('x-trailer'), ['behind']);
});

test('a gRPC error comes back with its code and its words', async () => {
  const { error } = await call('fails', rpc());
  assert.deepEqual([error.code, error.details], [grpc.status.FAILED_PRECONDITION, 'not today: é']);
});

test('a gRPC conversation goes to and fro, and a stream arrives whole', async () => {
  const chat = client.chat(rpc());
  const answers = chat[Symbol.asyncIterator]();
  for (let turn = 0; turn < scale(100, 1_000); turn += 1) {
    chat.write(Buffer.from(`turn ${turn}`));
    assert.equal((await answers.next()).value.toString(), `turn ${turn}`);
  }
  chat.end();
  assert.equal((await answers.next()).done, true);
  const count = scale(1_000, 20_000);
  let seen = 0;
  for await (const value of client.repeat(Buffer.from(`${count}`), rpc())) { assert.equal(value.toString(), `${seen}`); seen += 1; }
  assert.equal(seen, count);
});

// WebSocket

test('a WebSocket to a third party carries the key in its handshake and every message as it is', async (t) => {
  const server = new WebSocketServer({ noServer: true });
  const handler = http.createServer();
  handler.on('upgrade', (request, socket, head) => server.handleUpgrade(request, socket, head, (socket) => {
    socket.send(request.headers['x-api-key']);
    socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }));
  }));
  const third = await listen(t, handler);
  const gate = await gateTo(t, { chat: { base: third.url, route: '/chat' } });
  for (const path of ['/chat/room?x=1', '/connections/chat/proxy/room?x=1']) {
    const socket = new WebSocket(gate.outbound.replace('http', 'ws') + path, [], { headers: customer });
    // Asked for at once: the first message may come with the answer to the handshake.
    const messages = [];
    socket.on('message', (data) => messages.push(data));
    await once(socket, 'open');
    for (const length of [0, 1, 125, 126, 65_536, MIB]) socket.send(pattern(length));
    await eventually('every message is back', () => messages.length === 7);
    assert.equal(messages[0].toString(), key);
    assert.deepEqual(messages.slice(1).map((data) => data.length), [0, 1, 125, 126, 65_536, MIB]);
    assert.deepEqual(messages[6], pattern(MIB));
    socket.close(4321, 'enough');
    const [code] = await once(socket, 'close');
    assert.equal(code, 4321);
  }
});

// Streams

test('server-sent events of a third party arrive one by one, as they are made', async (t) => {
  let send;
  const third = await api(t, (request, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream', 'x-key': createHash('sha256').update(request.headers['x-api-key']).digest('hex') });
    response.flushHeaders();
    send = (text) => (text ? response.write(text) : response.end());
  });
  const gate = await gateTo(t, { events: { base: third.url, route: '/events' } });
  const stream = await new Promise((resolve, reject) => { http.get(`${gate.outbound}/events/all`, { headers: customer }, resolve).on('error', reject); });
  assert.equal(stream.headers['x-key'], createHash('sha256').update(key).digest('hex'));
  let seen = '';
  stream.setEncoding('utf8').on('data', (text) => { seen += text; });
  // The next event is made only once the one before has arrived: nothing on the way may wait for more.
  for (let event = 1; event <= 200; event += 1) {
    send(`id: ${event}\ndata: ${'x'.repeat(event)}\n\n`);
    await eventually(`event ${event}`, () => seen.endsWith(`id: ${event}\ndata: ${'x'.repeat(event)}\n\n`));
  }
  send();
  await once(stream, 'end');
});

async function pour(stream) {
  for (let at = 0; at < size; at += MIB) {
    if (!stream.write(piece)) await once(stream, 'drain');
  }
  stream.end();
}

async function hashed(stream) {
  const hash = createHash('sha256');
  for await (const chunk of stream) hash.update(chunk);
  return hash.digest('hex');
}

test(`${size / MIB} MiB to a third party and ${size / MIB} MiB back leave no trace in memory`, async (t) => {
  const third = await api(t, async (request, response) => {
    if (request.url === '/down') return pour(response);
    if (request.url === '/up') return response.end(await hashed(request));
    response.writeHead(200);
    return request.pipe(response);
  });
  const gate = await gateTo(t, { files: { base: third.url, route: '/files' } });
  const expected = await hashed((function* all() { for (let at = 0; at < size; at += MIB) yield piece; })());
  const send = (path, framing) => new Promise((resolve, reject) => {
    const request = http.request(gate.outbound + path, { method: 'POST', headers: { ...customer, ...framing }, agent: false }, resolve);
    request.on('error', reject);
    pour(request).catch(reject);
  });
  const bar = memoryBar(memory(gate));
  for (const framing of [{ 'content-length': size }, { 'transfer-encoding': 'chunked' }]) {
    const answer = await send('/files/up', framing);
    let text = '';
    for await (const chunk of answer) text += chunk;
    assert.deepEqual([answer.statusCode, text], [200, expected], JSON.stringify(framing));
  }
  const down = await new Promise((resolve, reject) => { http.get(`${gate.outbound}/files/down`, { headers: customer }, resolve).on('error', reject); });
  assert.equal(await hashed(down), expected);
  assert.equal(await hashed(await send('/files/echo', {})), expected);
  const { peak } = memory(gate);
  tell(t, `peak ${peak} KiB`);
  assert(peak <= bar, `${peak} KiB`);
});
