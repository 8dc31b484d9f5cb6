import { closeSync } from 'node:fs';
import { isatty } from 'node:tty';

/**
 * Lets the process end with its own exit code after the terminal it was started from was closed. At its end Node
 * restores the modes of that terminal, and aborts (SIGABRT, SIGSEGV) where it is gone; it leaves a closed descriptor
 * alone. Call it once, at the start: a terminal that is gone no longer counts as one.
 */
export function outliveTerminal(): void {
  const terminals = [0, 1, 2].filter((descriptor) => isatty(descriptor));
  process.once('exit', () => {
    for (const descriptor of terminals) if (!isatty(descriptor)) closeSync(descriptor);
  });
}
