import { accessSync, closeSync, constants, openSync, statfsSync } from 'node:fs';
import { dirname } from 'node:path';
import { isThere, SystemError } from '../../lib/system-error.ts';
import { sqliteCode } from './connection.ts';
import { DatabaseOpenError } from './open-error.ts';

/** With less than this free SQLite cannot even create its side files. */
const ROOM_MIN_BYTES = 64 * 1024;

/**
 * SQLite names neither the file it could not use nor the reason. Turns its error about a database file that is not open
 * into the one of the operating system behind it; passes every other error on.
 */
export function refusalBehind(error: unknown, path: string): unknown {
  const code = sqliteCode(error);
  if (code === 'SQLITE_FULL') return new SystemError('ENOSPC', 'write', path, error);
  if (!/^SQLITE_(CANTOPEN|READONLY|IOERR|PERM)/.test(code)) return error;
  return (
    refusalOf(path) ??
    new DatabaseOpenError(
      `${path} cannot be used: ${(error as Error).message} (${code}). Check the disk and its file system.`,
      error,
    )
  );
}

function refusalOf(path: string): unknown {
  try {
    // Needs a free descriptor. The file itself is not opened: closing it would drop the locks of others.
    closeSync(openSync(dirname(path), 'r'));
    if (isThere(path)) accessSync(path, constants.R_OK | constants.W_OK);
    accessSync(dirname(path), constants.R_OK | constants.W_OK | constants.X_OK);
    const { bavail, bsize } = statfsSync(dirname(path));
    return bavail * bsize < ROOM_MIN_BYTES ? new SystemError('ENOSPC', 'write', path) : undefined;
  } catch (refusal) {
    return refusal;
  }
}
