// @ts-check
import { fileURLToPath } from 'node:url';
import { build, isBuilt } from './prepare/build.js';
import { PrepareFailure } from './prepare/failure.js';
import { install, isInstalled } from './prepare/install.js';
import { alone } from './prepare/lock.js';
import { nodeVersionProblem } from './prepare/node-version.js';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

/**
 * Brings a folder as it comes from `git clone` to where it can run: installs what is missing and builds what is
 * stale. Quiet and quick when nothing is to do; otherwise says what it does on standard error. Ends the process
 * with status 1 and a sentence on what to do when it cannot.
 * @param {{ dev: boolean }} options dev: the development dependencies are needed even if nothing is to be built
 */
export async function prepare({ dev }) {
  try {
    const problem = nodeVersionProblem(process.versions.node);
    if (problem) throw new PrepareFailure(problem);
    if (isReady({ dev })) return;
    await alone(ROOT, async () => {
      const needs = { dev: dev || !isBuilt(ROOT) };
      if (!isInstalled(ROOT, needs)) await install(ROOT, needs);
      if (!isBuilt(ROOT)) await build(ROOT);
    });
  } catch (error) {
    const failure = asFailure(error);
    process.stderr.write(`${failure.toolOutput}\n${failure.message}\n`);
    process.exit(1);
  }
}

/**
 * What a person reads about an error; one that nobody has foreseen is thrown on.
 * @param {unknown} error
 */
function asFailure(error) {
  if (error instanceof PrepareFailure) return error;
  if (!(error instanceof Error && 'syscall' in error)) throw error;
  return new PrepareFailure(
    `WOTP has to be installed or built in ${ROOT}, and that failed: ${error.message}. Run the command once as the owner of that folder, with disk space to spare.`,
  );
}

/** @param {{ dev: boolean }} options */
function isReady({ dev }) {
  return isBuilt(ROOT) && isInstalled(ROOT, { dev });
}
