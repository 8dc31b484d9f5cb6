// @ts-check
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PrepareFailure } from './failure.js';
import { runTool } from './run-tool.js';

const NATIVE_MODULE = 'better-sqlite3-multiple-ciphers';
const COMPILE_HINT =
  'Compiling a native module needs Python 3, make and a C++ compiler (Debian, Ubuntu: apt-get install python3 build-essential). If they are there, the lines above say what else is wrong. Then run the same command again.';
/** So much of what a failed tool printed is shown. */
const SHOWN_LINES = 25;

/**
 * Whether node_modules is what package-lock.json asks for and its native module loads in this Node. The answer
 * is remembered in a stamp, so that it costs two hashes when nothing changed.
 * @param {string} root
 * @param {{ dev: boolean }} options dev: the development dependencies are needed too
 */
export function isInstalled(root, { dev }) {
  const stamp = stampOf(root);
  const written = readText(stampFile(root));
  if (written === `${stamp} all` || (!dev && written === `${stamp} production`)) return true;
  if (!holdsLockedPackages(root, { dev }) || loadProblem(root) !== undefined) return false;
  writeStamp(root, { dev });
  return true;
}

/**
 * Installs exactly what package-lock.json says; where only the native module does not load, as after a switch to another
 * Node, builds that alone again. Install scripts run only for the packages on the short list `allowScripts` in
 * package.json, whatever npm's version and the user's settings.
 * @param {string} root
 * @param {{ dev: boolean }} options dev: the development dependencies are needed too
 * @throws {PrepareFailure}
 */
export async function install(root, { dev }) {
  const isComplete =
    existsSync(join(root, 'node_modules', NATIVE_MODULE)) && holdsLockedPackages(root, { dev });
  if (isComplete) {
    process.stderr.write(
      `${loadProblem(root) ?? ''}\nBuilding ${NATIVE_MODULE} for Node ${process.version} (about 3 minutes) …\n`,
    );
  } else {
    process.stderr.write(
      'Installing dependencies (first time: about 3 minutes, a native module is compiled) …\n',
    );
    await npm(
      root,
      ['ci', '--include=dev', '--ignore-scripts'],
      'Check the network connection and the registry that npm uses, then run the same command again.',
    );
  }
  const allowed = allowedToRunScripts(root);
  // Without a name npm would rebuild every package.
  if (allowed.length > 0) await npm(root, ['rebuild', ...allowed, '--ignore-scripts=false'], COMPILE_HINT);
  const problem = loadProblem(root);
  if (problem !== undefined) {
    throw new PrepareFailure(
      `${NATIVE_MODULE} is built and does not load in Node ${process.version} (${process.execPath}). See above for the reason, or remove node_modules and run the same command again.`,
      problem,
    );
  }
  writeStamp(root, { dev: dev || !isComplete });
}

/**
 * @param {string} root
 * @param {string[]} args
 * @param {string} hint
 */
async function npm(root, args, hint) {
  const running = process.env.npm_execpath ?? '';
  // Under "npm start" it is npm itself; other package managers set the same variable to theirs.
  const { succeeded, output } = running.endsWith('npm-cli.js')
    ? await runTool(process.execPath, [running, ...args], { cwd: root })
    : await runTool('npm', args, { cwd: root, shell: process.platform === 'win32' });
  if (!succeeded) throw new PrepareFailure(`"npm ${args.join(' ')}" failed. ${hint}`, lastLines(output));
}

/** @param {string} output */
function lastLines(output) {
  const lines = output.trimEnd().split('\n');
  const shown = lines.slice(-SHOWN_LINES).join('\n');
  return lines.length > SHOWN_LINES ? `The last ${SHOWN_LINES} of ${lines.length} lines:\n${shown}` : shown;
}

/**
 * npm lists what it installed in node_modules/.package-lock.json. Packages for other platforms are missing there, and
 * all that are optional where they were left out on purpose.
 * @param {string} root
 * @param {{ dev: boolean }} options
 */
function holdsLockedPackages(root, { dev }) {
  const installed = packagesOf(hiddenLockFile(root));
  const lock = packagesOf(join(root, 'package-lock.json')) ?? {};
  if (!installed) return false;
  const optional = Object.keys(lock['']?.optionalDependencies ?? {});
  const withOptional = optional.some((name) => installed[`node_modules/${name}`]);
  return Object.entries(lock).every(([place, locked]) => {
    if (place === '') return true;
    const found = installed[place];
    if (!found) {
      // What tools of development have for other platforms does not always name them.
      const isForOthers = locked.os !== undefined || locked.cpu !== undefined || locked.dev;
      const isLeftOut = locked.optional && (isForOthers || !withOptional);
      return isLeftOut || locked.devOptional || (locked.dev && !dev);
    }
    // npm's list has no hash for a package that was installed before the lock file had one.
    const isSameContent = !found.integrity || !locked.integrity || found.integrity === locked.integrity;
    return found.version === locked.version && isSameContent;
  });
}

/**
 * @typedef {{
 *   version?: string,
 *   integrity?: string,
 *   optional?: boolean,
 *   dev?: boolean,
 *   devOptional?: boolean,
 *   os?: string[],
 *   cpu?: string[],
 *   optionalDependencies?: Record<string, string>,
 * }} LockedPackage
 */

/**
 * @param {string} file
 * @returns {Record<string, LockedPackage> | undefined}
 */
function packagesOf(file) {
  const text = readText(file);
  return text === '' ? undefined : JSON.parse(text).packages;
}

/**
 * Why the native module does not load, in the loader's own words, which name the Node it was built for; undefined where
 * it does.
 * @param {string} root
 */
function loadProblem(root) {
  const code = `try { new (require('${NATIVE_MODULE}'))(':memory:').close() } catch (error) { console.error(error.message); process.exit(1) }`;
  const { status, signal, stderr } = spawnSync(process.execPath, ['-e', code], {
    cwd: root,
    stdio: ['ignore', 'ignore', 'pipe'],
    encoding: 'utf8',
  });
  if (status === 0) return undefined;
  return (
    stderr.trim() || `${NATIVE_MODULE} ends Node when it is loaded (${signal ?? `exit code ${status}`}).`
  );
}

/** @param {string} root */
function allowedToRunScripts(root) {
  /** @type {Record<string, boolean>} */
  const allowScripts = JSON.parse(readText(join(root, 'package.json'))).allowScripts;
  return Object.keys(allowScripts).filter((name) => allowScripts[name]);
}

/**
 * The lock file, the native module as it was compiled and the Node it loads in, and npm's own note of its last work
 * here, which every install, removal or pruning touches.
 * @param {string} root
 */
function stampOf(root) {
  const lastChange = statSync(hiddenLockFile(root), { throwIfNoEntry: false })?.mtimeMs;
  return [
    hashOf([join(root, 'package-lock.json')]),
    hashOf(compiledFiles(root)),
    process.platform,
    process.arch,
    process.versions.modules,
    lastChange,
  ].join(' ');
}

/** @param {string[]} files */
function hashOf(files) {
  const hash = createHash('sha256');
  for (const file of files) if (existsSync(file)) hash.update(readFileSync(file));
  return hash.digest('hex');
}

/**
 * What the loader reads of the native module.
 * @param {string} root
 */
function compiledFiles(root) {
  const folder = join(root, 'node_modules', NATIVE_MODULE, 'build', 'Release');
  if (!existsSync(folder)) return [];
  const names = readdirSync(folder).filter((name) => name.endsWith('.node'));
  return names.sort().map((name) => join(folder, name));
}

/** @param {string} root */
function hiddenLockFile(root) {
  return join(root, 'node_modules', '.package-lock.json');
}

/**
 * @param {string} root
 * @param {{ dev: boolean }} options
 */
function writeStamp(root, { dev }) {
  try {
    writeFileSync(stampFile(root), `${stampOf(root)} ${dev ? 'all' : 'production'}`);
  } catch {
    // A folder that cannot be written to (a read-only image) costs the longer check at each start, no more.
  }
}

/** @param {string} root */
function stampFile(root) {
  return join(root, 'node_modules', '.wotp-installed');
}

/**
 * @param {string} file
 * @returns {string} '' where there is no such file
 */
function readText(file) {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return '';
    throw error;
  }
}
