// @ts-check
import { createHash } from 'node:crypto';
import { cpSync, existsSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { PrepareFailure } from './failure.js';
import { runTool } from './run-tool.js';

/** Folders that stand in dist/ as they are, templates/ beside the code that reads it. */
const COPIED = ['dashboard', 'templates'];

/**
 * Whether dist/ is made from what src/, dashboard/ and templates/ hold now. True also where there is no source to build
 * from, as in a container image.
 * @param {string} root
 */
export function isBuilt(root) {
  if (!existsSync(join(root, 'src'))) return true;
  const stamp = join(root, 'dist', '.built');
  return existsSync(stamp) && readFileSync(stamp, 'utf8') === sourceFingerprint(root);
}

/**
 * Compiles src/ and copies dashboard/ and templates/ into a folder of its own, then swaps it in as dist/, so that outputs of
 * deleted sources go and nobody sees half a build. Leaves dist/ as it was when the build fails.
 * @param {string} root
 * @throws {PrepareFailure}
 */
export async function build(root) {
  process.stderr.write('Building …\n');
  removeLeftovers(root);
  const fresh = join(root, `dist.new-${process.pid}`);
  const old = join(root, `dist.old-${process.pid}`);
  const fingerprint = sourceFingerprint(root);
  try {
    await compile(root, fresh);
    for (const name of COPIED) {
      if (existsSync(join(root, name))) cpSync(join(root, name), join(fresh, name), { recursive: true });
    }
    writeFileSync(join(fresh, '.built'), fingerprint);
    if (existsSync(join(root, 'dist'))) renameSync(join(root, 'dist'), old);
    renameSync(fresh, join(root, 'dist'));
  } finally {
    rmSync(fresh, { recursive: true, force: true });
    rmSync(old, { recursive: true, force: true });
  }
}

/**
 * @param {string} root
 * @param {string} outDir
 */
async function compile(root, outDir) {
  const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  const args = [tsc, '-p', 'tsconfig.build.json', '--outDir', outDir];
  const { succeeded, output } = await runTool(process.execPath, args, { cwd: root });
  if (!succeeded) {
    throw new PrepareFailure(
      'The build failed. Correct what is listed above, then run the same command again.',
      output,
    );
  }
}

/** @param {string} root */
function removeLeftovers(root) {
  for (const name of readdirSync(root)) {
    if (/^dist\.(new|old)-\d+$/.test(name)) rmSync(join(root, name), { recursive: true, force: true });
  }
}

/**
 * One hash over the names and contents of everything the build reads. Times of files are left out: a checkout
 * or a copy changes them and nothing else.
 * @param {string} root
 */
function sourceFingerprint(root) {
  const hash = createHash('sha256');
  const settings = readdirSync(root).filter((name) => /^tsconfig.*\.json$|^package-lock\.json$/.test(name));
  const files = [
    ...filesIn(join(root, 'src')),
    ...COPIED.flatMap((name) => filesIn(join(root, name))),
    ...settings.map((name) => join(root, name)),
  ];
  for (const file of files.filter((name) => !name.endsWith('.test.ts'))) {
    const content = readFileSync(file);
    hash.update(`${relative(root, file).split(sep).join('/')}\0${content.length}\0`).update(content);
  }
  return hash.digest('hex');
}

/** @param {string} folder */
function filesIn(folder) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}
