// @ts-check
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomBytes, randomInt, scryptSync } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import Sqlite from 'better-sqlite3-multiple-ciphers';
import { ensureBuilt } from './ensure-built.js';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const SENDERS = 32;
/** How many sends are answered before the kill, at random between these. */
const ANSWERED = { min: 20, max: 400 };
/** How many phones are asked again after the kill; the last ones, whose 30 s have not passed. */
const LIMITED = 20;
/** Something is wrong when a state is not reached within this time, in ms. */
const PATIENCE_MS = 30_000;

/**
 * @typedef {{ phone: string, id: string, messageId: string }} Send
 * @typedef {{ address: string, process: import('node:child_process').ChildProcess, exited: Promise<unknown[]> }} Server
 * @typedef {{ status: number, body: any }} Answer
 */

/**
 * Starts the built server, loads it with sends from many clients at once, kills it at a random moment, starts it again
 * and looks whether it kept its promises; all of it `rounds` times over one data folder. Throws an AssertionError
 * at the first one that is broken, and then leaves the folder for inspection.
 * @param {{ rounds: number, say: (line: string) => void }} options
 */
export async function runCrashRounds({ rounds, say }) {
  await ensureBuilt();
  const dir = mkdtempSync(join(tmpdir(), 'wotp-crash-'));
  const world = new World(dir);
  try {
    for (let round = 1; round <= rounds; round++) say(`round ${round}: ${await world.round()}`);
    say(`in all: ${await world.lookBack()}`);
  } catch (error) {
    say(`The data folder is kept: ${dir}`);
    throw error;
  } finally {
    await world.end();
  }
  rmSync(dir, { recursive: true, force: true });
}

class World {
  #dir;
  #masterKey = randomBytes(32).toString('hex');
  #password = randomBytes(16).toString('hex');
  #apiKey = '';
  #phones = 0;
  /** Every send that was ever answered with a 2xx. @type {Send[]} */
  #kept = [];
  /** @type {Server | undefined} */
  #server;

  /** @param {string} dir */
  constructor(dir) {
    this.#dir = dir;
  }

  /** One round; resolves to the line that tells of it. */
  async round() {
    const startedAt = performance.now();
    await this.#start();
    const { answered, underWay } = await this.#sendUntilKilled();
    await this.#start();
    await this.#limitsHold(answered.slice(-LIMITED));
    await inParallel(answered, (send) => this.#isStored(send));
    const expired = await this.#allArrive(answered);
    await this.#verifiesOnce(/** @type {Send} */ (answered.at(-1)));
    await this.#stop();
    const { verifications } = this.#checkFile();
    this.#kept.push(...answered);
    return [
      `killed with ${underWay} sends under way after ${answered.length} answers`,
      `all ${answered.length} stored`,
      `${answered.length - expired} arrived${expired > 0 ? `, ${expired} reported expired` : ''}`,
      'phone limits hold',
      `database ok with ${verifications} verifications`,
      `${((performance.now() - startedAt) / 1000).toFixed(1)} s`,
    ].join(' · ');
  }

  /** Looks at every send of every round once more; resolves to the line that tells of it. */
  async lookBack() {
    await this.#start();
    const times = await this.#arrivals();
    for (const { messageId } of this.#kept) {
      assert.ok((times.get(messageId) ?? 0) <= 1, `message ${messageId} arrived more than once`);
    }
    await this.#stop();
    return `${this.#kept.length} answered sends, none lost, none twice on the phone`;
  }

  /** Ends whatever still runs. */
  async end() {
    this.#server?.process.kill('SIGKILL');
    await this.#server?.exited;
  }

  async #start() {
    const child = spawn(process.execPath, [join(ROOT, 'dist', 'main.js')], {
      // Away from the repository, so that no .env in it is read.
      cwd: this.#dir,
      env: {
        PATH: process.env.PATH,
        PORT: '0',
        DATA_DIR: this.#dir,
        DB_MASTER_KEY: this.#masterKey,
        MASTER_PASSWORD: this.#password,
        RATE_LIMIT_MAX: '1000000000',
        LOG_LEVEL: 'error',
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const exited = once(child, 'exit');
    let printed = '';
    child.stderr.on('data', (text) => {
      printed += text;
    });
    const address = await new Promise((resolve, reject) => {
      createInterface({ input: child.stdout }).on('line', (line) => {
        printed += `${line}\n`;
        this.#apiKey = /API key +(wotp_[0-9a-f]{64})/.exec(line)?.[1] ?? this.#apiKey;
        const [, url] = /^ +API +(http:.*)\/api\/v1$/.exec(line) ?? [];
        // The key, where there is one, comes in the same breath as the address, a few lines on.
        if (url) setImmediate(() => resolve(url));
      });
      exited.then(() => reject(new Error(`The server did not start:\n${printed}`)));
    });
    this.#server = { address, process: child, exited };
    await until('the API key was printed', async () => this.#apiKey !== '');
  }

  /** Stops the server as an operator does, and holds it to what a clean stop is. */
  async #stop() {
    const server = /** @type {Server} */ (this.#server);
    server.process.kill('SIGTERM');
    assert.deepEqual(await server.exited, [0, null], 'a clean stop ends with 0');
    this.#server = undefined;
    assert.ok(!existsSync(join(this.#dir, 'wotp.wodb-wal')), 'a clean stop leaves no WAL');
  }

  async #sendUntilKilled() {
    const server = /** @type {Server} */ (this.#server);
    const killAfter = randomInt(ANSWERED.min, ANSWERED.max);
    /** @type {Send[]} */
    const answered = [];
    let underWay = 0;
    let underWayAtKill = -1;
    const sender = async () => {
      while (underWayAtKill < 0) {
        const phone = `+62838${30_000_000 + this.#phones++}`;
        underWay += 1;
        // A send that the kill cut off was not answered; nothing is promised of it.
        const answer = await this.#call('POST', 'otp/send', { phone }).catch(() => undefined);
        underWay -= 1;
        if (answer === undefined) continue;
        assert.equal(answer.status, 201, JSON.stringify(answer.body));
        answered.push({ phone, id: answer.body.data.id, messageId: answer.body.data.messageId });
        if (answered.length >= killAfter && underWayAtKill < 0) {
          underWayAtKill = underWay;
          server.process.kill('SIGKILL');
        }
      }
    };
    await Promise.all(Array.from({ length: SENDERS }, sender));
    await server.exited;
    this.#server = undefined;
    return { answered, underWay: underWayAtKill };
  }

  /** @param {Send[]} sends */
  async #limitsHold(sends) {
    for (const { phone } of sends) {
      const again = await this.#call('POST', 'otp/send', { phone });
      assert.equal(
        again.status,
        429,
        `${phone} was sent to before the kill and could be sent to at once after it`,
      );
      assert.equal(again.body.code, 'RATE_LIMIT_EXCEEDED');
    }
  }

  /** @param {Send} send */
  async #isStored({ id, phone, messageId }) {
    const { status, body } = await this.#call('GET', `otp/${id}`);
    assert.equal(status, 200, `the answered send ${id} is not in the database`);
    assert.equal(body.data.phone, phone);
    assert.ok(['pending', 'expired'].includes(body.data.status), `${id} is ${body.data.status}`);
    assert.ok(body.data.timeline.some((/** @type {any} */ entry) => entry.messageId === messageId));
  }

  /**
   * Waits until each message has arrived once or was reported expired; resolves to how many were.
   * @param {Send[]} sends
   */
  async #allArrive(sends) {
    const missing = new Map(sends.map((send) => [send.messageId, send]));
    await until('every message of an answered send arrived', async () => {
      for (const [messageId, times] of await this.#arrivals(sends.length)) {
        assert.equal(times, 1, `message ${messageId} arrived ${times} times`);
        missing.delete(messageId);
      }
      const states = await inParallel([...missing.values()], async ({ id }) => {
        const { body } = await this.#call('GET', `otp/${id}`);
        return body.data.messageStatus;
      });
      return states.every((state) => state === 'expired');
    });
    return missing.size;
  }

  /**
   * How often each message is on the virtual phones: all of them, or the newest.
   * @param {number} [atLeast]
   */
  async #arrivals(atLeast = Number.POSITIVE_INFINITY) {
    /** @type {Map<string, number>} */
    const times = new Map();
    let cursor = '';
    do {
      const { status, body } = await this.#call(
        'GET',
        `simulator/messages?limit=200${cursor}`,
        undefined,
        true,
      );
      assert.equal(status, 200, JSON.stringify(body));
      for (const { id } of body.data) times.set(id, (times.get(id) ?? 0) + 1);
      cursor = body.page.next === null ? '' : `&cursor=${body.page.next}`;
      // Sends that were cut off may have arrived as well, so a few more are read.
    } while (cursor !== '' && times.size < atLeast + SENDERS);
    return times;
  }

  /** @param {Send} send */
  async #verifiesOnce({ id, phone }) {
    const { body } = await this.#call('GET', `simulator/messages?to=${phone.slice(1)}`, undefined, true);
    const code = /\d{6}/.exec(body.data[0].text)?.[0];
    const right = await this.#call('POST', 'otp/verify', { id, code });
    assert.equal(right.status, 200, 'the code that arrived does not verify');
    const again = await this.#call('POST', 'otp/verify', { id, code });
    assert.equal(again.status, 404, 'the code verifies twice');
  }

  /** Opens the file as another program would, with the key alone, and looks for damage and for halves of transactions. */
  #checkFile() {
    const path = join(this.#dir, 'wotp.wodb');
    const salt = readFileSync(path).subarray(0, 16);
    const key = scryptSync(this.#masterKey, salt, 32, { N: 32_768, r: 8, p: 1, maxmem: 2 ** 26 });
    const sqlite = new Sqlite(path, { fileMustExist: true });
    try {
      sqlite.pragma(`cipher = 'sqlcipher'`);
      sqlite.pragma('legacy = 4');
      sqlite.pragma(`key = "x'${key.toString('hex')}${salt.toString('hex')}'"`);
      assert.equal(sqlite.pragma('quick_check', { simple: true }), 'ok');
      assert.deepEqual(sqlite.pragma('foreign_key_check'), []);
      const count = (/** @type {string} */ sql) => Number(sqlite.prepare(sql).pluck().get());
      const halves = count(`
        select count(*) from verifications
        where id not in (select verification_id from messages)
           or id not in (select verification_id from events where type = 'otp.created')`);
      assert.equal(halves, 0, 'there are verifications without their message or their event');
      const silent = count(`
        select count(*) from messages
        where verification_id not in (select id from verifications)
           or id not in (select message_id from events where type = 'message.queued')`);
      assert.equal(silent, 0, 'there are messages without their event or their verification');
      return { verifications: count('select count(*) from verifications') };
    } finally {
      sqlite.close();
    }
  }

  /**
   * @param {string} method
   * @param {string} path
   * @param {object} [body]
   * @param {boolean} [asAdmin]
   * @returns {Promise<Answer>}
   */
  async #call(method, path, body, asAdmin = false) {
    const { address } = /** @type {Server} */ (this.#server);
    const answer = await fetch(`${address}/api/v1/${path}`, {
      method,
      headers: {
        ...(asAdmin ? { 'x-master-key': this.#password } : { authorization: `Bearer ${this.#apiKey}` }),
        ...(body ? { 'content-type': 'application/json' } : {}),
      },
      body: body && JSON.stringify(body),
    });
    return { status: answer.status, body: await answer.json() };
  }
}

/**
 * Asks again and again until something holds.
 * @param {string} what
 * @param {() => Promise<boolean>} holds
 */
async function until(what, holds) {
  const deadline = performance.now() + PATIENCE_MS;
  while (!(await holds())) {
    assert.ok(performance.now() < deadline, `it was not reached in ${PATIENCE_MS / 1000} s that ${what}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/**
 * @template T, R
 * @param {T[]} items
 * @param {(item: T) => Promise<R>} work
 * @returns {Promise<R[]>}
 */
async function inParallel(items, work) {
  const results = new Array(items.length);
  let next = 0;
  const worker = async () => {
    for (let i = next++; i < items.length; i = next++) results[i] = await work(/** @type {T} */ (items[i]));
  };
  await Promise.all(Array.from({ length: SENDERS }, worker));
  return results;
}
