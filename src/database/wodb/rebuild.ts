import { statSync } from 'node:fs';
import { dirname } from 'node:path';
import { ExpectedError } from '../../lib/expected-error.ts';
import type { Transaction } from '../database.ts';
import { type DatabaseAtRest, withDatabaseAtRest } from './at-rest.ts';
import { type FileKey, isDamage, sqliteCode, WodbConnection } from './connection.ts';
import { kyselyOver } from './dialect.ts';
import { replaceDatabase } from './replace.ts';
import { removeDraft, vacuumInto, verifyFile } from './run-in-worker.ts';

/** A new file could not be built beside the database, which is as it was. */
export class RebuildError extends ExpectedError {
  constructor(message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
  }
}

/**
 * Writes a packed copy of a database at rest beside it, under the name `<path>.<suffix>`, and checks it whole. With
 * `draftKey` the copy has that key and salt; `change` changes it in one transaction before it is checked. `onProgress`
 * gets what is written of it, from 0 to 1.
 * @throws RebuildError when it cannot be written or is not whole; then it is gone
 */
export async function buildDraft(
  { path, fileKey }: DatabaseAtRest,
  {
    suffix,
    draftKey,
    change,
    onProgress,
  }: {
    suffix: string;
    draftKey?: FileKey;
    change?: (trx: Transaction) => Promise<void>;
    onProgress?: (done: number) => void;
  },
): Promise<string> {
  const draft = `${path}.${suffix}`;
  try {
    await vacuumInto({ path, fileKey, draft, draftKey, onProgress });
    const copy = { path: draft, fileKey: draftKey ?? fileKey };
    if (change) await changeAtRest(copy, change);
    const { findings } = await verifyFile({ ...copy, invariants: [], now: Date.now() });
    if (findings.length > 0) throw new RebuildError(`The new file is not whole: ${findings.join(' ')}`);
    return draft;
  } catch (error) {
    removeDraft(draft);
    throw inWords(error, path);
  }
}

async function changeAtRest(
  { path, fileKey }: DatabaseAtRest,
  change: (trx: Transaction) => Promise<void>,
): Promise<void> {
  const connection = new WodbConnection(path, fileKey, 'write');
  try {
    connection.sqlite.exec('BEGIN IMMEDIATE');
    await change(kyselyOver(connection));
    connection.sqlite.exec('COMMIT');
    connection.sqlite.pragma('wal_checkpoint(TRUNCATE)');
  } finally {
    connection.close();
  }
}

function inWords(error: unknown, path: string): unknown {
  if (sqliteCode(error) === 'SQLITE_FULL' || (error as NodeJS.ErrnoException).code === 'ENOSPC') {
    const megabytes = Math.ceil(statSync(path).size / 1_000_000);
    return new RebuildError(
      `The disk has no room for a second copy of the database (up to ${megabytes} MB). Free some space and try again; nothing was changed.`,
      error,
    );
  }
  if (isDamage(error)) {
    return new RebuildError(`${path} is damaged. Restore a backup; the file was not touched.`, error);
  }
  return error;
}

/**
 * Builds a database that nobody uses anew without its empty space: a copy beside it, checked, then exchanged for it.
 * A kill at any point leaves the old file or the new one. Resolves to the sizes in bytes.
 * @throws DatabaseInUseError when another process uses it
 * @throws DatabaseOpenError when there is no database, or the file cannot be opened with this master key
 * @throws RebuildError when the copy cannot be made
 */
export function rebuildDatabase(options: {
  path: string;
  keyCheckPath: string;
  masterKey: string;
  onProgress?: (done: number) => void;
}): Promise<{ bytesBefore: number; bytes: number }> {
  return withDatabaseAtRest(options, async (database) => {
    const { path } = database;
    const bytesBefore = statSync(path).size;
    const draft = await buildDraft(database, { suffix: 'compacting', onProgress: options.onProgress });
    replaceDatabase({ path, dataDir: dirname(options.keyCheckPath), draft });
    return { bytesBefore, bytes: statSync(path).size };
  });
}
