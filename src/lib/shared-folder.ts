import { lstatSync, type Stats, statSync } from 'node:fs';
import { ExpectedError } from './expected-error.ts';

/** Others may write to a folder of WOTP's; the message says what to run. Nothing was read from it or written to it. */
export class SharedFolderError extends ExpectedError {
  constructor(path: string, who: string, remedy: string) {
    super(
      `${path} ${who}, who could put files there that WOTP takes for its own. ${remedy}, then start again.`,
    );
  }
}

const WRITABLE_BY_GROUP = 0o020;
const WRITABLE_BY_WORLD = 0o002;
const ROOT = 0;

/**
 * Refuses a folder in which everybody, or a group that this process is not in, may create and replace files; and one that
 * belongs to another user than this process' and root, or is a link of such a user. One that is not there is left to
 * whoever creates it; where the system knows no such rights, none is refused.
 * @throws SharedFolderError
 */
export function refuseSharedFolder(path: string): void {
  const own = { user: process.geteuid?.(), groups: [process.getegid?.(), ...(process.getgroups?.() ?? [])] };
  if (own.user === undefined) return;
  const found = lstatSync(path, { throwIfNoEntry: false });
  const folder = found?.isSymbolicLink() ? statSync(path, { throwIfNoEntry: false }) : found;
  if (!found || !folder) return;

  const isForeign = ({ uid }: Stats) => uid !== own.user && uid !== ROOT;
  if (found !== folder && isForeign(found)) {
    throw new SharedFolderError(
      path,
      `is a link of the user ${found.uid}`,
      `Run \`chown -h ${own.user} ${path}\`, or WOTP as that user`,
    );
  }
  if (isForeign(folder)) {
    throw new SharedFolderError(
      path,
      `belongs to the user ${folder.uid}`,
      `Run \`chown -R ${own.user} ${path}\`, or WOTP as that user`,
    );
  }
  const { mode, gid } = folder;
  const isGroupForeign = (mode & WRITABLE_BY_GROUP) !== 0 && !own.groups.includes(gid);
  const chmod = (change: string) => `Run \`chmod ${change} ${path}\``;
  if ((mode & WRITABLE_BY_WORLD) !== 0) {
    throw new SharedFolderError(
      path,
      'can be written by everybody on this machine',
      chmod(isGroupForeign ? 'go-w' : 'o-w'),
    );
  }
  if (isGroupForeign) {
    throw new SharedFolderError(
      path,
      `can be written by the group ${gid}, to which this process does not belong`,
      chmod('g-w'),
    );
  }
}
