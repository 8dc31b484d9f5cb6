// @ts-check
import { readFileSync } from 'node:fs';

/** With fewer the program cannot even load its modules, and Node reports other reasons. */
const OPEN_FILES_MIN = 512;

/** Ends the process with a sentence where it may open too few files. */
export function requireOpenFiles() {
  const limit = openFilesMax();
  if (limit >= OPEN_FILES_MIN) return;
  process.stderr.write(
    `wotp: This process may have ${limit} files open, and WOTP needs ${OPEN_FILES_MIN} to start (EMFILE). Raise the limit (ulimit -n 1024, or LimitNOFILE= in systemd).\n`,
  );
  process.exit(1);
}

/** The limit of this process, where the system tells it; Node has raised it to the hard one already. */
function openFilesMax() {
  try {
    const [, limit] = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? [];
    return limit === undefined ? Number.POSITIVE_INFINITY : Number(limit);
  } catch {
    // Not Linux.
    return Number.POSITIVE_INFINITY;
  }
}
