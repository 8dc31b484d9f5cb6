import { renameSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { createPrivateFolder } from '../../lib/private-folder.ts';
import { refuseSharedFolder } from '../../lib/shared-folder.ts';
import type { Database } from '../database.ts';
import { MIGRATIONS, migrateToLatest, migrationStates } from '../migrate.ts';
import { preparedQueries } from '../prepared.ts';
import { createPrivateFile, syncFolder } from '../private-files.ts';
import { makeBackup, prepareBackupFolder } from './backup.ts';
import { Checkpointer } from './checkpointer.ts';
import { type ConnectionMode, type FileKey, isDamage, sqliteCode, WodbConnection } from './connection.ts';
import { kyselyOver } from './dialect.ts';
import { createFileKey, fileKeyOf, holdsDatabase } from './file-key.ts';
import { readKeyCheck, writeKeyCheck } from './key-check.ts';
import { realPath, takeDatabaseLock } from './lock.ts';
import { DatabaseOpenError } from './open-error.ts';
import { refusalBehind } from './refusal.ts';
import { finishReplacement } from './replace.ts';
import { fileSpace } from './space.ts';
import { removeUnfinished } from './unfinished.ts';
import { WriteQueue } from './write-queue.ts';

export interface WodbOptions {
  /** The database file. */
  path: string;
  /** The file that remembers which key and which database belong to this data folder. */
  keyCheckPath: string;
  masterKey: string;
  /** Called when a sync to disk failed; the process has to end. */
  onFatal: (error: Error) => void;
  maxWaitingWrites?: number;
  /** Where a backup goes before the schema of an older file is changed; none is made when absent. */
  backupFolder?: string;
  /** Gets how far that backup is, from 0 to 1. */
  onBackupProgress?: (done: number) => void;
}

/** An open WODB database, and what another process needs to open it once more. */
export interface WodbDatabase extends Database {
  /** The file, without links. */
  readonly path: string;
  readonly fileKey: FileKey;
  /** What this opening has done to the schema. */
  readonly upgrade: Upgrade;
}

/** Whether a database is a file of ours, so that WODB's tools serve for it. */
export function isWodb(database: Database): database is WodbDatabase {
  return database.engine === 'wodb';
}

/** What was done to a schema: the names of the migrations that were applied, and the backup that was made before. */
export interface Upgrade {
  applied: string[];
  backup: string | null;
}

/**
 * Opens the embedded database, creates it when the folder never held one, and brings its schema up to date.
 * @throws DatabaseInUseError when another process owns the file.
 * @throws SharedFolderError when others may write to its folder, or to that of the key check.
 * @throws DatabaseOpenError when the file is missing, empty, plain, foreign or damaged, or the key is wrong.
 * @throws NewerSchemaError when a newer WOTP has written it.
 */
export async function openWodb(options: WodbOptions): Promise<WodbDatabase> {
  createPrivateFolder(dirname(options.path));
  const dataDir = dirname(options.keyCheckPath);
  createPrivateFolder(dataDir);
  refuseSharedFolder(dataDir);
  const path = realPath(options.path);
  const releaseLock = takeDatabaseLock(path);
  try {
    finishReplacement(path, dataDir);
    removeUnfinished({ path, keyCheckPath: options.keyCheckPath });
    const keyCheck = readKeyCheck(options.keyCheckPath);
    const held = holdsDatabase(path, keyCheck);
    const fileKey = held
      ? fileKeyOf(path, options.masterKey, { keyCheck, dataDir })
      : await createDatabase(path, options.masterKey);
    const open = (mode: ConnectionMode) =>
      explaining(path, keyCheck !== undefined, () => new WodbConnection(path, fileKey, mode));
    const writer = await open('write');
    try {
      const applied = held ? await explaining(path, true, () => pendingOf(writer)) : Object.keys(MIGRATIONS);
      const backup = held && applied.length > 0 ? await backedUp({ ...options, path, fileKey }) : null;
      await explaining(path, true, () => bringUpToDate(writer));
      if (!keyCheck) writeKeyCheck(options.keyCheckPath, fileKey);
      const checkpointer = new Checkpointer(writer, { path, fileKey }, options.onFatal);
      return wodbDatabase(writer, await open('read'), checkpointer, releaseLock, {
        ...options,
        path,
        fileKey,
        upgrade: { applied, backup },
      });
    } catch (error) {
      writer.close();
      throw error;
    }
  } catch (error) {
    releaseLock();
    throw refusalBehind(error, path);
  }
}

/**
 * Makes a new database under another name and moves it into place when it is whole, so that a crash on the way leaves
 * none.
 */
async function createDatabase(path: string, masterKey: string): Promise<FileKey> {
  const draft = `${path}.new`;
  // What a start that was cut off has left.
  for (const end of ['', '-wal', '-shm', '-journal']) rmSync(draft + end, { force: true });
  const fileKey = createFileKey(masterKey);
  createPrivateFile(draft);
  const connection = new WodbConnection(draft, fileKey, 'create');
  try {
    await bringUpToDate(connection);
    // Closing would do it as well, but would not say when it could not.
    connection.sqlite.pragma('wal_checkpoint(TRUNCATE)');
  } finally {
    connection.close();
  }
  renameSync(draft, path);
  syncFolder(dirname(path));
  return fileKey;
}

/** The names of the migrations that a file still has to get. */
async function pendingOf(connection: WodbConnection): Promise<string[]> {
  connection.sqlite.exec('BEGIN');
  try {
    const states = await migrationStates(kyselyOver(connection));
    return states.flatMap(({ name, appliedAt }) => (appliedAt === null ? [name] : []));
  } finally {
    connection.sqlite.exec('ROLLBACK');
  }
}

/** Makes the backup that lets an operator go back to the version before; resolves to its path. */
async function backedUp({
  path,
  fileKey,
  backupFolder,
  onBackupProgress = () => {},
}: WodbOptions & { fileKey: FileKey }): Promise<string | null> {
  if (backupFolder === undefined) return null;
  try {
    prepareBackupFolder(backupFolder);
    const { file } = await makeBackup({
      path,
      fileKey,
      to: backupFolder,
      now: Date.now(),
      // Checking takes about as long as copying.
      onProgress: ({ phase, done }) => onBackupProgress(phase === 'copying' ? done / 2 : (1 + done) / 2),
    });
    return file;
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new DatabaseOpenError(
      `The schema of ${path} has to be brought up to date, and the backup before it cannot be made. ${why} The database was not touched.`,
      error,
    );
  }
}

/** Applies the missing migrations in one transaction: a crash leaves the old schema or the new one. */
export async function bringUpToDate(connection: WodbConnection): Promise<void> {
  const { sqlite } = connection;
  sqlite.exec('BEGIN IMMEDIATE');
  try {
    const version = await migrateToLatest(kyselyOver(connection));
    if (sqlite.pragma('user_version', { simple: true }) !== version)
      sqlite.pragma(`user_version = ${version}`);
    sqlite.exec('COMMIT');
  } catch (error) {
    if (sqlite.inTransaction) sqlite.exec('ROLLBACK');
    throw error;
  } finally {
    connection.forgetStatements();
  }
}

/** Tells in words what to do about a file that SQLite finds damaged; `keyIsRight` when the key was checked before. */
export async function explaining<T>(
  path: string,
  keyIsRight: boolean,
  open: () => T | Promise<T>,
): Promise<T> {
  try {
    return await open();
  } catch (error) {
    if (!isDamage(error)) throw error;
    throw new DatabaseOpenError(
      keyIsRight
        ? `${path} is damaged. Restore a backup; the file was not touched.`
        : `${path} cannot be opened with this master key: the key is wrong, or the file's first page is damaged. Check the key, then restore a backup; the file was not touched. (For a database of v3 see docs/UPGRADE.md.)`,
      error,
    );
  }
}

function wodbDatabase(
  writer: WodbConnection,
  reader: WodbConnection,
  checkpointer: Checkpointer,
  releaseLock: () => void,
  options: WodbOptions & { fileKey: FileKey; upgrade: Upgrade },
): WodbDatabase {
  const { path, fileKey, upgrade } = options;
  const queue = new WriteQueue(writer, {
    onFatal: options.onFatal,
    onCommit: (transactions, ms) => {
      checkpointer.committed();
      watch?.(transactions, ms);
    },
    maxWaiting: options.maxWaitingWrites,
  });
  let watch: ((transactions: number, ms: number) => void) | undefined;
  const writing = kyselyOver(writer);
  const reading = kyselyOver(reader);
  let closing: Promise<void> | undefined;

  const close = async () => {
    await queue.close();
    await checkpointer.close();
    try {
      // The reader first: while it is open the writer cannot empty the WAL.
      reader.close();
      writer.sqlite.pragma('wal_checkpoint(TRUNCATE)');
    } catch (error) {
      // Everything that was committed is in the WAL as well, which the next start finds.
      if (sqliteCode(error) !== 'SQLITE_FULL') throw error;
    } finally {
      writer.close();
      releaseLock();
    }
  };

  return {
    engine: 'wodb',
    path,
    fileKey,
    upgrade,
    reader: reading,
    transaction: (work) => queue.run(() => work(writing)),
    afterCommit: (_trx, work) => queue.afterCommit(work),
    // Transactions run one after another here, so every one is already alone.
    serialize: async () => {},
    trySerialize: async () => true,
    ...preparedQueries(reading, {
      rows: async (executor, sql, parameters) =>
        (executor === reading ? reader : writer).run(sql, parameters).rows,
      changes: async (_executor, sql, parameters) => writer.run(sql, parameters).changes,
    }),
    isExclusive: true,
    watchCommits: (listener) => {
      watch = listener;
    },
    space: fileSpace(path, { writer, reader, queue }),
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
