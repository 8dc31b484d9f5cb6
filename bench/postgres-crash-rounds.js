// @ts-check
import assert from 'node:assert/strict';
import { randomBytes, randomInt } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BuiltServer } from './built-server.js';
import { allArrive, inParallel, isStored, limitsHold, SENDERS, until, verifiesOnce } from './crash-rounds.js';
import { ensureBuilt } from './ensure-built.js';
import { LocalPostgres, runOn } from './local-postgres.js';

/** How many sends are answered before the blow, at random between these, and how many after it. */
const ANSWERED = { min: 20, max: 300 };
const ANSWERED_AFTER = 100;
/** How long PostgreSQL stays down, at most, in ms. */
const DOWN_MAX_MS = 1_500;
const LEASE_MS = 60_000;
const LIMITED = 20;

/** @typedef {import('./crash-rounds.js').Send} Send */

/**
 * Two built servers on one PostgreSQL (which syncs every commit to disk) under load. In a node round one of them is
 * killed, in a database round PostgreSQL is stopped and started again, by turns as an operator does it and as a
 * crash does. After each round everything that was answered has to be there and has to have reached its phone once.
 * Throws an AssertionError at the first promise that is broken.
 * @param {{ nodeRounds: number, databaseRounds: number, say: (line: string) => void, waitForLeases: boolean }} options
 *   waitForLeases: whether to wait the minute until claims of the dead are free; otherwise all claims are ended at once
 */
export async function runPostgresCrashRounds({ nodeRounds, databaseRounds, say, waitForLeases }) {
  await ensureBuilt();
  const dir = mkdtempSync(join(tmpdir(), 'wotp-crash-'));
  const postgres = await LocalPostgres.start({ fsync: true });
  const cluster = new Cluster(dir, postgres, await postgres.createDatabase(), waitForLeases);
  try {
    await cluster.start();
    for (let round = 1; round <= nodeRounds; round++) say(`kill ${round}: ${await cluster.killRound()}`);
    for (let round = 1; round <= databaseRounds; round++) {
      say(`restart ${round}: ${await cluster.restartRound(round % 2 === 0 ? 'SIGQUIT' : 'SIGINT')}`);
    }
    say(`in all: ${await cluster.lookBack()}`);
  } finally {
    await cluster.end();
    await postgres.remove();
    rmSync(dir, { recursive: true, force: true });
  }
}

/** Two servers over one database, and what they have promised. */
class Cluster {
  #dir;
  #postgres;
  #url;
  #waitForLeases;
  #secrets = { masterKey: randomBytes(32).toString('hex'), password: randomBytes(16).toString('hex') };
  /** @type {BuiltServer[]} */
  #nodes = [];
  #phones = 0;
  /** Every send that was answered with a 2xx. @type {Send[]} */
  #answered = [];

  /** @param {string} dir @param {LocalPostgres} postgres @param {string} url @param {boolean} waitForLeases */
  constructor(dir, postgres, url, waitForLeases) {
    this.#dir = dir;
    this.#postgres = postgres;
    this.#url = url;
    this.#waitForLeases = waitForLeases;
  }

  async start() {
    this.#nodes[0] = await this.#startNode(0, '');
    this.#nodes[1] = await this.#startNode(1, this.#nodes[0].apiKey);
  }

  async end() {
    await Promise.all(this.#nodes.map((node) => node.kill()));
  }

  /** @param {number} index @param {string} apiKey */
  #startNode(index, apiKey) {
    const dir = join(this.#dir, `node-${index}`);
    mkdirSync(dir, { recursive: true });
    return BuiltServer.start(dir, this.#secrets, apiKey, { DATABASE_URL: this.#url });
  }

  /** One of the two dies under load; resolves to the line that tells of it. */
  async killRound() {
    const startedAt = performance.now();
    const victim = randomInt(0, 2);
    const survivor = /** @type {BuiltServer} */ (this.#nodes[1 - victim]);
    const load = await this.#sendUntil((node) => node?.kill(), victim);
    const answered = load.answered;
    const expired = await this.#holds(survivor, answered);
    this.#nodes[victim] = await this.#startNode(victim, survivor.apiKey);
    return [
      `node ${victim} killed with ${load.underWay} sends under way`,
      `${answered.length} answers on both, all stored`,
      told(answered.length, expired),
      seconds(startedAt),
    ].join(' · ');
  }

  /** PostgreSQL goes away under load and comes back. @param {'SIGINT' | 'SIGQUIT'} signal */
  async restartRound(signal) {
    const startedAt = performance.now();
    const downMs = randomInt(200, DOWN_MAX_MS);
    const load = await this.#sendUntil(async () => {
      await this.#postgres.stop(signal);
      await new Promise((resolve) => setTimeout(resolve, downMs));
      await this.#postgres.startAgain();
    });
    for (const node of this.#nodes) {
      await until('a node is ready again', async () => {
        const { status } = await node.call('GET', 'health/ready');
        return status === 200;
      });
    }
    const expired = await this.#holds(/** @type {BuiltServer} */ (this.#nodes[0]), load.answered);
    return [
      `${signal === 'SIGINT' ? 'stopped' : 'crashed'} for ${downMs} ms with ${load.underWay} sends under way`,
      `${load.refused} answered with 503, ${load.answered.length} with 201, all of these stored`,
      told(load.answered.length, expired),
      seconds(startedAt),
    ].join(' · ');
  }

  /** Looks at every send of every round once more; resolves to the line that tells of it. */
  async lookBack() {
    const node = /** @type {BuiltServer} */ (this.#nodes[1]);
    await inParallel(this.#answered, (send) => isStored(node, send));
    const [{ halves }] = await runOn(
      this.#url,
      `select count(*)::int as halves from verifications
       where id not in (select owner_id from messages)
          or id not in (select subject from events where type = 'otp.created')`,
    );
    assert.equal(halves, 0, 'there are verifications without their message or their event');
    const twice = await runOn(
      this.#url,
      'select address from simulator_messages group by address having count(*) > 1',
    );
    assert.deepEqual(twice, [], 'a phone got two messages');
    for (const one of this.#nodes) await one.stop();
    return `${this.#answered.length} answered sends, none lost, none twice on its phone`;
  }

  /** What has to be true of answered sends; resolves to how many were reported expired. @param {BuiltServer} node @param {Send[]} answered */
  async #holds(node, answered) {
    await limitsHold(node, answered.slice(-LIMITED));
    await inParallel(answered, (send) => isStored(node, send));
    if (!this.#waitForLeases) {
      await runOn(this.#url, `update messages set due_at = 0 where status = 'sending'`);
    }
    const expired = await allArrive(node, answered, this.#waitForLeases ? LEASE_MS : 0);
    await verifiesOnce(node, /** @type {Send} */ (answered.at(-1)));
    this.#answered.push(...answered);
    return expired;
  }

  /**
   * Loads both nodes until the blow has been struck and some more sends have been answered after it.
   * @param {(victim: BuiltServer | undefined) => Promise<void> | undefined} blow
   * @param {number} [victim] the node that it is struck at
   */
  async #sendUntil(blow, victim) {
    const after = randomInt(ANSWERED.min, ANSWERED.max);
    /** @type {Send[]} */
    const answered = [];
    let underWay = 0;
    let underWayAtBlow = -1;
    let refused = 0;
    let answeredAfter = 0;
    let isOver = false;
    /** @param {number} index */
    const sender = async (index) => {
      while (answeredAfter < ANSWERED_AFTER) {
        if (index === victim && underWayAtBlow >= 0) return;
        const node = /** @type {BuiltServer} */ (this.#nodes[index]);
        const phone = `+62838${30_000_000 + this.#phones++}`;
        underWay += 1;
        // A send that the kill cut off was not answered; nothing is promised of it.
        const answer = await node.call('POST', 'otp/send', { phone }).catch(() => undefined);
        underWay -= 1;
        if (answer?.status === 503) refused += 1;
        if (answer === undefined || answer.status === 503) continue;
        assert.equal(answer.status, 201, JSON.stringify(answer.body));
        answered.push({ phone, id: answer.body.data.id, messageId: answer.body.data.messageId });
        if (isOver) answeredAfter += 1;
        if (answered.length !== after) continue;
        underWayAtBlow = underWay;
        await blow(victim === undefined ? undefined : this.#nodes[victim]);
        isOver = true;
      }
    };
    await Promise.all(Array.from({ length: SENDERS }, (_, i) => sender(i % 2)));
    return { answered, refused, underWay: underWayAtBlow };
  }
}

/** @param {number} answered @param {number} expired */
function told(answered, expired) {
  return `${answered - expired} arrived once${expired > 0 ? `, ${expired} reported expired` : ''}`;
}

/** @param {number} startedAt */
function seconds(startedAt) {
  return `${((performance.now() - startedAt) / 1000).toFixed(1)} s`;
}
