import { closeSync, fsyncSync, openSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import { isThere } from '../../lib/system-error.ts';
import { syncFolder, writePrivateFile } from '../private-files.ts';
import { DatabaseOpenError } from './open-error.ts';

/** Files that belong to a database file and to no other. */
const WAL = '-wal';
const PASSING = ['-shm', '-journal'];

/** The decision to exchange a database, as it is written down; every name is relative to the database's folder. */
interface Replacement {
  draft: string;
  aside: string | null;
  alongside: { from: string; to: string }[];
}

/** The file that holds the decision while an exchange is under way. */
function decisionPath(path: string): string {
  return `${path}.replace`;
}

/** Whether an exchange of this database was begun and not finished. */
export function isBeingReplaced(path: string): boolean {
  return isThere(decisionPath(path));
}

/**
 * Exchanges a database file for a draft, and with it, as one step, other files whose content has to fit it (key check,
 * master key). This is the only place where a live file is exchanged.
 *
 * The caller holds the write lock, has closed every connection to both files, and has checked the draft, which lies in
 * the database's folder. `path` is the real one, without links. With `keepAsideAs`, a name in that folder which is
 * free, the old file stays there under that name, its WAL beside it; otherwise both are removed. `alongside` moves
 * prepared files (on the file system of their target) over others.
 *
 * A kill or a power cut at any point leaves the old database whole or the new one whole, because one write decides:
 *
 * 1. the draft and the files alongside are synced; nothing has happened yet;
 * 2. `<path>.replace` is written, synced and renamed into place: from here on the new database is the one that counts;
 * 3. `finishReplacement` does what it says. Each of its steps can be done twice, so after a kill it begins anew;
 *    `openWodb` and `resolveMasterKey` call it before they look at anything.
 *
 * When it throws while `isBeingReplaced`, the exchange is decided: leave every file to the next start, which finishes it.
 * @throws Error when the draft or a file alongside is not there or `keepAsideAs` is taken; nothing was changed then
 */
export function replaceDatabase(options: {
  path: string;
  draft: string;
  keepAsideAs?: string;
  alongside?: readonly { from: string; to: string }[];
}): void {
  const { path, draft, keepAsideAs, alongside = [] } = options;
  const folder = dirname(path);
  for (const name of [draft, ...(keepAsideAs === undefined ? [] : [keepAsideAs])]) {
    if (dirname(name) !== folder) throw new Error(`${name} does not lie in the folder of ${path}.`);
  }
  const changes = `${draft}${WAL}`;
  if (isThere(changes) && statSync(changes).size > 0) throw new Error(`${changes} is not empty.`);
  for (const name of keepAsideAs === undefined ? [] : [keepAsideAs, keepAsideAs + WAL]) {
    if (isThere(name)) throw new Error(`${name} exists already.`);
  }
  for (const name of [draft, ...alongside.map(({ from }) => from)]) syncFile(name);
  syncFolder(folder);
  const decision: Replacement = {
    draft: basename(draft),
    aside: keepAsideAs === undefined ? null : basename(keepAsideAs),
    alongside: alongside.map(({ from, to }) => ({ from: relative(folder, from), to: relative(folder, to) })),
  };
  writePrivateFile(decisionPath(path), `${JSON.stringify(decision)}\n`);
  finishReplacement(path);
}

/**
 * Finishes an exchange that was decided; does nothing when there is none. Only the holder of the write lock may call
 * it, before anything has opened the database.
 *
 * The old file leaves with its WAL before the draft takes its name, with a sync in between, so that the WAL of one
 * never meets the other. The draft's own name tells how far an earlier call came: while it is there, what bears the
 * database's name is the old one.
 * @throws DatabaseOpenError when the decision cannot be read
 */
export function finishReplacement(path: string): void {
  if (!isBeingReplaced(path)) return;
  const { draft, aside, alongside } = readDecision(path);
  const folder = dirname(path);
  const inFolder = (name: string) => join(folder, name);

  if (isThere(inFolder(draft))) {
    for (const end of PASSING) rmSync(path + end, { force: true });
    if (aside === null) rmSync(path + WAL, { force: true });
    // The WAL first: a database that has lost it is known by its name to be the old one, whatever happens now.
    else for (const end of [WAL, '']) moveIfThere(path + end, inFolder(aside) + end);
    for (const end of [WAL, ...PASSING]) rmSync(inFolder(draft) + end, { force: true });
    syncFolder(folder);
    renameSync(inFolder(draft), path);
    syncFolder(folder);
  }
  for (const { from, to } of alongside) {
    moveIfThere(inFolder(from), inFolder(to));
    syncFolder(dirname(inFolder(to)));
  }
  rmSync(decisionPath(path));
  syncFolder(folder);
}

function readDecision(path: string): Replacement {
  const file = decisionPath(path);
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Replacement;
  } catch (error) {
    throw new DatabaseOpenError(
      `${file} tells of an exchange of the database that was not finished, and cannot be read. Restore a backup into an empty data folder; nothing was touched.`,
      error,
    );
  }
}

function moveIfThere(from: string, to: string): void {
  if (isThere(from)) renameSync(from, to);
}

function syncFile(path: string): void {
  const file = openSync(path, 'r+');
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}
