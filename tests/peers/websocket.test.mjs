// WebSockets between npm's ws on both ends: who may, what passes, and when it ends.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import http from 'node:http';
import { after, before, test } from 'node:test';
import jwt from 'jsonwebtoken';
import { WebSocket, WebSocketServer } from 'ws';
import { MIB, Raw, asCustomer, descriptors, eventually, gateBefore, inParallel, listen, memory, metric, scale, secret, sha256, tell, token, tokenHeader, workspace } from './support.mjs';

const scope = { endings: [], after(ending) { this.endings.push(ending); } };
let gate; let echo; let upgrades = 0;

/** Echoes every message as it came; tells who asks when it is asked. */
async function echoServer(t) {
  const handler = http.createServer((request, response) => response.writeHead(426).end('upgrade'));
  const server = new WebSocketServer({ server: handler, maxPayload: 64 * MIB, handleProtocols: (offered) => [...offered][0] });
  server.on('connection', (socket, request) => {
    upgrades += 1;
    socket.on('error', () => {});
    socket.on('message', (data, isBinary) => {
      if (!isBinary && data.toString() === 'who') return socket.send(JSON.stringify(request.headers));
      if (!isBinary && data.toString() === 'close') return socket.close(4321, 'as you wish');
      return socket.send(data, { binary: isBinary });
    });
  });
  return { ...await listen(t, handler), server };
}

const upstream = (more = '') => `upstreams: {api: {upstream: "${echo.url}", ${more}}}`;
before(async () => {
  echo = await echoServer(scope);
  // An open tunnel counts among the requests.
  gate = await gateBefore(scope, undefined, { more: upstream('upgrades: [websocket], limits: {maxRequests: 4096}') });
});
after(async () => { for (const ending of scope.endings.reverse()) await ending(); });

const dial = (to, headers = asCustomer(), protocols = [], options = {}) => new WebSocket(to.inbound.replace('http', 'ws'), protocols, { headers, ...options });
async function open(...args) {
  const socket = dial(...args);
  await once(socket, 'open');
  return socket;
}
const next = async (socket) => (await once(socket, 'message'))[0];
/** The status with which an upgrade is refused. */
const refusal = (socket) => new Promise((resolve) => {
  socket.on('error', () => {});
  socket.on('open', () => resolve('open'));
  socket.on('unexpected-response', (request, response) => { resolve(`${response.statusCode} ${response.headers['x-sidegate-rejection'] ?? ''}`); request.destroy(); });
});

test('text, binary, empty and large messages come back as they went', async () => {
  const socket = await open(gate);
  for (const message of ['hello', '', 'é'.repeat(1000)]) { socket.send(message); assert.equal((await next(socket)).toString(), message); }
  for (const size of [1, 125, 126, 65_535, 65_536, 8 * MIB]) {
    const bytes = randomBytes(size);
    socket.send(bytes);
    assert.equal(sha256(await next(socket)), sha256(bytes), `${size} bytes`);
  }
  socket.close(1000, 'done');
  const [code] = await once(socket, 'close');
  assert.equal(code, 1000);
});

test('the API learns who asks, and never the token', async () => {
  const socket = await open(gate, { ...asCustomer('Ann'), 'x-sidegate-customer': 'forged', origin: 'https://app.test' }, ['chat', 'superchat']);
  assert.equal(socket.protocol, 'chat');
  socket.send('who');
  const headers = JSON.parse(await next(socket));
  assert.equal(headers['x-sidegate-customer'], 'Ann');
  assert.equal(headers[tokenHeader], undefined);
  assert.equal(headers.origin, 'https://app.test');
  assert.equal(headers.upgrade.toLowerCase(), 'websocket');
  socket.terminate();
});

test('pings, pongs, fragments, compression and close codes pass', async () => {
  const socket = await open(gate, asCustomer(), [], { perMessageDeflate: true });
  socket.ping('are you there');
  assert.equal((await once(socket, 'pong'))[0].toString(), 'are you there');
  socket.send('in ', { fin: false });
  socket.send('two', { fin: true });
  assert.equal((await next(socket)).toString(), 'in two');
  socket.send('close');
  const [code, reason] = await once(socket, 'close');
  assert.deepEqual([code, reason.toString()], [4321, 'as you wish']);
});

test('without a valid token there is no upgrade, and the API hears nothing', async () => {
  const before = upgrades;
  assert.equal(await refusal(dial(gate, {})), '401 no_token');
  assert.equal(await refusal(dial(gate, { [tokenHeader]: `${token()}x` })), '401 invalid_token');
  // A token in the query or as a protocol is none.
  const inQuery = new WebSocket(`${gate.inbound.replace('http', 'ws')}/?token=${token()}`);
  assert.equal(await refusal(inQuery), '401 no_token');
  assert.equal(upgrades, before);
});

test('where upgrades are not allowed the request is refused', async (t) => {
  const closed = await gateBefore(t, undefined, { more: upstream('upgrades: []') });
  assert.match(await refusal(dial(closed)), /^400 upgrade_not_allowed/);
});

test('an API that declines is heard, and the connection goes on as HTTP', async () => {
  const raw = await Raw.to(gate.inbound);
  raw.say(`GET / HTTP/1.1\r\nHost: a.test\r\n${tokenHeader}: ${token()}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 12\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`);
  await raw.until('HTTP/1.1 4');
  assert.notEqual(raw.statuses[0], 101);
  raw.end();
});

test('what is sent right behind the upgrade is the tunnel\'s, not a request', async () => {
  const before = await metric(gate, 'sidegate_requests_total', 'door="inbound"');
  const raw = await Raw.to(gate.inbound);
  raw.say(`GET / HTTP/1.1\r\nHost: a.test\r\n${tokenHeader}: ${token()}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a.test\r\n\r\n`);
  await raw.until('HTTP/1.1 101');
  await raw.closed; // to the API it is a frame that makes no sense
  assert.equal(raw.statuses.length, 1);
  await eventually('one request is counted', async () => await metric(gate, 'sidegate_requests_total', 'door="inbound"') === before + 1);
});

test('many at once, each with its own messages, at little memory', async (t) => {
  const count = scale(200, 2_000);
  const before = { ...memory(gate), files: descriptors(gate) };
  const sockets = [];
  await inParallel(count, 50, async () => sockets.push(await open(gate)));
  for (let round = 0; round < 5; round += 1) {
    await Promise.all(sockets.map(async (socket, index) => { socket.send(`${round} ${index}`); assert.equal((await next(socket)).toString(), `${round} ${index}`); }));
  }
  const grown = memory(gate).resident - before.resident;
  tell(t, `${(grown / count).toFixed(1)} KiB for each of ${count} tunnels`);
  assert(grown <= 8 * 1024 + count * 40, `${grown} KiB for ${count}`);
  for (const [index, socket] of sockets.entries()) { if (index % 2) socket.close(); else socket.terminate(); }
  await eventually('nothing is left', () => descriptors(gate) <= before.files + 4);
});

test('who leaves without a word ends it on the other side', async () => {
  const socket = await open(gate);
  await eventually('the API has it', () => echo.server.clients.size > 0);
  socket.terminate();
  await eventually('the API is let go', () => echo.server.clients.size === 0);
  const other = await open(gate);
  for (const client of echo.server.clients) client.terminate();
  await once(other, 'close');
});

test('with onExpiry: close the connection ends with its token, with keep it goes on', async (t) => {
  for (const onExpiry of ['close', 'keep']) {
    const strict = await gateBefore(t, undefined, { more: upstream(`upgrades: [websocket], token: {onExpiry: ${onExpiry}}`) });
    const exp = Math.floor(Date.now() / 1000) + 2;
    const brief = jwt.sign({ iss: workspace, id: 'brief', exp }, secret);
    const socket = await open(strict, { [tokenHeader]: brief });
    let closed = false;
    socket.on('close', () => { closed = true; });
    socket.on('error', () => {});
    await eventually('the token has ended', () => Date.now() > (exp + 1) * 1000);
    if (onExpiry === 'close') await eventually('the connection is closed', () => closed);
    else { socket.send('still here'); assert.equal((await next(socket)).toString(), 'still here'); socket.terminate(); }
  }
});

test('a stop ends tunnels when the grace is over, and waits for those that end themselves', async (t) => {
  const stopping = await gateBefore(t, undefined, { more: upstream('upgrades: [websocket]') });
  const socket = await open(stopping);
  stopping.child.kill('SIGTERM');
  await eventually('it stops', () => stopping.diagnostics.includes('stopping'));
  socket.send('last words');
  assert.equal((await next(socket)).toString(), 'last words');
  socket.close();
  assert.deepEqual(await stopping.exited, { code: 0, signal: null });
});
