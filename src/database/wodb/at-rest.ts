import { rmSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { isThere } from '../../lib/system-error.ts';
import { type FileKey, WodbConnection } from './connection.ts';
import { fileKeyOf, holdsDatabase } from './file-key.ts';
import { readKeyCheck } from './key-check.ts';
import { realPath, takeDatabaseLock } from './lock.ts';
import { explaining } from './open.ts';
import { DatabaseOpenError } from './open-error.ts';
import { refusalBehind } from './refusal.ts';
import { finishReplacement } from './replace.ts';
import { removeUnfinished } from './unfinished.ts';

/** A database that nobody uses, held so that nobody can begin to. */
export interface DatabaseAtRest {
  /** The real path of its file, which holds everything: the WAL is empty. */
  path: string;
  fileKey: FileKey;
}

/**
 * Runs `work` on a database that no process uses, while the lock keeps it so.
 * @throws DatabaseInUseError when another process uses it
 * @throws DatabaseOpenError when there is no database, or the file cannot be opened with this master key
 */
export async function withDatabaseAtRest<T>(
  options: { path: string; keyCheckPath: string; masterKey: string },
  work: (database: DatabaseAtRest) => Promise<T>,
): Promise<T> {
  const path = realPath(options.path);
  const dataDir = dirname(options.keyCheckPath);
  const releaseLock = takeDatabaseLock(path);
  try {
    finishReplacement(path, dataDir);
    removeUnfinished({ path, keyCheckPath: options.keyCheckPath });
    const keyCheck = readKeyCheck(options.keyCheckPath);
    if (!holdsDatabase(path, keyCheck)) {
      throw new DatabaseOpenError(`There is no database at ${path} yet. The first start creates one.`);
    }
    const fileKey = fileKeyOf(path, options.masterKey, { keyCheck, dataDir });
    await explaining(path, keyCheck !== undefined, () => {
      const connection = new WodbConnection(path, fileKey, 'write');
      try {
        connection.sqlite.pragma('wal_checkpoint(TRUNCATE)');
      } finally {
        connection.close();
      }
    });
    try {
      return await work({ path, fileKey });
    } finally {
      // Reading a file at rest leaves them there.
      if (isThere(`${path}-wal`) && statSync(`${path}-wal`).size === 0) {
        for (const end of ['-wal', '-shm']) rmSync(path + end, { force: true });
      }
    }
  } catch (error) {
    throw refusalBehind(error, path);
  } finally {
    releaseLock();
  }
}
