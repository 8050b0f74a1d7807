// gRPC between grpc-js on both ends, over HTTP/2 all the way: unary, both kinds of streams, trailers, errors, deadlines, cancellation.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import grpc from '@grpc/grpc-js';
import { MIB, eventually, gateBefore, inParallel, memory, memoryBar, metric, pattern, scale, sha256, tell, token, tokenHeader } from './support.mjs';

const scope = { endings: [], after(ending) { this.endings.push(ending); } };
const bytes = { requestSerialize: (value) => value, requestDeserialize: (value) => value, responseSerialize: (value) => value, responseDeserialize: (value) => value };
const method = (name, requestStream, responseStream) => ({ path: `/test.Echo/${name}`, requestStream, responseStream, ...bytes });
const definition = {
  unary: method('Unary', false, false), fails: method('Fails', false, false), who: method('Who', false, false), never: method('Never', false, false),
  collect: method('Collect', true, false), repeat: method('Repeat', false, true), chat: method('Chat', true, true),
};
const Client = grpc.makeGenericClientConstructor(definition, 'Echo');
let gate; let client; let bar; let cancelled = 0;

before(async () => {
  const server = new grpc.Server({ 'grpc.max_receive_message_length': 64 * MIB });
  server.addService(definition, {
    unary: (call, answer) => { const trailer = new grpc.Metadata(); trailer.set('x-trailer', 'behind'); answer(null, call.request, trailer); },
    fails: (call, answer) => answer({ code: grpc.status.FAILED_PRECONDITION, details: 'not today: é' }),
    who: (call, answer) => answer(null, Buffer.from(JSON.stringify(call.metadata.getMap()))),
    never: (call) => call.on('cancelled', () => { cancelled += 1; }),
    collect: (call, answer) => { let count = 0; call.on('data', () => { count += 1; }); call.on('end', () => answer(null, Buffer.from(`${count}`))); },
    repeat: (call) => { for (let i = 0; i < Number(call.request); i += 1) call.write(Buffer.from(`${i}`)); call.end(); },
    chat: (call) => { call.on('data', (data) => call.write(data)); call.on('end', () => call.end()); },
  });
  const port = await new Promise((resolve, reject) => server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, bound) => (error ? reject(error) : resolve(bound))));
  scope.after(() => server.forceShutdown());
  gate = await gateBefore(scope, undefined, { more: `upstreams: {api: {upstream: {url: "http://127.0.0.1:${port}", protocol: http2}}}` });
  bar = memoryBar(memory(gate)) + 16 * 1024;
  client = new Client(new URL(gate.inbound).host, grpc.credentials.createInsecure(), { 'grpc.max_receive_message_length': 64 * MIB });
  scope.after(() => client.close());
});
after(async () => { for (const ending of scope.endings.reverse()) await ending(); });

const known = (more = {}) => { const metadata = new grpc.Metadata(); for (const [name, value] of Object.entries({ [tokenHeader]: token('Ann'), ...more })) metadata.set(name, value); return metadata; };
/** One unary call: what came, or how it failed, and the trailers. */
const call = (name, request = Buffer.from('x'), metadata = known(), options = {}) => new Promise((resolve) => {
  let trailers;
  const running = client[name](request, metadata, options, (error, value) => setImmediate(() => resolve({ error, value, trailers })));
  running.on('status', (status) => { trailers = status.metadata; });
});

test('a unary call comes back with its trailers', async () => {
  const { error, value, trailers } = await call('unary', Buffer.from('hello'));
  assert.equal(error, null);
  assert.equal(value.toString(), 'hello');
  assert.deepEqual(trailers.get('x-trailer'), ['behind']);
});

test('an error comes back with its code and its words', async () => {
  const { error } = await call('fails');
  assert.deepEqual([error.code, error.details], [grpc.status.FAILED_PRECONDITION, 'not today: é']);
});

test('the service learns who calls, and never the token', async () => {
  const { value } = await call('who', Buffer.from(''), known({ 'x-sidegate-customer': 'forged', 'x-mine': 'kept' }));
  const seen = JSON.parse(value);
  assert.deepEqual([seen['x-sidegate-customer'], seen['x-mine'], seen[tokenHeader]], ['Ann', 'kept', undefined]);
});

test('without a token a call is UNAUTHENTICATED', async () => {
  const { error } = await call('unary', Buffer.from('x'), new grpc.Metadata());
  assert.equal(error.code, grpc.status.UNAUTHENTICATED);
});

test('large messages arrive byte for byte', async () => {
  for (const size of [0, 1, 16_384, 65_535, 3 * MIB + 1]) {
    const { error, value } = await call('unary', pattern(size));
    assert.equal(error, null);
    assert.equal(sha256(value), sha256(pattern(size)), `${size} bytes`);
  }
});

test('a conversation goes to and fro: each word is answered before the next is said', async () => {
  const chat = client.chat(known());
  const answers = chat[Symbol.asyncIterator]();
  for (let turn = 0; turn < scale(100, 1_000); turn += 1) {
    chat.write(Buffer.from(`turn ${turn}`));
    assert.equal((await answers.next()).value.toString(), `turn ${turn}`);
  }
  chat.end();
  assert.equal((await answers.next()).done, true);
});

test('streams one way and the other arrive whole', async () => {
  const count = scale(1_000, 20_000);
  const received = await new Promise((resolve, reject) => {
    const stream = client.collect(known(), (error, value) => (error ? reject(error) : resolve(value.toString())));
    for (let i = 0; i < count; i += 1) stream.write(Buffer.from(`${i}`));
    stream.end();
  });
  assert.equal(received, `${count}`);
  let seen = 0;
  for await (const value of client.repeat(Buffer.from(`${count}`), known())) { assert.equal(value.toString(), `${seen}`); seen += 1; }
  assert.equal(seen, count);
});

test('a deadline and a cancellation reach the service', async () => {
  const { error } = await call('never', Buffer.from('x'), known(), { deadline: Date.now() + 300 });
  assert.equal(error.code, grpc.status.DEADLINE_EXCEEDED);
  await eventually('the service was told of the deadline', () => cancelled === 1);
  const running = client.never(Buffer.from('x'), known(), () => {});
  await eventually('the call has arrived', async () => await metric(gate, 'http_server_active_requests', 'door="inbound"') > 0);
  running.cancel();
  await eventually('the service was told of the cancellation', () => cancelled === 2);
});

test('many calls at once on one connection, each with its own answer', async (t) => {
  await inParallel(scale(2_000, 50_000), 100, async (index) => {
    const { error, value } = await call('unary', Buffer.from(`call ${index}`));
    assert.equal(error, null);
    assert.equal(value.toString(), `call ${index}`);
  });
  await eventually('nothing is in flight', async () => await metric(gate, 'http_server_active_requests', 'door="inbound"') === 0);
  tell(t, `peak ${memory(gate).peak} KiB`);
  assert(memory(gate).peak <= bar);
});
