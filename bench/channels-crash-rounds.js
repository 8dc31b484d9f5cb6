// @ts-check
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BuiltServer } from './built-server.js';
import { APP_SECRET, NUMBERS, providerAt, startStandIns, VERIFY_TOKEN } from './channel-stand-ins.js';
import { everyChangeHasItsEvent, inParallel, openFile } from './crash-rounds.js';
import { ensureBuilt } from './ensure-built.js';
import { seeded } from './seeded.js';

/** @typedef {import('./channel-stand-ins.js').AllTaken} AllTaken */
/** @typedef {import('./channel-stand-ins.js').Taken} Taken */
/** @typedef {{ id: string, messageId: string, route: string[] }} Send */
/** @typedef {{ id: string, channel: keyof AllTaken, states: string[], reasons: string[] }} Message */

const SENDERS = 8;
/** How many sends are answered between two kills, and how long after the last of them the kill falls, in ms. */
const ANSWERED = { min: 10, max: 60 };
const KILL_AFTER_MS = 150;
const ROUTES = [['cloud_api', 'email'], ['sms', 'email'], ['email'], ['cloud_api'], ['sms']];
/** How long nothing may end of what the kills left, however busy the machine, and how often it is looked at, in ms. */
const STANDSTILL_MS = 60_000;
const LOOK_MS = 250;
/** So many sends are asked about in one look: who asks for all the time keeps the server from sending. */
const ASKED = 40;
/** Codes outlive the run, also on a slow machine. */
const LIFE_MINUTES = 60;
/** The time of a claim, in ms. */
const LEASE_MS = 60_000;
/** States that end a message. `sent` does too where no report follows. */
const ENDED = ['sent', 'delivered', 'read', 'canceled', 'expired', 'failed'];

/**
 * The built server with the Cloud API, an SMS provider and a mail server in another process, killed at random moments while
 * it sends by all of them. When every message has ended: each accepted send has reached its recipient; what Meta or the
 * provider took was handed over once, where Meta reports it or the provider knows our reference; each mail has one
 * Message-ID; and every change of a message has its event.
 * Throws an AssertionError at the first promise that is broken, with the seed, and then leaves the data folder for
 * inspection.
 * @param {{ kills: number, seed: number, waitForLeases: boolean, say: (line: string) => void }} options
 *   waitForLeases: whether what the last dead server held is waited for; otherwise it is freed at once
 */
export async function runChannelsCrash({ kills, seed, waitForLeases, say }) {
  await ensureBuilt();
  const dir = mkdtempSync(join(tmpdir(), 'wotp-crash-'));
  const standIns = startStandIns();
  const run = new ChannelsCrash(dir, standIns, seeded(seed));
  try {
    await run.begin(seed);
    for (let kill = 1; kill <= kills; kill++) say(`kill ${kill}: ${await run.sendUntilKilled()}`);
    say(await run.allEnd(waitForLeases));
    say(await run.handedOverOnce());
    say(await run.stopAndLookInside());
  } catch (error) {
    say(`seed ${seed}; the data folder is kept: ${dir}, with the master key ${run.masterKey}`);
    if (error instanceof Error) error.message = `seed ${seed}: ${error.message}`;
    throw error;
  } finally {
    await run.end();
    standIns.stop();
  }
  rmSync(dir, { recursive: true, force: true });
}

class ChannelsCrash {
  #dir;
  #standIns;
  #random;
  #secrets = { masterKey: randomBytes(32).toString('hex'), password: randomBytes(16).toString('hex') };
  #settings = /** @type {Record<string, string>} */ ({});
  /** @type {BuiltServer | undefined} */
  #server;
  #people = 0;
  /** Every send that was answered with 201. @type {Send[]} */
  #accepted = [];
  /** What became of the messages of each send, once all have ended. @type {Map<string, Message[]>} */
  #messages = new Map();

  /** @param {string} dir @param {import('./channel-stand-ins.js').StandIns} standIns @param {(max: number) => number} random */
  constructor(dir, standIns, random) {
    this.#dir = dir;
    this.#standIns = standIns;
    this.#random = random;
  }

  get masterKey() {
    return this.#secrets.masterKey;
  }

  /** Starts the far ends and the server. @param {number} seed */
  async begin(seed) {
    const { graph, sms, smtp } = await this.#standIns.start({ seed });
    const providers = join(this.#dir, 'providers.json');
    mkdirSync(this.#dir, { recursive: true });
    writeFileSync(providers, JSON.stringify({ providers: [providerAt(sms)] }));
    this.#settings = {
      BOT_MOCK_MODE: 'false',
      CHANNEL_WAIT_SECONDS: '5',
      OTP_MAX_EXPIRY_MINUTES: String(LIFE_MINUTES),
      CLOUD_API_TOKEN: 'token-of-the-stand-in',
      CLOUD_API_PHONE_NUMBER_ID: NUMBERS.join(','),
      CLOUD_API_TEMPLATE: 'code',
      CLOUD_API_LANGUAGES: 'en_US',
      CLOUD_API_BASE_URL: graph,
      CLOUD_API_APP_SECRET: APP_SECRET,
      CLOUD_API_VERIFY_TOKEN: VERIFY_TOKEN,
      SMTP_URL: `smtp://127.0.0.1:${smtp}`,
      SMTP_FROM: 'no-reply@example.com',
      PROVIDERS_FILE: providers,
      PROVIDERS_ALLOWED_ADDRESSES: '127.0.0.1',
      // The numbers are made up one after the other.
      SENDS_PER_PREFIX: '0',
    };
    await this.#start();
  }

  /** Sends from several clients until some are answered, kills the server and starts it again; resolves to a line about it. */
  async sendUntilKilled() {
    const server = this.#running();
    const before = this.#accepted.length;
    const killAfter = before + ANSWERED.min + this.#random(ANSWERED.max - ANSWERED.min);
    const delayMs = this.#random(KILL_AFTER_MS);
    let isKilled = false;
    const sender = async () => {
      while (!isKilled) {
        const person = this.#people++;
        const route = /** @type {string[]} */ (ROUTES[person % ROUTES.length]);
        const body = {
          phone: `+62838${30_000_000 + person}`,
          email: `person${person}@example.com`,
          channels: route,
          expiryMinutes: LIFE_MINUTES,
        };
        // A send that the kill cut off was not answered; nothing is promised of it.
        const answer = await server.call('POST', 'otp/send', body).catch(() => undefined);
        if (answer === undefined) continue;
        assert.equal(answer.status, 201, JSON.stringify(answer.body));
        const { id, messageId } = answer.body.data;
        this.#accepted.push({ id, messageId, route });
        if (this.#accepted.length !== killAfter) continue;
        await new Promise((resolve) => setTimeout(resolve, delayMs));
        isKilled = true;
        await server.kill();
      }
    };
    await Promise.all(Array.from({ length: SENDERS }, sender));
    await this.#start();
    return `${this.#accepted.length - before} more sends accepted`;
  }

  /** Waits until every message of every accepted send has ended, and every report was taken. @param {boolean} waitForLeases */
  async allEnd(waitForLeases) {
    await this.#untilEnded(['sending']);
    const waiting = [...this.#messages.values()].flat().filter(({ states }) => states.at(-1) === 'sending');
    if (!waitForLeases) await this.#freeClaims();
    await this.#untilEnded([], waitForLeases ? LEASE_MS : 0);
    const all = [...this.#messages.values()].flat();
    /** @type {Record<string, number>} */
    const ends = {};
    for (const { channel, states } of all) {
      const end = `${channel} ${states.at(-1)}`;
      ends[end] = (ends[end] ?? 0) + 1;
    }
    const counts = Object.entries(ends).map(([end, count]) => `${end} ${count}`);
    return [
      `${this.#accepted.length} sends, ${all.length} messages ended (${counts.sort().join(', ')})`,
      `${waiting.length} of them waited for a report to the end of their claim`,
    ].join('; ');
  }

  /** Holds what the server says of each message against what the far ends have got. */
  async handedOverOnce() {
    const taken = await this.#standIns.taken();
    /** @type {Message[]} */
    const all = [];
    for (const { id, messageId, route } of this.#accepted) {
      const messages = /** @type {Message[]} */ (this.#messages.get(id));
      assert.equal(messages[0]?.id, messageId, `${id} begins with another message than was answered`);
      assert.ok(messages.length <= route.length, `${id} has more messages than its route has channels`);
      for (const message of messages) holdAgainst(message, taken[message.channel][message.id]);
      const reached = messages.filter((message) => taken[message.channel][message.id] !== undefined);
      assert.ok(reached.length > 0, `the accepted send ${id} reached nobody`);
      all.push(...messages);
    }
    for (const channel of /** @type {const} */ (['cloud_api', 'sms', 'email'])) {
      const to = Object.values(taken[channel]).map((each) => each.to);
      assert.equal(new Set(to).size, to.length, `somebody got two messages by ${channel}`);
    }
    const countOf = (/** @type {keyof AllTaken} */ channel, /** @type {(each: Taken) => boolean} */ holds) =>
      Object.values(taken[channel]).filter(holds).length;
    const interrupted = all.filter(({ reasons }) => reasons.includes('interrupted')).length;
    return [
      `every send reached its recipient, nobody got two messages by one channel; ${interrupted} messages were interrupted`,
      `${countOf('cloud_api', ({ isLost }) => isLost)} answers of Meta were lost, none was asked for again`,
      `${countOf('sms', ({ times }) => times > 1)} requests repeated under their reference`,
      `${countOf('email', ({ times }) => times > 1)} mails repeated under their Message-ID`,
    ].join('; ');
  }

  /** Stops the server and looks into its database. */
  async stopAndLookInside() {
    await this.#running().stop();
    const sqlite = this.#open();
    try {
      assert.equal(sqlite.pragma('quick_check', { simple: true }), 'ok');
      const messages = /** @type {any[]} */ (
        sqlite.prepare('select id, status, timeline from messages').all()
      );
      const sql = 'select type, message_id from events where message_id is not null order by seq';
      everyChangeHasItsEvent(messages, /** @type {any[]} */ (sqlite.prepare(sql).all()));
      return `${messages.length} messages in the database, every change of theirs with its event`;
    } finally {
      sqlite.close();
    }
  }

  /** Ends the server, if it still runs. */
  async end() {
    await this.#server?.kill();
  }

  #open() {
    return openFile(join(this.#dir, 'wotp.wodb'), this.#secrets.masterKey);
  }

  async #start() {
    this.#server = await BuiltServer.start(this.#dir, this.#secrets, this.#server?.apiKey, this.#settings);
    await this.#standIns.reportTo(this.#server.address);
  }

  #running() {
    return /** @type {BuiltServer} */ (this.#server);
  }

  /** Lets the claims of dead servers end at once. */
  async #freeClaims() {
    await this.#running().stop();
    const sqlite = this.#open();
    sqlite.prepare(`update messages set due_at = 0 where status = 'sending'`).run();
    sqlite.close();
    await this.#start();
  }

  /**
   * Waits until every message is in a state that ends it, or in one of these, and every report was taken.
   * @param {string[]} or @param {number} [longerMs] how much longer nothing may end
   */
  async #untilEnded(or, longerMs = 0) {
    const open = [...this.#accepted];
    let left = Number.POSITIVE_INFINITY;
    let endedAt = performance.now();
    while (left > 0) {
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
      const asked = open.splice(0, ASKED);
      const isOpen = await inParallel(asked, (send) => this.#isOpen(send, [...ENDED, ...or]));
      open.push(...asked.filter((_send, i) => isOpen[i]));
      const unreported = await this.#standIns.unreported();
      const now = performance.now();
      if (open.length + unreported < left) endedAt = now;
      left = Math.min(left, open.length + unreported);
      if (now - endedAt > STANDSTILL_MS + longerMs) {
        const seconds = Math.round((now - endedAt) / 1000);
        const what = await this.#whatIsOpen(open);
        throw new Error(`no message ended in ${seconds} s (${unreported} reports not taken; ${what})`);
      }
    }
    // Reports that came meanwhile may have changed what had ended.
    await inParallel(this.#accepted, (send) => this.#isOpen(send, ENDED));
  }

  /** What sends wait for that have not ended, and how the channels are. @param {Send[]} open */
  async #whatIsOpen(open) {
    /** @type {Record<string, number>} */
    const counts = {};
    for (const { id } of open) {
      const messages = /** @type {Message[]} */ (this.#messages.get(id));
      const { channel, states, reasons } = /** @type {Message} */ (messages.at(-1));
      const wait = `${channel} ${states.at(-1)}, ${reasons.at(-1) ?? 'no reason'}`;
      counts[wait] = (counts[wait] ?? 0) + 1;
    }
    const waits = Object.entries(counts).map(([wait, count]) => `${count} × ${wait}`);
    const { body } = await this.#running().call('GET', 'channels');
    const states = body.data.map(
      (/** @type {any} */ { name, state, reason }) => `${name} ${state} ${reason ?? ''}`,
    );
    const ids = open.slice(0, 5).map(({ id }) => id);
    return `${waits.join('; ')}; ${states.join('; ')}; open: ${ids.join(', ')}`;
  }

  /** Looks at the messages of a send; tells whether any may still change. @param {Send} send @param {string[]} ended */
  async #isOpen({ id }, ended) {
    const { status, body } = await this.#running().call('GET', `otp/${id}`);
    assert.equal(status, 200, `the accepted send ${id} is not in the database`);
    const messages = messagesIn(body.data.timeline);
    this.#messages.set(id, messages);
    return body.data.nextAt !== null || messages.some(({ states }) => !ended.includes(states.at(-1) ?? ''));
  }
}

/**
 * Holds the story of a message against what its far end has got.
 * @param {Message} message @param {Taken | undefined} taken
 */
function holdAgainst({ id, channel, states, reasons }, { times } = { to: '', times: 0, isLost: false }) {
  const told = `${id} (${channel}: ${states.join(', ')}) was taken ${times} times`;
  const end = states.at(-1) ?? '';
  const once = states.filter((state) => state !== 'queued' && state !== 'sending');
  assert.equal(states[0], 'queued', told);
  assert.equal(new Set(once).size, once.length, told);
  if (channel === 'cloud_api') {
    assert.equal(times, end === 'read' ? 1 : 0, told);
    return;
  }
  // Nobody reports what a dead server handed over, so the route may have gone on meanwhile.
  if (end === 'canceled' && reasons.includes('interrupted')) return;
  assert.equal(times > 0, end === 'sent' || end === 'delivered', told);
}

/** The messages of a timeline, in the order in which they began. @param {any[]} timeline @returns {Message[]} */
function messagesIn(timeline) {
  /** @type {Map<string, Message>} */
  const messages = new Map();
  for (const { messageId: id, channel, status, reason } of timeline) {
    /** @type {Message} */
    const message = messages.get(id) ?? { id, channel, states: [], reasons: [] };
    message.states.push(status);
    if (reason !== null) message.reasons.push(reason);
    messages.set(id, message);
  }
  return [...messages.values()];
}
