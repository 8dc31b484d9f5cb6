import { chmodSync, mkdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { ExpectedError } from './expected-error.ts';
import { isThere, systemErrorText } from './system-error.ts';

/** A folder is not there and cannot be created; the message names it, `code` is the system's. */
export class FolderError extends ExpectedError {
  readonly code: string;

  constructor(path: string, cause: NodeJS.ErrnoException) {
    super(
      `The folder ${path} cannot be used. ${systemErrorText(cause) ?? cause.message} You can also name another folder with DATA_DIR, DB_PATH or LOG_DIR.`,
      { cause },
    );
    this.code = cause.code ?? cause.message;
  }
}

/**
 * Creates a folder that only its owner may enter, whatever the umask, and those above it; one that exists stays as it
 * is.
 * @throws FolderError
 */
export function createPrivateFolder(path: string): void {
  try {
    if (isFolder(path)) return;
    // One after the other: `recursive` never ends where the kernel lets nothing be made, as in /proc.
    if (!isThere(dirname(path))) createPrivateFolder(dirname(path));
    mkdirSync(path, { mode: 0o700 });
    chmodSync(path, 0o700);
  } catch (error) {
    if (error instanceof FolderError) throw error;
    // Another process may have been quicker.
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'EEXIST' || !isFolder(path)) throw new FolderError(path, error as NodeJS.ErrnoException);
  }
}

/** Whether there is a folder at this path. */
export function isFolder(path: string): boolean {
  return isThere(path) && statSync(path).isDirectory();
}
