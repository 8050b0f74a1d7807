// HTTP/2 from the clients that speak it, with TLS and without: curl, nghttp's h2load, Node's own.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import http2 from 'node:http2';
import https from 'node:https';
import { once } from 'node:events';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { MIB, api, asCustomer, eventually, folder, gateBefore, inParallel, memory, memoryBar, metric, mirror, pattern, run, scale, sha256, tell, tokenHeader, without } from './support.mjs';

const scope = { endings: [], after(ending) { this.endings.push(ending); } };
const large = pattern(5 * MIB + 3);
let gate; let secure; let bar;

before(async () => {
  const origin = await api(scope, (request, response) => (request.url === '/large' ? response.end(large) : mirror(request, response)));
  gate = await gateBefore(scope, origin.url);
  bar = memoryBar(memory(gate)) + 16 * 1024; // a hundred streams at once, each with its windows
  const path = folder({ 'none.txt': '' });
  const made = spawnSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2', '-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1', '-keyout', join(path, 'key.pem'), '-out', join(path, 'certificate.pem')]);
  if (made.status === 0) secure = await gateBefore(scope, origin.url, { inbound: `tls: {certificate: "${join(path, 'certificate.pem')}", key: "${join(path, 'key.pem')}"}` });
});
after(async () => { for (const ending of scope.endings.reverse()) await ending(); });

const tlsUrl = () => secure.inbound.replace('http:', 'https:');
const fields = Object.entries(asCustomer('Ann')).flatMap(([name, value]) => ['-H', `${name}: ${value}`]);

async function connect(t, url, options = { rejectUnauthorized: false }) {
  const session = http2.connect(url, options);
  session.on('error', () => {});
  t.after(() => session.destroy());
  await once(session, 'connect');
  return session;
}

/** One exchange on a session. */
async function exchange(session, headers, body) {
  const stream = session.request({ ':path': '/', ...asCustomer('Ann'), ...headers }, { endStream: body === undefined });
  if (body !== undefined) stream.end(body);
  const [answer] = await once(stream, 'response');
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  const bytes = Buffer.concat(chunks);
  return { status: answer[':status'], code: answer['x-sidegate-rejection'], headers: answer, bytes };
}

test('curl speaks it by prior knowledge, and over TLS by ALPN', { skip: without('curl', 'openssl') }, async () => {
  for (const [how, url] of [[['--http2-prior-knowledge'], gate.inbound], [['-k', '--http2'], tlsUrl()]]) {
    const { stdout } = await run('curl', ['-sS', ...how, ...fields, '-w', '\n%{http_version} %{http_code}', '--data-binary', '@-', `${url}/things?q=1`], { input: large });
    const [body, told] = stdout.toString().split('\n');
    assert.equal(told, '2 200');
    const seen = JSON.parse(body);
    assert.deepEqual([seen.method, seen.url, seen.hash, seen.customer], ['POST', '/things?q=1', sha256(large), 'Ann']);
    const down = await run('curl', ['-sS', ...how, ...fields, `${url}/large`]);
    assert.equal(sha256(down.stdout), sha256(large));
    // Without a body: Debian's curl 7.88 tells no status once a part of its upload is not wanted.
    const stranger = await run('curl', ['-sS', ...how, '-o', '/dev/null', '-w', '%{http_version} %{http_code}', url]);
    assert.equal(stranger.stdout.toString(), '2 401');
  }
});

test('curl asks to upgrade from HTTP/1.1 and is answered in HTTP/1.1', { skip: without('curl') }, async () => {
  const { stdout } = await run('curl', ['-sS', '--http2', ...fields, '-o', '/dev/null', '-w', '%{http_version} %{http_code}', gate.inbound]);
  assert.match(stdout.toString(), /^1\.1 (200|400)$/);
});

test('HTTP/1.1 is spoken over TLS to who asks for it', { skip: without('openssl') }, async () => {
  const [response] = await once(https.get(tlsUrl(), { headers: asCustomer(), rejectUnauthorized: false }), 'response');
  assert.deepEqual([response.statusCode, response.httpVersion], [200, '1.1']);
  response.resume();
});

test('Node: many streams at once, bodies whole, each its own answer', async (t) => {
  const session = await connect(t, gate.inbound);
  await inParallel(scale(500, 10_000), 50, async (index) => {
    const { status, bytes } = await exchange(session, { ':path': `/${index}`, ':method': 'POST' }, `body ${index}`);
    const seen = JSON.parse(bytes);
    assert.deepEqual([status, seen.url, seen.hash, seen.customer], [200, `/${index}`, sha256(`body ${index}`), 'Ann']);
    assert.equal(seen.headers[tokenHeader], undefined);
  });
  const [upload, download] = await Promise.all([exchange(session, { ':path': '/up', ':method': 'POST' }, large), exchange(session, { ':path': '/large' })]);
  assert.equal(JSON.parse(upload.bytes).hash, sha256(large));
  assert.equal(sha256(download.bytes), sha256(large));
  for (const body of [undefined, large]) {
    const stranger = await exchange(session, { ':method': 'POST', [tokenHeader]: 'nonsense' }, body);
    assert.deepEqual([stranger.status, stranger.code], [401, 'invalid_token']);
  }
});

test('one who does not read holds up only that one stream', async (t) => {
  const session = await connect(t, gate.inbound);
  const stuck = session.request({ ':path': '/large', ...asCustomer() });
  await once(stuck, 'response');
  stuck.pause();
  for (let i = 0; i < 50; i += 1) assert.equal((await exchange(session, { ':path': `/${i}` })).status, 200);
  const hash = createHash('sha256');
  for await (const chunk of stuck) hash.update(chunk);
  assert.equal(hash.digest('hex'), sha256(large));
});

test('streams that are reset leave nothing behind', async (t) => {
  const session = await connect(t, gate.inbound);
  // Who goes on like this is told to calm down at some point, and loses the connection.
  for (let round = 0; round < scale(20, 100) && !session.destroyed && !session.closed; round += 1) {
    const streams = Array.from({ length: 5 }, () => session.request({ ':path': '/large', ...asCustomer() }));
    for (const stream of streams) { stream.on('error', () => {}); stream.close(http2.constants.NGHTTP2_CANCEL); }
    await exchange(session, {}).catch(() => {});
  }
  await eventually('nothing is in flight', async () => await metric(gate, 'http_server_active_requests', 'door="inbound"') === 0);
});

test('a stop finishes the streams and says goodbye', async (t) => {
  let release;
  const origin = await api(t, async (request, response) => { await new Promise((resolve) => { release = resolve; }); response.end('done'); });
  const stopping = await gateBefore(t, origin.url);
  const session = await connect(t, stopping.inbound);
  const goodbye = once(session, 'goaway');
  const answer = exchange(session, {});
  await eventually('it is in flight', () => release);
  stopping.child.kill('SIGTERM');
  await goodbye;
  release();
  assert.equal((await answer).bytes.toString(), 'done');
  assert.deepEqual(await stopping.exited, { code: 0, signal: null });
});

for (const [name, url] of [['by prior knowledge', () => gate.inbound], ['over TLS', () => tlsUrl()]]) {
  test(`h2load ${name}: every request is answered well`, { skip: without('h2load', 'openssl') }, async (t) => {
    const count = scale(2_000, 100_000);
    const { stdout } = await run('h2load', ['-n', count, '-c', 10, '-m', 20, ...fields, `${url()}/things`]);
    const text = stdout.toString();
    assert.match(text, new RegExp(`${count} total, ${count} started, ${count} done, ${count} succeeded, 0 failed, 0 errored, 0 timeout`));
    assert.match(text, new RegExp(`status codes: ${count} 2xx`));
    tell(t, text.match(/finished in.*/)[0]);
  });
}

test('after all this the process is small', async (t) => {
  tell(t, `peaks ${memory(gate).peak} and, with TLS, ${memory(secure).peak} KiB`);
  assert(memory(gate).peak <= bar);
});
