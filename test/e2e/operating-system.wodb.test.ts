import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { ensureBuilt } from '../../bench/ensure-built.js';
import { type Circumstances, endCommands, lastLine, serve, wotp } from '../support/command-line.ts';
import { copyTemplateTo } from '../support/copied-template.ts';
import { smallDisk } from '../support/small-disk.ts';
import { tempFolder } from '../support/temp-folder.ts';

vi.setConfig({ testTimeout: 120_000 });

beforeAll(ensureBuilt, 120_000);
afterAll(endCommands);

const MB = 1024 * 1024;
/** Nobody, on every Unix. */
const ANOTHER_USER = 65_534;
const mayChooseUser = process.getuid?.() === 0;

/** Every command that uses the data folder. */
const COMMANDS = [
  'serve',
  'token list',
  'limits show +6283834946034',
  'backup',
  'restore data/backup.wodb --yes',
  'verify',
  'bot status',
  'master-key rotate --yes',
  'migrate',
  'migrate --status',
  'migrate --from-v3 data/wotp.wodb --v3-key-file data/master.key',
  'compact',
  'seed --count 1',
  'reset --yes',
];

/** A working folder whose data folder holds a database, and a copy of it that is named a backup. */
function installation(cwd = tempFolder()): string {
  mkdirSync(join(cwd, 'data'), { mode: 0o700 });
  copyTemplateTo(join(cwd, 'data'));
  execFileSync('cp', [join(cwd, 'data/wotp.wodb'), join(cwd, 'data/backup.wodb')]);
  return cwd;
}

/** Runs a command to its end, which has to be a failure in one sentence or two, and returns what it said. */
async function refusalOf(
  cwd: string,
  line: string | readonly string[],
  { settings = {}, ...circumstances }: Circumstances & { settings?: Record<string, string> } = {},
): Promise<string> {
  const args = typeof line === 'string' ? line.split(' ') : line;
  const { code, stdout, stderr } = await wotp(
    cwd,
    args,
    { PORT: '0', ...settings },
    '',
    undefined,
    circumstances,
  );
  expect({ line, code, stdout, stderr }).toEqual({
    line,
    code: 1,
    stdout: '',
    stderr: expect.stringMatching(/^(wotp: .+\.( \([A-Z_]+\))?|WOTP cannot start:\n {2}.+)\n$/),
  });
  return stderr;
}

function fill(folder: string): void {
  try {
    for (;;) appendFileSync(join(folder, 'of somebody else'), Buffer.alloc(4096));
  } catch (error) {
    expect(error).toMatchObject({ code: 'ENOSPC' });
  }
}

describe('what the operating system refuses is one sentence with what to do, and exit 1', () => {
  test("another user's data folder (EACCES)", async ({ skip }) => {
    if (!mayChooseUser) return skip('only root can run a command as somebody else');
    const cwd = installation();
    chmodSync(cwd, 0o755);
    for (const line of COMMANDS) {
      expect(await refusalOf(cwd, line, { uid: ANOTHER_USER })).toMatch(
        /(data\/\S+: permission denied \(EACCES\)\. Run the command as the user who owns it|may not be read by this user|cannot be read \(EACCES\))/,
      );
    }
  });

  test("another user's files in a folder of a common group (EACCES, EPERM)", async ({ skip }) => {
    if (!mayChooseUser) return skip('only root can run a command as somebody else');
    const cwd = installation();
    chmodSync(cwd, 0o755);
    chownSync(join(cwd, 'data'), 0, ANOTHER_USER);
    chmodSync(join(cwd, 'data'), 0o1770);
    const as = { uid: ANOTHER_USER };
    for (const line of ['serve', 'token list', 'verify', 'master-key rotate --yes'])
      expect(await refusalOf(cwd, line, as)).toContain('master.key: permission denied (EACCES). Run');
    for (const file of readdirSync(join(cwd, 'data'))) chmodSync(join(cwd, 'data', file), 0o666);
    expect(await refusalOf(cwd, 'reset --yes', as)).toContain(
      `Cannot delete ${join(cwd, 'data/wotp.wodb')}: operation not permitted (EPERM). Run`,
    );
  });

  test('a disk that is mounted read-only (EROFS)', async ({ skip }) => {
    const cwd = smallDisk(8 * MB);
    if (cwd === undefined) return skip('a disk of its own cannot be mounted here');
    installation(cwd);
    execFileSync('mount', ['-o', 'remount,ro', cwd]);
    for (const line of COMMANDS.filter((name) => !name.includes('--from-v3'))) {
      expect(await refusalOf(cwd, line)).toMatch(
        /data\/\S+: the file system is read-only \(EROFS\)\. Mount it/,
      );
    }
  });

  test('a full disk (ENOSPC)', async ({ skip }) => {
    const cwd = smallDisk(4 * MB);
    if (cwd === undefined) return skip('a disk of its own cannot be mounted here');
    installation(cwd);
    fill(cwd);
    // What deletes and what only reads a file may still do so.
    for (const line of COMMANDS.filter((name) => !/--from-v3|reset|verify/.test(name)))
      expect(await refusalOf(cwd, line)).toMatch(/(the disk is full|There is no room|has no room)/);
    expect((await wotp(cwd, ['reset', '--yes'])).code).toBe(0);
  });

  test('too few files that may be open (EMFILE)', async () => {
    const cwd = installation();
    for (const line of ['serve', 'token list', 'verify'])
      expect(await refusalOf(cwd, line, { openFiles: 32 })).toMatch(/32 files open.*EMFILE.*ulimit -n/);
  });

  test.each([
    ['a path where nothing can be made', '/proc/nowhere/data', /\/proc\/nowhere.*\(ENOENT\)/],
    ['a file in the way', 'file/data', /DATA_DIR: \S+\/file is not a folder/],
    ['a name that is too long', `/tmp/${'x'.repeat(300)}`, /the name is too long \(ENAMETOOLONG\)/],
  ])('%s in place of the data folder', async (_what, dataDir, words) => {
    const cwd = tempFolder();
    writeFileSync(join(cwd, 'file'), '');
    for (const line of ['serve', 'seed --count 1'])
      expect(await refusalOf(cwd, line, { settings: { DATA_DIR: dataDir } })).toMatch(words);
  });

  test('a LOG_DIR that cannot be made', async () => {
    const settings = { LOG_DIR: '/proc/nowhere/log' };
    expect(await refusalOf(tempFolder(), 'serve', { settings })).toMatch(/\/proc\/nowhere.*ENOENT.*LOG_DIR/);
  });

  test('a place for a backup where none can be', async () => {
    const cwd = installation();
    const server = await serve(cwd);
    const name = 'x'.repeat(300);
    const places = {
      '/proc/x': /\(ENOENT\)/,
      '/dev/null/x': /\(ENOTDIR\)|\/dev\/null/,
      [`/tmp/${name}`]: /\(ENAMETOOLONG\)/,
    };
    for (const [place, words] of Object.entries(places)) {
      const said = await refusalOf(cwd, ['backup', '--out', place]);
      expect(said).toMatch(words);
      expect(said).toMatch(/No backup was made|Name|Make it/);
      expect(said).not.toContain('request id');
    }
    await server.stop();
    expect(await refusalOf(cwd, ['backup', '--out', '/proc/x'])).toContain('(ENOENT)');
    expect(await refusalOf(cwd, ['restore', `/tmp/${name}`, '--yes'])).toContain('(ENAMETOOLONG)');
    expect(await refusalOf(cwd, ['restore', 'nowhere', '--yes'])).toContain('There is no file nowhere.');
  });
});

describe.skipIf(!existsSync('/dev/full'))('what is printed and cannot be written', () => {
  const at = (before: string, line: string) =>
    wotp(installation(), line.split(' '), { PORT: '0' }, '', undefined, { before });

  test.each(['token list', 'token list --json', '--help', '--version', 'serve --help'])(
    '%s onto a full disk is one sentence and exit 1',
    async (line) => {
      expect(await at('exec >/dev/full; ', line)).toEqual({
        code: 1,
        stdout: '',
        stderr:
          'wotp: Cannot write to standard output: the disk is full (ENOSPC). Free disk space, then try again.\n',
      });
    },
  );

  test('is exit 1 where not even that can be said', async () => {
    const result = await at('exec >/dev/full 2>&1; ', 'token list');
    expect(result).toEqual({ code: 1, stdout: '', stderr: '' });
  });

  test('is nothing to tell of where the reader has left', async () => {
    const result = await at('mkfifo pipe; exec 3<>pipe >pipe 3<&-; ', 'token list');
    expect(result).toEqual({ code: 0, stdout: '', stderr: '' });
  });
});

test('a working folder that was deleted is one sentence and exit 1, for every command', async () => {
  for (const line of ['--help', 'serve', ...COMMANDS]) {
    const before = 'mkdir gone && cd gone && rmdir ../gone && ';
    const cwd = tempFolder();
    expect(await refusalOf(cwd, line, { before })).toContain(
      'wotp: The working folder cannot be found (ENOENT)',
    );
  }
});

describe('a data folder whose path is too long for a socket', () => {
  test('has one at a short path that only its owner can reach, and commands find it from anywhere', async () => {
    const cwd = tempFolder();
    const dataDir = join(cwd, 'x'.repeat(60), 'y'.repeat(60));
    const settings = { DATA_DIR: dataDir };
    expect((await wotp(cwd, ['migrate'], settings)).code).toBe(0);
    // No server runs, and the command answers itself.
    expect((await wotp(cwd, ['token', 'list'], settings)).code).toBe(0);

    const server = await serve(cwd, settings);
    const link = join(dataDir, 'wotp.sock');
    const socket = readlinkSync(link);
    const mode = (path: string) => (statSync(path).mode & 0o777).toString(8);
    expect([socket, dirname(socket)].map(mode)).toEqual(['600', '700']);
    const { stdout } = await wotp(tempFolder(), ['token', 'list', '--json'], settings);
    expect(lastLine<{ keys: object[] }>(stdout).keys).toHaveLength(1);
    await server.stop();
    expect([link, dirname(socket)].filter(existsSync)).toEqual([]);

    const killed = await serve(cwd, settings);
    const left = dirname(readlinkSync(link));
    await killed.stop('SIGKILL');
    expect((await wotp(cwd, ['token', 'list'], settings)).code).toBe(0);
    expect(existsSync(left)).toBe(false);
  });
});
