import { readdirSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { isThere } from '../../lib/system-error.ts';
import { timeStamp } from './manifest.ts';

/** How the name of a replaced database goes on behind that of the database; SQLite's files beside it too. */
const ENDING = /^\.replaced-\d{8}-\d{6}(-\d+)?(-wal|-shm|-journal)?$/;

/** A name beside a file, not taken yet, under which what is replaced at `at` (Unix ms) is kept. */
export function replacedPath(path: string, at: number): string {
  const name = `${path}.replaced-${timeStamp(at)}`;
  for (let again = 1; ; again++) {
    const free = again === 1 ? name : `${name}-${again}`;
    if (!isThere(free) && !isThere(`${free}-wal`)) return free;
  }
}

/** The files beside a database that restores have kept of those that were there before. */
export function replacedFiles(path: string): string[] {
  const database = basename(path);
  const folder = dirname(path);
  return readdirSync(folder)
    .filter((name) => name.startsWith(database) && ENDING.test(name.slice(database.length)))
    .map((name) => join(folder, name));
}
