import { closeSync, openSync } from 'node:fs';
import Sqlite from 'better-sqlite3-multiple-ciphers';
import { sqliteCode } from './connection.ts';

/** The database is in use by another process. */
export class DatabaseInUseError extends Error {
  constructor(path: string) {
    super(
      `Another WOTP process is using ${path}. Stop it first; commands of the \`wotp\` program can run beside a server, a second server cannot.`,
    );
    this.name = 'DatabaseInUseError';
  }
}

/** Creates an empty file that only its owner may read, if there is none. */
export function createPrivateFile(path: string): void {
  try {
    closeSync(openSync(path, 'wx', 0o600));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}

/**
 * Takes the one write lock of a database: an exclusive transaction on a small side file, which the kernel releases
 * when its holder dies. Returns the function that releases it.
 *
 * The side file must never be opened by `fs` while the lock is held: closing any descriptor of it would drop the lock.
 * @throws DatabaseInUseError when another process holds it.
 */
export function takeDatabaseLock(databasePath: string): () => void {
  const path = `${databasePath}.lock`;
  createPrivateFile(path);
  const holder = new Sqlite(path, { timeout: 1_000 });
  try {
    holder.exec('BEGIN EXCLUSIVE');
  } catch (error) {
    holder.close();
    throw sqliteCode(error).startsWith('SQLITE_BUSY') ? new DatabaseInUseError(databasePath) : error;
  }
  return () => holder.close();
}
