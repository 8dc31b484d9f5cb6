// @ts-check
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { build, isBuilt } from './build.js';

const NODE_MODULES = fileURLToPath(new URL('../../node_modules', import.meta.url));

/** @type {string} */
let root;

beforeEach(() => {
  vi.spyOn(process.stderr, 'write').mockReturnValue(true);
  root = mkdtempSync(join(tmpdir(), 'wotp-build-'));
  symlinkSync(NODE_MODULES, join(root, 'node_modules'));
  mkdirSync(join(root, 'src'));
  mkdirSync(join(root, 'dashboard'));
  const compilerOptions = { rootDir: 'src', module: 'NodeNext', types: [], lib: ['ES2023'] };
  write(
    'tsconfig.build.json',
    JSON.stringify({ compilerOptions, include: ['src'], exclude: ['src/**/*.test.ts'] }),
  );
  write('package.json', '{"type":"module"}');
  write('src/main.ts', 'export const port: number = 1;');
  write('dashboard/index.html', '<p>');
  mkdirSync(join(root, 'templates'));
  write('templates/default-otp.txt', '{{code}}');
});

afterEach(() => {
  vi.restoreAllMocks();
  rmSync(root, { recursive: true });
});

/**
 * @param {string} path
 * @param {string} text
 */
function write(path, text) {
  writeFileSync(join(root, path), text);
}

it('a build holds the compiled sources, the dashboard and the templates, and leaves nothing beside it', async () => {
  expect(isBuilt(root)).toBe(false);
  await build(root);
  expect(isBuilt(root)).toBe(true);
  expect(readdirSync(join(root, 'dist')).sort()).toEqual(['.built', 'dashboard', 'main.js', 'templates']);
  expect(existsSync(join(root, 'dist/dashboard/index.html'))).toBe(true);
  expect(existsSync(join(root, 'dist/templates/default-otp.txt'))).toBe(true);
  expect(readdirSync(root).filter((name) => name.startsWith('dist'))).toEqual(['dist']);
});

it('a source that is changed, added, renamed or deleted makes the build stale', async () => {
  await build(root);
  write('src/main.ts', 'export const port: number = 2;');
  expect(isBuilt(root)).toBe(false);
  write('src/main.ts', 'export const port: number = 1;');
  expect(isBuilt(root)).toBe(true);
  write('dashboard/page.js', '');
  expect(isBuilt(root)).toBe(false);
});

it('a new time on a file and a changed test do not make the build stale', async () => {
  await build(root);
  utimesSync(join(root, 'src/main.ts'), 1, 1);
  write('src/main.test.ts', 'anything');
  expect(isBuilt(root)).toBe(true);
});

it('outputs of deleted sources go', async () => {
  write('src/old.ts', 'export {};');
  await build(root);
  rmSync(join(root, 'src/old.ts'));
  await build(root);
  expect(existsSync(join(root, 'dist/old.js'))).toBe(false);
});

it('a failed build shows what the compiler says and leaves the last good one', async () => {
  await build(root);
  write('src/main.ts', 'export const port: number = "no";');
  await expect(build(root)).rejects.toMatchObject({
    message: expect.stringContaining('The build failed.'),
    toolOutput: expect.stringContaining('src/main.ts(1,14): error TS2322'),
  });
  expect(existsSync(join(root, 'dist/main.js'))).toBe(true);
  expect(isBuilt(root)).toBe(false);
  expect(readdirSync(root).filter((name) => name.startsWith('dist'))).toEqual(['dist']);
});

it('what a killed build left behind is removed by the next one', async () => {
  mkdirSync(join(root, 'dist.new-123'));
  mkdirSync(join(root, 'dist.old-123'));
  await build(root);
  expect(readdirSync(root).filter((name) => name.startsWith('dist'))).toEqual(['dist']);
});

it('a folder without sources counts as built', () => {
  rmSync(join(root, 'src'), { recursive: true });
  expect(isBuilt(root)).toBe(true);
});
