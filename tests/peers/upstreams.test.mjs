// APIs on their bad days: not there yet, silent, half dead, talkative, wrong. The caller gets the documented answer or the truth about a cut
// body, the log has the reason, and afterwards nothing is left: no request in flight, no descriptor, no memory.
import assert from 'node:assert/strict';
import net from 'node:net';
import { after, before, test } from 'node:test';
import { Load, Raw, api, ask, descriptors, eventually, gateBefore, inParallel, listen, memory, metric, mirror, scale, tell, tokenHeader, token } from './support.mjs';

/** An API that is played by hand: `play(socket, head)` once a request's head is there. */
const played = (t, play) => listen(t, net.createServer((socket) => {
  let text = '';
  socket.on('error', () => {});
  socket.on('data', (data) => {
    text += data.toString('latin1');
    const end = text.indexOf('\r\n\r\n');
    if (end < 0) return;
    const head = text.slice(0, end);
    text = '';
    play(socket, head);
  });
}));

const ok = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
const cut = 'cut';
/** Status and code of one exchange, or that its answer broke off. */
const outcome = (gate, options) => ask(gate.inbound, options).then(({ status, code, text }) => [status, code ?? text], () => [cut]);

/** What is done, and what the caller and the log are to see. */
const misbehaviours = {
  'hangs up at once': { play: (socket) => socket.destroy(), seen: [502, 'upstream_down'] },
  'resets': { play: (socket) => socket.resetAndDestroy(), seen: [502, 'upstream_down'] },
  'closes its side without a word': { play: (socket) => socket.end(), seen: [502, 'upstream_down'] },
  'hangs up in the head': { play: (socket) => socket.end('HTTP/1.1 200 OK\r\nContent-Le'), seen: [502, 'upstream_down'] },
  'says nothing': { play: () => {}, seen: [504, 'upstream_timeout'] },
  'stalls in the head': { play: (socket) => socket.write('HTTP/1.1 200 OK\r\nX-Slow: '), seen: [504, 'upstream_timeout'] },
  'hangs up in the body': { play: (socket) => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf'), seen: [cut] },
  'hangs up in a chunk': { play: (socket) => socket.end('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\na\r\nhalf'), seen: [cut] },
  'hangs up between chunks': { play: (socket) => socket.end('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n'), seen: [cut] },
  'resets in the body': { play: (socket) => { socket.write('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf', () => socket.resetAndDestroy()); }, seen: [cut] },
  'ends its body by closing': { play: (socket) => socket.end('HTTP/1.1 200 OK\r\n\r\nto the end'), seen: [200, 'to the end'] },
  // Nothing tells that its connections cannot be used again; so many requests are sent a second time, and no more than a tenth of all.
  'closes its side after a whole answer': { play: (socket) => socket.end(ok), seen: [200, 'ok'], most: 20 },
  'speaks no HTTP': { play: (socket) => socket.end('220 mail.test ESMTP\r\n'), seen: [502, 'upstream_down'] },
  'speaks TLS': { play: (socket) => socket.end(Buffer.from('15030300020228', 'hex')), seen: [502, 'upstream_down'] },
  'sends an early hint before its answer': { play: (socket) => socket.write(`HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\n${ok}`), seen: [200, 'ok'] },
  'answers twice': { play: (socket) => socket.write(ok + ok), seen: [200, 'ok'] },
  'goes on talking after its answer': { play: (socket) => socket.write(`${ok}HTTP/1.1 500 `), seen: [200, 'ok'] },
};

let gate; let origin; let play;
const scope = { endings: [], after(ending) { this.endings.push(ending); } };
const upstream = (url) => `upstreams: {api: {upstream: "${url}", timeouts: {connect: 1s, responseHead: 2s}}}`;
before(async () => {
  origin = await played(scope, (socket, head) => play(socket, head));
  gate = await gateBefore(scope, undefined, { more: upstream(origin.url) });
});
after(async () => { for (const ending of scope.endings.reverse()) await ending(); });

for (const [name, { play: way, seen, most = 200 }] of Object.entries(misbehaviours)) {
  test(`an API that ${name}: ${seen.join(' ')}, every time, and nothing is left`, async () => {
    play = way;
    await outcome(gate);
    const before = descriptors(gate);
    const outcomes = [];
    await inParallel(scale(20, most), 20, async () => outcomes.push((await outcome(gate)).join(' ')));
    assert.deepEqual([...new Set(outcomes)], [seen.join(' ')]);
    play = (socket) => socket.write(ok);
    // What was said too much on one connection is nobody's answer: the next ones get theirs.
    for (let i = 0; i < 20; i += 1) assert.deepEqual(await outcome(gate), [200, 'ok']);
    await eventually('nothing is in flight', async () => await metric(gate, 'http_server_active_requests', 'door="inbound"') === 0);
    await eventually('no descriptor is left', () => descriptors(gate) <= before + 22);
    assert.equal((await ask(gate.inbound)).text, 'ok');
  });
}

test('a flood of early hints before an answer costs no memory, and one without end costs no worker', async (t) => {
  const hint = Buffer.from(`HTTP/1.1 103 Early Hints\r\nLink: <${'/a'.repeat(400)}>; rel=preload\r\n\r\n`.repeat(100));
  play = (socket, head) => {
    if (!head.includes('/flood')) return socket.write(ok);
    const more = () => { while (!socket.destroyed && socket.write(hint)); };
    socket.on('drain', more);
    return more();
  };
  const before = memory(gate).peak;
  const floods = Array.from({ length: 4 }, () => ask(`${gate.inbound}/flood`).then(({ status, code }) => [status, code], () => [cut]));
  const load = new Load(t, gate.inbound, { callers: 4 });
  await load.more(200);
  const seen = await Promise.all(floods);
  assert.deepEqual((await load.stop()).failures, []);
  for (const [status] of seen) assert(status === 502 || status === 504, JSON.stringify(seen));
  tell(t, `answered with ${JSON.stringify(seen[0])}, ${memory(gate).peak - before} KiB more at the peak`);
  assert(memory(gate).peak - before < 8 * 1024);
});

test('it starts before its API, says so to callers, and serves as soon as the API is there', async (t) => {
  const reserved = await listen(t, net.createServer());
  const { port } = reserved;
  reserved.close();
  const early = await gateBefore(t, `http://127.0.0.1:${port}`);
  await eventually('it is ready', async () => (await fetch(`${early.listeners.health}/readyz`)).status === 200);
  for (let i = 0; i < 20; i += 1) assert.deepEqual(await outcome(early), [502, 'upstream_down']);
  const late = net.createServer((socket) => { socket.on('error', () => {}); socket.on('data', () => socket.write(ok)); });
  late.listen(port, '127.0.0.1');
  t.after(() => late.close());
  await eventually('the API is served', async () => (await outcome(early))[0] === 200);
  for (let i = 0; i < 20; i += 1) assert.deepEqual(await outcome(early), [200, 'ok']);
});

test('an API that is started anew under load costs only the requests that it held or refused', async (t) => {
  let server = await api(t, mirror);
  const { port } = server;
  const before = await gateBefore(t, server.url);
  const load = new Load(t, before.inbound, { callers: 16 });
  for (let round = 0; round < scale(3, 20); round += 1) {
    await load.more(50);
    server.close();
    await eventually('callers are told', () => load.failures.length > 0);
    server = await api(t, mirror, {}, port);
    const seen = load.failures.splice(0);
    for (const failure of seen) assert.match(failure, /^502 upstream_down/);
  }
  await load.more(200);
  const { failures } = await load.stop();
  for (const failure of failures) assert.match(failure, /^502 upstream_down/);
});

test('an API that answers before it has read the body: the answer arrives, and the connection is not used again', async (t) => {
  const early = await played(t, (socket, head) => (head.startsWith('POST')
    ? socket.write('HTTP/1.1 403 Forbidden\r\nContent-Length: 6\r\n\r\nno way') : socket.write(ok)));
  const before = await gateBefore(t, early.url);
  for (let i = 0; i < 5; i += 1) {
    const raw = await Raw.to(before.inbound);
    raw.say(`POST / HTTP/1.1\r\nHost: a.test\r\n${tokenHeader}: ${token()}\r\nContent-Length: 100000\r\n\r\npart of it`);
    await raw.until('no way');
    raw.end();
    assert.deepEqual(await outcome(before), [200, 'ok']);
  }
});
