import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { ConfigError, loadConfigOf, readEnvironment } from './config.ts';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'wotp-env-'));
});

afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
});

function writeDotEnv(text: string): void {
  writeFileSync(join(folder, '.env'), text);
}

it('without a .env the variables are those of the process', () => {
  expect(readEnvironment(folder)).toEqual({ ...process.env });
});

it('.env is read: comments, quotes, Windows line ends and a byte order mark included', () => {
  writeDotEnv('\ufeffWOTP_A=1\r\n# comment\r\nWOTP_B="x # y"\r\nexport WOTP_C=3 # three\r\nWOTP_D=\r\n');
  expect(readEnvironment(folder)).toMatchObject({ WOTP_A: '1', WOTP_B: 'x # y', WOTP_C: '3', WOTP_D: '' });
});

it('the variables of the process win over .env, also with an empty value', () => {
  writeDotEnv('WOTP_A=file\nWOTP_B=file\nWOTP_C=file\n');
  vi.stubEnv('WOTP_A', 'process');
  vi.stubEnv('WOTP_B', '');
  expect(readEnvironment(folder)).toMatchObject({ WOTP_A: 'process', WOTP_B: '', WOTP_C: 'file' });
});

it('reading .env changes nothing in the process', () => {
  writeDotEnv('WOTP_A=file\n');
  readEnvironment(folder);
  expect(process.env.WOTP_A).toBeUndefined();
});

it.each([
  ['a word or two', 'a lost secret\nPORT=4000\n', [1]],
  ['between settings', '# secrets\nPORT=4000\nlost\n\nHOST=::1\nlost too', [3, 6]],
  ['after a value of several lines', 'TEXT="one\ntwo"\nlost\n', [3]],
])('a line that is no setting stops the start, is named, and is not repeated: %s', (_, text, lines) => {
  writeDotEnv(text);
  expect(() => readEnvironment(folder)).toThrow(
    new ConfigError(
      lines.map((line) => `.env: line ${line} is no setting; allowed: NAME=value, or # and a comment`),
    ),
  );
});

it('what is wrong with the lines is told together with what is wrong with the settings', () => {
  writeDotEnv('PORT=abc\nlost\nLOG_LEVEL=loud\n');
  const problems = () => {
    try {
      return loadConfigOf(folder);
    } catch (error) {
      return (error as ConfigError).problems.map((line) => line.split(':')[0]);
    }
  };
  expect(problems()).toEqual(['.env', 'PORT', 'LOG_LEVEL']);
});

it('a value in quotes may have several lines, and a comment may hold anything', () => {
  writeDotEnv('WOTP_A="one\nand two"\n# WOTP_B="not\n  export WOTP_C = \'x\'\nWOTP_D=it\'s\n');
  expect(readEnvironment(folder)).toMatchObject({ WOTP_A: 'one\nand two', WOTP_C: 'x', WOTP_D: "it's" });
});

it('a .env that cannot be read stops the start', () => {
  mkdirSync(join(folder, '.env'));
  expect(() => readEnvironment(folder)).toThrow(/^\.env: cannot be read \(EISDIR\)/);
});

it('nothing is read or changed while the module loads', async () => {
  vi.resetModules();
  const before = { ...process.env };
  vi.stubEnv('PORT', 'not a port');
  await expect(import('./config.ts')).resolves.toBeDefined();
  vi.unstubAllEnvs();
  expect({ ...process.env }).toEqual(before);
});
