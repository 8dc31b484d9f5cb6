// @ts-check
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Webhook } from 'standardwebhooks';
import { BuiltServer } from './built-server.js';
import { ensureBuilt } from './ensure-built.js';
import { LocalPostgres, runOn } from './local-postgres.js';

const SENDERS = 8;
/** What the flaky endpoint does with a request. */
const FAILS = 0.3;
const HANGS = 0.05;
/** Something is wrong when a state is not reached within this time, in ms. */
const PATIENCE_MS = 600_000;
/** Events from so long before a kill to so long after the restart are no measure of the latency, in ms. */
const AROUND_KILL_MS = 2_500;
/** Clocks of two nodes differ by so much at most, in ms. */
const CLOCKS_APART_MS = 50;

/** @typedef {{ type: string, timestamp: string, data: { id?: string } }} Payload */

/**
 * Sends codes while servers are killed, with three webhook endpoints: one that fails and hangs at random, a healthy one and a
 * dead one. In the end every event has to have arrived at the first two, signed, under one id and in the order of its
 * verification. Throws an AssertionError at the first promise that is broken.
 * @param {{ engine: 'wodb' | 'postgres', sends: number, kills: number, perSecond?: number, waitForLeases: boolean,
 *   say: (line: string) => void }} options perSecond: about how many sends a second, 80 unless given
 *   waitForLeases: on PostgreSQL, whether to wait the minute until claims of the dead are free
 */
export async function runWebhookCrashRounds({ engine, sends, kills, perSecond = 80, waitForLeases, say }) {
  await ensureBuilt();
  const dir = mkdtempSync(join(tmpdir(), 'wotp-webhooks-'));
  const postgres = engine === 'postgres' ? await LocalPostgres.start({ fsync: true }) : undefined;
  const url = await postgres?.createDatabase();
  const secrets = { masterKey: randomBytes(32).toString('hex'), password: randomBytes(16).toString('hex') };
  const receivers = [
    await Receiver.start('flaky'),
    await Receiver.start('healthy'),
    await Receiver.start('dead'),
  ];
  /** @type {BuiltServer[]} */
  const nodes = [];
  let apiKey = '';
  const startNode = async (/** @type {number} */ index) => {
    const folder = join(dir, `node-${index}`);
    mkdirSync(folder, { recursive: true });
    const node = await BuiltServer.start(folder, secrets, apiKey, {
      WEBHOOK_ALLOWED_ADDRESSES: '127.0.0.1',
      WEBHOOK_RETRY_SECONDS: `0${',1'.repeat(19)}`,
      SIMULATOR_READ_MS: '500',
      // No code expires while what arrived is compared with what the server lists.
      OTP_EXPIRY_MINUTES: '60',
      OTP_MAX_EXPIRY_MINUTES: '60',
      ...(url !== undefined && { DATABASE_URL: url }),
    });
    apiKey = node.apiKey;
    nodes[index] = node;
  };
  try {
    for (let index = 0; index < (postgres ? 2 : 1); index++) await startNode(index);
    const first = /** @type {BuiltServer} */ (nodes[0]);
    for (const receiver of receivers) await receiver.register(first);

    /** @type {string[]} */
    const ids = [];
    /** @type {[from: number, to: number][]} */
    const windows = [];
    let phones = 0;
    let killed = 0;
    /** @type {Promise<void> | undefined} */
    let killing;
    const kill = async () => {
      const victim = killed++ % nodes.length;
      const from = Date.now();
      await /** @type {BuiltServer} */ (nodes[victim]).kill();
      if (url !== undefined && !waitForLeases) {
        await runOn(url, 'update webhook_deliveries set due_at = 0 where sending = 1');
        await runOn(url, `update messages set due_at = 0 where status = 'sending'`);
      }
      await startNode(victim);
      windows.push([from - AROUND_KILL_MS, Date.now() + AROUND_KILL_MS]);
    };
    const sender = async (/** @type {number} */ index) => {
      while (ids.length < sends) {
        const node = /** @type {BuiltServer} */ (nodes[index % nodes.length]);
        const phone = `+62838${30_000_000 + phones++}`;
        const answer = await node.call('POST', 'otp/send', { phone }).catch(() => undefined);
        if (answer?.status === 201) ids.push(answer.body.data.id);
        await new Promise((resolve) => setTimeout(resolve, (SENDERS / perSecond) * 1_000));
        if (ids.length >= (sends / (kills + 1)) * (killed + 1) && killed < kills) {
          killing ??= kill().finally(() => {
            killing = undefined;
          });
        }
      }
    };
    const startedAt = performance.now();
    await Promise.all(Array.from({ length: SENDERS }, (_, index) => sender(index)));
    await killing;

    const [flaky, healthy, dead] = /** @type {[Receiver, Receiver, Receiver]} */ (receivers);
    for (const receiver of [flaky, healthy]) {
      await until(`every message is read at the ${receiver.name} endpoint`, async () =>
        ids.every((id) => receiver.typesOf(id).includes('message.read')),
      );
      await until(`nothing is pending at the ${receiver.name} endpoint`, async () => {
        const path = `webhooks/${receiver.id}/deliveries?status=pending&limit=1`;
        const { body } = await /** @type {BuiltServer} */ (nodes[0]).callAsAdmin('GET', path);
        return body.data.length === 0;
      });
      const listed = await receiver.listed(/** @type {BuiltServer} */ (nodes[0]));
      assert.ok(
        listed.every(({ status }) => status === 'delivered'),
        'a delivery failed',
      );
      assert.deepEqual(
        [...receiver.accepted.keys()].sort(),
        listed.map(({ eventId }) => eventId).sort(),
        `events at the ${receiver.name} endpoint`,
      );
      for (const id of ids) {
        const { body } = await /** @type {BuiltServer} */ (nodes[0]).callAsAdmin('GET', `otp/${id}`);
        const changes = body.data.timeline
          .filter((/** @type {{ status: string }} */ { status }) => status !== 'sending')
          .map((/** @type {{ status: string }} */ { status }) => `message.${status}`);
        assert.deepEqual(receiver.typesOf(id).sort(), ['otp.created', ...changes].sort(), `events of ${id}`);
        receiver.assertInOrder(id, nodes.length > 1 ? CLOCKS_APART_MS : 0);
      }
    }
    assert.deepEqual([...flaky.accepted.keys()].sort(), [...healthy.accepted.keys()].sort());
    const p95 = healthy.p95OutsideOf(windows);
    const again = (flaky.repeated + healthy.repeated) / (flaky.accepted.size + healthy.accepted.size);
    say(
      [
        `${ids.length} sends, ${killed} kills, ${flaky.accepted.size} events at each of two endpoints`,
        `${flaky.refused} attempts refused, ${flaky.hung} hung, ${dead.hung} at the dead endpoint`,
        `${flaky.repeated + healthy.repeated} repeated after a 2xx (${(again * 100).toFixed(2)} %)`,
        `healthy endpoint p95 ${p95} ms`,
        `${((performance.now() - startedAt) / 1000).toFixed(1)} s`,
      ].join(' · '),
    );
    assert.ok(p95 < 2_000, `the p95 of the healthy endpoint is ${p95} ms`);
    return { repeated: again, p95 };
  } finally {
    await Promise.all(nodes.map((node) => node.kill()));
    for (const receiver of receivers) receiver.stop();
    await postgres?.remove();
    rmSync(dir, { recursive: true, force: true });
  }
}

/** An endpoint on this machine, and what arrived there. */
class Receiver {
  name;
  #server;
  /** @type {Webhook | undefined} */
  #webhook;
  id = '';
  /** How often each event was answered with 2xx, by its id. @type {Map<string, number>} */
  accepted = new Map();
  /** First arrivals that were answered with 2xx, in order, by verification. @type {Map<string, Payload[]>} */
  #arrivals = new Map();
  /** @type {{ at: number, ms: number }[]} */
  #latencies = [];
  refused = 0;
  hung = 0;
  repeated = 0;

  /** @param {'flaky' | 'healthy' | 'dead'} name */
  static async start(name) {
    const receiver = new Receiver(name);
    receiver.#server.listen(0, '127.0.0.1');
    await once(receiver.#server, 'listening');
    return receiver;
  }

  /** @param {'flaky' | 'healthy' | 'dead'} name @private */
  constructor(name) {
    this.name = name;
    this.#server = createServer(async (request, response) => {
      let body = '';
      for await (const chunk of request.setEncoding('utf8')) body += chunk;
      // Verified before it is judged, so that a bad signature is never hidden.
      const headers = /** @type {Record<string, string>} */ (request.headers);
      const payload = /** @type {Payload} */ (/** @type {Webhook} */ (this.#webhook).verify(body, headers));
      const luck = Math.random();
      if (name === 'dead' || (name === 'flaky' && luck < HANGS)) {
        this.hung += 1;
        return;
      }
      if (name === 'flaky' && luck < HANGS + FAILS) {
        this.refused += 1;
        response.writeHead(500).end();
        return;
      }
      this.#accept(/** @type {string} */ (headers['webhook-id']), payload);
      response.writeHead(204).end();
    });
  }

  /** @param {string} eventId @param {Payload} payload */
  #accept(eventId, payload) {
    const times = this.accepted.get(eventId) ?? 0;
    this.accepted.set(eventId, times + 1);
    if (times > 0) {
      this.repeated += 1;
      return;
    }
    const at = Date.parse(payload.timestamp);
    this.#latencies.push({ at, ms: Date.now() - at });
    const subject = payload.data.id ?? '';
    this.#arrivals.set(subject, [...(this.#arrivals.get(subject) ?? []), payload]);
  }

  /** @param {BuiltServer} server */
  async register(server) {
    const { port } = /** @type {import('node:net').AddressInfo} */ (this.#server.address());
    const body = { url: `http://127.0.0.1:${port}/${this.name}`, events: ['otp.*', 'message.*'] };
    const answer = await server.callAsAdmin('POST', 'webhooks', body);
    assert.equal(answer.status, 201, JSON.stringify(answer.body));
    this.id = answer.body.data.id;
    this.#webhook = new Webhook(answer.body.data.secret);
  }

  /** Every delivery that the server lists. @param {BuiltServer} server @returns {Promise<{ eventId: string, status: string }[]>} */
  async listed(server) {
    const all = [];
    for (let cursor = ''; ; ) {
      const path = `webhooks/${this.id}/deliveries?limit=200${cursor}`;
      const { body } = await server.callAsAdmin('GET', path);
      all.push(...body.data);
      if (body.page.next === null) return all;
      cursor = `&cursor=${body.page.next}`;
    }
  }

  /** @param {string} id */
  typesOf(id) {
    return (this.#arrivals.get(id) ?? []).map(({ type }) => type);
  }

  /** @param {string} id @param {number} toleranceMs */
  assertInOrder(id, toleranceMs) {
    const arrivals = this.#arrivals.get(id) ?? [];
    const told = arrivals.map(({ type, timestamp }) => `${timestamp} ${type}`).join(', ');
    assert.equal(arrivals[0]?.type, 'otp.created', `out of order: ${told}`);
    arrivals.forEach(({ timestamp }, index) => {
      const before = Date.parse(arrivals[index - 1]?.timestamp ?? timestamp);
      assert.ok(Date.parse(timestamp) >= before - toleranceMs, `out of order: ${told}`);
    });
  }

  /** The 95th percentile of the latency of events outside of some times, in ms. @param {[number, number][]} windows */
  p95OutsideOf(windows) {
    const outside = this.#latencies
      .filter(({ at }) => windows.every(([from, to]) => at < from || at > to))
      .map(({ ms }) => ms)
      .sort((a, b) => a - b);
    return outside[Math.floor(outside.length * 0.95)] ?? 0;
  }

  stop() {
    this.#server.closeAllConnections();
    this.#server.close();
  }
}

/** @param {string} what @param {() => Promise<boolean>} isSo */
async function until(what, isSo) {
  const giveUpAt = Date.now() + PATIENCE_MS;
  while (!(await isSo())) {
    assert.ok(Date.now() < giveUpAt, `Waited in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}
