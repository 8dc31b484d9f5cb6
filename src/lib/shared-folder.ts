import { statSync } from 'node:fs';

/** Others may write to a folder of WOTP's; the message says what to run. Nothing was read from it. */
export class SharedFolderError extends Error {
  constructor(path: string, who: string, change: string) {
    super(
      `${path} can be written by ${who}, who could put files there that WOTP takes for its own. Run \`chmod ${change} ${path}\`, then start again.`,
    );
    this.name = 'SharedFolderError';
  }
}

const WRITABLE_BY_GROUP = 0o020;
const WRITABLE_BY_WORLD = 0o002;

/**
 * Refuses a folder in which everybody, or a group that this process is not in, may create and replace files. One that is
 * not there is left to whoever creates it; where the system knows no such rights, none is refused.
 * @throws SharedFolderError
 */
export function refuseSharedFolder(path: string): void {
  const { mode, gid } = statSync(path, { throwIfNoEntry: false }) ?? { mode: 0, gid: 0 };
  const groups = [process.getegid?.(), ...(process.getgroups?.() ?? [])];
  if (groups[0] === undefined) return;
  const isGroupForeign = (mode & WRITABLE_BY_GROUP) !== 0 && !groups.includes(gid);
  if ((mode & WRITABLE_BY_WORLD) !== 0) {
    throw new SharedFolderError(path, 'everybody on this machine', isGroupForeign ? 'go-w' : 'o-w');
  }
  if (isGroupForeign) {
    throw new SharedFolderError(path, `the group ${gid}, to which this process does not belong`, 'g-w');
  }
}
