import { readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { ConflictError, DatabaseError, StoppingError, ValidationError } from '../../errors/errors.ts';
import { createPrivateFolder, FolderError } from '../../lib/private-folder.ts';
import { PROGRAM } from '../../lib/program.ts';
import { isThere, systemErrorText } from '../../lib/system-error.ts';
import { VERSION } from '../../lib/version.ts';
import { syncFolder } from '../private-files.ts';
import { type FileKey, isDamage, sqliteCode } from './connection.ts';
import { backupName, manifestPath, removeOlderBackups, writeManifest } from './manifest.ts';
import { digestOf, removeDraft, vacuumInto, verifyFile } from './run-in-worker.ts';

const DRAFT_NAME = /^wotp-\d{8}-\d{6}(-\d+)?\.wodb\.draft$/;

/** How far a backup is: what is being done, and what is done of it, from 0 to 1. */
export interface BackupProgress {
  phase: 'copying' | 'checking';
  done: number;
}

/** A backup that was made. */
export interface Backup {
  /** Absolute. */
  file: string;
  bytes: number;
  /** Hex. */
  sha256: string;
  /** Names of older backups that were removed for it. */
  removed: string[];
}

export interface BackupOptions {
  /** The database, which may be in use; `fileKey` is its key. */
  path: string;
  fileKey: FileKey;
  /** Where it shall lie: a folder, which gets a file named by the time, or a file that does not exist yet. */
  to: string;
  /** The key of the backup, with a salt of its own; that of the database when absent. */
  backupKey?: FileKey;
  /** How many backups of its own naming the folder keeps; all when absent. */
  keep?: number;
  /** Unix ms. */
  now: number;
  onProgress?: (progress: BackupProgress) => void;
  /** Gives the backup up. */
  signal?: AbortSignal;
}

/**
 * Makes a backup of a database while it is used: all that was committed when it began, in one file with a manifest
 * beside it. It is copied under a temporary name, checked page by page, synced, and only then gets its name.
 * @throws ValidationError or ConflictError when it cannot lie where it shall, DatabaseError when it cannot be made; then
 *   nothing is left behind
 */
export async function makeBackup(options: BackupOptions): Promise<Backup> {
  const { path, fileKey, backupKey, keep, now, onProgress = () => {}, signal } = options;
  const file = placeOf(options.to, now, keep);
  const draft = `${file}.draft`;
  try {
    onProgress({ phase: 'copying', done: 0 });
    await vacuumInto({
      path,
      fileKey,
      draft,
      ...(backupKey ? { draftKey: backupKey } : {}),
      onProgress: (done) => onProgress({ phase: 'copying', done }),
      signal,
    });
    onProgress({ phase: 'checking', done: 0 });
    const verdict = await verifyFile({
      path: draft,
      fileKey: backupKey ?? fileKey,
      invariants: [],
      now,
      signal,
    });
    if (verdict.findings.length > 0) {
      throw new DatabaseError(
        `The copy does not verify, so there is no backup. ${verdict.findings.join(' ')}`,
      );
    }
    const sha256 = await digestOf(draft, signal);
    const bytes = statSync(draft).size;
    // First the manifest, so that no backup is ever without it.
    writeManifest(file, {
      file: basename(file),
      version: VERSION,
      schemaVersion: verdict.schemaVersion,
      createdAt: new Date(now).toISOString(),
      ownMasterKey: backupKey === undefined,
      bytes,
      sha256,
      rows: verdict.rows,
    });
    renameSync(draft, file);
    syncFolder(dirname(file));
    const removed = keep === undefined ? [] : removeOlderBackups(dirname(file), basename(file), keep);
    return { file, bytes, sha256, removed };
  } catch (error) {
    removeRemains(file, draft);
    throw asBackupError(error);
  }
}

/** Removes what a backup that failed has left, as far as that is possible: what is reported is why it failed. */
function removeRemains(file: string, draft: string): void {
  try {
    removeDraft(draft);
    if (!isThere(file)) rmSync(manifestPath(file), { force: true });
  } catch {
    // Where nothing can be removed nothing could be written either.
  }
}

function placeOf(to: string, now: number, keep: number | undefined): string {
  try {
    return targetFile(to, now, keep);
  } catch (error) {
    throw asBackupError(error);
  }
}

function targetFile(to: string, now: number, keep: number | undefined): string {
  if (isThere(to) && statSync(to).isDirectory()) {
    for (let again = 1; ; again++) {
      const file = join(to, backupName(now, again));
      if (!isThere(file)) return file;
    }
  }
  if (keep !== undefined) {
    throw new ValidationError(
      `--keep needs a folder, and ${to} ${isThere(to) ? 'is a file' : 'does not exist'}. Create the folder first, or leave --keep out.`,
    );
  }
  if (isThere(to) || isThere(manifestPath(to))) {
    throw new ConflictError(`${to} exists already. Name a file that does not, or a folder.`);
  }
  if (!isThere(dirname(to))) {
    throw new ValidationError(`The folder ${dirname(to)} does not exist. Create it, or name another.`);
  }
  return to;
}

/** Makes the folder in which backups lie by default; what a kill has left half-made in it goes. */
export function prepareBackupFolder(folder: string): void {
  try {
    createPrivateFolder(folder);
    for (const name of readdirSync(folder)) if (DRAFT_NAME.test(name)) removeDraft(join(folder, name));
  } catch (error) {
    throw asBackupError(error);
  }
}

/** Says what keeps a backup from being made, in words for the operator. */
function asBackupError(error: unknown): unknown {
  if (error instanceof Error && error.name === 'AbortError') {
    return new StoppingError('The server is stopping and has canceled the backup.', error);
  }
  const code = sqliteCode(error) || ((error as NodeJS.ErrnoException).code ?? '');
  const refusal = (sentence: string) => new DatabaseError(`${sentence} No backup was made.`, error);
  if (['SQLITE_FULL', 'ENOSPC', 'EDQUOT'].includes(code)) {
    return refusal('The disk has no room for the backup. Free some space, or choose another folder.');
  }
  if (code.startsWith('SQLITE_IOERR') || code === 'EIO') {
    return refusal('A disk failed while the backup was written.');
  }
  const words = error instanceof FolderError ? error.message : systemErrorText(error);
  if (words !== undefined) return refusal(words);
  if (isDamage(error)) return refusal(`The database is damaged; see what \`${PROGRAM} verify\` says.`);
  return error;
}
