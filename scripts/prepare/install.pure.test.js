// @ts-check
import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { install, isInstalled } from './install.js';

const NATIVE_MODULE = 'better-sqlite3-multiple-ciphers';
const LOCKED = {
  '': { name: 'wotp' },
  'node_modules/a': { version: '1.0.0', integrity: 'sha512-a' },
  'node_modules/tool': { version: '2.0.0', integrity: 'sha512-t', dev: true },
  'node_modules/for-another-platform': { version: '1.0.0', optional: true, os: ['aix'] },
};
const INSTALLED = {
  'node_modules/a': LOCKED['node_modules/a'],
  'node_modules/tool': LOCKED['node_modules/tool'],
};

/** @type {string} */
let root;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'wotp-install-'));
  mkdirSync(join(root, 'node_modules'));
  const nativeModule = fileURLToPath(new URL(`../../node_modules/${NATIVE_MODULE}`, import.meta.url));
  symlinkSync(nativeModule, join(root, 'node_modules', NATIVE_MODULE));
  writeLock('package-lock.json', LOCKED);
});

afterEach(() => {
  rmSync(root, { recursive: true });
});

/**
 * @param {string} path
 * @param {string} text
 */
function write(path, text) {
  writeFileSync(join(root, path), text);
}

/**
 * @param {string} path
 * @param {Record<string, object>} packages
 */
function writeLock(path, packages) {
  writeFileSync(join(root, path), JSON.stringify({ packages }));
}

it('a folder that was never installed is not installed', () => {
  rmSync(join(root, 'node_modules'), { recursive: true });
  expect(isInstalled(root, { dev: false })).toBe(false);
});

it('what npm installed by hand is accepted; packages for other platforms may be missing', () => {
  writeLock('node_modules/.package-lock.json', INSTALLED);
  expect(isInstalled(root, { dev: true })).toBe(true);
});

it('optional dependencies may be left out, but not half of them', () => {
  const locked = {
    ...LOCKED,
    '': { name: 'wotp', optionalDependencies: { extra: '1.0.0' } },
    'node_modules/extra': { version: '1.0.0', optional: true },
    'node_modules/of-extra': { version: '1.0.0', optional: true },
  };
  writeLock('package-lock.json', locked);
  writeLock('node_modules/.package-lock.json', INSTALLED);
  expect(isInstalled(root, { dev: true })).toBe(true);
  const half = { ...INSTALLED, 'node_modules/extra': locked['node_modules/extra'] };
  writeLock('node_modules/.package-lock.json', half);
  expect(isInstalled(root, { dev: true })).toBe(false);
  const whole = { ...half, 'node_modules/of-extra': locked['node_modules/of-extra'] };
  writeLock('node_modules/.package-lock.json', whole);
  expect(isInstalled(root, { dev: true })).toBe(true);
});

it('development dependencies may be missing only where they are not needed', () => {
  writeLock('node_modules/.package-lock.json', { 'node_modules/a': LOCKED['node_modules/a'] });
  expect(isInstalled(root, { dev: true })).toBe(false);
  expect(isInstalled(root, { dev: false })).toBe(true);
  expect(isInstalled(root, { dev: true })).toBe(false);
});

it('another version, or another content of the same version, is not what was asked for', () => {
  for (const other of [
    { version: '1.0.1', integrity: 'sha512-a' },
    { version: '1.0.0', integrity: 'sha512-b' },
  ]) {
    writeLock('node_modules/.package-lock.json', { ...INSTALLED, 'node_modules/a': other });
    expect(isInstalled(root, { dev: false })).toBe(false);
  }
});

it('a change of the lock file or of what is installed is noticed after a start that found all well', () => {
  writeLock('node_modules/.package-lock.json', INSTALLED);
  expect(isInstalled(root, { dev: true })).toBe(true);
  writeLock('package-lock.json', { ...LOCKED, 'node_modules/new': { version: '1.0.0' } });
  expect(isInstalled(root, { dev: true })).toBe(false);
  writeLock('package-lock.json', LOCKED);
  expect(isInstalled(root, { dev: true })).toBe(true);
  writeLock('node_modules/.package-lock.json', {});
  utimesSync(join(root, 'node_modules/.package-lock.json'), 1, 1);
  expect(isInstalled(root, { dev: true })).toBe(false);
});

it('a native module that does not load has to be installed again', () => {
  writeLock('node_modules/.package-lock.json', INSTALLED);
  rmSync(join(root, 'node_modules', NATIVE_MODULE));
  expect(isInstalled(root, { dev: true })).toBe(false);
});

describe('a native module that does not load, as after a switch to another Node,', () => {
  const WORDS =
    'The module was compiled against a different Node.js version using NODE_MODULE_VERSION 115. This version of Node.js requires NODE_MODULE_VERSION 137.';

  /** Puts a module in place that loads once npm has rebuilt it, and an npm that does so or fails. */
  function builtForAnotherNode({ rebuild = '' } = {}) {
    const folder = join(root, 'node_modules', NATIVE_MODULE);
    rmSync(folder);
    mkdirSync(folder);
    write(
      `node_modules/${NATIVE_MODULE}/index.js`,
      `if (!require('fs').existsSync(__dirname + '/rebuilt')) throw new Error(${JSON.stringify(WORDS)});
       module.exports = class { close() {} };`,
    );
    write(
      'npm-cli.js',
      `require('fs').appendFileSync('npm-calls', process.argv.slice(2).join(' ') + '\\n');\n${rebuild}`,
    );
    write('package.json', JSON.stringify({ allowScripts: { [NATIVE_MODULE]: true } }));
    writeLock('node_modules/.package-lock.json', INSTALLED);
    vi.stubEnv('npm_execpath', join(root, 'npm-cli.js'));
    vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
      said += text;
      return true;
    });
  }

  /** @type {string} */
  let said;
  beforeEach(() => {
    said = '';
  });
  afterEach(() => {
    vi.unstubAllEnvs();
    vi.restoreAllMocks();
  });

  it('is built again alone, and the loader says for which Node it was built', async () => {
    builtForAnotherNode({
      rebuild: `require('fs').writeFileSync('node_modules/${NATIVE_MODULE}/rebuilt', '')`,
    });
    expect(isInstalled(root, { dev: true })).toBe(false);
    await install(root, { dev: true });
    expect(said).toContain(WORDS);
    expect(said).toContain(`Building ${NATIVE_MODULE} for Node ${process.version}`);
    expect(readFileSync(join(root, 'npm-calls'), 'utf8')).toBe(
      `rebuild ${NATIVE_MODULE} --ignore-scripts=false\n`,
    );
    expect(isInstalled(root, { dev: true })).toBe(true);
  });

  it('is noticed, and built again, also when it was damaged since it last loaded', async () => {
    const words = 'better_sqlite3.node: file too short';
    const file = `node_modules/${NATIVE_MODULE}/build/Release/better_sqlite3.node`;
    builtForAnotherNode({ rebuild: `require('fs').writeFileSync('${file}', 'whole')` });
    mkdirSync(join(root, 'node_modules', NATIVE_MODULE, 'build/Release'), { recursive: true });
    write(file, 'whole');
    write(
      `node_modules/${NATIVE_MODULE}/index.js`,
      `if (require('fs').readFileSync(__dirname + '/build/Release/better_sqlite3.node', 'utf8') !== 'whole')
         throw new Error(${JSON.stringify(words)});
       module.exports = class { close() {} };`,
    );
    expect(isInstalled(root, { dev: true })).toBe(true);
    write(file, 'who');
    expect(isInstalled(root, { dev: true })).toBe(false);
    await install(root, { dev: true });
    expect(said).toContain(words);
    expect(readFileSync(join(root, 'npm-calls'), 'utf8')).toContain(`rebuild ${NATIVE_MODULE} `);
    expect(isInstalled(root, { dev: true })).toBe(true);
  });

  it('shows the last lines of a build that fails', async () => {
    builtForAnotherNode({
      rebuild: `for (let n = 1; n <= 100; n++) console.log('line ' + n); console.error('gyp ERR! no Python'); process.exit(1)`,
    });
    await expect(install(root, { dev: true })).rejects.toMatchObject({
      message: expect.stringContaining('needs Python 3, make and a C++ compiler'),
      toolOutput: expect.stringMatching(/^The last 25 of 101 lines:\n(line \d+\n){24}gyp ERR! no Python$/),
    });
  });

  it('is described in the words of the loader when the build does not help', async () => {
    builtForAnotherNode();
    await expect(install(root, { dev: true })).rejects.toMatchObject({
      message: expect.stringContaining(`does not load in Node ${process.version}`),
      toolOutput: WORDS,
    });
  });
});
