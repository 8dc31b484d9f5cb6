// @ts-check
import assert from 'node:assert/strict';
import { randomBytes, randomInt } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BuiltServer } from './built-server.js';
import { everyChangeHasItsEvent, inParallel, openFile, until } from './crash-rounds.js';
import { dist } from './dist.js';
import { ensureBuilt } from './ensure-built.js';
import { runOn } from './local-postgres.js';

/** @typedef {import('../test/support/fake-whatsapp/server.ts').FakeWhatsApp} FakeWhatsApp */
/** @typedef {import('../test/support/fake-whatsapp/linked-device.ts').LinkedDevice} LinkedDevice */
/** @typedef {{ phone: string, id: string, messageId: string }} Send */

const OWN = '+6281200000001';
const SENDERS = 8;
/** Sends that may be accepted and not yet shown on a phone, so that kills and drops meet messages on their way. */
const AHEAD_MAX = 150;
/** Of so many numbers one belongs to a person with a companion device. */
const COMPANION_EVERY = 10;
/** How long WhatsApp, a phone and a person take to answer, at most, in ms. */
const ACK_MAX_MS = 40;
const ANSWER_MAX_MS = 20;
const RECEIPT_MAX_MS = 80;
/** Codes that are typed in, and phones that write back, when all is over. */
const CHECKED = 20;
/** An outage may last as long as the longest wait between two attempts that these rounds can come to, in ms. */
const OUTAGE_MAX_MS = 90_000;
/** With several nodes: for how long a dead one keeps a number and its messages, and how often the others look, in ms. */
const NUMBER_LEASE_MS = 10_000;
const MESSAGE_LEASE_MS = 60_000;
const LOOK_MS = 2_000;
/** What a start of the connection takes beside, on a busy machine, in ms. */
const CONNECT_MAX_MS = 15_000;
/** In place of a cut: how WhatsApp itself may end a connection that comes back. */
const CLOSES = [428, 503, 515];

const SETTINGS = {
  BOT_MOCK_MODE: 'false',
  BOT_SEND_RATE: '10000',
  BOT_SEND_BURST: '10000',
  BOT_DAILY_CAP: '10000000',
  // The numbers are made up one after the other.
  SENDS_PER_PREFIX: '0',
  BOT_WARMUP: 'false',
  OTP_RESEND_SECONDS: '0',
  PHONE_LIMIT_PER_10_MINUTES: '1000',
  PHONE_LIMIT_PER_DAY: '1000',
};

/**
 * The built server with one linked number, sending to a fake WhatsApp, while at random moments its connection is
 * dropped and its process is killed. When every message has ended, each accepted send must be on its phone exactly once
 * or be reported expired, readable, and every change of a message must have its event. On PostgreSQL there are two
 * servers, and the one that drives the number is killed: the other has to take it over within the time of the lease.
 * Throws an AssertionError at the first promise that is broken, and then leaves the data folder for inspection.
 * @param {{
 *   startFake: () => Promise<FakeWhatsApp>,
 *   sends: number,
 *   numbers: number,
 *   drops: number,
 *   kills: number,
 *   say: (line: string) => void,
 *   postgres?: { url: string, waitForLeases: boolean } | undefined,
 * }} options
 *   waitForLeases: whether what the dead node held is waited for as long as it takes; otherwise it is freed at once
 */
export async function runWhatsAppCrash({ startFake, sends, numbers, drops, kills, say, postgres }) {
  await ensureBuilt();
  const [{ wireIdOf }, whatsapp] = await Promise.all([
    dist('channels/whatsapp/send/wire-id.js'),
    startFake(),
  ]);
  const dir = mkdtempSync(join(tmpdir(), 'wotp-crash-'));
  const run = new WhatsAppCrash({ dir, whatsapp, numbers, wireIdOf, postgres });
  const startedAt = performance.now();
  const tell = (/** @type {string} */ line) =>
    say(`${((performance.now() - startedAt) / 1000).toFixed(0)} s: ${line}`);
  try {
    await run.link();
    await run.sendWhile(sends, blows(sends, drops, kills), tell);
    tell(`${run.accepted.length} sends accepted`);
    tell(await run.allEnded());
    tell(await run.sessionsWork());
    tell(await run.stopAndLookInside());
  } catch (error) {
    say(`The data folder is kept: ${dir}`);
    throw error;
  } finally {
    await run.end();
    await whatsapp.stop();
  }
  rmSync(dir, { recursive: true, force: true });
}

/**
 * After how many accepted sends each blow falls: kills evenly spread, drops at random between them, as the waits after a
 * lost connection grow until the next start.
 * @param {number} sends @param {number} drops @param {number} kills
 */
function blows(sends, drops, kills) {
  /** @type {{ after: number, kind: 'drop' | 'kill' }[]} */
  const all = [];
  const stretch = sends / (kills + 1);
  for (let kill = 1; kill <= kills; kill++) {
    const jitter = randomInt(0, Math.max(1, Math.floor(stretch / 2)));
    all.push({ after: Math.floor(kill * stretch - jitter), kind: 'kill' });
  }
  for (let drop = 0; drop < drops; drop++) {
    const first = Math.floor((drop % (kills + 1)) * stretch);
    all.push({ after: first + randomInt(1, Math.max(2, Math.floor(stretch))), kind: 'drop' });
  }
  return all.sort((a, b) => a.after - b.after);
}

class WhatsAppCrash {
  #dir;
  #whatsapp;
  #phones;
  #wireIdOf;
  #secrets = { masterKey: randomBytes(32).toString('hex'), password: randomBytes(16).toString('hex') };
  #postgres;
  /** One server; two of them on PostgreSQL. @type {BuiltServer[]} */
  #nodes = [];
  /** Those that are killed and not started again yet. @type {Set<BuiltServer>} */
  #dead = new Set();
  #asked = 0;
  /** Every send that was answered with a 2xx. @type {Send[]} */
  accepted = [];

  /**
   * @param {{
   *   dir: string,
   *   whatsapp: FakeWhatsApp,
   *   numbers: number,
   *   wireIdOf: (id: string) => string,
   *   postgres: { url: string, waitForLeases: boolean } | undefined,
   * }} parts
   */
  constructor({ dir, whatsapp, numbers, wireIdOf, postgres }) {
    this.#dir = dir;
    this.#postgres = postgres;
    this.#whatsapp = whatsapp;
    this.#wireIdOf = wireIdOf;
    this.#phones = Array.from({ length: numbers }, (_, i) => {
      const options = i % COMPANION_EVERY === 0 ? { devices: 2 } : {};
      const phone = whatsapp.phone(`+62838${30_000_000 + i}`, options);
      phone.receipts = { ...phone.receipts, delivered: randomInt(0, RECEIPT_MAX_MS) };
      return phone;
    });
  }

  /** Starts the server over an empty folder and links the number. */
  async link() {
    const server = await this.#start(0);
    if (this.#postgres) await this.#start(1);
    const { status, body } = await server.callAsAdmin('POST', 'bot/sessions', { name: 'crash' });
    assert.equal(status, 201, JSON.stringify(body));
    const path = `bot/sessions/${body.data.id}/qr`;
    let qr = await server.callAsAdmin('GET', path);
    await until('a QR code is shown', async () => {
      qr = await server.callAsAdmin('GET', path);
      return qr.status === 200;
    });
    await this.#whatsapp.phone(OWN).scanQr(qr.body.data.qr);
    await this.#isOnline();
    // A node that does not drive the number looks every few seconds for those that are linked.
    await until('every node knows that a number is linked', async () => {
      const answers = await Promise.all(this.#nodes.map((node) => node.call('GET', 'otp/status')));
      return answers.every(({ body: { data } }) => data.connected);
    });
    this.#device.acks = () => ({ delayMs: randomInt(0, ACK_MAX_MS) });
    this.#device.answers = () => ({ delayMs: randomInt(0, ANSWER_MAX_MS) });
  }

  /**
   * Sends from several clients at once to all the numbers again and again, and strikes as planned.
   * @param {number} sends
   * @param {{ after: number, kind: 'drop' | 'kill' }[]} plan
   * @param {(line: string) => void} tell
   */
  async sendWhile(sends, plan, tell) {
    let striking = Promise.resolve();
    const sender = async () => {
      while (this.accepted.length < sends) {
        await striking;
        await this.#catchUp();
        const phone = this.#phones[this.#asked % this.#phones.length];
        this.#asked += 1;
        // A purpose of its own, as a second send for the same would be a retry of the first.
        const body = { phone: phone?.number, purpose: `p${this.#asked}` };
        // A send that the kill cut off was not answered; nothing is promised of it.
        const answer = await this.#callPost('otp/send', body).catch(() => undefined);
        if (answer === undefined) continue;
        assert.equal(answer.status, 201, JSON.stringify(answer.body));
        const { id, messageId } = answer.body.data;
        this.accepted.push({ phone: /** @type {string} */ (phone?.number), id, messageId });
        if (plan[0] === undefined || this.accepted.length < plan[0].after) continue;
        const blow = /** @type {typeof plan[0]} */ (plan.shift());
        striking = striking.then(() => this.#strike(blow.kind, tell));
        await striking;
      }
    };
    await Promise.all(Array.from({ length: SENDERS }, sender));
    await striking;
  }

  /** Waits until every accepted message has ended, and looks whether it is on its phone once, or reported expired. */
  async allEnded() {
    const ended = new Map();
    await until(
      'every accepted message ended',
      async () => {
        const open = this.accepted.filter(({ messageId }) => !ended.has(messageId));
        await inParallel(open, async (send) => {
          const { status, body } = await this.#call(`otp/${send.id}`);
          assert.equal(status, 200, `the accepted send ${send.id} is not in the database`);
          const ids = new Set(body.data.timeline.map((/** @type {any} */ entry) => entry.messageId));
          assert.deepEqual([...ids], [send.messageId], `${send.id} has another message than was answered`);
          if (['sent', 'delivered', 'read', 'expired', 'failed'].includes(body.data.messageStatus)) {
            ended.set(send.messageId, body.data.messageStatus);
          }
        });
        return ended.size === this.accepted.length;
      },
      6 * OUTAGE_MAX_MS + MESSAGE_LEASE_MS,
    );
    const shown = this.#shown();
    const count = { once: 0, expired: 0 };
    for (const { phone, messageId } of this.accepted) {
      const status = ended.get(messageId);
      assert.notEqual(status, 'failed', `${messageId} failed`);
      const times = shown.get(phone)?.get(this.#wireIdOf(messageId)) ?? 0;
      if (status === 'expired') {
        // A message may have left before its code's end, and the word of it been lost with a connection.
        assert.ok(times <= 1, `${messageId} is shown ${times} times and reported expired`);
        count.expired += 1;
        continue;
      }
      assert.equal(times, 1, `${messageId} is shown ${times} times on ${phone} and reported ${status}`);
      count.once += 1;
    }
    this.#nothingUnreadable();
    return `${count.once} shown exactly once, ${count.expired} reported expired`;
  }

  /** Codes that arrived verify, every phone can be written to again, and phones can write back. */
  async sessionsWork() {
    const alive = this.accepted.slice(-CHECKED);
    for (const { phone, id, messageId } of alive) {
      const wireId = this.#wireIdOf(messageId);
      const text = this.#whatsapp.phone(phone).messages.find((message) => message.id === wireId)?.text ?? '';
      const { status } = await this.#callPost('otp/verify', { id, code: /\d{6}/.exec(text)?.[0] });
      assert.ok(status === 200 || status === 404, `a code that arrived does not verify: ${status}`);
    }
    const before = new Map(this.#phones.map((phone) => [phone, phone.messages.length]));
    await inParallel(this.#phones, async ({ number }) => {
      const { status, body } = await this.#callPost('otp/send', { phone: number, purpose: 'last' });
      assert.equal(status, 201, JSON.stringify(body));
    });
    const all = () => this.#phones.every((phone) => phone.messages.length > (before.get(phone) ?? 0));
    await until('every phone could be written to again', async () => all(), OUTAGE_MAX_MS);
    for (const phone of this.#phones.slice(0, CHECKED)) await phone.send(OWN, 'thank you');
    await until('what phones wrote was taken', async () => this.#device.unacknowledged === 0, OUTAGE_MAX_MS);
    this.#nothingUnreadable();
    return `${this.#phones.length} phones can be written to, ${CHECKED} have written back, no copy was unreadable`;
  }

  /** Stops the servers and looks into their database. */
  async stopAndLookInside() {
    for (const node of this.#nodes) await node.stop();
    const query = this.#openDatabase();
    const messages = await query('select id, status, timeline from messages');
    const events = await query(
      'select type, message_id, data from events where message_id is not null order by seq',
    );
    everyChangeHasItsEvent(messages, events);
    const stored = new Set(messages.map(({ id }) => id));
    for (const { messageId } of this.accepted) assert.ok(stored.has(messageId), `${messageId} is not stored`);
    const received = await query(`select data from events where type = 'message.received'`);
    assert.equal(received.length, Math.min(CHECKED, this.#phones.length), 'an answer of a phone was lost');
    const [session] = await query('select state from whatsapp_sessions');
    const [change] = await query(
      `select data from events where type in ('bot.connected', 'bot.disconnected', 'bot.state_changed') order by seq desc limit 1`,
    );
    assert.equal(
      JSON.parse(change?.data).state,
      session?.state,
      'the last change of the session has no event',
    );
    const unconfirmed = messages.filter(({ status }) => status === 'sent').length;
    return `${messages.length} messages in the database, every change of theirs with its event; ${unconfirmed} without a receipt that a kill took`;
  }

  /** @returns {(sql: string) => Promise<any[]>} */
  #openDatabase() {
    const { url } = this.#postgres ?? {};
    if (url !== undefined) return (sql) => runOn(url, sql);
    return async (sql) => {
      const sqlite = openFile(join(this.#dir, 'node-0', 'wotp.wodb'), this.#secrets.masterKey);
      try {
        return sqlite.prepare(sql).all();
      } finally {
        sqlite.close();
      }
    };
  }

  /** Ends whatever still runs. */
  async end() {
    await Promise.all(this.#nodes.map((node) => node.kill()));
  }

  /** @returns {LinkedDevice} */
  get #device() {
    return this.#whatsapp.linked(OWN);
  }

  /** @param {number} index */
  async #start(index) {
    const dir = join(this.#dir, `node-${index}`);
    mkdirSync(dir, { recursive: true });
    const node = await BuiltServer.start(dir, this.#secrets, this.#nodes[0]?.apiKey, {
      ...SETTINGS,
      BOT_SOCKET_URL: this.#whatsapp.url,
      ...(this.#postgres && { DATABASE_URL: this.#postgres.url }),
    });
    this.#nodes[index] = node;
    return node;
  }

  /** The node that drives the number. */
  async #driver() {
    for (const node of this.#nodes) {
      const { body } = await node.callAsAdmin('GET', 'bot/sessions');
      if (body.data[0].health !== null) return node;
    }
    return undefined;
  }

  /** Kills the server, or of two the one that drives the number, and starts it again. @param {(line: string) => void} tell @param {number} ahead */
  async #kill(tell, ahead) {
    const victim = this.#nodes.length === 1 ? this.#nodes[0] : await this.#driver();
    assert.ok(victim);
    const { logins } = this.#device;
    this.#dead.add(victim);
    await victim.kill();
    if (!this.#postgres) {
      tell(`killed with ${ahead} messages on their way`);
      await this.#start(0);
      return;
    }
    const killedAt = performance.now();
    if (!this.#postgres.waitForLeases) {
      await runOn(this.#postgres.url, 'update whatsapp_sessions set lease_until = 0');
      await runOn(this.#postgres.url, `update messages set due_at = 0 where status = 'sending'`);
    }
    await this.#whatsapp.until(
      () => this.#device.logins > logins && this.#device.online,
      NUMBER_LEASE_MS + LOOK_MS + CONNECT_MAX_MS,
    );
    const seconds = ((performance.now() - killedAt) / 1000).toFixed(1);
    tell(`node killed with ${ahead} messages on their way; the other had the number after ${seconds} s`);
    await this.#start(this.#nodes.indexOf(victim));
    this.#dead.delete(victim);
  }

  #isOnline() {
    return this.#whatsapp.until(
      () => this.#whatsapp.phone(OWN).linked.length > 0 && this.#device.online,
      OUTAGE_MAX_MS,
    );
  }

  /** @param {'drop' | 'kill'} kind @param {(line: string) => void} tell */
  async #strike(kind, tell) {
    // At any point of the way of a message, and not right after an answer.
    await new Promise((resolve) => setTimeout(resolve, randomInt(0, 60)));
    const ahead = this.accepted.length - this.#shownCount();
    if (kind === 'kill') return this.#kill(tell, ahead);
    const close = randomInt(0, 2) === 0 ? undefined : CLOSES[randomInt(0, CLOSES.length)];
    // Where the last blow has not healed yet, there is nothing to cut.
    await this.#isOnline();
    if (close === undefined) this.#device.drop();
    else this.#device.disconnect(close);
    tell(
      `connection ${close === undefined ? 'cut' : `closed with ${close}`} with ${ahead} messages on their way`,
    );
  }

  /** Waits until no more than a portion of the accepted messages has not been shown yet. */
  #catchUp() {
    return this.#whatsapp.until(() => this.accepted.length - this.#shownCount() < AHEAD_MAX, OUTAGE_MAX_MS);
  }

  #shownCount() {
    return this.#phones.reduce((sum, { messages }) => sum + messages.length, 0);
  }

  /** By number, how often each message is shown. */
  #shown() {
    return new Map(
      this.#phones.map(({ number, messages }) => {
        /** @type {Map<string, number>} */
        const times = new Map();
        for (const { id } of messages) times.set(id, (times.get(id) ?? 0) + 1);
        return [number, times];
      }),
    );
  }

  #nothingUnreadable() {
    const phones = [this.#whatsapp.phone(OWN), ...this.#phones];
    assert.deepEqual(
      phones.flatMap(({ unreadable }) => unreadable),
      [],
      'copies could not be read',
    );
  }

  /** @param {string} path */
  #call(path) {
    return this.#anyNode().call('GET', path);
  }

  /** @param {string} path @param {object} body */
  #callPost(path, body) {
    return this.#anyNode().call('POST', path, body);
  }

  #anyNode() {
    const alive = this.#nodes.filter((node) => !this.#dead.has(node));
    const nodes = alive.length > 0 ? alive : this.#nodes;
    return /** @type {BuiltServer} */ (nodes[randomInt(0, nodes.length)]);
  }
}
