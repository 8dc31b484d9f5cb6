import { randomBytes } from 'node:crypto';
import { chmodSync, closeSync, existsSync, mkdirSync, openSync, readSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { stretchMasterKey } from '../../lib/key-derivation.ts';
import type { Database } from '../database.ts';
import { migrateToLatest } from '../migrate.ts';
import { preparedQueries } from '../prepared.ts';
import { APPLICATION_ID, type FileKey, WodbConnection } from './connection.ts';
import { kyselyOver } from './dialect.ts';
import { keyMatches, readKeyCheck, writeKeyCheck } from './key-check.ts';
import { createPrivateFile, takeDatabaseLock } from './lock.ts';
import { WriteQueue } from './write-queue.ts';

/** The database file cannot be opened as it is; the message says why and what to do. Nothing was changed. */
export class DatabaseOpenError extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'DatabaseOpenError';
  }
}

export interface WodbOptions {
  /** The database file. */
  path: string;
  /** The file that remembers which key and which database belong to this data folder. */
  keyCheckPath: string;
  masterKey: string;
  /** Called when a sync to disk failed; the process has to end. */
  onFatal: (error: Error) => void;
  maxWaitingWrites?: number;
}

const SALT_BYTES = 16;
const PLAIN_HEADER = 'SQLite format 3\0';

/**
 * Opens the embedded database, creates it when the folder never held one, and brings its schema up to date.
 * @throws DatabaseInUseError when another process owns the file.
 * @throws DatabaseOpenError when the file is missing, empty, plain, foreign or damaged, or the key is wrong.
 */
export async function openWodb(options: WodbOptions): Promise<Database> {
  createPrivateFolder(dirname(options.path));
  createPrivateFolder(dirname(options.keyCheckPath));
  const releaseLock = takeDatabaseLock(options.path);
  try {
    const { fileKey, isNew } = fileKeyOf(options);
    if (isNew) createPrivateFile(options.path);
    const writer = openConnection(options.path, fileKey, { readonly: false });
    try {
      if (isNew) writer.sqlite.pragma(`application_id = ${APPLICATION_ID}`);
      const version = await migrateToLatest(kyselyOver(writer));
      writer.sqlite.pragma(`user_version = ${version}`);
      if (!readKeyCheck(options.keyCheckPath)) writeKeyCheck(options.keyCheckPath, fileKey);
      const reader = openConnection(options.path, fileKey, { readonly: true });
      return wodbDatabase(writer, reader, releaseLock, options);
    } catch (error) {
      writer.close();
      throw error;
    }
  } catch (error) {
    releaseLock();
    throw error;
  }
}

function createPrivateFolder(path: string): void {
  if (mkdirSync(path, { recursive: true, mode: 0o700 })) chmodSync(path, 0o700);
}

/** The key for the file as it stands, or for a new one. Reads the file's salt, and so runs before it is opened. */
function fileKeyOf({ path, keyCheckPath, masterKey }: WodbOptions): { fileKey: FileKey; isNew: boolean } {
  const keyCheck = readKeyCheck(keyCheckPath);
  if (!existsSync(path) || statSync(path).size === 0) {
    if (keyCheck) {
      throw new DatabaseOpenError(
        `The data folder has held a database, but ${path} is ${existsSync(path) ? 'empty' : 'missing'}. Put the file back or restore a backup. To begin anew, move the whole data folder away.`,
      );
    }
    const salt = randomBytes(SALT_BYTES);
    return { fileKey: { key: stretchMasterKey(masterKey, salt), salt }, isNew: true };
  }

  const salt = readSalt(path);
  if (salt.toString('latin1') === PLAIN_HEADER) {
    throw new DatabaseOpenError(`${path} is a plain SQLite file, not an encrypted WODB database.`);
  }
  const fileKey = { key: stretchMasterKey(masterKey, salt), salt };
  if (keyCheck) {
    const expectedSalt = Buffer.from(keyCheck.salt, 'hex');
    const key = expectedSalt.equals(salt) ? fileKey.key : stretchMasterKey(masterKey, expectedSalt);
    if (!keyMatches(keyCheck, key)) {
      throw new DatabaseOpenError(
        'DB_MASTER_KEY is not the key of this database. Set the key it was made with; the file was not touched.',
      );
    }
    if (!expectedSalt.equals(salt)) {
      throw new DatabaseOpenError(
        `${path} is not the database that belongs to this data folder. Put the right file back or restore a backup.`,
      );
    }
  }
  return { fileKey, isNew: false };
}

function readSalt(path: string): Buffer {
  const salt = Buffer.alloc(SALT_BYTES);
  const file = openSync(path, 'r');
  readSync(file, salt, 0, SALT_BYTES, 0);
  closeSync(file);
  return salt;
}

function openConnection(path: string, fileKey: FileKey, mode: { readonly: boolean }): WodbConnection {
  try {
    return new WodbConnection(path, fileKey, mode);
  } catch (error) {
    if ((error as { code?: string }).code !== 'SQLITE_NOTADB') throw error;
    throw new DatabaseOpenError(
      `${path} cannot be opened with this DB_MASTER_KEY: the key is wrong, or the file's first page is damaged. Check the key, then restore a backup; the file was not touched.`,
      error,
    );
  }
}

function wodbDatabase(
  writer: WodbConnection,
  reader: WodbConnection,
  releaseLock: () => void,
  options: WodbOptions,
): Database {
  const queue = new WriteQueue(writer, { onFatal: options.onFatal, maxWaiting: options.maxWaitingWrites });
  const writing = kyselyOver(writer);
  const reading = kyselyOver(reader);
  let closing: Promise<void> | undefined;

  const close = async () => {
    await queue.close();
    // The reader first: while it is open the writer cannot empty the WAL.
    reader.close();
    try {
      writer.sqlite.pragma('wal_checkpoint(TRUNCATE)');
    } finally {
      writer.close();
      releaseLock();
    }
  };

  return {
    reader: reading,
    transaction: (work) => queue.run(() => work(writing)),
    // Transactions run one after another here, so every one is already alone.
    serialize: async () => {},
    prepare: preparedQueries(reading, async (executor, sql, parameters) => {
      return (executor === reading ? reader : writer).run(sql, parameters).rows;
    }),
    isExclusive: true,
    get waitingWrites() {
      return queue.length;
    },
    async checkWritable() {
      if (!queue.failure) return;
      await queue.run(async () => {
        const probe = { key: 'write_probe', value: String(Date.now()) };
        await writing
          .insertInto('settings')
          .values(probe)
          .onConflict((c) => c.column('key').doUpdateSet(probe))
          .execute();
      });
    },
    close() {
      closing ??= close();
      return closing;
    },
  };
}
