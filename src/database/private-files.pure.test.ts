import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { tempFolder } from '../../test/support/temp-folder.ts';
import { modeOf } from '../../test/support/wodb.ts';
import { createPrivateFolder } from '../lib/private-folder.ts';
import { createPrivateFile, writePrivateFile } from './private-files.ts';

test.for(['000', '022', '377', '777'])('files are 0600 and folders 0700 under umask %s', (umask) => {
  const dir = tempFolder();
  const usual = process.umask(Number.parseInt(umask, 8));
  try {
    createPrivateFolder(join(dir, 'folder'));
    createPrivateFile(join(dir, 'empty'));
    writePrivateFile(join(dir, 'written'), 'text');
  } finally {
    process.umask(usual);
  }
  expect(modeOf(join(dir, 'folder'))).toBe('0700');
  expect(modeOf(join(dir, 'empty'))).toBe('0600');
  expect(modeOf(join(dir, 'written'))).toBe('0600');
});

test('what is there already stays as it is', () => {
  const path = join(tempFolder(), 'file');
  writeFileSync(path, 'old', { mode: 0o640 });
  createPrivateFile(path);
  expect(readFileSync(path, 'utf8')).toBe('old');
  expect(modeOf(path)).toBe('0640');
});

test('a rewritten file is replaced whole, and what a crash left under the temporary name does not matter', () => {
  const path = join(tempFolder(), 'file');
  writePrivateFile(path, 'a long first content');
  writeFileSync(`${path}.tmp`, 'half of', { mode: 0o644 });
  writePrivateFile(path, 'second');
  expect(readFileSync(path, 'utf8')).toBe('second');
  expect(modeOf(path)).toBe('0600');
  expect(existsSync(`${path}.tmp`)).toBe(false);
});

test('any other failure to make a file is not hidden', () => {
  expect(() => createPrivateFile(join(tempFolder(), 'no', 'such', 'folder'))).toThrow('ENOENT');
});
