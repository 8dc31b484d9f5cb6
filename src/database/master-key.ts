import { randomBytes } from 'node:crypto';
import { dirname, join } from 'node:path';
import { readBounded } from '../lib/bounded-file.ts';
import { ExpectedError } from '../lib/expected-error.ts';
import { createPrivateFolder } from '../lib/private-folder.ts';
import { refuseSharedFolder } from '../lib/shared-folder.ts';
import { isThere } from '../lib/system-error.ts';
import { writePrivateFile } from './private-files.ts';
import { keyCheckPathIn } from './wodb/key-check.ts';
import { realPath, takeDatabaseLock } from './wodb/lock.ts';
import { finishReplacement, isBeingReplaced } from './wodb/replace.ts';

/** As for DB_MASTER_KEY: a shorter one is refused. */
const LENGTH_MIN = 32;
const FILE_MAX_BYTES = 16 * 1024;

/** There is no master key, and none may be made. */
export class MasterKeyMissingError extends ExpectedError {}

/** Where a data folder keeps its master key when none is configured. */
export function masterKeyPathIn(dataDir: string): string {
  return join(dataDir, 'master.key');
}

/** Writes a master key to a file: mode 0600, synced, put in place by rename. */
export function writeMasterKey(path: string, key: string): void {
  writePrivateFile(path, `${key}\n`);
}

/** A new master key: 256 random bits, as 64 hex digits. */
export function generateMasterKey(): string {
  return randomBytes(32).toString('hex');
}

/**
 * The master key: the configured one, or the one kept in the data folder, or a new one that is kept there.
 * @throws MasterKeyMissingError when there is a database whose key is not there
 * @throws DatabaseInUseError when a key would have to be made, or an exchange of the database to be finished, while
 *   another process uses the database
 * @throws SharedFolderError when others may write to the data folder
 */
export function resolveMasterKey(
  configured: string | undefined,
  dataDir: string,
  databasePath: string,
): string {
  refuseSharedFolder(dataDir);
  if (configured !== undefined) return configured;
  const path = masterKeyPathIn(dataDir);
  return keptKey(path, dataDir, databasePath) ?? makeKey(path, dataDir, databasePath);
}

/** An exchange of the database that a crash has cut off may have the key that belongs to it still to be moved. */
function finishWhatWasBegun(databasePath: string, dataDir: string): void {
  if (!isThere(dirname(databasePath)) || !isBeingReplaced(realPath(databasePath))) return;
  const releaseLock = takeDatabaseLock(databasePath);
  try {
    finishReplacement(realPath(databasePath), dataDir);
  } finally {
    releaseLock();
  }
}

/**
 * The master key as it is, configured or kept in the data folder; undefined when there is none. Makes nothing.
 * @throws MasterKeyMissingError when the file that should hold it holds something else
 * @throws SharedFolderError when others may write to the data folder
 */
export function presentMasterKey(
  configured: string | undefined,
  dataDir: string,
  databasePath: string,
): string | undefined {
  refuseSharedFolder(dataDir);
  if (configured !== undefined) return configured;
  finishWhatWasBegun(databasePath, dataDir);
  const path = masterKeyPathIn(dataDir);
  const key = keptMasterKey(path);
  if (key === undefined) return undefined;
  if (key.length >= LENGTH_MIN) return key;
  throw new MasterKeyMissingError(
    `${path} holds no master key: it has ${key.length} characters, and a key has ${LENGTH_MIN} or more. Put the right file back, or set DB_MASTER_KEY. If there has never been a database, remove the file.`,
  );
}

/** What a file that keeps a master key holds, of whatever length; undefined when it is not there. */
export function keptMasterKey(path: string): string | undefined {
  return isThere(path) ? readBounded(path, FILE_MAX_BYTES).toString('utf8').trim() : undefined;
}

function keptKey(path: string, dataDir: string, databasePath: string): string | undefined {
  const key = presentMasterKey(undefined, dataDir, databasePath);
  if (key !== undefined) return key;
  const held = [databasePath, keyCheckPathIn(dataDir)].find((name) => isThere(name));
  if (held === undefined) return undefined;
  throw new MasterKeyMissingError(
    `${held} exists, but its key does not: neither DB_MASTER_KEY nor ${path} is there. Set DB_MASTER_KEY or put the key file back.`,
  );
}

function makeKey(path: string, dataDir: string, databasePath: string): string {
  createPrivateFolder(dataDir);
  createPrivateFolder(dirname(databasePath));
  // Of two first starts at once one makes the key, and the other finds it.
  const releaseLock = takeDatabaseLock(databasePath);
  try {
    const kept = keptKey(path, dataDir, databasePath);
    if (kept !== undefined) return kept;
    const key = generateMasterKey();
    writeMasterKey(path, key);
    return key;
  } finally {
    releaseLock();
  }
}
