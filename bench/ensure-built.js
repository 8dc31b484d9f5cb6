// @ts-check
import { fileURLToPath } from 'node:url';
import { build, isBuilt } from '../scripts/prepare/build.js';
import { alone } from '../scripts/prepare/lock.js';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

/** Builds dist/ when it is not what the sources are now. Installs nothing. */
export async function ensureBuilt() {
  if (isBuilt(ROOT)) return;
  await alone(ROOT, async () => {
    if (!isBuilt(ROOT)) await build(ROOT);
  });
}
