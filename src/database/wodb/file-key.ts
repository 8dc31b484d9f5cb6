import { randomBytes } from 'node:crypto';
import { closeSync, openSync, readSync, statSync } from 'node:fs';
import { stretchMasterKey } from '../../lib/key-derivation.ts';
import { PROGRAM } from '../../lib/program.ts';
import { isThere } from '../../lib/system-error.ts';
import type { FileKey } from './connection.ts';
import { type KeyCheck, keyMatches } from './key-check.ts';
import { DatabaseOpenError } from './open-error.ts';
import { isV3Database } from './v3-file.ts';
import { wrongKey } from './wrong-key.ts';

export const SALT_BYTES = 16;
export const PLAIN_HEADER = 'SQLite format 3\0';

/** A key for a new file, with a salt of its own. */
export function createFileKey(masterKey: string): FileKey {
  const salt = randomBytes(SALT_BYTES);
  return { key: stretchMasterKey(masterKey, salt), salt };
}

/**
 * Whether there is a database file to open; false when one may be made.
 * @throws DatabaseOpenError when there is none although there has been one
 */
export function holdsDatabase(path: string, keyCheck: KeyCheck | undefined): boolean {
  const state = !isThere(path) ? 'missing' : statSync(path).size === 0 ? 'empty' : 'there';
  if (state === 'there') return true;
  if (keyCheck) {
    throw new DatabaseOpenError(
      `The data folder has held a database, but ${path} is ${state}. Put the file back or restore a backup. To start from scratch, move the whole data folder away.`,
    );
  }
  for (const rest of [`${path}-wal`, `${path}-journal`]) {
    if (!isThere(rest) || statSync(rest).size === 0) continue;
    throw new DatabaseOpenError(
      `${rest} holds changes of a database, but ${path} itself is ${state}. Put the file back or restore a backup. To start from scratch, move ${rest} away.`,
    );
  }
  return false;
}

/**
 * The key for an existing file, whose salt it reads: call it before SQLite opens the file, because closing any
 * descriptor of a file drops the locks that SQLite holds on it.
 * @throws DatabaseOpenError when the file is plain, or the key check says that the key or the file is another one
 */
export function fileKeyOf(
  path: string,
  masterKey: string,
  { keyCheck, dataDir }: { keyCheck: KeyCheck | undefined; dataDir: string },
): FileKey {
  const salt = readSalt(path);
  if (salt.toString('latin1') === PLAIN_HEADER) {
    throw new DatabaseOpenError(`${path} is a plain SQLite file, not an encrypted WODB database.`);
  }
  if (!keyCheck && isV3Database(path, masterKey)) {
    throw new DatabaseOpenError(
      `${path} is the database of WOTP v3. Take DB_PATH out of the settings, and import it with \`${PROGRAM} migrate --from-v3 ${path}\`; the file was not touched.`,
    );
  }
  const key = stretchMasterKey(masterKey, salt);
  if (!keyCheck) return { key, salt };

  const expectedSalt = Buffer.from(keyCheck.salt, 'hex');
  const isExpected = expectedSalt.equals(salt);
  if (!keyMatches(keyCheck, isExpected ? key : stretchMasterKey(masterKey, expectedSalt))) {
    throw wrongKey(masterKey, keyCheck, dataDir);
  }
  if (!isExpected) {
    throw new DatabaseOpenError(
      `${path} is not the database that belongs to this data folder, or its first bytes are damaged. Put the right file back or restore a backup.`,
    );
  }
  return { key, salt };
}

function readSalt(path: string): Buffer {
  const salt = Buffer.alloc(SALT_BYTES);
  const file = openSync(path, 'r');
  try {
    readSync(file, salt, 0, SALT_BYTES, 0);
  } finally {
    closeSync(file);
  }
  return salt;
}
