import { statSync } from 'node:fs';

const CHANGE_RIGHTS = 'Run the command as the user who owns it, or change its owner or mode.';

/** What the operating system can refuse: its reason in words, and what to do about it. */
const REFUSALS: Readonly<Record<string, readonly [reason: string, remedy: string]>> = {
  EACCES: ['permission denied', CHANGE_RIGHTS],
  EPERM: ['operation not permitted', CHANGE_RIGHTS],
  EROFS: ['the file system is read-only', 'Mount it writable, or use another folder.'],
  ENOSPC: ['the disk is full', 'Free disk space, then try again.'],
  EDQUOT: ['the disk quota is used up', 'Free disk space, or raise the quota.'],
  EFBIG: ['the file would be too large', 'Raise the file size limit (ulimit -f).'],
  ENOENT: ['there is no such file or folder', 'Check the path.'],
  ENOTDIR: ['a part of the path is a file, not a folder', 'Check the path.'],
  EISDIR: ['it is a folder, not a file', 'Name a file.'],
  ENOTEMPTY: ['the folder is not empty', 'Name another one.'],
  EMFILE: ['this process has too many open files', 'Raise the limit (ulimit -n, LimitNOFILE=).'],
  ENFILE: ['the system has too many open files', 'Close other programs, or raise fs.file-max.'],
  ENAMETOOLONG: ['the name is too long', 'Use a shorter one.'],
  ELOOP: ['its symbolic links form a loop', 'Check the path.'],
  EXDEV: ['the two paths are on different file systems', 'Keep the data folder on one file system.'],
  EBUSY: ['it is in use', 'Stop what uses it, or name another.'],
  EIO: ['the disk reported an error', 'Check the disk and its file system.'],
  ENOMEM: ['the system is out of memory', 'Free memory, then try again.'],
  EAGAIN: ['the system is out of resources', 'Raise the limit of processes (ulimit -u), then try again.'],
};

const ACTIONS: Readonly<Record<string, string>> = {
  connect: 'connect to',
  lstat: 'access',
  mkdir: 'create the folder',
  scandir: 'read the folder',
  stat: 'access',
  statfs: 'access',
  unlink: 'delete',
  rmdir: 'delete the folder',
};

/** An error of the operating system, with the fields that Node gives one; the message is its text. */
export class SystemError extends Error {
  readonly code: string;
  readonly syscall: string;
  readonly path: string;

  constructor(code: string, syscall: string, path: string, cause?: unknown) {
    super(code, cause === undefined ? undefined : { cause });
    this.name = 'SystemError';
    this.code = code;
    this.syscall = syscall;
    this.path = path;
    this.message = systemErrorText(this) ?? code;
  }
}

type Refusal = NodeJS.ErrnoException & { address?: string };

/**
 * An error of the operating system in words: what could not be done to which path, why, and what to do. Undefined for
 * every other error.
 */
export function systemErrorText(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  const { code = '', syscall = '', path, address } = error as Refusal;
  // Without a call it is an error of ours that has borrowed a code.
  const refusal = syscall !== '' && Object.hasOwn(REFUSALS, code) ? REFUSALS[code] : undefined;
  if (!refusal) return undefined;
  const [reason, remedy] = refusal;
  const [program, place] = syscall.startsWith('spawn ')
    ? ['start', syscall.slice('spawn '.length)]
    : [ACTIONS[syscall] ?? (/^[a-z]+$/.test(syscall) ? syscall : 'use'), path ?? address];
  return place === undefined
    ? `The operating system refused to ${program}${syscall === 'open' ? ' a file' : ''}: ${reason} (${code}). ${remedy}`
    : `Cannot ${program} ${place}: ${reason} (${code}). ${remedy}`;
}

/**
 * Whether there is a file or a folder at this path.
 * @throws an error of the operating system when it lets nobody know: a folder on the way that may not be entered, say
 */
export function isThere(path: string): boolean {
  try {
    return statSync(path, { throwIfNoEntry: false }) !== undefined;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOTDIR') throw error;
    return false;
  }
}
