// @ts-check
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHash, randomBytes, randomInt } from 'node:crypto';
import { once } from 'node:events';
import { cpSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { sql } from 'kysely';
import { dist } from './dist.js';
import { ensureBuilt } from './ensure-built.js';

const MAIN = fileURLToPath(new URL('../dist/wotp.js', import.meta.url));

/** Files whose appearance tells how far the work is: half of the kills come right after one of them is seen. */
const SIGNS = {
  // The backup begins, has its manifest, has its name; the migration is committed.
  migrate: [/^backups\/.*\.draft$/, /^backups\/.*\.json$/, /^backups\/.*\.wodb$/, /^wotp\.wodb-wal$/],
  compact: [/\.compacting$/, /\.replace\.tmp$/, /\.replace$/],
  rotate: [/\.rotating$/, /^wotp\.keycheck\.new$/, /\.replace\.tmp$/, /\.replace$/],
};
/** What may lie in a data folder at rest. */
const KNOWN = /^(backups|master\.key(\.replaced-[\d-]+)?|wotp\.(keycheck|sock|wodb|wodb\.lock))$/;
/** The newest migration of the database that `migrate` begins with. */
const OLD_SCHEMA = '0013-whatsapp-senders-by-number';

/**
 * @typedef {'migrate' | 'compact' | 'rotate-given' | 'rotate-kept'} Work
 * `migrate`: an older database gets its backup and the migrations that it lacks; `rotate-given`: the operator gives old and new key; `rotate-kept`: WOTP keeps the key itself
 * @typedef {{ when: string, moment: (isOver: () => boolean) => Promise<unknown> }} Kill
 */

/**
 * Kills a command that changes the whole database at a random moment, again and again, and looks after each kill
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
  folder.remove();
}

/** A data folder and what it has to hold, whatever happens. */
class Folder {
  dir = mkdtempSync(join(tmpdir(), 'wotp-kill-'));
  #work;
  /** The key that opens it; undefined where WOTP keeps it. @type {string | undefined} */
  #key;
  #content = '';
  /** What the older database was. */
  #oldDir = '';
  #rounds = 0;
  /** How long the command takes when nobody kills it, in ms. */
  #wholeMs = 0;

  /** @param {Work} work */
  constructor(work) {
    this.#work = work;
    this.#key = work === 'rotate-kept' ? undefined : newKey();
    if (work === 'migrate') this.#oldDir = `${this.dir}-old`;
  }

  /** @param {number} count */
  async seed(count) {
    if (this.#work === 'migrate') await this.#seedOld(count);
    else assert.equal((await this.#run(['seed', '--count', String(count)])).code, 0);
    this.#content = await this.#look(this.#key);
    this.#makeOld();
    const { code, tookMs, newKey: given } = await this.#command();
    assert.equal(code, 0);
    this.#wholeMs = tookMs;
    this.#key = given ?? this.#key;
    await this.#opensWith(this.#key);
  }

  remove() {
    for (const dir of [this.dir, `${this.dir}-old`]) rmSync(dir, { recursive: true, force: true });
  }

  /** One round; resolves to the line that tells of it. */
  async round() {
    this.#rounds += 1;
    this.#makeOld();
    const kill = this.#rounds % 2 === 0 ? this.#onSight() : this.#atRandom();
    const before = this.#key;
    const { code, newKey: given } = await this.#command(kill);
    const left = readdirSync(this.dir).filter((name) => !KNOWN.test(name));
    const schema = this.#work === 'migrate' ? `, ${await this.#migrated()}` : '';
    if (given !== undefined && !(await this.#opensWith(before))) this.#key = given;
    assert.ok(await this.#opensWith(this.#key), 'the folder opens with no known key');
    const unknown = readdirSync(this.dir).filter((name) => !KNOWN.test(name));
    assert.deepEqual(unknown, [], 'the next start leaves nothing of the work that was cut off');
    const how = code === 0 ? 'it was done' : `killed ${kill.when}`;
    const key = given === undefined ? '' : `, opens with the ${this.#key === given ? 'new' : 'old'} key`;
    return `${how}${key}${schema}, all rows there${left.length > 0 ? `, had left ${left.join(' ')}` : ''}`;
  }

  /**
   * Fills the folder with the tables of the older schema, which the application of today cannot, and keeps what that has
   * made.
   * @param {number} count
   */
  async #seedOld(count) {
    const { MIGRATIONS } = await dist('database/migrate.js');
    const newer = Object.entries(MIGRATIONS).filter(([name]) => name > OLD_SCHEMA);
    assert.ok(newer.length > 0, 'there is something to migrate');
    for (const [name] of newer) delete MIGRATIONS[name];
    try {
      await this.#withDatabase(this.#key, async (database) => {
        await database.transaction(async (/** @type {import('kysely').Kysely<unknown>} */ trx) => {
          for (const statement of oldRows(count)) await sql.raw(statement).execute(trx);
        });
      });
    } finally {
      Object.assign(MIGRATIONS, Object.fromEntries(newer));
    }
    cpSync(this.dir, this.#oldDir, { recursive: true });
  }

  /** Puts the older database back, for the work that begins with one. */
  #makeOld() {
    if (this.#work !== 'migrate') return;
    rmSync(this.dir, { recursive: true });
    cpSync(this.#oldDir, this.dir, { recursive: true });
  }

  /**
   * Looks at what a migration that was cut off has left: the database is whole and has the old schema or the new one, and
   * each backup with a name is whole and has the old one. Then migrates to the end. Resolves to what there was.
   */
  async #migrated() {
    const before = await this.#verdict();
    const old = await this.#verdict(join(this.#oldDir, 'wotp.wodb'));
    const backups = join(this.dir, 'backups');
    const made = existsSync(backups) ? readdirSync(backups).filter((name) => name.endsWith('.wodb')) : [];
    for (const name of made) {
      const { schemaVersion, rows } = await this.#verdict(join(backups, name));
      assert.equal(schemaVersion, Number(OLD_SCHEMA.slice(0, 4)), 'a backup has the schema from before');
      assert.deepEqual(rows, old.rows, 'a backup holds every row');
    }
    const { schemaVersion: newest } = await dist('database/migrate.js');
    const isOld = before.schemaVersion === Number(OLD_SCHEMA.slice(0, 4));
    assert.ok(isOld || before.schemaVersion === newest(), 'the schema is the old one or the new one');
    assert.ok(isOld || made.length === 1, 'there is a backup from before the new schema');
    assert.equal((await this.#run(['migrate'])).code, 0);
    const after = await this.#verdict();
    assert.equal(after.schemaVersion, newest());
    const drafts = existsSync(backups) ? readdirSync(backups).filter((name) => name.includes('draft')) : [];
    assert.deepEqual(drafts, [], 'the next migration leaves no half backup');
    return `had the ${isOld ? 'old' : 'new'} schema and ${made.length === 1 ? 'a whole backup' : 'no backup'}`;
  }

  /**
   * Reads every page of a file of the folder, the database if none is named, with the one known key.
   * @param {string} [path]
   */
  async #verdict(path = join(this.dir, 'wotp.wodb')) {
    const { examineFile } = await dist('database/wodb/examine.js');
    const { verifyFile } = await dist('database/wodb/run-in-worker.js');
    const fileKey = examineFile(path, this.#key ?? assert.fail('no key is known'));
    const verdict = await verifyFile({ path, fileKey, invariants: [], now: Date.now() });
    assert.deepEqual(verdict.findings, []);
    const { kysely_migration: _migrations, ...rows } = verdict.rows;
    return { ...verdict, rows };
  }

  /** @returns {Kill} */
  #atRandom() {
    // Its first third is Node starting.
    const ms = randomInt(Math.floor(this.#wholeMs / 3), Math.ceil(this.#wholeMs * 1.05));
    return { when: `after ${ms} ms`, moment: () => new Promise((resolve) => setTimeout(resolve, ms)) };
  }

  /** @returns {Kill} */
  #onSight() {
    const signs = SIGNS[this.#work === 'migrate' || this.#work === 'compact' ? this.#work : 'rotate'];
    const sign = /** @type {RegExp} */ (signs[randomInt(signs.length)]);
    const turns = randomInt(4);
    // The migration itself shows no file: it begins when its backup has its name, and takes a while.
    const later = this.#work === 'migrate' ? randomInt(Math.ceil(this.#wholeMs / 4)) : 0;
    const isSeen = () => readdirSync(this.dir, { recursive: true }).some((name) => sign.test(String(name)));
    const moment = async (/** @type {() => boolean} */ isOver) => {
      while (!isSeen() && !isOver()) await nextTurn();
      for (let turn = 0; turn < turns; turn++) await nextTurn();
      await new Promise((resolve) => setTimeout(resolve, later));
    };
    return { when: `${later} ms after the sight of ${sign}`, moment };
  }

  /**
   * The command that is killed; resolves to the new key if it was given one.
   * @param {Kill} [kill]
   */
  async #command(kill) {
    if (this.#work === 'compact' || this.#work === 'migrate') {
      return { ...(await this.#run([this.#work], {}, kill)), newKey: undefined };
    }
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
    const { unseal } = await dist('lib/seal.js');
    const { codeMac } = await dist('otp/code.js');
    return this.#withDatabase(key, async (database, keyring) => {
      const { reader } = database;
      const verifications = await reader.selectFrom('verifications').selectAll().orderBy('id').execute();
      const messages = await reader.selectFrom('messages').selectAll().orderBy('id').execute();
      const allEvents = await reader.selectFrom('events').selectAll().orderBy('seq').execute();
      const byId = new Map(verifications.map((/** @type {{ id: string }} */ row) => [row.id, row]));
      for (const { owner_id } of messages) assert.ok(byId.has(owner_id), 'a message has no verification');
      for (const { id, sealed_code, code_mac, key_version: version } of verifications) {
        if (sealed_code === null) continue;
        const code = unseal(keyring.key('message-code', version), sealed_code, id);
        const mac = codeMac(keyring.key('otp-code', version), id, code);
        assert.ok(mac.equals(code_mac), 'a pending code is not the one it is compared with');
      }
      // What the work tells of itself.
      const ofWork = ['master_key.rotated', 'database.compacted'];
      const events = allEvents.filter((/** @type {{ type: string }} */ { type }) => !ofWork.includes(type));
      return createHash('sha256')
        .update(JSON.stringify([verifications, messages, events]))
        .digest('hex');
    });
  }

  /**
   * Opens the folder as a start does, for as long as the work takes.
   * @template T
   * @param {string | undefined} key
   * @param {(database: any, keyring: any) => Promise<T>} work
   */
  async #withDatabase(key, work) {
    const { openWodb } = await dist('database/wodb/open.js');
    const { keyCheckPathIn } = await dist('database/wodb/key-check.js');
    const { resolveMasterKey } = await dist('database/master-key.js');
    const { openKeyring } = await dist('database/keyring.js');
    const { systemClock } = await dist('lib/clock.js');
    const path = join(this.dir, 'wotp.wodb');
    const masterKey = resolveMasterKey(key, this.dir, path);
    const keyCheckPath = keyCheckPathIn(this.dir);
    const database = await openWodb({ path, keyCheckPath, masterKey, onFatal: fail });
    try {
      return await work(database, await openKeyring(database, masterKey, systemClock()));
    } finally {
      await database.close();
    }
  }
}

/**
 * What fills the tables as `OLD_SCHEMA` left them: a project, and verifications with a message and an event each.
 * @param {number} count
 */
function oldRows(count) {
  const project = 'prj_01jd3x8zq2e6v9k5m7n0p4r8st';
  const each = `with recursive n(i) as (values (1) union all select i + 1 from n where i < ${count})`;
  return [
    `insert into projects (id, name, created_at) values ('${project}', 'Default', 1)`,
    `insert into settings (key, value) values ('default_project_id', '${project}')`,
    `insert into verifications (id, project_id, phone, destination, purpose, channel, status, code_mac, key_version,
       code_length, attempts, sends, failed_checks, metadata, created_at, expires_at)
     ${each} select 'ver_' || i, '${project}', '+62' || i, '62' || i, 'default', 'simulator', 'verified', randomblob(32), 1,
       6, 0, '[]', '[]', '{"note":"' || hex(randomblob(200)) || '"}', i, i + 300000 from n`,
    `insert into messages (id, project_id, verification_id, phone, channel, lane, status, body, key_version, timeline,
       attempts, claim, due_at, expires_at, created_at)
     ${each} select 'msg_' || i, '${project}', 'ver_' || i, '+62' || i, 'simulator', 0, 'read', 'Your code is {{code}}.', 1,
       '[]', 1, 1, i, i + 300000, i from n`,
    `insert into events (project_id, type, at, subject) ${each} select '${project}', 'otp.verified', i, 'ver_' || i from n`,
  ];
}

/** @param {Error} error */
function fail(error) {
  throw error;
}

function nextTurn() {
  return new Promise((resolve) => setImmediate(resolve));
}

function newKey() {
  return randomBytes(32).toString('hex');
}
