import { existsSync } from 'node:fs';
import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = new URL('../../', import.meta.url);
// Only a clone has it; an installed package comes built, and its command is found by name.
const isClone = existsSync(new URL('scripts/prepare.js', ROOT));

/** How this program is called from the working folder: `wotp` where it is installed, by its file in a clone. */
export const PROGRAM = isClone
  ? `node ${relative(process.cwd(), fileURLToPath(new URL('bin/wotp.js', ROOT)))}`
  : 'wotp';
