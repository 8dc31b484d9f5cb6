import { chmodSync, chownSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { tempFolder } from '../../test/support/temp-folder.ts';
import { refuseSharedFolder, SharedFolderError } from './shared-folder.ts';

const FOREIGN_GROUP = 54_321;

test.each([0o700, 0o755, 0o750, 0o770])('a folder of mode %o, whose group is ours, is no matter', (mode) => {
  const dir = tempFolder();
  chmodSync(dir, mode);
  expect(() => refuseSharedFolder(dir)).not.toThrow();
});

test('a folder that everybody may write is refused with the command that ends it', () => {
  const dir = tempFolder();
  for (const mode of [0o777, 0o1777, 0o702]) {
    chmodSync(dir, mode);
    expect(() => refuseSharedFolder(dir)).toThrow(SharedFolderError);
    expect(() => refuseSharedFolder(dir)).toThrow(`chmod o-w ${dir}`);
  }
});

test.runIf(process.getuid?.() === 0)('so is one that a group may write in which we are not', () => {
  const dir = tempFolder();
  chownSync(dir, process.getuid!(), FOREIGN_GROUP);
  chmodSync(dir, 0o750);
  expect(() => refuseSharedFolder(dir)).not.toThrow();
  chmodSync(dir, 0o770);
  expect(() => refuseSharedFolder(dir)).toThrow(`chmod g-w ${dir}`);
  chmodSync(dir, 0o777);
  expect(() => refuseSharedFolder(dir)).toThrow(`chmod go-w ${dir}`);
});

test('a folder that is not there is left to whoever creates it', () => {
  expect(() => refuseSharedFolder(join(tempFolder(), 'none'))).not.toThrow();
});
