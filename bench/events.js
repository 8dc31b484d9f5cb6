// @ts-check
// node bench/events.js [sends] [rounds]
// The processor time of a send with three webhook endpoints and ten stream clients beside that of one with none, on WODB,
// by built servers in turn; and how much of it is the bare HTTP requests, by Node's client without anything else.
import { execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { get } from 'node:http';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { BuiltServer } from './built-server.js';
import { ensureBuilt } from './ensure-built.js';
import { cpuMicros, idle, median } from './rounds.js';

const run = promisify(execFile);
const here = (/** @type {string} */ name) => fileURLToPath(new URL(name, import.meta.url));

const ENDPOINTS = 3;
const STREAMS = 10;
/** Of a send that arrives on the virtual phone: created, queued, sent, delivered, read. */
const EVENTS_A_SEND = 5;

const [sends, rounds] = [Number(process.argv[2] ?? 4_000), Number(process.argv[3] ?? 5)];
if (![sends, rounds].every((count) => Number.isInteger(count) && count > 0)) {
  process.stderr.write('Usage: node bench/events.js [sends] [rounds]\n');
  process.exit(2);
}

/** What stands beside the sends of each server. */
const SETUPS = {
  none: { endpoints: 0, streams: 0, events: '*' },
  streams: { endpoints: 0, streams: STREAMS, events: '*' },
  'webhooks of otp.*': { endpoints: ENDPOINTS, streams: 0, events: 'otp.*' },
  webhooks: { endpoints: ENDPOINTS, streams: 0, events: '*' },
  'webhooks and streams': { endpoints: ENDPOINTS, streams: STREAMS, events: '*' },
};

await ensureBuilt();
const folder = mkdtempSync(join(tmpdir(), 'wotp-events-'));
const secrets = { masterKey: randomBytes(32).toString('hex'), password: randomBytes(16).toString('hex') };
const receiver = spawn(process.execPath, [here('events-receiver.js')], {
  stdio: ['ignore', 'pipe', 'inherit'],
});
const [target] = await once(createInterface({ input: receiver.stdout }), 'line');
/** @type {BuiltServer[]} */
const servers = [];
/** @type {Record<string, number[]>} */
const costs = {};

/** @param {string} name @param {{ endpoints: number, streams: number, events: string }} setup */
async function start(name, { endpoints, streams, events }) {
  const dir = join(folder, name);
  mkdirSync(dir);
  const server = await BuiltServer.start(dir, secrets, '', { WEBHOOK_ALLOWED_ADDRESSES: '127.0.0.1' });
  servers.push(server);
  for (let index = 0; index < endpoints; index++) {
    const body = { url: `${target}/${index}`, events: [events] };
    const { status } = await server.callAsAdmin('POST', 'webhooks', body);
    if (status !== 201) throw new Error(`The endpoint was not created: ${status}`);
  }
  for (let index = 0; index < streams; index++) {
    const headers = { authorization: `Bearer ${server.apiKey}` };
    const stream = get(`${server.address}/api/v1/events/stream`, { headers, agent: false });
    const [answer] = await once(stream, 'response');
    answer.resume().on('error', () => {});
    stream.on('error', () => {});
  }
  return server;
}

try {
  const setups = Object.entries(SETUPS);
  const started = await Promise.all(setups.map(([name, setup]) => start(name, setup)));
  const running = setups.map(([name], index) => ({
    name,
    server: /** @type {BuiltServer} */ (started[index]),
  }));
  let first = 0;
  for (let round = 0; round <= rounds; round++) {
    for (const { name, server } of running) {
      await idle(server);
      process.stderr.write(`  round ${round} of ${rounds}: ${name}                    \r`);
      const before = cpuMicros(server.pid);
      const load = { url: `${server.address}/api/v1/otp/send`, key: server.apiKey, first, count: sends };
      const { stdout } = await run(process.execPath, [here('load.js'), JSON.stringify(load)]);
      const { ok, done } = JSON.parse(stdout);
      if (ok !== done) throw new Error(`not every send succeeded: ${ok} of ${done}`);
      await idle(server);
      const cost = (cpuMicros(server.pid) - before) / sends;
      if (round > 0) costs[name] = [...(costs[name] ?? []), cost];
    }
    first += sends;
  }
  const none = costs.none ?? [];
  for (const [name, own] of Object.entries(costs)) {
    const ratio = median(own.map((cost, round) => cost / (none[round] ?? Number.NaN)));
    console.log(`${name}: ${Math.round(median(own))} µs a send, ${ratio.toFixed(2)} of none`);
  }
  const posts = ENDPOINTS * EVENTS_A_SEND;
  const { stdout } = await run(process.execPath, [here('events-floor.js'), String(target), '30000']);
  const floor = Number(stdout);
  console.log(
    `${posts} bare keep-alive requests of node:http: ${Math.round(posts * floor)} µs, ${((posts * floor) / median(none)).toFixed(2)} of a send`,
  );
  console.log(
    `load average ${loadavg()
      .map((value) => value.toFixed(1))
      .join(' ')}`,
  );
} finally {
  for (const server of servers) await server.kill();
  receiver.kill();
  rmSync(folder, { recursive: true, force: true });
}
