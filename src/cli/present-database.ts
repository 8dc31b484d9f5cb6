import type { Config } from '../config/config.ts';
import { keyCheckPathIn } from '../database/wodb/key-check.ts';
import { isBeingReplaced } from '../database/wodb/replace.ts';
import { isThere } from '../lib/system-error.ts';
import { CommandError } from './command-error.ts';

/** Whether the data folder holds a database file, or traces of one that belongs there. */
export function hasDatabaseFile({ dataDir, path }: Config['database']): boolean {
  return [path, keyCheckPathIn(dataDir)].some(isThere) || isBeingReplaced(path);
}

/** A command was called where there is nothing for it to work on, most often in the wrong folder. */
export function noDatabaseAt(path: string): CommandError {
  return new CommandError(
    `There is no database at ${path}. Run the command in the server's folder, or set DATA_DIR.`,
  );
}
