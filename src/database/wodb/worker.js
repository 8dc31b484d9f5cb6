// @ts-check
// A job in a process of its own, so that the server goes on answering while it runs, and can end it at any moment: SQLite
// cannot be interrupted from here, and a process cannot end while one of its threads is in a long call.
// Started by run-in-worker.ts. Plain JavaScript, because Node itself loads it, which cannot read TypeScript before 22.
import { createDecipheriv, createHash } from 'node:crypto';
import { closeSync, existsSync, fsyncSync, openSync, readSync, rmSync, statSync } from 'node:fs';
import { constants, setPriority } from 'node:os';
import Sqlite from 'better-sqlite3-multiple-ciphers';
import { chainCheck, isGoodHead, isGoodLine, sentenceOfBad } from '../audit-chain.js';
import { BUSY_TIMEOUT_MS, rawKey, secure, unlock } from './unlock.js';

/**
 * @typedef {{ key: Uint8Array, salt: Uint8Array }} FileKey
 * @typedef {{ name: 'vacuum-into', path: string, fileKey: FileKey, draft: string, draftKey?: FileKey }} VacuumJob
 * @typedef {{ finding: string, sql: string }} Invariant
 * @typedef {{ name: 'verify', path: string, fileKey: FileKey, invariants: Invariant[], schemaVersion: number, now: number }} VerifyJob
 * @typedef {{ finding: string, purpose: string, sql: string }} SealedValues
 * @typedef {{ name: 'open-sealed', path: string, fileKey: FileKey, values: SealedValues[], keys: Record<string, Uint8Array> }} OpenSealedJob
 * @typedef {{ name: 'digest', path: string }} DigestJob
 * @typedef {VacuumJob | VerifyJob | OpenSealedJob | DigestJob} Job
 * @typedef {{ version: number, salt: string, check_value: string, sealed_secret: Buffer | null, created_at: number }} KeyVersion
 * @typedef {{ findings: string[], applicationId: number, schemaVersion: number, rows: Record<string, number>, keyVersions: KeyVersion[] }} Verdict
 * @typedef {{ pages: number } | { result: unknown } | { error: { code: string, message: string, syscall?: string, path?: string } }} Report
 */

const parent = process.ppid;

// The processor is for those who wait for an answer of the server.
setPriority(constants.priority.PRIORITY_LOW);

/** Findings of one kind that are told one by one. */
const TOLD_MAX = 10;
/** The layout of a sealed value (see lib/seal.ts). */
const IV_BYTES = 12;
const TAG_BYTES = 16;

/**
 * @param {string} path
 * @param {FileKey} fileKey
 */
function open(path, fileKey, readonly = true) {
  const sqlite = new Sqlite(path, { readonly, fileMustExist: true, timeout: BUSY_TIMEOUT_MS });
  try {
    unlock(sqlite, fileKey);
    secure(sqlite);
    // The first look into the file: fails when the key does not fit.
    sqlite.pragma('application_id');
    return sqlite;
  } catch (error) {
    sqlite.close();
    throw error;
  }
}

/**
 * Writes what is committed into the draft, an empty file, and syncs it. SQLite gives the draft the source's key; with
 * a `draftKey` every page of it is then written anew.
 * @param {VacuumJob} job
 */
function vacuumInto({ path, fileKey, draft, draftKey }) {
  const source = open(path, fileKey);
  try {
    report({ pages: Number(source.pragma('page_count', { simple: true })) });
    source.prepare('VACUUM INTO ?').run(draft);
  } finally {
    source.close();
  }
  // Somebody else may be at work on the draft when the process that wanted it has died.
  if (process.ppid !== parent) throw new Error('The process that asked for the copy has ended.');
  if (draftKey) {
    const copy = open(draft, fileKey, false);
    try {
      // No journal: nobody needs a draft that was cut off.
      copy.pragma('journal_mode = OFF');
      copy.pragma(`rekey = "${rawKey(draftKey)}"`);
    } finally {
      copy.close();
    }
  }
  const file = openSync(draft, 'r+');
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

/**
 * Reads every page in use, so that each one's HMAC is checked, then looks at foreign keys and invariants, and counts the
 * rows. All of it sees one moment.
 * @param {VerifyJob} job
 * @returns {Verdict} what is wrong, one sentence each, and what is in the file (the key versions newest first); nothing is
 *   counted in a damaged one
 */
function verify({ path, fileKey, invariants, schemaVersion, now }) {
  const hadWal = existsSync(`${path}-wal`);
  const sqlite = open(path, fileKey);
  try {
    sqlite.exec('BEGIN');
    const number = (/** @type {string} */ name) => Number(sqlite.pragma(name, { simple: true }));
    const about = { applicationId: number('application_id'), schemaVersion: number('user_version') };
    const damage = damagedPages(sqlite);
    // What else could be said of a damaged file is guesswork.
    if (damage.length > 0) return { findings: damage, ...about, rows: {}, keyVersions: [] };
    // The rules of one schema say nothing about the tables of another.
    const known = about.schemaVersion === schemaVersion ? invariants : [];
    const broken = known.flatMap((each) => violations(sqlite, each, now));
    const rows = rowCounts(sqlite);
    const keyVersions = rows.key_versions
      ? /** @type {KeyVersion[]} */ (sqlite.prepare('select * from key_versions order by version desc').all())
      : [];
    return { findings: [...brokenReferences(sqlite), ...broken], ...about, rows, keyVersions };
  } finally {
    sqlite.close();
    if (!hadWal) removeEmptyWal(path);
  }
}

/**
 * Opens every sealed value with the key of its purpose and version, and goes through the chain of the audit log.
 * @param {OpenSealedJob} job
 * @returns {string[]} what does not open, one sentence a kind, and the first line of the audit log that is not right
 */
function openSealed({ path, fileKey, values, keys }) {
  const hadWal = existsSync(`${path}-wal`);
  const sqlite = open(path, fileKey);
  try {
    const closed = values.flatMap(({ finding, purpose, sql }) => {
      /** @type {Set<string>} */
      const ids = new Set();
      const rows = sqlite.prepare(sql).raw().iterate();
      for (const row of rows) {
        const [id, sealed, version, context] = /** @type {[string, Buffer, number, string]} */ (row);
        if (!opens(keys[`${purpose} ${version}`], sealed, context)) ids.add(id);
      }
      return sentence(finding, [...ids]);
    });
    return [...closed, ...brokenAudit(sqlite, keys)];
  } finally {
    sqlite.close();
    if (!hadWal) removeEmptyWal(path);
  }
}

/**
 * @param {import('better-sqlite3-multiple-ciphers').Database} sqlite
 * @param {Record<string, Uint8Array>} keys
 */
function brokenAudit(sqlite, keys) {
  // All of it sees one moment.
  sqlite.exec('BEGIN');
  const bad = firstBadLine(sqlite, (version) => keys[`audit ${version}`]);
  return bad ? [`The audit log was changed: ${sentenceOfBad(bad)}`] : [];
}

/**
 * @param {import('better-sqlite3-multiple-ciphers').Database} sqlite
 * @param {(version: number) => Uint8Array | undefined} keyOf
 * @returns {import('../audit-chain.js').BadLine | undefined}
 */
function firstBadLine(sqlite, keyOf) {
  const head = /** @type {import('../audit-chain.js').AuditHead | undefined} */ (
    sqlite.prepare('select * from audit_head').get()
  );
  const lines = (/** @type {string} */ where) =>
    /** @type {IterableIterator<import('../audit-chain.js').AuditLine>} */ (
      sqlite.prepare(`select * from audit_log where ${where}`).iterate()
    );
  const broken = /** @type {const} */ ({ position: null, problem: 'head' });
  if (!head) {
    const [chained] = lines('position is not null limit 1');
    if (chained) return broken;
  } else {
    if (!isGoodHead(keyOf, head)) return broken;
    const chain = chainCheck(keyOf, head);
    for (const line of lines(`position > ${head.anchor_position} order by position`)) {
      const { position } = line;
      if (chain.position === head.position) return { position, problem: 'added', line };
      const bad = chain.next(line);
      if (bad) return bad;
    }
    const end = chain.end();
    if (end) return end;
  }
  for (const line of lines('position is null')) {
    if (!isGoodLine(keyOf, line)) return { position: null, problem: 'changed', line };
  }
  return undefined;
}

/**
 * Whether a value is one that was sealed under this key in this place (see lib/seal.ts).
 * @param {Uint8Array | undefined} key
 * @param {Buffer} sealed
 * @param {string} context
 */
function opens(key, sealed, context) {
  if (!key || sealed.length < IV_BYTES + TAG_BYTES) return false;
  const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(0, IV_BYTES), {
    authTagLength: TAG_BYTES,
  });
  decipher.setAAD(Buffer.from(context, 'utf8'));
  decipher.setAuthTag(sealed.subarray(-TAG_BYTES));
  decipher.update(sealed.subarray(IV_BYTES, -TAG_BYTES));
  try {
    decipher.final();
    return true;
  } catch {
    return false;
  }
}

/**
 * Takes away what reading a file at rest has made beside it, which a connection that may not write leaves there.
 * @param {string} path
 */
function removeEmptyWal(path) {
  if (!existsSync(`${path}-wal`) || statSync(`${path}-wal`).size > 0) return;
  for (const end of ['-wal', '-shm']) rmSync(path + end, { force: true });
}

/** @param {import('better-sqlite3-multiple-ciphers').Database} sqlite */
function damagedPages(sqlite) {
  /** @type {string[]} */
  let lines;
  try {
    lines = sqlite.prepare('PRAGMA quick_check').pluck().all().map(String);
  } catch (error) {
    if (!(error instanceof Sqlite.SqliteError)) throw error;
    return [`The file is damaged: ${error.message}.`];
  }
  const details = lines.flatMap((text) => text.split('\n')).filter((line) => !/^(ok|\*\*\*.*)$/.test(line));
  // Once a page has failed its HMAC, the library refuses all that it reads after it: only the first says where.
  return details.slice(0, 1).map((detail) => `The file is damaged: ${detail}.`);
}

/** @param {import('better-sqlite3-multiple-ciphers').Database} sqlite */
function brokenReferences(sqlite) {
  const rows = /** @type {{ table: string, parent: string }[]} */ (sqlite.pragma('foreign_key_check'));
  const kinds = new Map(rows.map(({ table, parent }) => [`${table} ${parent}`, { table, parent }]));
  return [...kinds.values()].map(({ table, parent }) => {
    const count = rows.filter((row) => row.table === table && row.parent === parent).length;
    return `Rows of ${table} refer to rows of ${parent} that do not exist: ${count}.`;
  });
}

/**
 * @param {import('better-sqlite3-multiple-ciphers').Database} sqlite
 * @param {Invariant} invariant
 * @param {number} now
 */
function violations(sqlite, { finding, sql }, now) {
  return sentence(finding, sqlite.prepare(sql).pluck().all({ now }).map(String));
}

/**
 * A finding with the first of its ids; nothing when there are none.
 * @param {string} finding
 * @param {string[]} ids
 */
function sentence(finding, ids) {
  if (ids.length === 0) return [];
  const told = ids.slice(0, TOLD_MAX).join(', ');
  return [`${finding}: ${told}${ids.length > TOLD_MAX ? ` and ${ids.length - TOLD_MAX} more` : ''}.`];
}

/** @param {import('better-sqlite3-multiple-ciphers').Database} sqlite */
function rowCounts(sqlite) {
  const tables = sqlite
    .prepare(`select name from sqlite_schema where type = 'table' and name not like 'sqlite_%' order by name`)
    .pluck()
    .all();
  return Object.fromEntries(
    tables.map((name) => {
      const quoted = String(name).replaceAll('"', '""');
      return [String(name), Number(sqlite.prepare(`select count(*) from "${quoted}"`).pluck().get())];
    }),
  );
}

/**
 * The SHA-256 of a file, hex.
 * @param {DigestJob} job
 */
function digest({ path }) {
  const hash = createHash('sha256');
  const chunk = Buffer.alloc(1024 * 1024);
  const file = openSync(path, 'r');
  try {
    for (let bytes = readSync(file, chunk); bytes > 0; bytes = readSync(file, chunk)) {
      hash.update(chunk.subarray(0, bytes));
    }
  } finally {
    closeSync(file);
  }
  return hash.digest('hex');
}

/** @param {Job} job */
function perform(job) {
  switch (job.name) {
    case 'vacuum-into':
      return vacuumInto(job);
    case 'verify':
      return verify(job);
    case 'open-sealed':
      return openSealed(job);
    case 'digest':
      return digest(job);
  }
}

/**
 * @param {Report} what
 * @param {() => void} [sent]
 */
function report(what, sent = () => {}) {
  process.send?.(what, sent);
}

process.once('message', (job) => {
  // Without the channel nothing keeps the process alive.
  const end = () => process.disconnect();
  try {
    report({ result: perform(/** @type {Job} */ (job)) }, end);
  } catch (error) {
    const { code = '', message, syscall, path } = /** @type {NodeJS.ErrnoException} */ (error);
    report({ error: { code, message, syscall, path } }, end);
  }
});
