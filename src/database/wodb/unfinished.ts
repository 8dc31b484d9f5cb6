import { rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { masterKeyPathIn } from '../master-key.ts';
import { isBeingReplaced } from './replace.ts';

/** What SQLite keeps beside a file, and the file itself. */
const FILES = ['', '-wal', '-shm', '-journal'];
/** The names, behind that of the database, of files that are built beside it to take its place. */
const DRAFTS = ['compacting', 'rotating', 'restoring', 'restoring-other-key'];

/** Every file that work on a database which was cut off may have left and nobody needs. */
export function unfinishedFiles({ path, keyCheckPath }: { path: string; keyCheckPath: string }): string[] {
  const masterKeyPath = masterKeyPathIn(dirname(keyCheckPath));
  const dataDir = dirname(keyCheckPath);
  const next = [nextKeyCheckPath(keyCheckPath), nextMasterKeyPath(dataDir), oldMasterKeyPath(dataDir)];
  // Small files are written under a temporary name first.
  const small = [`${path}.replace`, keyCheckPath, masterKeyPath, ...next].map((file) => `${file}.tmp`);
  return [...DRAFTS.flatMap((draft) => FILES.map((end) => `${path}.${draft}${end}`)), ...next, ...small];
}

/**
 * Removes them, for the holder of the write lock. Does nothing while an exchange is decided and not finished: then they
 * are the database.
 */
export function removeUnfinished(of: { path: string; keyCheckPath: string }): void {
  if (isBeingReplaced(of.path)) return;
  for (const file of unfinishedFiles(of)) rmSync(file, { force: true });
}

/** Where the key check of a database that is being built waits to take its place. */
export function nextKeyCheckPath(keyCheckPath: string): string {
  return `${keyCheckPath}.new`;
}

/** Where the master key of a database that is being built waits to take its place. */
export function nextMasterKeyPath(dataDir: string): string {
  return `${masterKeyPathIn(dataDir)}.new`;
}

/** Where a copy of the master key that is about to be replaced waits to get the name under which it stays. */
export function oldMasterKeyPath(dataDir: string): string {
  return `${masterKeyPathIn(dataDir)}.old`;
}
