import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream, realpathSync, rmSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createPrivateFolder } from '../../lib/private-folder.ts';
import { PROGRAM } from '../../lib/program.ts';
import { refuseSharedFolder } from '../../lib/shared-folder.ts';
import { isThere } from '../../lib/system-error.ts';
import { COMMAND_LINE, insertAct } from '../acts.ts';
import type { Database } from '../database.ts';
import { addKeyVersion, auditKeysOf, isKeyOfVersion } from '../keyring.ts';
import { createPrivateFile, writePrivateFile } from '../private-files.ts';
import { APPLICATION_ID, type FileKey, isDamage, sqliteCode, WodbConnection } from './connection.ts';
import { databaseOn } from './database-on.ts';
import { kyselyOver } from './dialect.ts';
import { examineFile } from './examine.ts';
import { createFileKey } from './file-key.ts';
import { writeKeyCheck } from './key-check.ts';
import { realPath, takeDatabaseLock } from './lock.ts';
import { changesBeside, readManifest } from './manifest.ts';
import { bringUpToDate } from './open.ts';
import { DatabaseOpenError } from './open-error.ts';
import { refusalBehind } from './refusal.ts';
import { finishReplacement, isBeingReplaced, replaceDatabase } from './replace.ts';
import { replacedPath } from './replaced.ts';
import { removeDraft, vacuumInto, verifyFile } from './run-in-worker.ts';

/** A restore that was done. */
export interface Restored {
  /** Where the replaced database lies now; null when there was none. */
  replaced: string | null;
  /** The number of the newest migration that the backup held before it was brought up to date. */
  schemaVersion: number;
  /** Whether the key was kept in the data folder, because none was configured. */
  keptMasterKey: boolean;
  /** How many codes were pending in the backup, and were ended. */
  endedCodes: number;
}

export interface RestoreOptions {
  /** The backup. It is only read. */
  file: string;
  /** The database that it shall take the place of, and what belongs to that. */
  path: string;
  keyCheckPath: string;
  masterKeyPath: string;
  /** The master key of the installation; undefined when it has none yet. */
  masterKey: string | undefined;
  /** The master key of the backup, when it is another one. */
  backupMasterKey: string | undefined;
  /** Ends every code that is pending, since some may have been used after the backup; resolves to how many. */
  endCodes: (database: Database, masterKey: string) => Promise<number>;
  /** Unix ms. */
  now: number;
}

/**
 * Puts a backup in the place of the database. The file is copied beside the database, checked from end to end, brought
 * up to the present schema, put under the installation's master key, and only then exchanged with the database, which is
 * kept under another name. Until that one step nothing of the old database has changed, whatever happens; after it the
 * installation's master key opens everything, also where the backup is from before a rotation.
 * @throws DatabaseInUseError while a process uses the database
 * @throws DatabaseOpenError when the file cannot be restored; the message says why
 * @throws NewerSchemaError when a newer WOTP has written it
 */
export async function restoreDatabase(options: RestoreOptions): Promise<Restored> {
  const { file, masterKey, backupMasterKey } = options;
  const opener = backupMasterKey ?? masterKey;
  if (!isThere(file)) throw new DatabaseOpenError(`There is no file ${file}.`);
  if (opener === undefined) {
    throw new DatabaseOpenError(
      'There is no master key to open the backup with. Set DB_MASTER_KEY, or give the key with --key-file.',
    );
  }
  createPrivateFolder(dirname(options.path));
  const dataDir = dirname(options.keyCheckPath);
  createPrivateFolder(dataDir);
  refuseSharedFolder(dataDir);
  const path = realPath(options.path);
  const releaseLock = takeDatabaseLock(path);
  const draft = `${path}.restoring`;
  const prepared = [`${options.keyCheckPath}.new`, `${options.masterKeyPath}.new`];
  const removeDrafts = () => {
    for (const name of [draft, `${draft}-other-key`]) removeDraft(name);
    for (const name of prepared) rmSync(name, { force: true });
  };
  try {
    finishReplacement(path, dataDir);
    // What a restore that was cut off has left.
    removeDrafts();
    if (isThere(path) && isThere(file) && realpathSync(file) === path) {
      throw new DatabaseOpenError(`${file} is the database itself. Name a backup of it.`);
    }
    const fileKey = examineFile(file, opener);
    await copyChecked(file, draft);
    const { schemaVersion } = await checked(file, draft, fileKey);
    const target = masterKey ?? opener;
    const endedCodes = await bringDraftUpToDate(draft, fileKey, options, target);
    const final = target === opener ? { draft, fileKey } : await underMasterKey(target, draft, fileKey);

    const [keyCheck, keptKey] = prepared as [string, string];
    writeKeyCheck(keyCheck, final.fileKey);
    const alongside = [{ from: keyCheck, to: options.keyCheckPath }];
    if (masterKey === undefined) {
      writePrivateFile(keptKey, `${target}\n`);
      alongside.push({ from: keptKey, to: options.masterKeyPath });
    }
    const keepAsideAs = replacedPath(path, options.now);
    replaceDatabase({ path, dataDir, draft: final.draft, keepAsideAs, alongside });
    removeDrafts();
    return {
      replaced: isThere(keepAsideAs) ? keepAsideAs : null,
      schemaVersion,
      keptMasterKey: masterKey === undefined,
      endedCodes,
    };
  } catch (error) {
    // Once the exchange is decided the next start finishes it, and needs them.
    if (!isBeingReplaced(path)) removeDrafts();
    throw explained(error, file, path);
  } finally {
    releaseLock();
  }
}

/**
 * Copies the file and compares it with its manifest, if it has one. A file without may be a copy of a database, with its
 * WAL; beside a backup somebody else has put one.
 */
async function copyChecked(file: string, draft: string): Promise<void> {
  const manifest = readManifest(file);
  const beside = changesBeside(file);
  if (manifest && beside !== undefined) throw new DatabaseOpenError(`${beside} Nothing was changed.`);
  const sha256 = await copy(file, draft);
  if (beside !== undefined) await copy(`${file}-wal`, `${draft}-wal`);
  if (!manifest || manifest.sha256 === sha256) return;
  throw new DatabaseOpenError(
    `${file} is not what its manifest describes: the SHA-256 is ${sha256}, not ${manifest.sha256}. It was changed or damaged since it was created; take another backup.`,
  );
}

/** Copies one file to a private one; resolves to its SHA-256, hex. */
async function copy(from: string, to: string): Promise<string> {
  const hash = createHash('sha256');
  const hashing = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk);
      done(null, chunk);
    },
  });
  createPrivateFile(to);
  await pipeline(createReadStream(from), hashing, createWriteStream(to, { flags: 'r+' }));
  return hash.digest('hex');
}

async function checked(file: string, draft: string, fileKey: FileKey) {
  const verdict = await verifyFile({ path: draft, fileKey, invariants: [], now: 0 });
  if (verdict.findings.length > 0) {
    throw new DatabaseOpenError(`${file} is damaged; take another backup. ${verdict.findings.join(' ')}`);
  }
  if (verdict.applicationId !== APPLICATION_ID) {
    throw new DatabaseOpenError(`${file} opens with this key, but it is not a WODB database.`);
  }
  return verdict;
}

/**
 * Applies the migrations that came after the backup, ends the page's sessions and what is pending, notes the restore in
 * its events, and makes sure that the values in it can be read under `target`, the master key that it will be opened
 * with. Resolves to how many codes were ended.
 */
async function bringDraftUpToDate(
  draft: string,
  fileKey: FileKey,
  { file, backupMasterKey, endCodes, now }: RestoreOptions,
  target: string,
): Promise<number> {
  const connection = new WodbConnection(draft, fileKey, 'write');
  try {
    await bringUpToDate(connection);
    const db = kyselyOver(connection);
    connection.sqlite.exec('BEGIN IMMEDIATE');
    const version = await db
      .selectFrom('key_versions')
      .selectAll()
      .orderBy('version', 'desc')
      .limit(1)
      .executeTakeFirst();
    // Who has signed out since the backup stays signed out.
    await db.deleteFrom('admin_sessions').execute();
    let keyVersion: number | undefined;
    if (version && !isKeyOfVersion(target, version)) {
      if (backupMasterKey === undefined || !isKeyOfVersion(backupMasterKey, version)) {
        throw new DatabaseOpenError(
          `${file} opens with this key, but the values in it were created with another master key: that of the installation when the backup was made. Set DB_MASTER_KEY to that one, restore again, and then run \`${PROGRAM} master-key rotate\` with the new key; nothing was changed.`,
        );
      }
      keyVersion = await addKeyVersion(db, { masterKey: backupMasterKey, newMasterKey: target, now });
    }
    const project = await db.selectFrom('projects').select('id').limit(1).executeTakeFirst();
    if (project) {
      await insertAct(db, await auditKeysOf(db, target), {
        projectId: null,
        type: 'database.restored',
        at: now,
        subject: null,
        data: { file: basename(file), keyVersion },
        by: COMMAND_LINE,
      });
    }
    connection.sqlite.exec('COMMIT');
    const endedCodes = await endCodes(databaseOn(connection), target);
    connection.sqlite.pragma('wal_checkpoint(TRUNCATE)');
    return endedCodes;
  } finally {
    connection.close();
  }
}

/** The same database in another file, under the key that a master key gives with a new salt. */
async function underMasterKey(masterKey: string, path: string, fileKey: FileKey) {
  const other = { draft: `${path}-other-key`, fileKey: createFileKey(masterKey) };
  await vacuumInto({ path, fileKey, draft: other.draft, draftKey: other.fileKey });
  await checked(path, other.draft, other.fileKey);
  return other;
}

function explained(error: unknown, file: string, path: string): unknown {
  if (error instanceof DatabaseOpenError) return error;
  const code = sqliteCode(error) || ((error as NodeJS.ErrnoException).code ?? '');
  if (['SQLITE_FULL', 'ENOSPC', 'EDQUOT'].includes(code)) {
    return new DatabaseOpenError(
      'The disk has no room for the restored database beside the current one. Free some space; nothing was changed.',
      error,
    );
  }
  if (isDamage(error)) return new DatabaseOpenError(`${file} is damaged; take another backup.`, error);
  return refusalBehind(error, path);
}
