// @ts-check
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHash, randomBytes, randomInt } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ensureBuilt } from './ensure-built.js';

const MAIN = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url));
const dist = (/** @type {string} */ name) => import(new URL(`../dist/${name}`, import.meta.url).href);

/** Files whose appearance tells how far the work is: half of the kills come right after one of them is seen. */
const SIGNS = {
  compact: ['wotp.wodb.compacting', 'wotp.wodb.replace.tmp', 'wotp.wodb.replace'],
  rotate: ['wotp.wodb.rotating', 'wotp.keycheck.new', 'wotp.wodb.replace.tmp', 'wotp.wodb.replace'],
};
/** What may lie in a data folder at rest. */
const KNOWN = ['master.key', 'wotp.keycheck', 'wotp.sock', 'wotp.wodb', 'wotp.wodb.lock'];

/**
 * @typedef {'compact' | 'rotate-given' | 'rotate-kept'} Work
 * `rotate-given`: the operator gives old and new key; `rotate-kept`: WOTP keeps the key itself
 * @typedef {{ when: string, moment: (isOver: () => boolean) => Promise<unknown> }} Kill
 */

/**
 * Kills a command that builds the database file anew at a random moment, again and again, and looks after each kill
 * whether the folder opens, with one key that is known, and still holds every row and every pending code. Throws an
 * AssertionError at the first one that does not, and then leaves the folder for inspection.
 * @param {{ work: Work, rounds: number, verifications: number, say: (line: string) => void }} options
 */
export async function runKillRounds({ work, rounds, verifications, say }) {
  await ensureBuilt();
  const folder = new Folder(work);
  try {
    await folder.seed(verifications);
    for (let round = 1; round <= rounds; round++) say(`${work} ${round}: ${await folder.round()}`);
  } catch (error) {
    say(`The data folder is kept: ${folder.dir}`);
    throw error;
  }
  rmSync(folder.dir, { recursive: true, force: true });
}

/** A data folder and what it has to hold, whatever happens. */
class Folder {
  dir = mkdtempSync(join(tmpdir(), 'wotp-kill-'));
  #work;
  /** The key that opens it; undefined where WOTP keeps it. @type {string | undefined} */
  #key;
  #content = '';
  #rounds = 0;
  /** How long the command takes when nobody kills it, in ms. */
  #wholeMs = 0;

  /** @param {Work} work */
  constructor(work) {
    this.#work = work;
    this.#key = work === 'rotate-kept' ? undefined : newKey();
  }

  /** @param {number} count */
  async seed(count) {
    assert.equal((await this.#run(['seed', '--count', String(count)])).code, 0);
    this.#content = await this.#look(this.#key);
    const { code, tookMs, newKey: given } = await this.#command();
    assert.equal(code, 0);
    this.#wholeMs = tookMs;
    this.#key = given ?? this.#key;
    await this.#opensWith(this.#key);
  }

  /** One round; resolves to the line that tells of it. */
  async round() {
    this.#rounds += 1;
    const kill = this.#rounds % 2 === 0 ? this.#onSight() : this.#atRandom();
    const before = this.#key;
    const { code, newKey: given } = await this.#command(kill);
    const left = readdirSync(this.dir).filter((name) => !KNOWN.includes(name));
    if (given !== undefined && !(await this.#opensWith(before))) this.#key = given;
    assert.ok(await this.#opensWith(this.#key), 'the folder opens with no known key');
    const unknown = readdirSync(this.dir).filter((name) => !KNOWN.includes(name));
    assert.deepEqual(unknown, [], 'the next start leaves nothing of the work that was cut off');
    const how = code === 0 ? 'it was done' : `killed ${kill.when}`;
    const key = given === undefined ? '' : `, opens with the ${this.#key === given ? 'new' : 'old'} key`;
    return `${how}${key}, all rows there${left.length > 0 ? `, had left ${left.join(' ')}` : ''}`;
  }

  /** @returns {Kill} */
  #atRandom() {
    // Its first third is Node starting.
    const ms = randomInt(Math.floor(this.#wholeMs / 3), Math.ceil(this.#wholeMs * 1.05));
    return { when: `after ${ms} ms`, moment: () => new Promise((resolve) => setTimeout(resolve, ms)) };
  }

  /** @returns {Kill} */
  #onSight() {
    const signs = this.#work === 'compact' ? SIGNS.compact : SIGNS.rotate;
    const sign = signs[randomInt(signs.length)] ?? '';
    const turns = randomInt(4);
    const moment = async (/** @type {() => boolean} */ isOver) => {
      while (!existsSync(join(this.dir, sign)) && !isOver()) await nextTurn();
      for (let turn = 0; turn < turns; turn++) await nextTurn();
    };
    return { when: `at the sight of ${sign}`, moment };
  }

  /**
   * The command that is killed; resolves to the new key if it was given one.
   * @param {Kill} [kill]
   */
  async #command(kill) {
    if (this.#work === 'compact') return { ...(await this.#run(['compact'], {}, kill)), newKey: undefined };
    const given = this.#work === 'rotate-given' ? newKey() : undefined;
    /** @type {Record<string, string>} */
    const settings = given === undefined ? {} : { WOTP_NEW_MASTER_KEY: given };
    return { ...(await this.#run(['master-key', 'rotate', '--yes'], settings, kill)), newKey: given };
  }

  /**
   * @param {string[]} args
   * @param {Record<string, string>} [settings]
   * @param {Kill} [kill]
   */
  async #run(args, settings = {}, kill) {
    const begun = performance.now();
    const child = spawn(process.execPath, [MAIN, ...args], {
      // Away from the repository, so that no .env in it is read.
      cwd: this.dir,
      env: {
        PATH: process.env.PATH,
        DATA_DIR: this.dir,
        RETENTION_DAYS_VERIFICATIONS: '0',
        RETENTION_DAYS_EVENTS: '0',
        ...(this.#key === undefined ? {} : { DB_MASTER_KEY: this.#key }),
        ...settings,
      },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let errors = '';
    child.stderr.on('data', (text) => {
      errors += text;
    });
    const closed = once(child, 'close');
    const isOver = () => child.exitCode !== null;
    kill?.moment(isOver).then(() => child.kill('SIGKILL'));
    const [code] = await closed;
    assert.equal(errors, '');
    return { code, tookMs: performance.now() - begun };
  }

  /**
   * Whether the folder opens with a key, and then holds what it has to.
   * @param {string | undefined} key
   */
  async #opensWith(key) {
    const content = await this.#look(key).catch((error) => {
      if (error?.name === 'DatabaseOpenError' && /is not the key of this database/.test(error.message))
        return undefined;
      throw error;
    });
    if (content === undefined) return false;
    assert.equal(content, this.#content, 'the rows are not those that were there before');
    return true;
  }

  /**
   * Opens the folder as a start does; resolves to a digest of its rows. Each pending code has to be readable, and to be
   * the one that its verification compares with.
   * @param {string | undefined} key
   */
  async #look(key) {
    const { openWodb } = await dist('database/wodb/open.js');
    const { keyCheckPathIn } = await dist('database/wodb/key-check.js');
    const { resolveMasterKey } = await dist('database/master-key.js');
    const { openKeyring } = await dist('database/keyring.js');
    const { unseal } = await dist('lib/seal.js');
    const { codeMac } = await dist('otp/code.js');
    const path = join(this.dir, 'wotp.wodb');
    const masterKey = resolveMasterKey(key, this.dir, path);
    const database = await openWodb({
      path,
      keyCheckPath: keyCheckPathIn(this.dir),
      masterKey,
      onFatal: (/** @type {Error} */ error) => {
        throw error;
      },
    });
    try {
      const keyring = await openKeyring(database, masterKey, { now: Date.now });
      /** @param {string} table */
      const rows = (table) =>
        database.reader
          .selectFrom(table)
          .selectAll()
          .orderBy(table === 'events' ? 'seq' : 'id')
          .execute();
      const verifications = await rows('verifications');
      const messages = await rows('messages');
      const byId = new Map(verifications.map((/** @type {any} */ row) => [row.id, row]));
      for (const { id, verification_id, sealed_code, key_version } of messages) {
        if (sealed_code === null) continue;
        const code = unseal(keyring.key('message-code', key_version), sealed_code, id);
        const { code_mac, key_version: version } = byId.get(verification_id);
        const mac = codeMac(keyring.key('otp-code', version), verification_id, code);
        assert.ok(mac.equals(code_mac), 'a pending code is not the one it is compared with');
      }
      const events = (await rows('events')).filter(
        (/** @type {any} */ { type }) => type !== 'master_key.rotated',
      );
      return createHash('sha256')
        .update(JSON.stringify([verifications, messages, events]))
        .digest('hex');
    } finally {
      await database.close();
    }
  }
}

function nextTurn() {
  return new Promise((resolve) => setImmediate(resolve));
}

function newKey() {
  return randomBytes(32).toString('hex');
}
