import { chmodSync, chownSync, lchownSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { tempFolder } from '../../test/support/temp-folder.ts';
import { refuseSharedFolder, SharedFolderError } from './shared-folder.ts';

const FOREIGN_GROUP = 54_321;
const FOREIGN_USER = 54_322;
const isRoot = process.getuid?.() === 0;

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

test.runIf(isRoot)('so is one that a group may write in which we are not', () => {
  const dir = tempFolder();
  chownSync(dir, process.getuid!(), FOREIGN_GROUP);
  chmodSync(dir, 0o750);
  expect(() => refuseSharedFolder(dir)).not.toThrow();
  chmodSync(dir, 0o770);
  expect(() => refuseSharedFolder(dir)).toThrow(`chmod g-w ${dir}`);
  chmodSync(dir, 0o777);
  expect(() => refuseSharedFolder(dir)).toThrow(`chmod go-w ${dir}`);
});

test.runIf(isRoot)('a folder of another user is refused, whatever its mode, and one of root is not', () => {
  const dir = tempFolder();
  chmodSync(dir, 0o700);
  expect(() => refuseSharedFolder(dir)).not.toThrow();
  chownSync(dir, FOREIGN_USER, FOREIGN_GROUP);
  expect(() => refuseSharedFolder(dir)).toThrow(
    `${dir} belongs to the user ${FOREIGN_USER}, who could put files there that WOTP takes for its own. Run \`chown -R 0 ${dir}\`, or WOTP as that user, then start again.`,
  );
});

test('a link is as good as the folder behind it', () => {
  const [dir, link] = [tempFolder(), join(tempFolder(), 'link')];
  symlinkSync(dir, link);
  expect(() => refuseSharedFolder(link)).not.toThrow();
  chmodSync(dir, 0o777);
  expect(() => refuseSharedFolder(link)).toThrow(`chmod o-w ${link}`);
  expect(() => refuseSharedFolder(join(link, 'none'))).not.toThrow();
});

test.runIf(isRoot)('but not when another user has made it, who could point it elsewhere', () => {
  const link = join(tempFolder(), 'link');
  symlinkSync(tempFolder(), link);
  lchownSync(link, FOREIGN_USER, FOREIGN_GROUP);
  expect(() => refuseSharedFolder(link)).toThrow(`chown -h 0 ${link}`);
});

test('a folder that is not there is left to whoever creates it', () => {
  expect(() => refuseSharedFolder(join(tempFolder(), 'none'))).not.toThrow();
});
