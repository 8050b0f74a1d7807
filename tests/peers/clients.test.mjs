// The clients that people have, each with its own idea of HTTP, through the same exchanges: what the API gets is what was sent, what the
// client gets is what the API said, and nobody without a token gets in.
import assert from 'node:assert/strict';
import { gunzipSync, gzipSync } from 'node:zlib';
import { before, after, describe, test } from 'node:test';
import { Agent, fetch as undiciFetch, request as undiciRequest } from 'undici';
import { MIB, api, ask, asCustomer, gateBefore, mirror, pattern, run, sha256, tell, tokenHeader, without, wrk } from './support.mjs';

const large = pattern(3 * MIB + 17);
const zipped = gzipSync(large.subarray(0, 4096));
/** What `t.after` collects lives as long as this file. */
const scope = { endings: [], after(ending) { this.endings.push(ending); } };
let gate;

const answers = {
  '/nothing': (response) => response.writeHead(204).end(),
  '/same': (response) => response.writeHead(304, { etag: '"1"' }).end(),
  '/large': (response) => response.writeHead(200, { 'content-length': large.length }).end(large),
  '/chunks': async (response) => {
    for (let at = 0; at < large.length; at += 100_003) response.write(large.subarray(at, at + 100_003));
    response.end();
  },
  '/zipped': (response) => response.writeHead(200, { 'content-encoding': 'gzip', vary: 'accept-encoding' }).end(zipped),
  '/cookies': (response) => response.writeHead(200, [['set-cookie', 'a=1'], ['set-cookie', 'b=2; Expires=Wed, 21 Oct 2037 07:28:00 GMT'], ['x-odd', 'caf\xe9']]).end('ok'),
  '/teapot': (response) => response.writeHead(418, 'Short And Stout').end('no coffee'),
};

before(async () => {
  const origin = await api(scope, async (request, response) => {
    const answer = answers[request.url];
    if (!answer) return mirror(request, response);
    for await (const piece of request) void piece;
    return answer(response);
  });
  gate = await gateBefore(scope, origin.url);
});
after(async () => { for (const ending of scope.endings.reverse()) await ending(); });

/** curl, one process for each exchange, as scripts use it. */
async function curl({ method, path, headers, body, isChunked }) {
  const fields = Object.entries({ ...headers, ...(isChunked && { 'transfer-encoding': 'chunked' }) }).flatMap(([name, value]) => ['-H', `${name}: ${value}`]);
  const how = method === 'HEAD' ? ['--head'] : ['-X', method];
  const what = body ? ['--data-binary', '@-'] : [];
  const told = ['-w', '%{stderr}%{http_code} %{header_json}'];
  const { stdout, stderr } = await run('curl', ['-sS', ...told, ...how, ...what, ...fields, gate.inbound + path], { input: body });
  const bytes = method === 'HEAD' ? Buffer.alloc(0) : stdout;
  return { status: Number(stderr.slice(0, 3)), bytes, code: JSON.parse(stderr.slice(4))['x-sidegate-rejection']?.[0] };
}

const node = ({ method, path, headers, body, isChunked }) =>
  ask(gate.inbound + path, { method, body, headers: { ...headers, ...(body && !isChunked && { 'content-length': body.length }), ...(isChunked && { 'transfer-encoding': 'chunked' }) } });

async function* pieces(body) { for (let at = 0; at < body.length; at += 65_536) yield body.subarray(at, at + 65_536); }

async function fetching({ method, path, headers, body, isChunked }) {
  const sent = isChunked ? { body: pieces(body), duplex: 'half' } : { body };
  // fetch would unzip: the bytes are compared as they travel, so this one exchange is left to the others.
  const response = await undiciFetch(gate.inbound + path, { method, headers: { ...headers, 'accept-encoding': 'identity' }, ...sent, redirect: 'manual' });
  return { status: response.status, bytes: Buffer.from(await response.arrayBuffer()), code: response.headers.get('x-sidegate-rejection') ?? undefined, isUnzipped: response.headers.get('content-encoding') === 'gzip' };
}

const dispatcher = new Agent({ pipelining: 4, connections: 2 });
after(() => dispatcher.close());
async function undici({ method, path, headers, body, isChunked }) {
  const response = await undiciRequest(gate.inbound + path, { method, headers, body: isChunked ? pieces(body) : body, dispatcher });
  return { status: response.statusCode, bytes: Buffer.from(await response.body.arrayBuffer()), code: response.headers['x-sidegate-rejection'] };
}

/** Python's http.client, and urllib for what it can say. */
const python = (library) => async ({ method, path, headers, body, isChunked }) => {
  const script = new URL('./client.py', import.meta.url).pathname;
  const { stdout } = await run('python3', [script, library, gate.inbound, method, path, JSON.stringify(headers), isChunked ? 'chunked' : 'whole'], { input: body });
  const end = stdout.indexOf(10);
  return { ...JSON.parse(stdout.subarray(0, end)), bytes: stdout.subarray(end + 1) };
};

const clients = {
  curl: [curl, without('curl')],
  'Node http': [node, false],
  fetch: [fetching, false],
  'undici, pipelined': [undici, false],
  'Python http.client': [python('http.client'), without('python3')],
  'Python urllib': [python('urllib'), without('python3')],
};

for (const [name, [client, skip]] of Object.entries(clients)) {
  const speak = (method, path, more = {}) => client({ method, path, headers: asCustomer('Ann é'), ...more });
  const mirrored = async (...args) => {
    const { status, bytes } = await speak(...args);
    assert.equal(status, 200, bytes.toString());
    return JSON.parse(bytes);
  };

  describe(name, { skip }, () => {
    test('who asks is told to the API, and the token is not', async () => {
      const seen = await mirrored('GET', '/things?q=%C3%A9&r=a+b');
      assert.equal(seen.url, '/things?q=%C3%A9&r=a+b');
      assert.equal(seen.customer, 'Ann%20%C3%A9');
      assert.equal(seen.headers[tokenHeader], undefined);
    });

    test('a body arrives byte for byte, with its length or in chunks', async () => {
      for (const isChunked of [false, true]) {
        const seen = await mirrored('POST', '/things', { body: large, isChunked });
        assert.deepEqual([seen.method, seen.length, seen.hash], ['POST', large.length, sha256(large)], `chunked: ${isChunked}`);
      }
      for (const method of ['PUT', 'PATCH', 'DELETE']) assert.equal((await mirrored(method, '/things', { body: Buffer.from('x') })).length, 1, method);
    });

    test('an answer arrives byte for byte, with its length or in chunks', async () => {
      for (const path of ['/large', '/chunks']) {
        const { status, bytes } = await speak('GET', path);
        assert.deepEqual([status, bytes.length, sha256(bytes)], [200, large.length, sha256(large)], path);
      }
      const { bytes, isUnzipped } = await speak('GET', '/zipped');
      assert.deepEqual(isUnzipped ? bytes : gunzipSync(bytes), large.subarray(0, 4096));
    });

    test('answers without a body have none, and the next is not taken for it', async () => {
      const seen = [];
      for (const [method, path] of [['HEAD', '/large'], ['GET', '/nothing'], ['GET', '/same'], ['GET', '/teapot'], ['GET', '/cookies']]) {
        const { status, bytes } = await speak(method, path);
        seen.push([status, bytes.toString()]);
      }
      assert.deepEqual(seen, [[200, ''], [204, ''], [304, ''], [418, 'no coffee'], [200, 'ok']]);
    });

    test('without a token nothing reaches the API, body or not', async () => {
      for (const more of [{}, { body: large }]) {
        const { status, code } = await client({ method: more.body ? 'POST' : 'GET', path: '/things', headers: {}, ...more });
        assert.deepEqual([status, code], [401, 'no_token']);
      }
    });
  });
}

test('curl waits for 100 Continue, and gets it only with a token', { skip: without('curl') }, async () => {
  const post = (headers) => run('curl', ['-sSv', '--expect100-timeout', '30', '-o', '/dev/null', '-H', 'Expect: 100-continue', ...headers, '--data-binary', '@-', `${gate.inbound}/things`], { input: large });
  const [[header, value]] = Object.entries(asCustomer());
  const known = await post(['-H', `${header}: ${value}`]);
  assert.match(known.stderr, /< HTTP\/1.1 100 Continue/);
  assert.match(known.stderr, /< HTTP\/1.1 200/);
  const stranger = await post([]);
  assert.doesNotMatch(stranger.stderr, /100 Continue/);
  assert.match(stranger.stderr, /< HTTP\/1.1 401/);
});

test('curl asks again and again on one connection', { skip: without('curl') }, async () => {
  const [[header, value]] = Object.entries(asCustomer());
  const { stderr } = await run('curl', ['-sSv', '-H', `${header}: ${value}`, ...Array.from({ length: 20 }, (_, at) => ['-o', '/dev/null', `${gate.inbound}/things?${at}`]).flat()]);
  assert.equal(stderr.match(/Re-using existing connection|Connection #0 to host .* left intact/g).length >= 20, true, stderr.slice(-500));
  assert.equal(stderr.match(/\* Connected to/g).length, 1);
});

test('wrk gets every request answered well on 100 connections', { skip: without('wrk') }, async (t) => {
  const { requests, failed, rate, text } = await wrk(`${gate.inbound}/teapot-is-not-here`, { connections: 100, seconds: 2 });
  assert.equal(failed, 0, text);
  assert(requests > 100, text);
  tell(t, `wrk: ${requests} requests, ${Math.round(rate)} a second with Node's mirror behind`);
});
