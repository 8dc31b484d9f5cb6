// @ts-check
import assert from 'node:assert/strict';
import { randomBytes, randomInt, scryptSync } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Sqlite from 'better-sqlite3-multiple-ciphers';
import { BuiltServer } from './built-server.js';
import { ensureBuilt } from './ensure-built.js';

export const SENDERS = 32;
/** How many sends are answered before the kill, at random between these. */
const ANSWERED = { min: 20, max: 400 };
/** How many phones are asked again after the kill; the last ones, whose 30 s have not passed. */
const LIMITED = 20;
/** Something is wrong when a state is not reached within this time, in ms. */
const PATIENCE_MS = 30_000;

/** @typedef {{ phone: string, id: string, messageId: string }} Send */

/**
 * Starts the built server, loads it with sends from many clients at once, kills it at a random moment, starts it again
 * and looks whether it kept its promises; all of it `rounds` times over one data folder. Throws an AssertionError at
 * the first one that is broken, and then leaves the folder for inspection.
 * @param {{ rounds: number, say: (line: string) => void }} options
 */
export async function runCrashRounds({ rounds, say }) {
  await ensureBuilt();
  const dir = mkdtempSync(join(tmpdir(), 'wotp-crash-'));
  const folder = new CrashFolder(dir);
  try {
    for (let round = 1; round <= rounds; round++) say(`round ${round}: ${await folder.round()}`);
    say(`in all: ${await folder.lookBack()}`);
  } catch (error) {
    say(`The data folder is kept: ${dir}`);
    throw error;
  } finally {
    await folder.end();
  }
  rmSync(dir, { recursive: true, force: true });
}

/** A data folder, the server over it, and what that server has promised. */
class CrashFolder {
  #dir;
  #secrets = { masterKey: randomBytes(32).toString('hex'), password: randomBytes(16).toString('hex') };
  /** @type {BuiltServer | undefined} */
  #server;
  #phones = 0;
  /** Every send of every round that was answered with a 2xx. @type {Send[]} */
  #answered = [];

  /** @param {string} dir */
  constructor(dir) {
    this.#dir = dir;
  }

  /** One round; resolves to the line that tells of it. */
  async round() {
    const startedAt = performance.now();
    const { answered, underWay } = await this.#sendUntilKilled(await this.#start());
    const server = await this.#start();
    await limitsHold(server, answered.slice(-LIMITED));
    await inParallel(answered, (send) => isStored(server, send));
    const expired = await allArrive(server, answered);
    await verifiesOnce(server, /** @type {Send} */ (answered.at(-1)));
    await this.#stop(server);
    const { verifications } = checkFile(join(this.#dir, 'wotp.wodb'), this.#secrets.masterKey);
    this.#answered.push(...answered);
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
    const server = await this.#start();
    await inParallel(this.#answered, (send) => isStored(server, send));
    const arrived = await arrivals(server);
    for (const { phone } of this.#answered)
      assert.ok((arrived.get(phone) ?? []).length <= 1, `${phone} got two`);
    await this.#stop(server);
    return `${this.#answered.length} answered sends, none lost, none twice on its phone`;
  }

  /** Ends whatever still runs. */
  async end() {
    await this.#server?.kill();
  }

  async #start() {
    this.#server = await BuiltServer.start(this.#dir, this.#secrets, this.#server?.apiKey);
    return this.#server;
  }

  /** @param {BuiltServer} server */
  async #stop(server) {
    await server.stop();
    assert.ok(!existsSync(join(this.#dir, 'wotp.wodb-wal')), 'a clean stop leaves no WAL');
  }

  /** @param {BuiltServer} server */
  async #sendUntilKilled(server) {
    const killAfter = randomInt(ANSWERED.min, ANSWERED.max);
    /** @type {Send[]} */
    const answered = [];
    let underWay = 0;
    let underWayAtKill = -1;
    const kill = async () => {
      // Some turns later, so that the kill meets the server at any point of its work.
      for (let turns = randomInt(0, 50); turns > 0; turns--) await nextTurn();
      underWayAtKill = underWay;
      await server.kill();
    };
    const sender = async () => {
      while (underWayAtKill < 0) {
        const phone = `+62838${30_000_000 + this.#phones++}`;
        underWay += 1;
        // A send that the kill cut off was not answered; nothing is promised of it.
        const answer = await server.call('POST', 'otp/send', { phone }).catch(() => undefined);
        underWay -= 1;
        if (answer === undefined) continue;
        assert.equal(answer.status, 201, JSON.stringify(answer.body));
        answered.push({ phone, id: answer.body.data.id, messageId: answer.body.data.messageId });
        if (answered.length === killAfter) await kill();
      }
    };
    await Promise.all(Array.from({ length: SENDERS }, sender));
    return { answered, underWay: underWayAtKill };
  }
}

/**
 * @param {BuiltServer} server
 * @param {Send[]} sends
 */
export async function limitsHold(server, sends) {
  for (const { phone } of sends) {
    const { status, body } = await server.call('POST', 'otp/send', { phone });
    assert.equal(status, 429, `${phone} was sent to before the kill, and again at once after it`);
    assert.equal(body.code, 'RATE_LIMIT_EXCEEDED');
  }
}

/**
 * @param {BuiltServer} server
 * @param {Send} send
 */
export async function isStored(server, { id, phone, messageId }) {
  const { status, body } = await server.call('GET', `otp/${id}`);
  assert.equal(status, 200, `the answered send ${id} is not in the database`);
  assert.equal(body.data.phone, phone);
  const messages = new Set(body.data.timeline.map((/** @type {any} */ entry) => entry.messageId));
  assert.deepEqual(
    [...messages],
    [messageId],
    `the verification ${id} has another message than was answered`,
  );
}

/**
 * Waits until each message has arrived, the only one on its phone, or was reported expired; resolves to how many were.
 * @param {BuiltServer} server
 * @param {Send[]} sends
 * @param {number} [longerMs] to wait beyond the usual patience
 */
export async function allArrive(server, sends, longerMs = 0) {
  const missing = new Map(sends.map((send) => [send.phone, send]));
  const arrived = async () => {
    for (const [phone, messageIds] of await arrivals(server, sends.length)) {
      const send = missing.get(phone);
      if (send)
        assert.deepEqual(messageIds, [send.messageId], `${phone} shows another message than was answered`);
      missing.delete(phone);
    }
    const states = await inParallel([...missing.values()], async ({ id }) => {
      const { body } = await server.call('GET', `otp/${id}`);
      return body.data.messageStatus;
    });
    return states.every((state) => state === 'expired');
  };
  await until('every message of an answered send arrived', arrived, longerMs);
  return missing.size;
}

/**
 * The messages on the virtual phones by number: all of them, or those of the newest phones.
 * @param {BuiltServer} server
 * @param {number} [phonesMin]
 */
async function arrivals(server, phonesMin = Number.POSITIVE_INFINITY) {
  /** @type {Map<string, string[]>} */
  const arrived = new Map();
  let cursor = '';
  do {
    const { status, body } = await server.callAsAdmin('GET', `simulator/messages?limit=200${cursor}`);
    assert.equal(status, 200, JSON.stringify(body));
    for (const { id, to } of body.data) arrived.set(to, [...(arrived.get(to) ?? []), id]);
    cursor = body.page.next === null ? '' : `&cursor=${body.page.next}`;
    // Sends that were cut off may have arrived as well, so a few more are read.
  } while (cursor !== '' && arrived.size < phonesMin + SENDERS);
  return arrived;
}

/**
 * @param {BuiltServer} server
 * @param {Send} send
 */
export async function verifiesOnce(server, { id, phone }) {
  const { body } = await server.callAsAdmin('GET', `simulator/messages?to=${phone.slice(1)}`);
  const code = /\d{6}/.exec(body.data[0].text)?.[0];
  const right = await server.call('POST', 'otp/verify', { id, code });
  assert.equal(right.status, 200, 'the code that arrived does not verify');
  const again = await server.call('POST', 'otp/verify', { id, code });
  assert.equal(again.status, 404, 'the code verifies twice');
}

/**
 * Opens the file of a stopped server as another program would, with the key alone.
 * @param {string} path
 * @param {string} masterKey
 */
export function openFile(path, masterKey) {
  const salt = readFileSync(path).subarray(0, 16);
  const key = scryptSync(masterKey, salt, 32, { N: 32_768, r: 8, p: 1, maxmem: 2 ** 26 });
  const sqlite = new Sqlite(path, { fileMustExist: true });
  sqlite.pragma(`cipher = 'sqlcipher'`);
  sqlite.pragma('legacy = 4');
  sqlite.pragma(`key = "x'${key.toString('hex')}${salt.toString('hex')}'"`);
  return sqlite;
}

/**
 * Looks for damage in the file, and for halves of transactions.
 * @param {string} path
 * @param {string} masterKey
 */
function checkFile(path, masterKey) {
  const sqlite = openFile(path, masterKey);
  try {
    assert.equal(sqlite.pragma('quick_check', { simple: true }), 'ok');
    assert.deepEqual(sqlite.pragma('foreign_key_check'), []);
    const count = (/** @type {string} */ sql) => Number(sqlite.prepare(sql).pluck().get());
    const halves = count(`
      select count(*) from verifications
      where id not in (select owner_id from messages)
         or id not in (select subject from events where type = 'otp.created')`);
    assert.equal(halves, 0, 'there are verifications without their message or their event');
    const silent = count(`
      select count(*) from messages
      where owner_id not in (select id from verifications)
         or id not in (select message_id from events where type = 'message.queued')`);
    assert.equal(silent, 0, 'there are messages without their event or their verification');
    return { verifications: count('select count(*) from verifications') };
  } finally {
    sqlite.close();
  }
}

/**
 * Holds the timelines of messages against their events: one for each change, in the same order.
 * @param {{ id: string, status: string, timeline: string }[]} messages
 * @param {{ type: string, message_id: string }[]} events in the order in which they were recorded
 */
export function everyChangeHasItsEvent(messages, events) {
  /** @type {Map<string, string[]>} */
  const told = new Map(messages.map(({ id }) => [id, []]));
  for (const { type, message_id } of events) told.get(message_id)?.push(type.replace('message.', ''));
  for (const { id, status, timeline } of messages) {
    // A try that begins changes the timeline and is no event.
    const states = JSON.parse(timeline)
      .map((/** @type {[number, string]} */ [, state]) => state)
      .filter((/** @type {string} */ state) => state !== 'sending');
    assert.deepEqual(told.get(id), states, `the events of ${id} are not its changes`);
    assert.equal(states.at(-1), status);
  }
}

function nextTurn() {
  return new Promise((resolve) => setImmediate(resolve));
}

/**
 * Asks again and again until something holds.
 * @param {string} what
 * @param {() => Promise<boolean>} holds
 * @param {number} [longerMs] to wait beyond the usual patience
 */
export async function until(what, holds, longerMs = 0) {
  const deadline = performance.now() + PATIENCE_MS + longerMs;
  while (!(await holds())) {
    assert.ok(performance.now() < deadline, `it was not reached in ${PATIENCE_MS / 1000} s that ${what}`);
    await nextTurn();
  }
}

/**
 * @template T, R
 * @param {T[]} items
 * @param {(item: T) => Promise<R>} work
 * @returns {Promise<R[]>}
 */
export async function inParallel(items, work) {
  const results = new Array(items.length);
  let next = 0;
  const worker = async () => {
    for (let i = next++; i < items.length; i = next++) results[i] = await work(/** @type {T} */ (items[i]));
  };
  await Promise.all(Array.from({ length: SENDERS }, worker));
  return results;
}
