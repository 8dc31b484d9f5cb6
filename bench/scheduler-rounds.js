// @ts-check
import assert from 'node:assert/strict';
import { randomBytes, randomInt } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BuiltServer } from './built-server.js';
import { inParallel, openFile } from './crash-rounds.js';
import { ensureBuilt } from './ensure-built.js';
import { LocalPostgres, runOn } from './local-postgres.js';

/** The time is chosen so that all are stored before it: by how long the first tenth takes, and much more than that. */
const MEASURED_SHARE = 0.1;
const LEAD = { times: 2.5, atLeastMs: 3_000 };
const LATER_MS = 3_600_000;
/** How soon all have to have fired after their time, in ms. */
const FIRED_IN_MS = 30_000;
/** At which shares of all that has fired a process is killed, at random between these. */
const KILLS = [
  [0.05, 0.35],
  [0.45, 0.85],
];
const LOOK_MS = 10;

const pause = (/** @type {number} */ ms) => new Promise((resolve) => setTimeout(resolve, ms));

/**
 * Schedules `count` codes for one second on the built server, kills it twice while they fire, and looks whether each has
 * fired once: one verification, one message. On PostgreSQL with two processes, of which each is killed once. Throws an
 * AssertionError where a promise is broken. Resolves to how long all took after their time, in ms.
 * @param {{ count: number, engine: 'wodb' | 'postgres', say: (line: string) => void }} options
 */
export async function runSchedulerRound({ count, engine, say }) {
  await ensureBuilt();
  const dir = mkdtempSync(join(tmpdir(), 'wotp-scheduler-'));
  const postgres = engine === 'postgres' ? await LocalPostgres.start({ fsync: true }) : undefined;
  const url = await postgres?.createDatabase();
  const cluster = new Cluster(dir, url);
  try {
    return await cluster.run(count, say);
  } finally {
    await cluster.end();
    await postgres?.remove();
    rmSync(dir, { recursive: true, force: true });
  }
}

/** The server, or the two that share a PostgreSQL. */
class Cluster {
  #dir;
  #url;
  #secrets = { masterKey: randomBytes(32).toString('hex'), password: randomBytes(16).toString('hex') };
  /** @type {BuiltServer[]} */
  #nodes = [];

  /** @param {string} dir @param {string | undefined} url of the PostgreSQL database */
  constructor(dir, url) {
    this.#dir = dir;
    this.#url = url;
  }

  async end() {
    await Promise.all(this.#nodes.map((node) => node.kill()));
  }

  /** @param {number} index */
  async #startNode(index) {
    const dir = join(this.#dir, `node-${index}`);
    mkdirSync(dir, { recursive: true });
    /** @type {Record<string, string>} */
    const settings = this.#url === undefined ? {} : { DATABASE_URL: this.#url };
    const apiKey = this.#nodes.find((node) => node.apiKey !== '')?.apiKey;
    this.#nodes[index] = await BuiltServer.start(dir, this.#secrets, apiKey, settings);
  }

  /** @param {number} i */
  #node(i = 0) {
    return /** @type {BuiltServer} */ (this.#nodes[i % this.#nodes.length]);
  }

  /** @param {number} count @param {(line: string) => void} say */
  async run(count, say) {
    await this.#startNode(0);
    if (this.#url !== undefined) await this.#startNode(1);
    const { ids, dueAt } = await this.#schedule(count);
    say(`${count} scheduled for ${new Date(dueAt).toISOString()}, ${dueAt - Date.now()} ms ahead`);
    await this.#killWhileFiring(ids, say);
    await this.#allFired(ids, dueAt);
    const took = await this.#holds(ids, dueAt);
    say(`all ${count} fired once, the last one ${(took / 1000).toFixed(1)} s after their time`);
    return took;
  }

  /** @param {number} count */
  async #schedule(count) {
    const phones = Array.from({ length: count }, (_, i) => `+62838${30_000_000 + i}`);
    const store = (/** @type {string[]} */ some, /** @type {number} */ time) =>
      inParallel(some, async (phone) => {
        const wanted = { phone, scheduledTime: new Date(time).toISOString() };
        const answer = await this.#node(Number(phone.at(-1))).call('POST', 'scheduler/schedule', wanted);
        assert.equal(answer.status, 201, JSON.stringify(answer.body));
        return answer.body.data.id;
      });
    const begun = Date.now();
    const measured = await store(phones.slice(0, count * MEASURED_SHARE), begun + LATER_MS);
    const expectedMs = (Date.now() - begun) / MEASURED_SHARE;
    const dueAt = Math.ceil((Date.now() + LEAD.atLeastMs + LEAD.times * expectedMs) / 1000) * 1000;
    const scheduledTime = new Date(dueAt).toISOString();
    await inParallel(measured, async (id) => {
      const { status, body } = await this.#node().call('PUT', `scheduler/${id}`, { scheduledTime });
      assert.equal(status, 200, JSON.stringify(body));
    });
    return { ids: [...measured, ...(await store(phones.slice(measured.length), dueAt))], dueAt };
  }

  /** @param {string[]} ids @param {(line: string) => void} say */
  async #killWhileFiring(ids, say) {
    for (const [i, [from = 0, to = 1]] of KILLS.entries()) {
      const mark = Math.floor((randomInt(1_000) / 1_000) * (to - from) * ids.length + from * ids.length);
      const victim = i % this.#nodes.length;
      // What is due together fires about in the order in which it was stored.
      while ((await this.#statusOf(ids[mark])) === 'pending') await pause(LOOK_MS);
      await this.#node(victim).kill();
      say(`process ${victim} killed when about ${mark} had fired`);
      await this.#startNode(victim);
    }
  }

  /** @param {string | undefined} id */
  async #statusOf(id) {
    const { body } = await this.#node().call('GET', `scheduler/${id}`);
    return body.data.status;
  }

  /** @param {string[]} ids @param {number} dueAt */
  async #allFired(ids, dueAt) {
    for (;;) {
      const { body } = await this.#node().call('GET', 'scheduler/list?status=pending&limit=1');
      if (body.data.length === 0) return;
      assert.ok(Date.now() - dueAt < 4 * FIRED_IN_MS, `some of ${ids.length} have not fired`);
      await pause(LOOK_MS);
    }
  }

  /** What has to be true of all that were scheduled; resolves to how late the last one was, in ms. @param {string[]} ids @param {number} dueAt */
  async #holds(ids, dueAt) {
    const states = await inParallel(ids, async (id) => {
      const { body } = await this.#node().call('GET', `scheduler/${id}`);
      return body.data;
    });
    for (const { id, status, reason } of states) assert.equal(status, 'fired', `${id}: ${reason}`);
    assert.equal(new Set(states.map(({ verificationId }) => verificationId)).size, ids.length);
    for (const node of this.#nodes) await node.stop();
    const counts = await this.#stored();
    const each = { verifications: ids.length, phones: ids.length, messages: ids.length, events: ids.length };
    assert.deepEqual(counts, each);
    return Math.max(...states.map(({ endedAt }) => Date.parse(endedAt))) - dueAt;
  }

  /** What the database of the stopped servers holds. */
  async #stored() {
    const sql = `select (select count(*) from verifications) as verifications,
      (select count(distinct phone) from verifications) as phones,
      (select count(*) from messages) as messages,
      (select count(*) from events where type = 'schedule.fired') as events`;
    if (this.#url !== undefined) {
      const [row] = await runOn(this.#url, sql);
      return Object.fromEntries(Object.entries(row).map(([name, value]) => [name, Number(value)]));
    }
    const sqlite = openFile(join(this.#dir, 'node-0', 'wotp.wodb'), this.#secrets.masterKey);
    try {
      return { .../** @type {object} */ (sqlite.prepare(sql).get()) };
    } finally {
      sqlite.close();
    }
  }
}
