import { rmSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { Worker } from 'node:worker_threads';
import Sqlite from 'better-sqlite3-multiple-ciphers';
import { SCHEMA_VERSION } from '../migrate.ts';
import { createPrivateFile } from '../private-files.ts';
import type { FileKey } from './connection.ts';
import type { Job, Report, Verdict } from './worker.js';

export type { Verdict } from './worker.js';

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
 * Writes all that is committed in a database into another file, packed, without holding anybody up: on a thread and a
 * connection of its own. The draft is made with mode 0600 (what was there is removed), is synced when this resolves,
 * and is gone when it rejects. It is an ordinary WODB file with SQLite's rollback journal in place of the WAL; whoever
 * opens it for writing turns it back.
 *
 * The draft has the key and the salt of the source, or those of `draftKey`. `onProgress` gets what is done of it, from
 * 0 to 1.
 * @throws SqliteError or an error of the file system, as it came up
 */
export async function vacuumInto(options: {
  path: string;
  fileKey: FileKey;
  draft: string;
  draftKey?: FileKey;
  onProgress?: (done: number) => void;
}): Promise<void> {
  const { draft, onProgress = () => {}, ...source } = options;
  removeDraft(draft);
  let pages = 0;
  const watch = setInterval(async () => {
    const { size } = await stat(draft).catch(() => ({ size: 0 }));
    if (pages > 0) onProgress(Math.min(size / (pages * PAGE_BYTES), 1));
  }, LOOK_EVERY_MS);
  try {
    createPrivateFile(draft);
    await run<void>({ name: 'vacuum-into', draft, ...source }, (count) => {
      pages = count;
    });
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
 * Checks a database file, live or not, on a thread and a connection of its own: every page in use (with its HMAC),
 * foreign keys, and, in a file of the present schema, the invariants at `now` (Unix ms). Resolves to what is wrong, one sentence each (none when the file
 * is whole), and to what is in it: the marks of its header, and the rows a table.
 * @throws SqliteError NOTADB when the key does not fit the first page, and errors of the file system
 */
export async function verifyFile(options: {
  path: string;
  fileKey: FileKey;
  invariants: readonly Invariant[];
  now: number;
}): Promise<Verdict> {
  return run<Verdict>({
    name: 'verify',
    ...options,
    invariants: [...options.invariants],
    schemaVersion: SCHEMA_VERSION,
  });
}

/** The SHA-256 of a file, hex, on a thread of its own. Not for a file that SQLite has open: its locks would go. */
export async function digestOf(path: string): Promise<string> {
  return run<string>({ name: 'digest', path });
}

function run<T>(job: Job, onPages: (pages: number) => void = () => {}): Promise<T> {
  const worker = new Worker(new URL('./worker.js', import.meta.url), { workerData: job });
  return new Promise((resolve, reject) => {
    worker.on('message', (report: Report) => {
      if ('pages' in report) onPages(report.pages);
      else if ('result' in report) worker.once('exit', () => resolve(report.result as T));
      else worker.once('exit', () => reject(asError(report.error)));
    });
    worker.once('error', reject);
    worker.once('exit', (code) => {
      // After whatever was reported before.
      setImmediate(() =>
        reject(new Error(`The worker of the database ended with ${code} and said nothing.`)),
      );
    });
  });
}

/** Errors lose their class on the way between threads. */
function asError({ code, message }: { code: string; message: string }): Error {
  if (code.startsWith('SQLITE_')) return new Sqlite.SqliteError(message, code);
  return Object.assign(new Error(message), code === '' ? {} : { code });
}
