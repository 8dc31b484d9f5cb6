import { chmodSync, existsSync, mkdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';

/** A folder is not there and cannot be made; the message names it, `code` is the system's. */
export class FolderError extends Error {
  readonly code: string;

  constructor(path: string, cause: NodeJS.ErrnoException) {
    const code = cause.code ?? cause.message;
    super(
      `The folder ${path} cannot be made (${code}). Give WOTP the right to, or name another place with DATA_DIR, DB_PATH or LOG_DIR.`,
      { cause },
    );
    this.name = 'FolderError';
    this.code = code;
  }
}

/**
 * Creates a folder that only its owner may enter, whatever the umask, and those above it; one that exists stays as it
 * is.
 * @throws FolderError
 */
export function createPrivateFolder(path: string): void {
  if (isFolder(path)) return;
  // One after the other: `recursive` never ends where the kernel lets nothing be made, as in /proc.
  if (!existsSync(dirname(path))) createPrivateFolder(dirname(path));
  try {
    mkdirSync(path, { mode: 0o700 });
    chmodSync(path, 0o700);
  } catch (error) {
    // Another process may have been quicker.
    if (!isFolder(path)) throw new FolderError(path, error as NodeJS.ErrnoException);
  }
}

/** Whether there is a folder at this path. */
export function isFolder(path: string): boolean {
  return existsSync(path) && statSync(path).isDirectory();
}
