import { chmodSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { tempFolder } from '../../test/support/temp-folder.ts';
import { modeOf } from '../../test/support/wodb.ts';
import { createPrivateFolder, FolderError } from './private-folder.ts';

test('a folder is made with those above it, each for its owner only', () => {
  const dir = tempFolder();
  createPrivateFolder(join(dir, 'above', 'below'));
  expect(modeOf(join(dir, 'above'))).toBe('0700');
  expect(modeOf(join(dir, 'above', 'below'))).toBe('0700');
});

test('a folder that is there stays as it is, also behind a link', () => {
  const dir = tempFolder();
  createPrivateFolder(join(dir, 'folder'));
  chmodSync(join(dir, 'folder'), 0o750);
  symlinkSync('folder', join(dir, 'link'));
  createPrivateFolder(join(dir, 'folder'));
  createPrivateFolder(join(dir, 'link'));
  expect(modeOf(join(dir, 'folder'))).toBe('0750');
});

test('where no folder can be made, the error names it and why', () => {
  const dir = tempFolder();
  writeFileSync(join(dir, 'file'), '');
  const make = () => createPrivateFolder(join(dir, 'file', 'folder'));
  expect(make).toThrow(FolderError);
  expect(make).toThrow(/file\/folder cannot be used\. .*a file, not a folder \(ENOTDIR\)\. .*DATA_DIR/);
});

test('a kernel that lets no folder be made is not asked for ever', () => {
  expect(() => createPrivateFolder('/proc/wotp-test/folder')).toThrow(FolderError);
});
