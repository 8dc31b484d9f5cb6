// @ts-check
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { isInstalled } from './install.js';

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
