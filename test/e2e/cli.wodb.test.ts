import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { ensureBuilt } from '../../bench/ensure-built.js';
import { VERSION } from '../../src/lib/version.ts';
import {
  call,
  endCommands,
  lastLine,
  PASSWORD,
  type ServeProcess,
  serve,
  wotp,
} from '../support/command-line.ts';
import { tempFolder } from '../support/temp-folder.ts';

vi.setConfig({ testTimeout: 60_000 });

beforeAll(ensureBuilt, 120_000);
afterAll(endCommands);

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

describe('help', () => {
  const COMMANDS = [
    '',
    'serve',
    'token',
    'token create',
    'token list',
    'token revoke',
    'limits',
    'limits show',
    'limits clear',
    'opt-outs',
    'opt-outs list',
    'opt-outs add',
    'opt-outs remove',
    'bulk',
    'bulk send',
    'bulk status',
    'bulk pause',
    'bulk resume',
    'bulk cancel',
    'bulk results',
    'backup',
    'restore',
    'verify',
    'bot',
    'bot status',
    'bot pair',
    'bot logout',
    'bot remove',
    'bot restart',
    'bot pause',
    'bot resume',
    'bot import',
    'bot export',
    'health',
    'master-key',
    'master-key create',
    'migrate',
    'master-key rotate',
    'compact',
    'seed',
    'reset',
  ];

  test('of every command exits 0, shows an example, and touches nothing', async () => {
    const cwd = tempFolder();
    const results = await Promise.all(
      COMMANDS.map(async (command) => {
        const args = command.split(' ').filter((word) => word !== '');
        return { command, ...(await wotp(cwd, [...args, '--help'])) };
      }),
    );
    for (const { command, code, stdout, stderr } of results) {
      expect({ command, code, stderr }).toEqual({ command, code: 0, stderr: '' });
      // A clone has no command called wotp.
      const called = `node ${relative(cwd, join(ROOT, 'bin/wotp.js'))}`;
      expect(stdout).toContain(`Usage: ${called}${command && ` ${command}`}`);
      expect(stdout).toMatch(/Examples?:\n {2}\$ /);
      for (const [, line = ''] of stdout.matchAll(/^ {2}\$ (.*)/gm))
        expect(line, 'called once').toSatisfy(() => line.split(called).length === 2);
      expect(stdout).not.toMatch(/(^|[ $`])wotp [a-z]/m);
      const isGroup = ['', 'token', 'limits', 'opt-outs', 'bulk', 'bot', 'master-key'].includes(command);
      if (!isGroup) expect(stdout, command).toContain('--json');
    }
    expect(results[0]?.stdout).toMatch(/Exit codes: 0 .*1 .*2 /);
    expect(readdirSync(cwd)).toEqual([]);
  });

  test('-h is --help, of the program and of every command', async () => {
    const cwd = tempFolder();
    for (const command of [[], ['token'], ['token', 'create'], ['serve']]) {
      const [short, long] = await Promise.all([
        wotp(cwd, [...command, '-h']),
        wotp(cwd, [...command, '--help']),
      ]);
      expect(short).toEqual(long);
      expect(short.code).toBe(0);
    }
  });

  test('an installed package is called by its name', async () => {
    const cwd = tempFolder();
    for (const name of ['bin', 'dist', 'package.json'])
      cpSync(join(ROOT, name), join(cwd, name), { recursive: true });
    symlinkSync(join(ROOT, 'node_modules'), join(cwd, 'node_modules'));
    const { stdout } = await wotp(cwd, ['token', 'create', '-h'], {}, '', join(cwd, 'bin/wotp.js'));
    expect(stdout).toMatch(/^Usage: wotp token create /);
    expect(stdout).toMatch(/\$ wotp token create /);
  });

  test('--version prints the version alone', async () => {
    const { code, stdout } = await wotp(tempFolder(), ['--version']);
    expect({ code, stdout }).toEqual({ code: 0, stdout: `${VERSION}\n` });
  });
});

test('wrong usage exits 2 and says what is wrong and where help is, on standard error only', async () => {
  const cwd = tempFolder();
  const results = await Promise.all(
    [
      '',
      'token',
      'nonsense',
      'serve --nonsense',
      'token revoke',
      'limits show',
      'limits show +6283834946034 more',
      'token create --name',
      'token create --rate-limit many',
      'token create --expires never',
      'token create --expires 2001-01-01',
      'token create --expires 2099-02-30',
      'token create --expires 2099-01-31T00:00:00',
      'token create --expires 2099-01-31T12:00:60Z',
      'token create --rate-limit 0',
      'token create --permissions otp:send,root',
      'health --url nowhere',
      'migrate --from-v3',
      'migrate --from-v3 database.wodb',
      'migrate --from-v3 database.wodb --v3-key x --v3-key-file y',
      'migrate --from-v3 database.wodb --v3-key x --permissions root',
      'migrate --permissions otp:send',
      'seed --count none',
      'reset everything',
      'backup --keep none',
      'restore',
      'verify one two',
    ].map(async (line) => ({ line, ...(await wotp(cwd, line.split(' ').filter(Boolean))) })),
  );
  for (const { line, code, stdout, stderr } of results) {
    expect({ line, code, stdout }).toEqual({ line, code: 2, stdout: '' });
    expect(stderr, line).toMatch(/Usage: |Run `node \S+wotp\.js( [a-z-]+)* --help` to see/);
    expect(stderr, line).toMatch(/^(wotp: |Usage: )/);
    expect(stderr, line).not.toMatch(/\n\s+at /);
  }
  expect(readdirSync(cwd)).toEqual([]);
});

test('wrong usage with --json is one line of JSON as well, and the text and the exit code stay', async () => {
  const cwd = tempFolder();
  const results = await Promise.all(
    [
      ['nonsense --json', /^unknown command 'nonsense'/],
      ['token --json', /unknown option '--json'|^A command is missing/],
      ['serve --json --nonsense', /^unknown option '--nonsense'/],
      ['token revoke --json', /^missing required argument 'id'/],
      ['limits show +6283834946034 more --json', /^too many arguments/],
      ['token create --json --rate-limit many', /Allowed: a whole number/],
      ['migrate --from-v3 database.wodb --json', /^the key of v3's database is missing/],
    ].map(async ([line, message]) => ({ line, message, ...(await wotp(cwd, String(line).split(' '))) })),
  );
  for (const { line, message, code, stdout, stderr } of results) {
    expect({ line, code }).toEqual({ line, code: 2 });
    expect(stdout.trimEnd().split('\n'), String(line)).toHaveLength(1);
    expect(lastLine(stdout), String(line)).toEqual({
      error: { code: null, message: expect.stringMatching(message!) },
    });
    expect(stderr, String(line)).toMatch(/--help/);
  }
});

test('nothing that a name holds reaches the terminal as a command to it, whatever is printed', async () => {
  const cwd = tempFolder();
  const bad = 'x\x1b]0;owned\x07\x9b31m\u202ey';
  const name = ['--name', `a${bad.slice(1)}`, '--json'];
  await wotp(cwd, ['migrate'], { DATA_DIR: join(cwd, '2') });
  const results = await Promise.all(
    [
      [bad],
      ['serve', `--${bad}`],
      ['token', 'create', ...name],
      ['token', 'create', '--rate-limit', bad],
      ['verify', bad, '--json'],
      ['restore', bad, '--yes', '--json'],
      ['backup', '--key-file', bad],
      ['migrate', '--from-v3', bad, '--v3-key', 'x'],
      ['bot', 'import', bad],
      ['health', '--url', bad],
    ].map(async (args, i) => ({ args, ...(await wotp(cwd, args, { DATA_DIR: join(cwd, String(i)) })) })),
  );
  results.push({
    args: ['DATA_DIR'],
    ...(await wotp(cwd, ['serve'], { DATA_DIR: join(fileURLToPath(import.meta.url), bad) })),
  });
  const dir = { DATA_DIR: join(cwd, '2') };
  results.push({ args: ['token list'], ...(await wotp(cwd, ['token', 'list'], dir)) });
  results.push({ args: ['token list --json'], ...(await wotp(cwd, ['token', 'list', '--json'], dir)) });
  for (const { args, stdout, stderr } of results) {
    expect(`${stdout}${stderr}`, args.join(' ')).toMatch(/./);
    for (const printed of [stdout, stderr])
      expect(printed.replaceAll('\n', ''), args.join(' ')).not.toMatch(/[\p{Cc}\p{Cf}]/u);
  }
  expect(results.at(-2)?.stdout).toContain('owned');
  expect(lastLine<{ keys: { name: string }[] }>(results.at(-1)!.stdout).keys[0]?.name).toBe(name[1]);
});

describe('a setting that is wrong', () => {
  const WRONG = {
    PORT: '99999',
    OTP_LENGTH: '3',
    MASTER_PASSWORD: 'too-short',
    DB_MASTER_KEY: 'much-too-short',
    CORS_ORIGINS: '*',
  };

  test.each([[['serve']], [['token', 'list']]])(
    'stops %j with 1 and one line for each, secrets masked, and leaves nothing behind',
    async (args) => {
      const cwd = tempFolder();
      const { code, stdout, stderr } = await wotp(cwd, args, WRONG);
      expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
      const [first, ...lines] = stderr.trimEnd().split('\n');
      expect(first).toBe('WOTP cannot start:');
      for (const name of Object.keys(WRONG)) {
        expect(
          lines.filter((line) => line.includes(name)),
          name,
        ).toHaveLength(1);
      }
      expect(lines).toHaveLength(Object.keys(WRONG).length);
      expect(stderr).toContain('99999');
      expect(stderr).not.toMatch(/too-short|much-too/);
      expect(readdirSync(cwd)).toEqual([]);
    },
  );

  test('is one line of JSON for programs that ask for it', async () => {
    const { code, stdout, stderr } = await wotp(tempFolder(), ['token', 'list', '--json'], { PORT: '99999' });
    expect(code).toBe(1);
    expect(stderr).toMatch(/^WOTP cannot start:\n {2}PORT/);
    expect(JSON.parse(stdout)).toEqual({
      error: { code: null, message: expect.stringMatching(/^PORT: given "99999"/) },
    });
  });

  test('in production is also every secret that is missing', async () => {
    const cwd = tempFolder();
    const { code, stderr } = await wotp(cwd, ['serve'], { NODE_ENV: 'production' });
    expect(code).toBe(1);
    expect(stderr).toMatch(/^ {2}DB_MASTER_KEY/m);
    expect(stderr).toMatch(/^ {2}MASTER_PASSWORD/m);
    expect(readdirSync(cwd)).toEqual([]);
  });

  test.each([
    ['DATA_DIR', 'a-file', ['serve'], /^ {2}DATA_DIR: .*a-file is not a folder; name a folder\.$/m],
    ['DATA_DIR', 'a-file/below', ['token', 'list'], /^ {2}DATA_DIR: .*a-file is not a folder/m],
    ['DATA_DIR', 'a-file', ['backup'], /^ {2}DATA_DIR: .*a-file is not a folder/m],
    ['LOG_DIR', 'a-file', ['serve'], /^ {2}LOG_DIR: .*a-file is not a folder/m],
    ['DB_PATH', 'a-file/below.wodb', ['serve'], /^ {2}DB_PATH: .*a-file is not a folder/m],
    ['DB_PATH', 'a-folder', ['serve'], /^ {2}DB_PATH: .*a-folder is a folder; name a file\.$/m],
  ])('is a place where something else lies: %s=%s for %j', async (setting, place, args, line) => {
    const cwd = tempFolder();
    writeFileSync(join(cwd, 'a-file'), '');
    mkdirSync(join(cwd, 'a-folder'));
    const { code, stdout, stderr } = await wotp(cwd, args, { [setting]: place, PORT: '0' });
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr.trimEnd().split('\n')).toEqual(['WOTP cannot start:', expect.stringMatching(line)]);
    expect(readdirSync(cwd)).toEqual(['a-file', 'a-folder']);
  });

  test.each([
    ['203.0.113.7', /^wotp: HOST: 203\.0\.113\.7 is not an address of this machine\. Set HOST .*\n$/],
    [
      'no-such-host.invalid',
      /^wotp: HOST: the name no-such-host\.invalid cannot be resolved .* Set HOST .*\n$/,
    ],
  ])('is a HOST that this machine has not: %s', async (host, line) => {
    const { code, stderr } = await wotp(tempFolder(), ['serve'], {
      HOST: host,
      PORT: '0',
      LOG_LEVEL: 'fatal',
    });
    expect(code).toBe(1);
    expect(stderr).toMatch(line);
  });

  test('is found in .env of the working folder too', async () => {
    const cwd = tempFolder();
    writeFileSync(join(cwd, '.env'), 'OTP_MAX_ATTEMPTS=99\n');
    const { code, stderr } = await wotp(cwd, ['token', 'list']);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^ {2}OTP_MAX_ATTEMPTS/m);
  });
});

test('master-key create prints a key to use, a new one each time, and stores nothing', async () => {
  const cwd = tempFolder();
  const [plain, json] = await Promise.all([
    wotp(cwd, ['master-key', 'create']),
    wotp(cwd, ['master-key', 'create', '--json']),
  ]);
  expect(plain).toMatchObject({ code: 0, stderr: '' });
  expect(plain.stdout).toMatch(/^[0-9a-f]{64}\n$/);
  expect(lastLine(json.stdout)).toEqual({ masterKey: expect.stringMatching(/^[0-9a-f]{64}$/) });
  expect(json.stdout).not.toContain(plain.stdout.trim());
  expect(readdirSync(cwd)).toEqual([]);
});

test('master-key create --write keeps the key in a new file of the owner alone, and overwrites nothing', async () => {
  const cwd = tempFolder();
  const written = await wotp(cwd, ['master-key', 'create', '--write', 'new.key', '--json']);
  const file = join(cwd, 'new.key');
  expect([written.code, lastLine(written.stdout)]).toEqual([0, { file }]);
  const key = readFileSync(file, 'utf8');
  expect(key).toMatch(/^[0-9a-f]{64}\n$/);
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(written.stdout + written.stderr).not.toContain(key.trim());
  for (const taken of ['new.key', '.', 'new.key/below']) {
    const { code, stderr } = await wotp(cwd, ['master-key', 'create', '--write', taken]);
    expect(code, taken).toBe(1);
    expect(stderr, taken).toMatch(/^wotp: .*(exists and stays as it is|cannot be written \(ENOTDIR\)).*\n$/);
  }
  expect(readFileSync(file, 'utf8')).toBe(key);
  expect(readdirSync(cwd)).toEqual(['new.key']);
});

describe('a secret that others know', () => {
  const WEAK = 'default-secret-key-do-not-use-in-prod';
  const PRODUCTION = { NODE_ENV: 'production', PORT: '0', DB_MASTER_KEY: WEAK, MASTER_PASSWORD: PASSWORD };

  test('keeps the server from starting in production, as the placeholders of the README do, and is named elsewhere', async () => {
    const cwd = tempFolder();
    const refused = await wotp(cwd, ['serve'], { ...PRODUCTION, MASTER_PASSWORD: 'administrator2024' });
    expect(refused.code).toBe(1);
    expect(refused.stderr).toMatch(
      /^ {2}DB_MASTER_KEY: given \*\*\*; .* published\. Create one with .*master-key rotate/m,
    );
    expect(refused.stderr).toMatch(/^ {2}MASTER_PASSWORD: given \*\*\*; .* easily guessed\./m);
    const [block = ''] =
      /^NODE_ENV=production$[\s\S]*?```/m.exec(readFileSync(join(ROOT, 'README.md'), 'utf8')) ?? [];
    writeFileSync(join(cwd, '.env'), block.replace('```', ''));
    const pasted = await wotp(cwd, ['serve']);
    expect(pasted.code).toBe(1);
    // The first one is short besides.
    expect(pasted.stderr).toMatch(/^ {2}DB_MASTER_KEY: given \*\*\*; allowed: /m);
    expect(pasted.stderr).toMatch(/^ {2}MASTER_PASSWORD: given \*\*\*; .* a placeholder/m);
    expect(readdirSync(cwd)).toEqual(['.env']);
    rmSync(join(cwd, '.env'));
    const server = await serve(cwd, { DB_MASTER_KEY: WEAK });
    await server.stop();
    expect(server.output()).toMatch(/^ {2}- DB_MASTER_KEY is published, and production refuses it\./m);
  });

  test('keeps no data from being looked after, and moved to a better one', async () => {
    const cwd = tempFolder();
    const run = async (...args: string[]) => {
      const result = await wotp(cwd, [...args, '--json'], PRODUCTION);
      expect({ args, code: result.code, stderr: result.stderr }).toEqual({ args, code: 0, stderr: '' });
      return lastLine<Record<string, string>>(result.stdout);
    };
    await run('migrate');
    await run('token', 'create');
    expect(await run('verify')).toMatchObject({ ok: true });
    const { file } = await run('backup');
    await run('restore', file!, '--yes');
    await run('master-key', 'create', '--write', 'new.key');
    await run('master-key', 'rotate', '--new-key-file', 'new.key', '--yes');
    const key = readFileSync(join(cwd, 'new.key'), 'utf8').trim();
    const server = await serve(cwd, { ...PRODUCTION, DB_MASTER_KEY: key });
    expect((await server.stop()).code).toBe(0);
  });
});

describe('without a server', () => {
  test('a key may send and verify unless more is asked for', async () => {
    const cwd = tempFolder();
    await wotp(cwd, ['migrate']);
    const made = async (...args: string[]) =>
      lastLine<{ permissions: string[] }>((await wotp(cwd, ['token', 'create', ...args, '--json'])).stdout)
        .permissions;
    expect(await made()).toEqual(['otp:send', 'otp:verify']);
    expect(await made('--permissions', '*')).toEqual(['*']);
    const refused = await wotp(cwd, ['token', 'create', '--permissions', 'otp:everything']);
    expect(refused.code).toBe(2);
    expect(refused.stderr).toMatch(
      /^wotp: option '--permissions <list>' argument 'otp:everything' is invalid/,
    );
    expect(refused.stderr).toMatch(
      /must be one of otp:send, otp:verify, otp:read, templates:read, .*keys:manage, \*\./,
    );
  });

  test('a key ends at a time in RFC 3339, or when a date begins in UTC, as its help says', async () => {
    const cwd = tempFolder();
    await wotp(cwd, ['migrate']);
    const endOf = async (expires: string) =>
      lastLine<{ expiresAt: string }>(
        (await wotp(cwd, ['token', 'create', '--json', '--expires', expires])).stdout,
      ).expiresAt;
    expect(await endOf('2099-01-31')).toBe('2099-01-31T00:00:00.000Z');
    expect(await endOf('2099-01-31T07:00:00+07:00')).toBe('2099-01-31T00:00:00.000Z');
    expect(await endOf('2098-12-31T23:59:60Z')).toBe('2099-01-01T00:00:00.000Z');
    const { stdout } = await wotp(cwd, ['token', 'create', '--help']);
    expect(stdout.replace(/\s+/g, ' ')).toContain('a time in RFC 3339, or a date, at 00:00 UTC');
  });

  test('keys and limits are seen and changed in the data folder, and a first run is left to serve', async () => {
    const cwd = tempFolder();
    // It makes the schema and nothing else.
    await wotp(cwd, ['migrate']);
    const expires = '2099-01-31T00:00:00Z';
    const args = ['--name', 'checkout', '--permissions', 'otp:send, otp:verify', '--rate-limit', '500'];
    const created = await wotp(cwd, ['token', 'create', ...args, '--expires', expires, '--json']);
    expect(created).toMatchObject({ code: 0, stderr: '' });
    const made = lastLine(created.stdout) as { id: string; key: string };
    expect(made).toEqual({
      id: expect.stringMatching(/^key_/),
      name: 'checkout',
      key: expect.stringMatching(/^wotp_[0-9a-f]{64}$/),
      permissions: ['otp:send', 'otp:verify'],
      rateLimit: 500,
      expiresAt: '2099-01-31T00:00:00.000Z',
    });

    const listed = lastLine((await wotp(cwd, ['token', 'list', '--json'])).stdout) as { keys: object[] };
    expect(listed.keys).toEqual([
      expect.objectContaining({ id: made.id, keyPreview: `wotp_...${made.key.slice(-8)}`, rateLimit: 500 }),
    ]);
    expect(JSON.stringify(listed)).not.toContain(made.key);
    const revoked = await wotp(cwd, ['token', 'revoke', made.id, '--json']);
    expect([revoked.code, lastLine(revoked.stdout)]).toEqual([0, { id: made.id }]);

    const phone = '+6283834946034';
    const shown = await wotp(cwd, ['limits', 'show', `\u202atel:${phone}\u202c`, '--json']);
    expect(lastLine(shown.stdout)).toMatchObject({ phone, messagesLastDay: 0, nextSendAt: null });
    const cleared = await wotp(cwd, ['limits', 'clear', phone, '--json']);
    expect([cleared.code, lastLine(cleared.stdout)]).toEqual([0, { phone }]);

    const server = await serve(cwd, { DATA_DIR: './data' });
    expect(server.output()).toContain('First run.');
    expect((await server.stop()).code).toBe(0);
  });

  test('health says that nobody answers, and where it asked', async () => {
    const { code, stdout, stderr } = await wotp(tempFolder(), ['health'], { PORT: '9' });
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(/^wotp: No server answers at http:\/\/127\.0\.0\.1:9\. /);
  });

  test('health fails where a server cannot work, and where what answers is no server', async () => {
    let body: object = { hello: 'world' };
    const answering = createServer((_request, response) => response.writeHead(503).end(JSON.stringify(body)));
    await new Promise<void>((resolve) => answering.listen(0, '127.0.0.1', resolve));
    const { port } = answering.address() as AddressInfo;
    const ask = () => wotp(tempFolder(), ['health', '--json', '--url', `http://127.0.0.1:${port}`]);
    const stranger = await ask();
    body = {
      status: 'unhealthy',
      version: VERSION,
      uptime: 1,
      checks: { database: { status: 'unhealthy' } },
    };
    const ill = await ask();
    answering.close();
    expect([stranger.code, lastLine(stranger.stdout)]).toEqual([
      1,
      { error: { code: null, message: expect.stringContaining('not WOTP') } },
    ]);
    expect(stranger.stderr).toMatch(/^wotp: .*not WOTP/);
    expect([ill.code, lastLine(ill.stdout)]).toEqual([1, body]);
  });

  test('a wrong master key is told apart, and nothing is touched', async () => {
    const cwd = tempFolder();
    await wotp(cwd, ['migrate'], { DB_MASTER_KEY: 'a'.repeat(40) });
    const file = join(cwd, 'data/wotp.wodb');
    const before = readFileSync(file);
    const { code, stdout, stderr } = await wotp(cwd, ['serve'], { DB_MASTER_KEY: 'b'.repeat(40), PORT: '0' });
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(/^wotp: .*DB_MASTER_KEY/);
    expect(stderr).not.toMatch(/\n\s+at |bbbb|aaaa/);
    expect(readFileSync(file).equals(before)).toBe(true);
  });
});

describe('beside a running server', () => {
  let cwd: string;
  let server: ServeProcess;
  beforeAll(async () => {
    cwd = mkdtempSync(join(tmpdir(), 'wotp-test-'));
    writeFileSync(join(cwd, '.env'), `MASTER_PASSWORD=${PASSWORD}\nOTP_RESEND_SECONDS=0\n`);
    server = await serve(cwd);
  }, 60_000);
  afterAll(async () => {
    await server.stop();
    rmSync(cwd, { recursive: true });
  });

  test('commands reach it through a socket that only its owner may open', async () => {
    const socket = statSync(join(cwd, 'data/wotp.sock'));
    expect(socket.isSocket()).toBe(true);
    expect(socket.mode & 0o777).toBe(0o600);
    expect(statSync(join(cwd, 'data')).mode & 0o777).toBe(0o700);
  });

  test('a key made beside it works at once, and one that is revoked is refused at once', async () => {
    const { stdout } = await wotp(cwd, ['token', 'create', '--permissions', 'otp:read', '--json']);
    const { id, key } = lastLine(stdout) as { id: string; key: string };
    expect((await call(server.address, 'GET', 'otp', { key })).status).toBe(200);
    const listed = lastLine((await wotp(cwd, ['token', 'list', '--json'])).stdout) as {
      keys: { id: string }[];
    };
    expect(listed.keys.map((entry) => entry.id)).toContain(id);
    expect((await wotp(cwd, ['token', 'revoke', id])).code).toBe(0);
    expect((await call(server.address, 'GET', 'otp', { key })).status).toBe(401);
  });

  test('a key that created others is revoked only with --yes, after they were named, and they with it', async () => {
    const made = async (permissions: string, key?: string) => {
      if (key === undefined) {
        const args = ['token', 'create', '--name', 'parent', '--permissions', permissions, '--json'];
        return lastLine<{ id: string; key: string }>((await wotp(cwd, args)).stdout);
      }
      const body = { name: 'child', permissions: [permissions] };
      const answer = await call(server.address, 'POST', 'keys', { key, body });
      return ((await answer.json()) as { data: { id: string; key: string } }).data;
    };
    const parent = await made('keys:manage,otp:read');
    const child = await made('otp:read', parent.key);
    const asked = await wotp(cwd, ['token', 'revoke', parent.id]);
    expect([asked.code, asked.stdout]).toEqual([1, '']);
    expect(asked.stderr).toMatch(new RegExp(`revoked with it: ${child.id} \\(child\\).*--yes`));
    for (const { key } of [parent, child]) {
      expect((await call(server.address, 'GET', 'otp', { key })).status).toBe(200);
    }
    const done = await wotp(cwd, ['token', 'revoke', parent.id, '--yes', '--json']);
    expect([done.code, lastLine(done.stdout)]).toEqual([0, { id: parent.id, with: [child.id] }]);
    for (const { key } of [parent, child]) {
      expect((await call(server.address, 'GET', 'otp', { key })).status).toBe(401);
    }
  });

  test('what the server refuses is refused with its own words and exit 1', async () => {
    const unknown = 'key_01jd3x8zq2e6v9k5m7n0p4r8st';
    const [name, phone, key] = await Promise.all([
      wotp(cwd, ['token', 'create', '--name', 'x'.repeat(101)]),
      wotp(cwd, ['limits', 'show', '12']),
      wotp(cwd, ['token', 'revoke', unknown]),
    ]);
    expect(name.stderr).toMatch(/^wotp: .*\bname\b.* \(VALIDATION_ERROR\)\n/);
    // The sentence about the only field says it all, once.
    expect(phone.stderr).toMatch(/^wotp: .* \(PHONE_INVALID\)\n$/);
    expect(key.stderr).toContain('RESOURCE_NOT_FOUND');
    for (const { code, stdout, stderr } of [name, phone, key]) {
      expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
      expect(stderr).toMatch(/^wotp: /);
      expect(stderr).not.toMatch(/\n\s+at /);
    }
  });

  test('with --json a refusal is one line of JSON too, and the text and the exit code stay', async () => {
    const show = ['limits', 'show', '12'];
    const [plain, json] = await Promise.all([wotp(cwd, show), wotp(cwd, [...show, '--json'])]);
    expect({ ...json, stdout: '' }).toEqual(plain);
    expect(json.stdout).toMatch(/^\{.*\}\n$/);
    const { error } = lastLine(json.stdout) as { error: { code: string; message: string } };
    expect(plain.stderr).toBe(`wotp: ${error.message} (${error.code})\n`);
    expect(error.code).toBe('PHONE_INVALID');
  });

  test('the list is a table for people, without a whole key in it', async () => {
    const body = { name: 'red \u001b[31m and \u009b2J cleared', permissions: ['otp:read'] };
    expect((await call(server.address, 'POST', 'keys', { body })).status).toBe(201);
    const { stdout } = await wotp(cwd, ['token', 'list']);
    // What others have named must not command the terminal.
    expect(stdout).toContain('red \ufffd[31m and');
    expect(stdout).not.toMatch(/[^\P{Cc}\n]/u);
    for (const word of ['id', 'name', 'permissions', 'First key', 'wotp_...']) expect(stdout).toContain(word);
    expect(stdout).not.toMatch(/[0-9a-f]{64}/);
  });

  test('limits show what a phone has used, and clear lifts it', async () => {
    const phone = '+6283834946034';
    const send = () => call(server.address, 'POST', 'otp/send', { body: { phone } });
    let sent = await send();
    while (sent.status < 300) sent = await send();
    expect(sent.status).toBe(429);

    const show = ['limits', 'show', '62 838-3494-6034', '--json'];
    const before = lastLine((await wotp(cwd, show)).stdout);
    expect(before).toMatchObject({ phone, messagesLast10Minutes: 5, nextSendAt: expect.any(String) });
    const text = (await wotp(cwd, ['limits', 'show', phone])).stdout;
    expect(text).toMatch(/messages in the last 10 minutes +5/);

    const cleared = await wotp(cwd, ['limits', 'clear', phone, '--json']);
    expect([cleared.code, lastLine(cleared.stdout)]).toEqual([0, { phone }]);
    expect(lastLine((await wotp(cwd, show)).stdout)).toMatchObject({
      messagesLast10Minutes: 0,
      nextSendAt: null,
    });
  });

  test('health shows every check, for people and for machines', async () => {
    const [text, json] = await Promise.all([
      wotp(cwd, ['health', '--url', server.address]),
      wotp(cwd, ['health', '--json'], { PORT: new URL(server.address).port }),
    ]);
    expect([text.code, json.code]).toEqual([0, 0]);
    expect(text.stdout).toContain(`healthy (${server.address}, version ${VERSION}`);
    for (const check of ['whatsapp', 'database', 'memory', 'disk']) expect(text.stdout).toContain(check);
    expect(lastLine(json.stdout)).toMatchObject({ status: 'healthy', version: VERSION });
  });

  test('a second server on its folder is refused in one sentence, and the first goes on', async () => {
    const second = await wotp(cwd, ['serve'], { PORT: '0' });
    expect(second).toMatchObject({ code: 1, stdout: '' });
    expect(second.stderr).toMatch(/^wotp: Another WOTP process is using .*wotp\.wodb/);
    expect(second.stderr).not.toMatch(/\n\s+at /);
    expect(existsSync(join(cwd, 'data/wotp.sock'))).toBe(true);
    expect((await wotp(cwd, ['token', 'list'])).code).toBe(0);
  });
});
