// @ts-check
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { BuiltServer } from './built-server.js';
import { inParallel, openFile } from './crash-rounds.js';
import { ensureBuilt } from './ensure-built.js';
import { LocalPostgres, runOn } from './local-postgres.js';

/** How often it is looked how far the jobs are, in ms. */
const LOOK_MS = 50;
/** Between two single sends, and between two looks whether one has arrived, in ms. */
const SINGLE_EVERY_MS = 100;
const ARRIVAL_LOOK_MS = 10;
const SINGLE_PATIENCE_MS = 30_000;
/** So much longer than it ought to take, everything may take on a busy machine, in ms. */
const PATIENCE_MS = 15 * 60_000;
const RECEIPTS_MS = 2_000;
/** A canceled job has to have stopped by then, in ms. */
const CANCEL_MAX_MS = 2_000;
const TEMPLATES = ['Hello {{name}}, the shop is open.', 'Hello {{name}}, your code is {{code}}.'];

/**
 * @typedef {object} Options
 * @property {'wodb' | 'postgres'} engine one process on WODB, two on PostgreSQL
 * @property {number} jobs bulk jobs that are sent at once, plain texts and codes by turns
 * @property {number} recipients of each of them
 * @property {number} kills of one process, spread over the time that the jobs take
 * @property {number} [cancel] recipients of one more job, which is canceled in the middle
 * @property {number} [warmUp] single sends before the jobs
 * @property {(line: string) => void} say
 */

/**
 * Sends bulk jobs to the virtual phone, kills a process (of two on PostgreSQL, one of them) again and again meanwhile, and
 * counts at the end: each recipient has exactly one message. Throws an AssertionError where one has none or two.
 * @param {Options} options
 */
export async function runBulkRounds({ engine, jobs, recipients, kills, cancel = 0, warmUp = 0, say }) {
  await ensureBuilt();
  const dir = mkdtempSync(join(tmpdir(), 'wotp-bulk-'));
  const postgres = engine === 'postgres' ? await LocalPostgres.start({ fsync: true }) : undefined;
  const url = await postgres?.createDatabase();
  const run = new Run(dir, url);
  try {
    await run.start();
    await run.warmUp(warmUp);
    const singles = run.sendSingles();
    const begun = performance.now();
    await run.sendJobs(jobs, recipients);
    const accepted = performance.now();
    for (let kill = 1; kill <= kills; kill++) {
      await run.reaches((jobs * recipients * kill) / (kills + 1));
      await run.kill();
    }
    await run.reaches(jobs * recipients);
    const seconds = (performance.now() - accepted) / 1000;
    const latencies = await singles();
    const { fresh, warm, most } = run.memory;
    const canceled = cancel > 0 ? await run.cancelOne(cancel) : undefined;
    // The virtual phone reads a message after a second.
    await pause(RECEIPTS_MS);
    await run.stop();
    await run.eachOnce(jobs * recipients);
    say(
      [
        `${engine}: ${jobs} jobs of ${recipients} accepted in ${((accepted - begun) / 1000).toFixed(1)} s`,
        `sent in ${seconds.toFixed(1)} s with ${kills} kills (${Math.round((jobs * recipients) / seconds)} a second)`,
        'each recipient exactly once',
        `memory ${megabytes(fresh)} MB after the start, ${megabytes(warm)} MB after ${warmUp} sends, ${megabytes(most)} MB at most`,
        ...(canceled ? [canceled] : []),
        `${latencies.length} single codes meanwhile, p50 ${percentile(latencies, 0.5)} ms, p99 ${percentile(latencies, 0.99)} ms`,
      ].join(' · '),
    );
  } catch (error) {
    say(`The data folder is kept: ${dir}`);
    throw error;
  } finally {
    await run.end();
    await postgres?.remove();
  }
  rmSync(dir, { recursive: true, force: true });
}

/** Servers over one database, and what they are asked. */
class Run {
  #dir;
  #url;
  #secrets = { masterKey: randomBytes(32).toString('hex'), password: randomBytes(16).toString('hex') };
  /** @type {BuiltServer[]} */
  #nodes = [];
  /** @type {string[]} */
  #jobs = [];
  #kills = 0;
  #isOver = false;
  #phones = 0;
  /** Resident memory of the process that has most, in bytes. */
  memory = { fresh: 0, warm: 0, most: 0 };

  /** @param {string} dir @param {string | undefined} url of a PostgreSQL database */
  constructor(dir, url) {
    this.#dir = dir;
    this.#url = url;
  }

  async start() {
    for (let node = 0; node < (this.#url === undefined ? 1 : 2); node++) {
      this.#nodes[node] = await this.#startNode(node);
    }
  }

  /** @param {number} node */
  #startNode(node) {
    const dir = join(this.#dir, `node-${node}`);
    mkdirSync(dir, { recursive: true });
    const apiKey = this.#nodes.find((each) => each)?.apiKey ?? '';
    return BuiltServer.start(
      dir,
      this.#secrets,
      apiKey,
      this.#url === undefined ? {} : { DATABASE_URL: this.#url },
    );
  }

  /** Ends whatever still runs. */
  async end() {
    this.#isOver = true;
    await Promise.all(this.#nodes.map((node) => node.kill()));
  }

  async stop() {
    for (const node of this.#nodes) await node.stop();
  }

  /** The node that is never killed on PostgreSQL, and the only one on WODB. */
  get #node() {
    return /** @type {BuiltServer} */ (this.#nodes[0]);
  }

  /** @param {number} jobs @param {number} recipients */
  async sendJobs(jobs, recipients) {
    const sends = Array.from({ length: jobs }, async (_, job) => {
      const rows = Array.from(
        { length: recipients },
        (_row, i) => `+62838${10_000_000 + job * recipients + i},Ayu ${i}`,
      );
      const query = new URLSearchParams({ template: /** @type {string} */ (TEMPLATES[job % 2]) });
      const { status, body } = await this.#node.upload(
        `bulk/send?${query}`,
        'text/csv',
        `phone,name\n${rows.join('\n')}\n`,
      );
      assert.equal(status, 202, JSON.stringify(body));
      assert.equal(body.data.total, recipients);
      this.#jobs.push(body.data.bulkId);
    });
    await Promise.all(sends);
  }

  /**
   * Cancels a job when a tenth of it is done, and holds what it says of its recipients against the virtual phones. Resolves
   * to the words that tell of it. @param {number} recipients
   */
  async cancelOne(recipients) {
    const rows = Array.from({ length: recipients }, (_, i) => `+62839${10_000_000 + i},Ayu`);
    const query = new URLSearchParams({ template: /** @type {string} */ (TEMPLATES[0]) });
    const file = `phone,name\n${rows.join('\n')}\n`;
    const { body: accepted } = await this.#node.upload(`bulk/send?${query}`, 'text/csv', file);
    const id = accepted.data.bulkId;
    const jobs = this.#jobs;
    this.#jobs = [id];
    await this.reaches(recipients / 10);
    const begun = performance.now();
    const { status, body } = await this.#node.call('POST', `bulk/${id}/cancel`);
    const took = performance.now() - begun;
    assert.equal(status, 200, JSON.stringify(body));
    let job = body.data;
    while (job.completedAt === null) {
      await pause(LOOK_MS);
      job = (await this.#node.call('GET', `bulk/status/${id}`)).body.data;
    }
    this.#jobs = jobs;
    assert.equal(job.successful + job.canceled, recipients, JSON.stringify(job));
    const arrived = new Set();
    for (let cursor = ''; ; ) {
      const path = `simulator/messages?limit=200${cursor}`;
      const { body: page } = await this.#node.callAsAdmin('GET', path);
      for (const { to } of page.data) if (to.startsWith('+62839')) arrived.add(to);
      if (page.page.next === null || arrived.size === job.successful) break;
      cursor = `&cursor=${page.page.next}`;
    }
    for (let cursor = '0'; cursor !== null; ) {
      const { body: page } = await this.#node.call('GET', `bulk/${id}/results?limit=200&cursor=${cursor}`);
      for (const { phone, status: state } of page.data) {
        assert.equal(arrived.has(phone), state !== 'canceled', `${phone} is said to be ${state}`);
      }
      cursor = page.page.next;
    }
    assert.ok(took < CANCEL_MAX_MS, `canceling took ${Math.round(took)} ms`);
    return `a job of ${recipients} canceled in ${Math.round(took)} ms: ${job.successful} reached, ${job.canceled} not, each as the results say`;
  }

  /**
   * Node compiles what it has seen often enough, and caches fill: a server of yesterday has the memory for that already.
   * @param {number} sends
   */
  async warmUp(sends) {
    this.memory.fresh = this.#resident();
    for (const node of this.#nodes) {
      const phones = Array.from({ length: sends }, () => this.#newPhone());
      await inParallel(phones, (phone) => node.call('POST', 'otp/send', { phone }));
    }
    this.memory.warm = this.#resident();
  }

  /** Of the process that has most, in bytes. */
  #resident() {
    return Math.max(...this.#nodes.map(({ pid }) => residentOf(pid)));
  }

  /** Waits until so many recipients of all jobs are done. @param {number} wanted */
  async reaches(wanted) {
    const deadline = performance.now() + PATIENCE_MS;
    for (;;) {
      assert.ok(performance.now() < deadline, `the jobs did not reach ${wanted} recipients`);
      let done = 0;
      for (const id of this.#jobs) {
        const { status, body } = await this.#node.call('GET', `bulk/status/${id}`);
        assert.equal(status, 200, JSON.stringify(body));
        done += body.data.processed;
        assert.equal(body.data.failed, 0, JSON.stringify(body.data));
      }
      this.memory.most = Math.max(this.memory.most, this.#resident());
      if (done >= wanted) return;
      if (this.#url !== undefined) {
        // A dead node's claims are free when their lease ends; nobody has to watch that minute.
        await runOn(
          this.#url,
          `update messages set due_at = 0 where status = 'sending' and due_at < ${Date.now() + 50_000}`,
        );
      }
      await pause(LOOK_MS);
    }
  }

  /** Kills a process and starts another in its place: the second one on PostgreSQL. */
  async kill() {
    const node = this.#nodes.length - 1;
    this.#kills += 1;
    await this.#nodes[node]?.kill();
    this.#nodes[node] = await this.#startNode(node);
    this.#kills += 1;
  }

  #newPhone() {
    return `+62812${20_000_000 + this.#phones++}`;
  }

  /**
   * Sends single codes one after another and watches each arrive, until what it returns is called: that resolves to how
   * long they took in ms, but for those during which a process was killed.
   */
  sendSingles() {
    /** @type {number[]} */
    const latencies = [];
    let isEnough = false;
    const loop = async () => {
      while (!isEnough && !this.#isOver) {
        const kills = this.#kills;
        const begun = performance.now();
        const took = await this.#single(begun).catch(() => undefined);
        if (took !== undefined && kills === this.#kills && kills % 2 === 0) latencies.push(took);
        await pause(SINGLE_EVERY_MS);
      }
    };
    const ended = loop();
    return async () => {
      isEnough = true;
      await ended;
      return latencies.sort((a, b) => a - b);
    };
  }

  /** @param {number} begun */
  async #single(begun) {
    const phone = this.#newPhone();
    const { status } = await this.#node.call('POST', 'otp/send', { phone });
    assert.equal(status, 201);
    while (performance.now() < begun + SINGLE_PATIENCE_MS) {
      const { body } = await this.#node.callAsAdmin('GET', `simulator/messages?to=${phone.slice(1)}`);
      if (body.data?.length > 0) return performance.now() - begun;
      await pause(ARRIVAL_LOOK_MS);
    }
    return SINGLE_PATIENCE_MS;
  }

  /** Looks into the database of the stopped servers. @param {number} recipients */
  async eachOnce(recipients) {
    const messages = `select address from messages where lane = 2 and address like '+62838%' group by address`;
    const arrived = `select address from simulator_messages where address like '+62838%' group by address`;
    for (const [what, each] of [
      ['stored', messages],
      ['on the virtual phone', arrived],
    ]) {
      assert.equal(await this.#count(each), recipients, `not every message is ${what}`);
      assert.equal(
        await this.#count(`${each} having count(*) > 1`),
        0,
        `a recipient has two messages ${what}`,
      );
    }
  }

  /** @param {string | undefined} query @returns {Promise<number>} */
  async #count(query) {
    const counted = `select count(*) as count from (${query}) as each_one`;
    if (this.#url !== undefined) return Number((await runOn(this.#url, counted))[0]?.count);
    const sqlite = openFile(join(this.#dir, 'node-0', 'wotp.wodb'), this.#secrets.masterKey);
    try {
      return Number(sqlite.prepare(counted).pluck().get());
    } finally {
      sqlite.close();
    }
  }
}

/** Resident memory of a process in bytes; 0 where the system does not tell. @param {number | undefined} pid */
function residentOf(pid) {
  const path = `/proc/${pid}/status`;
  if (!existsSync(path)) return 0;
  return Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(path, 'utf8'))?.[1] ?? 0) * 1024;
}

const megabytes = (/** @type {number} */ bytes) => Math.round(bytes / 1_000_000);

/** @param {number[]} sorted @param {number} share */
function percentile(sorted, share) {
  return Math.round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0);
}
