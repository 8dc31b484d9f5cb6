import { realpathSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import Sqlite from 'better-sqlite3-multiple-ciphers';
import { ExpectedError } from '../../lib/expected-error.ts';
import { PROGRAM } from '../../lib/program.ts';
import { refuseSharedFolder } from '../../lib/shared-folder.ts';
import { createPrivateFile } from '../private-files.ts';
import { sqliteCode } from './connection.ts';
import { DatabaseOpenError } from './open-error.ts';
import { refusalBehind } from './refusal.ts';

/** The database is in use by another process. */
export class DatabaseInUseError extends ExpectedError {
  constructor(path: string) {
    super(
      `Another WOTP process is using ${path}. Stop it first: a database has one server. Commands such as \`${PROGRAM} token list\` work beside it.`,
    );
  }
}

/** The one name of a file however it is reached, so that two links to it never count as two databases. */
export function realPath(path: string): string {
  try {
    return realpathSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    return join(realpathSync(dirname(path)), basename(path));
  }
}

/**
 * Takes the one write lock of a database: an exclusive transaction on a small side file, which the kernel releases
 * when its holder dies. Returns the function that releases it. The database's folder has to exist.
 *
 * The side file must never be opened by `fs` while the lock is held: closing any descriptor of it would drop the lock.
 * @throws DatabaseInUseError when another process holds it; SharedFolderError when others may write to the folder;
 *   DatabaseOpenError when the file has a second name, whose lock would be another one
 */
export function takeDatabaseLock(databasePath: string): () => void {
  const file = realPath(databasePath);
  refuseSharedFolder(dirname(file));
  refuseSecondName(file);
  const path = `${file}.lock`;
  createPrivateFile(path);
  const holder = openLockFile(path);
  try {
    // It holds no data, so there is nothing to undo after a crash.
    holder.pragma('journal_mode = MEMORY');
    holder.exec('BEGIN EXCLUSIVE');
  } catch (error) {
    holder.close();
    if (sqliteCode(error).startsWith('SQLITE_BUSY')) throw new DatabaseInUseError(databasePath);
    throw refusalBehind(error, path);
  }
  return () => holder.close();
}

function openLockFile(path: string): Sqlite.Database {
  try {
    return new Sqlite(path, { timeout: 1_000 });
  } catch (error) {
    throw refusalBehind(error, path);
  }
}

function refuseSecondName(file: string): void {
  // Not opened: that would end the locks on it.
  if ((statSync(file, { throwIfNoEntry: false })?.nlink ?? 1) <= 1) return;
  throw new DatabaseOpenError(
    `${file} has a second name (a hard link), by which a second server could open it. Find it with \`find / -xdev -samefile ${file}\`, and remove it or use a copy; nothing was touched.`,
  );
}
