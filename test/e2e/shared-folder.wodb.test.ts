import { chmodSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, test, vi } from 'vitest';
import { ensureBuilt } from '../../bench/ensure-built.js';
import { wotp } from '../support/command-line.ts';
import { tempFolder } from '../support/temp-folder.ts';

vi.setConfig({ testTimeout: 60_000 });

beforeAll(ensureBuilt, 120_000);

test.each([
  ['serve'],
  ['token list'],
  ['bot status'],
  ['backup'],
  ['verify'],
  ['compact'],
  ['reset --yes'],
  ['restore none.wodb --yes'],
])('wotp %s refuses a data folder that everybody may write, in one line', async (line) => {
  const cwd = tempFolder();
  mkdirSync(join(cwd, 'data'), { mode: 0o700 });
  chmodSync(join(cwd, 'data'), 0o777);
  const { code, stderr } = await wotp(cwd, line.split(' '), { PORT: '0' });
  expect(stderr.trim().split('\n')).toHaveLength(1);
  expect(stderr).toContain(`Run \`chmod o-w ${join(cwd, 'data')}\``);
  expect(code).toBe(1);
});

test('wotp serve refuses a folder for logs that everybody may write, and writes nothing there', async () => {
  const cwd = tempFolder();
  const dir = join(cwd, 'logs');
  mkdirSync(dir);
  chmodSync(dir, 0o777);
  const { code, stderr } = await wotp(cwd, ['serve'], { PORT: '0', LOG_DIR: dir });
  expect(stderr.trim().split('\n')).toHaveLength(1);
  expect(stderr).toContain(`Run \`chmod o-w ${dir}\``);
  expect(code).toBe(1);
  expect(readdirSync(dir)).toEqual([]);
});
