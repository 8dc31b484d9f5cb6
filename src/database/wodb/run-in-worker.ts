import { fork } from 'node:child_process';
import type { KeyObject } from 'node:crypto';
import { rmSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import Sqlite from 'better-sqlite3-multiple-ciphers';
import { schemaVersion } from '../migrate.ts';
import { createPrivateFile } from '../private-files.ts';
import type { FileKey } from './connection.ts';
import type { Job, Report, SealedValues, Verdict } from './worker.js';

export type { SealedValues, Verdict } from './worker.js';

const PAGE_BYTES = 4096;
/** How often the size of a draft is looked at, in ms. */
const LOOK_EVERY_MS = 100;

/** Something that holds of every whole database: what is wrong where it does not, and the query that finds the ids. */
export interface Invariant {
  /** The beginning of a sentence that the ids end. */
  finding: string;
  /** Selects one column of ids; `@now` is the time in Unix ms. */
  sql: string;
}

/**
 * Writes all that is committed in a database into another file, packed, without holding anybody up: in a process of its
 * own, which `signal` kills. The draft is made with mode 0600 (what was there is removed), is synced when this resolves,
 * and is gone when it rejects. It is an ordinary WODB file with SQLite's rollback journal in place of the WAL; whoever
 * opens it for writing turns it back.
 *
 * The draft has the key and the salt of the source, or those of `draftKey`. `onProgress` gets what is done of it, from
 * 0 to 1.
 * @throws SqliteError or an error of the file system, as it came up; an AbortError when it was killed by `signal`
 */
export async function vacuumInto(options: {
  path: string;
  fileKey: FileKey;
  draft: string;
  draftKey?: FileKey;
  onProgress?: (done: number) => void;
  signal?: AbortSignal | undefined;
}): Promise<void> {
  const { draft, onProgress = () => {}, signal, ...source } = options;
  removeDraft(draft);
  let pages = 0;
  const watch = setInterval(async () => {
    const { size } = await stat(draft).catch(() => ({ size: 0 }));
    if (pages > 0) onProgress(Math.min(size / (pages * PAGE_BYTES), 1));
  }, LOOK_EVERY_MS);
  try {
    createPrivateFile(draft);
    const onPages = (count: number) => {
      pages = count;
    };
    await run<void>({ name: 'vacuum-into', draft, ...source }, { onPages, signal });
  } catch (error) {
    removeDraft(draft);
    throw error;
  } finally {
    clearInterval(watch);
  }
}

/** Removes a file that was never finished, with what SQLite may have left beside it. */
export function removeDraft(draft: string): void {
  for (const end of ['', '-wal', '-shm', '-journal']) rmSync(draft + end, { force: true });
}

/**
 * Checks a database file, live or not, in a process of its own, which `signal` kills: every page in use (with its HMAC),
 * foreign keys, and, in a file of the present schema, the invariants at `now` (Unix ms). Resolves to what is wrong, one
 * sentence each (none when the file is whole), and to what is in it: the marks of its header, and the rows a table.
 * @throws SqliteError NOTADB when the key does not fit the first page, and errors of the file system
 */
export async function verifyFile(options: {
  path: string;
  fileKey: FileKey;
  invariants: readonly Invariant[];
  now: number;
  signal?: AbortSignal | undefined;
}): Promise<Verdict> {
  const { invariants, signal, ...file } = options;
  const job = { ...file, invariants: [...invariants], schemaVersion: schemaVersion() };
  return run<Verdict>({ name: 'verify', ...job }, { signal });
}

/**
 * Opens every sealed value of a database file, live or not, and goes through the chain of its audit log, in a process of its
 * own, which `signal` kills. `keys` are those derived from its master key, by `<purpose> <version>`. Resolves to what does
 * not open, one sentence a kind, and the first line of the audit log that is not right.
 * @throws SqliteError, and errors of the file system
 */
export async function openSealedIn(options: {
  path: string;
  fileKey: FileKey;
  values: readonly SealedValues[];
  keys: ReadonlyMap<string, KeyObject>;
  signal?: AbortSignal | undefined;
}): Promise<string[]> {
  const { path, fileKey, values, keys, signal } = options;
  const raw = Object.fromEntries([...keys].map(([name, key]) => [name, key.export()]));
  return run<string[]>({ name: 'open-sealed', path, fileKey, values: [...values], keys: raw }, { signal });
}

/** The SHA-256 of a file, hex, read in a process of its own. */
export async function digestOf(path: string, signal?: AbortSignal): Promise<string> {
  return run<string>({ name: 'digest', path }, { signal });
}

interface RunOptions {
  onPages?: (pages: number) => void;
  signal?: AbortSignal | undefined;
}

function run<T>(job: Job, { onPages = () => {}, signal }: RunOptions): Promise<T> {
  return new Promise((resolve, reject) => {
    const worker = fork(fileURLToPath(new URL('./worker.js', import.meta.url)), [], {
      // Nothing of the server's settings, which hold secrets; the key goes over the channel.
      env: {},
      execArgv: [],
      serialization: 'advanced',
      killSignal: 'SIGKILL',
      ...(signal ? { signal } : {}),
    });
    let outcome = () => reject(new Error('The database worker ended without an error message.'));
    worker.on('message', (report: Report) => {
      if ('pages' in report) onPages(report.pages);
      else if ('result' in report) outcome = () => resolve(report.result as T);
      else outcome = () => reject(asError(report.error));
    });
    worker.once('error', (error) => {
      outcome = () => reject(error);
      // One that was never started does not end either.
      if (worker.pid === undefined) outcome();
    });
    worker.once('close', () => outcome());
    worker.send(job);
  });
}

/** Errors lose their class on the way between processes. */
function asError({ code, message, syscall, path }: Extract<Report, { error: object }>['error']): Error {
  if (code.startsWith('SQLITE_')) return new Sqlite.SqliteError(message, code);
  return Object.assign(new Error(message), code === '' ? {} : { code, syscall, path });
}
