import { execFileSync } from 'node:child_process';
import { closeSync, openSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { tempFolder } from '../../test/support/temp-folder.ts';
import { readBounded, readOwnFile } from './bounded-file.ts';

test('a file of up to the largest size is read whole, a larger one is refused', () => {
  const path = join(tempFolder(), 'file');
  for (const length of [0, 1, 65_536, 200_000]) {
    writeFileSync(path, 'x'.repeat(length));
    expect(readBounded(path, 200_000).length).toBe(length);
    expect(readOwnFile(path, 200_000)).toBe('x'.repeat(length));
  }
  const tooLarge = expect.objectContaining({
    code: 'EFBIG',
    message: `${path} is larger than 199999 bytes.`,
  });
  expect(() => readBounded(path, 199_999)).toThrow(tooLarge);
  expect(() => readOwnFile(path, 199_999)).toThrow(tooLarge);
});

test('what never ends is read no further than the largest size', () => {
  expect(() => readBounded('/dev/zero', 1_000_000)).toThrow(expect.objectContaining({ code: 'EFBIG' }));
});

test('a link is read where the operator names the file, and never where it is WOTP’s own', () => {
  const dir = tempFolder();
  const [path, link] = [join(dir, 'file'), join(dir, 'link')];
  writeFileSync(path, 'text');
  symlinkSync(path, link);
  expect(readBounded(link, 10).toString()).toBe('text');
  expect(() => readOwnFile(link, 10)).toThrow(expect.objectContaining({ code: 'ELOOP' }));
});

test('a pipe in the place of a file of WOTP’s own is refused at once, whether or not somebody writes to it', () => {
  const pipe = join(tempFolder(), 'pipe');
  execFileSync('mkfifo', [pipe]);
  expect(() => readOwnFile(pipe, 10)).toThrow(expect.objectContaining({ code: 'EINVAL' }));
  const writer = openSync(pipe, 'r+');
  expect(() => readOwnFile(pipe, 10)).toThrow(expect.objectContaining({ code: 'EINVAL' }));
  closeSync(writer);
});
