import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ConfigError, loadConfigOf, loadConfigToServe, readEnvironment } from './config.ts';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'wotp-env-'));
});

afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
});

function writeDotEnv(text: string): void {
  writeFileSync(join(folder, '.env'), text, { mode: 0o600 });
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
      lines.map((line) => `.env line ${line} is not a setting. Write NAME=value, or start the line with #.`),
    ),
  );
});

it('what is wrong with the lines is told together with what is wrong with the settings', () => {
  writeDotEnv('PORT=abc\nlost\nLOG_LEVEL=loud\n');
  const problems = () => {
    try {
      return loadConfigOf(folder);
    } catch (error) {
      return (error as ConfigError).problems.map((line) => line.split(/[: ]/)[0]);
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
  const before = { ...process.env };
  vi.stubEnv('PORT', 'not a port');
  // As another module, so that what the other tests have loaded stays one.
  const anotherCopy = './config.ts?another-copy';
  await expect(import(anotherCopy)).resolves.toBeDefined();
  vi.unstubAllEnvs();
  expect({ ...process.env }).toEqual(before);
});

describe('a .env that is read otherwise than it looks', () => {
  const started = (text: string) => {
    writeDotEnv(text);
    return loadConfigToServe(folder).warnings;
  };

  it.each([
    ['MASTER_PASSWORD', 'correcthorse#staple'],
    ['DB_MASTER_KEY', '#3f9b1c77e2d84a06b5c1908e7d42fa66'],
    ['MASTER_PASSWORD', '"plum-orbit"-cradle-57'],
    ['DATABASE_URL', 'postgres://wotp:p4ss#word@127.0.0.1/wotp'],
  ])('stops the start where a secret is cut: %s', (name, value) => {
    const problem = new RegExp(`^\\.env line 2: ${name} is cut at its (#|closing quote)\\. .* quotes`, 'm');
    expect(() => started(`PORT=4000\n${name}=${value}\n`)).toThrow(problem);
    expect(() => loadConfigOf(folder)).toThrow(problem);
    vi.stubEnv(name, '');
    expect(() => loadConfigOf(folder)).not.toThrow();
  });

  it('but takes the same secret in quotes, or with a comment behind it', () => {
    expect(started("MASTER_PASSWORD='correcthorse#staple'\n")).toEqual([]);
    expect(loadConfigOf(folder).security.masterPassword).toBe('correcthorse#staple');
    expect(started('MASTER_PASSWORD="plum-orbit-cradle-57" # ours\n# MASTER_PASSWORD=a#b\n')).toEqual([]);
    expect(started('MASTER_PASSWORD=plum-orbit-cradle-57 # ours\n')).toEqual([
      expect.stringMatching(/^\.env line 1: MASTER_PASSWORD ends before its #\. .* single quotes\.$/),
    ]);
  });

  it.each([
    ['PUBLIC_URL="https://otp.example.com', '"https'],
    ["DATA_DIR=data'", "data'"],
    ['MASTER_PASSWORD="plum-orbit-cradle-57', 'plum'],
  ])('tells of a quote on one side: %s', (line) => {
    const name = line.split('=')[0];
    writeDotEnv(`${line}\n`);
    const told = () => {
      try {
        return loadConfigToServe(folder).warnings;
      } catch (error) {
        return (error as ConfigError).problems;
      }
    };
    expect(told()).toContainEqual(expect.stringMatching(new RegExp(`${name}.*(quote on one side|given)`)));
  });

  it('tells of settings that another value holds, as its quote is closed too late', () => {
    expect(started('GREETING="hello\nPORT=4000\nexport HOST=127.0.0.1\nWOTP_A=b"\n')).toEqual([
      '.env: PORT, HOST is read as part of GREETING, whose quote is not closed on its line.',
    ]);
  });

  it('tells of names that are nearly those of settings, and of no others', () => {
    vi.stubEnv('PUBLIC_ULR', 'https://otp.example.com');
    vi.stubEnv('PROT', '4000');
    vi.stubEnv('SOMETHING_ELSE', 'x');
    expect(
      started('TRUST_PROXI=1\nBACKUP_CRN="0 3 * * *"\nport=4000\nPOSTGRES_USER=x\nWOTP_NEW_MASTER_KEY=y\n'),
    ).toEqual([
      '.env sets TRUST_PROXI, which is not a setting. Did you mean TRUST_PROXY?',
      '.env sets BACKUP_CRN, which is not a setting. Did you mean BACKUP_CRON?',
      '.env sets port, which is not a setting. Did you mean PORT?',
      'The environment sets PUBLIC_ULR, which is not a setting. Did you mean PUBLIC_URL?',
    ]);
  });
});

it('of a secret that is cut at its # nothing else is said', () => {
  writeDotEnv('NODE_ENV=production\nMASTER_PASSWORD=abc#def\nDB_MASTER_KEY=too short\n');
  const problems = () => {
    try {
      return loadConfigToServe(folder);
    } catch (error) {
      return (error as ConfigError).problems;
    }
  };
  expect(problems()).toEqual([
    expect.stringMatching(/^\.env line 2: MASTER_PASSWORD is cut at its #/),
    expect.stringMatching(
      /^DB_MASTER_KEY: given \*\*\*; .* Create one with `.* master-key create --write new\.key`\.$/,
    ),
  ]);
});

it('a .env with a secret that others can read is named, and one that only its owner reads is not', () => {
  const warnings = () => loadConfigToServe(folder).warnings.filter((line) => line.includes('chmod 600'));
  writeDotEnv('MASTER_PASSWORD=four words that nobody knows\n');
  chmodSync(join(folder, '.env'), 0o644);
  expect(warnings()).toEqual([expect.stringMatching(/^\.env holds MASTER_PASSWORD, .*`chmod 600 \.env`\.$/)]);
  chmodSync(join(folder, '.env'), 0o600);
  expect(warnings()).toEqual([]);
  writeDotEnv('PORT=4000\n');
  chmodSync(join(folder, '.env'), 0o644);
  expect(warnings()).toEqual([]);
});
