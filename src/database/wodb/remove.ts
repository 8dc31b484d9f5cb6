import { unlinkSync } from 'node:fs';
import { dirname } from 'node:path';
import { refuseSharedFolder } from '../../lib/shared-folder.ts';
import { isThere } from '../../lib/system-error.ts';
import { syncFolder } from '../private-files.ts';
import { keyCheckPathIn } from './key-check.ts';
import { realPath, takeDatabaseLock } from './lock.ts';
import { replacedFiles } from './replaced.ts';
import { unfinishedFiles } from './unfinished.ts';

/** What SQLite keeps beside a file. */
const BESIDE = ['', '-wal', '-shm', '-journal'];

/**
 * Deletes the database of a data folder with what belongs to it, the databases that restores have replaced among it, and
 * nothing else: backups stay, and so does `master.key`, without which they are worth nothing. Returns the paths of what
 * was there.
 *
 * The database goes first and the key check last. A deletion that is cut off leaves a folder that refuses to start,
 * never one that opens with half its data; deleting again finishes it.
 * @throws DatabaseInUseError when another process uses the database; nothing was deleted then
 */
export function removeDatabase(options: { dataDir: string; path: string }): string[] {
  const { dataDir } = options;
  if (!isThere(dirname(options.path)) || !isThere(dataDir)) return [];
  refuseSharedFolder(dataDir);
  const path = realPath(options.path);
  const keyCheckPath = keyCheckPathIn(dataDir);
  const files = [
    // Decided work first, or it would be finished at the next start.
    `${path}.replace`,
    ...BESIDE.map((end) => path + end),
    // A database that was being made.
    ...BESIDE.map((end) => `${path}.new${end}`),
    ...unfinishedFiles({ path, keyCheckPath }),
    ...replacedFiles(path),
    keyCheckPath,
  ];
  const releaseLock = takeDatabaseLock(path);
  try {
    const removed = [...new Set(files)].filter((file) => isThere(file));
    for (const file of removed) {
      // rmSync would take a file that it may not delete for a folder, and report that.
      unlinkSync(file);
      syncFolder(dirname(file));
    }
    return removed;
  } finally {
    releaseLock();
  }
}
