// An end while many are asking: what is in flight is answered, and what the orchestrator sends next finds a clean end.
import assert from 'node:assert/strict';
import http from 'node:http';
import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { test } from 'node:test';
import { api, asCustomer, eventually, gateBefore, scale, tell } from './support.mjs';

/** Callers on kept connections until the gate refuses. A request is lost if it was sent and got no whole answer, unless its connection had been closed before. */
class Callers {
  constructor(url, count) {
    Object.assign(this, { url, answered: 0, lost: [], haveEnough: false });
    this.agent = new http.Agent({ keepAlive: true });
    this.lanes = Promise.all(Array.from({ length: count }, (_, lane) => this.#lane(lane)));
  }

  async #lane(lane) {
    while (!this.haveEnough) {
      const outcome = await this.#ask(`${this.url}/?lane=${lane}`);
      if (outcome === 'refused') return;
      if (outcome === 'answered') this.answered += 1; else if (outcome !== 'unused') this.lost.push(outcome);
    }
  }

  #ask(url) {
    return new Promise((resolve) => {
      const request = http.get(url, { headers: asCustomer(), agent: this.agent }, (response) => {
        let length = 0;
        response.on('data', (chunk) => { length += chunk.length; });
        response.on('end', () => resolve(response.statusCode === 200 && length === 1000 ? 'answered' : `${response.statusCode} with ${length} bytes`));
        response.on('error', (error) => resolve(`cut: ${error.code}`));
      });
      request.on('error', (error) => {
        if (error.code === 'ECONNREFUSED') return resolve('refused');
        // A kept connection that was closed while idle: HTTP tells the client to try anew, and nothing was done.
        return resolve(request.reusedSocket && error.code === 'ECONNRESET' ? 'unused' : `lost: ${error.code}`);
      });
    });
  }
}

/** Answers in two halves, so that most requests are in flight at any moment; remembers which it took. */
const halves = () => {
  const taken = { count: 0, finished: 0 };
  const answer = async (request, response) => {
    taken.count += 1;
    await pause(20);
    response.writeHead(200, { 'content-length': 1000 });
    response.write('x'.repeat(500));
    await pause(20);
    response.end('y'.repeat(500), () => { taken.finished += 1; });
  };
  return { taken, answer };
};

test('a SIGTERM under load drops no request that was in flight', async (t) => {
  const rounds = scale(3, 20);
  let answered = 0;
  for (let round = 0; round < rounds; round += 1) {
    const { taken, answer } = halves();
    const origin = await api(t, answer);
    const gate = await gateBefore(t, origin.url);
    const callers = new Callers(gate.inbound, 64);
    await eventually('the load is on', () => callers.answered > 200);
    gate.child.kill('SIGTERM');
    assert.deepEqual(await gate.exited, { code: 0, signal: null });
    await callers.lanes;
    assert.deepEqual(callers.lost, [], `round ${round}`);
    // What the API was asked for came back whole: nothing was taken and then dropped.
    assert.equal(callers.answered, taken.count);
    answered += callers.answered;
    origin.close();
  }
  tell(t, `${answered} answers over ${rounds} stops`);
});

test('while it waits to stop, readiness fails and new callers are still served; a second signal ends the waiting', async (t) => {
  const { answer } = halves();
  const origin = await api(t, answer);
  const gate = await gateBefore(t, origin.url, { delay: '10m' });
  const readiness = async () => (await fetch(`${gate.listeners.health}/readyz`)).status;
  await eventually('it is ready', async () => await readiness() === 200);
  gate.child.kill('SIGTERM');
  await eventually('readiness fails', async () => await readiness() === 503);
  const callers = new Callers(gate.inbound, 8);
  await eventually('new callers are served', () => callers.answered > 50);
  callers.haveEnough = true;
  await callers.lanes;
  assert.deepEqual(callers.lost, []);
  gate.child.kill('SIGTERM');
  assert.deepEqual(await gate.exited, { code: 0, signal: null });
});

test('a kill -9 is nobody\'s second chance: the next start takes the same port at once', async (t) => {
  const { answer } = halves();
  const origin = await api(t, answer);
  const first = await gateBefore(t, origin.url);
  const callers = new Callers(first.inbound, 16);
  await eventually('the load is on', () => callers.answered > 50);
  first.child.kill('SIGKILL');
  await first.exited;
  await callers.lanes;
  const { port } = new URL(first.inbound);
  const second = await gateBefore(t, origin.url, { port });
  const [response] = await once(http.get(second.inbound, { headers: asCustomer() }), 'response');
  assert.equal(response.statusCode, 200);
  response.resume();
});
