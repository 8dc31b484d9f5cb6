// @ts-check
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { alone } from './lock.js';

/** @type {string} */
let root;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'wotp-lock-'));
});

afterEach(() => {
  rmSync(root, { recursive: true });
});

it('a second process waits until the work of the first is over', async () => {
  const lock = JSON.stringify(new URL('./lock.js', import.meta.url).href);
  const code = `import(${lock}).then(({ alone }) => alone(process.argv[1], async () => console.log('mine')))`;
  const other = spawn(process.execPath, ['-e', code, root]);
  let printed = '';
  other.stdout.on('data', (text) => {
    printed += text;
  });
  await alone(root, async () => {
    const [notice] = await once(other.stderr, 'data');
    expect(String(notice)).toContain('Waiting for another start');
    expect(printed).toBe('');
  });
  await once(other, 'close');
  expect(printed).toBe('mine\n');
});

it('the lock is given back when the work is done and when it fails', async () => {
  await expect(alone(root, async () => 'done')).resolves.toBe('done');
  await expect(alone(root, () => Promise.reject(new Error('no disk')))).rejects.toThrow('no disk');
  expect(existsSync(join(root, '.preparing'))).toBe(false);
});

it('the lock of a process that is gone is taken over', async () => {
  const { pid } = spawnSync(process.execPath, ['-e', '']);
  writeFileSync(join(root, '.preparing'), String(pid));
  await expect(alone(root, async () => 'done')).resolves.toBe('done');
});

it('a lock that was left without a name is taken over', async () => {
  writeFileSync(join(root, '.preparing'), '');
  utimesSync(join(root, '.preparing'), 1, 1);
  await expect(alone(root, async () => 'done')).resolves.toBe('done');
});
