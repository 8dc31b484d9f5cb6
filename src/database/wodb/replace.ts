import { closeSync, fsyncSync, lstatSync, openSync, renameSync, rmSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { z } from 'zod';
import { isUnfitFile, readOwnFile } from '../../lib/bounded-file.ts';
import { isThere } from '../../lib/system-error.ts';
import { syncFolder, writePrivateFile } from '../private-files.ts';
import { DatabaseOpenError } from './open-error.ts';

/** Files that belong to a database file and to no other. */
const WAL = '-wal';
const PASSING = ['-shm', '-journal'];

/** A decision has a few hundred bytes. */
const DECISION_MAX_BYTES = 16 * 1024;

/**
 * The decision to exchange a database, as it is written down. `draft` and `aside` are names in the database's folder,
 * the others in the data folder; each is one of those that WOTP gives, so that a decision which somebody else has put
 * there moves nothing else.
 */
function decisionSchema(path: string) {
  const ofDatabase = nameAfter([basename(path)]);
  const alongside = nameAfter(['wotp.keycheck', 'master.key']);
  return z.strictObject({
    draft: ofDatabase,
    aside: ofDatabase.nullable(),
    alongside: z.array(z.strictObject({ from: alongside, to: alongside })).max(10),
  });
}

type Replacement = z.infer<ReturnType<typeof decisionSchema>>;

/** A name without a folder that is one of these names, or goes on with a dot after one. */
function nameAfter(names: readonly string[]) {
  return z
    .string()
    .max(255)
    .refine((name) => /^[^/\\\0]+$/.test(name))
    .refine((name) => names.some((known) => name === known || name.startsWith(`${known}.`)));
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
 * prepared files in the data folder over others there.
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
  dataDir: string;
  draft: string;
  keepAsideAs?: string;
  alongside?: readonly { from: string; to: string }[];
}): void {
  const { path, dataDir, draft, keepAsideAs, alongside = [] } = options;
  const folder = dirname(path);
  for (const name of [draft, ...(keepAsideAs === undefined ? [] : [keepAsideAs])]) {
    if (dirname(name) !== folder) throw new Error(`${name} is not in the folder of ${path}.`);
  }
  for (const name of alongside.flatMap(({ from, to }) => [from, to])) {
    if (dirname(name) !== dataDir) throw new Error(`${name} is not in the data folder.`);
  }
  const changes = `${draft}${WAL}`;
  if (isThere(changes) && statSync(changes).size > 0) throw new Error(`${changes} is not empty.`);
  for (const name of keepAsideAs === undefined ? [] : [keepAsideAs, keepAsideAs + WAL]) {
    if (isThere(name)) throw new Error(`${name} exists already.`);
  }
  for (const name of [draft, ...alongside.map(({ from }) => from)]) syncFile(name);
  syncFolder(folder);
  const decision = decisionSchema(path).parse({
    draft: basename(draft),
    aside: keepAsideAs === undefined ? null : basename(keepAsideAs),
    alongside: alongside.map(({ from, to }) => ({ from: basename(from), to: basename(to) })),
  });
  writePrivateFile(decisionPath(path), `${JSON.stringify(decision)}\n`);
  finishReplacement(path, dataDir);
}

/**
 * Finishes an exchange that was decided; does nothing when there is none. Only the holder of the write lock may call
 * it, before anything has opened the database.
 *
 * The old file leaves with its WAL before the draft takes its name, with a sync in between, so that the WAL of one
 * never meets the other. The draft's own name tells how far an earlier call came: while it is there, what bears the
 * database's name is the old one.
 * @throws DatabaseOpenError when the decision cannot be read, or is none of WOTP's; nothing was touched then
 */
export function finishReplacement(path: string, dataDir: string): void {
  if (!isBeingReplaced(path)) return;
  const { draft, aside, alongside } = readDecision(path);
  const folder = dirname(path);
  const inFolder = (name: string) => join(folder, name);
  const inDataDir = (name: string) => join(dataDir, name);
  for (const name of [inFolder(draft), ...alongside.map(({ from }) => inDataDir(from))]) refuseLink(name);

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
    moveIfThere(inDataDir(from), inDataDir(to));
    syncFolder(dataDir);
  }
  rmSync(decisionPath(path));
  syncFolder(folder);
}

function readDecision(path: string): Replacement {
  const file = decisionPath(path);
  try {
    return decisionSchema(path).parse(JSON.parse(readOwnFile(file, DECISION_MAX_BYTES)));
  } catch (error) {
    if (!(error instanceof SyntaxError || error instanceof z.ZodError || isUnfitFile(error))) throw error;
    throw new DatabaseOpenError(
      `${file} should list the files of an unfinished replacement of the database, and does not. Restore a backup into an empty data folder; nothing was touched.`,
      error,
    );
  }
}

function refuseLink(file: string): void {
  if (lstatSync(file, { throwIfNoEntry: false })?.isFile() ?? true) return;
  throw new DatabaseOpenError(
    `${file} is a link or a folder, not a file that WOTP created to replace another. Move it away; nothing was touched.`,
  );
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
