import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { ensureBuilt } from '../../bench/ensure-built.js';
import { endCommands, lastLine, PASSWORD, serve, wotp } from '../support/command-line.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { V3_KEY, v3Token, writeV3Database } from '../support/v3-database.ts';

vi.setConfig({ testTimeout: 60_000 });

beforeAll(ensureBuilt, 120_000);
afterAll(endCommands);

const AT = Date.UTC(2025, 5, 1, 8, 30);
const FILE = 'v3/database.wodb';

/** A working folder with a v3 database of some tokens and log lines. */
function withV3(counts = { tokens: 2, logs: 3 }) {
  const cwd = tempFolder();
  mkdirSync(join(cwd, 'v3'));
  const made = Array.from({ length: counts.tokens }, (_, i) => v3Token(AT + i));
  const content = {
    tokens: made.map(({ entry }) => entry),
    logs: Array.from({ length: counts.logs }, (_, i) => ({
      tokenHash: made[i % made.length]!.entry.hash,
      action: 'otp_sent',
      phone: '6283834946034',
      message: 'Your verification code is 481516',
      timestamp: AT + 1_000 + i,
    })),
  };
  const write = () => writeV3Database(join(cwd, FILE), content);
  write();
  return { cwd, content, write, tokens: made.map(({ token }) => token) };
}

const migrate = (cwd: string, ...args: string[]) => wotp(cwd, ['migrate', '--from-v3', FILE, ...args]);

const status = (address: string, token: string) =>
  fetch(`${address}/api/v1/otp/status`, { headers: { authorization: `Bearer ${token}` } }).then(
    (answer) => answer.status,
  );

test('without a server: all of v3 is taken, a second run takes nothing, and then the server knows its tokens', async () => {
  const { cwd, tokens } = withV3({ tokens: 3, logs: 450 });
  const before = readFileSync(join(cwd, FILE));
  const first = await migrate(cwd, '--v3-key', V3_KEY, '--json');
  expect(first).toMatchObject({ code: 0, stderr: '' });
  expect(lastLine(first.stdout)).toEqual({ tokens: 3, logs: 450, skipped: 0 });
  const second = await migrate(cwd, '--v3-key', V3_KEY, '--json');
  expect(lastLine(second.stdout)).toEqual({ tokens: 0, logs: 0, skipped: 453 });
  expect((await migrate(cwd, '--v3-key', V3_KEY)).stdout).toMatch(
    / imported +0\n.* imported +0\n.*already.* 453\n/,
  );
  expect(readFileSync(join(cwd, FILE))).toEqual(before);

  const server = await serve(cwd, { MASTER_PASSWORD: PASSWORD });
  expect(server.output()).toContain('First run.');
  for (const token of tokens) expect(await status(server.address, token)).toBe(200);
  expect((await server.stop()).code).toBe(0);
});

test('beside a running server: its tokens work at once, are listed and can be revoked; later only the new are taken', async () => {
  const { cwd, content, write, tokens } = withV3();
  const server = await serve(cwd, { MASTER_PASSWORD: PASSWORD });
  expect(await status(server.address, tokens[0]!)).toBe(401);
  const { code, stdout } = await migrate(cwd, '--v3-key', V3_KEY);
  expect(code).toBe(0);
  expect(stdout).toMatch(/^Read v3\/database\.wodb\n +tokens imported +2\n +log lines imported +3\n/);
  expect(await status(server.address, tokens[0]!)).toBe(200);

  const { keys } = lastLine((await wotp(cwd, ['token', 'list', '--json'])).stdout) as {
    keys: { id: string; name: string }[];
  };
  const name = `v3 token ${content.tokens[0]!.hash.slice(0, 8)}…`;
  const { id } = keys.find((key) => key.name === name)!;
  expect((await wotp(cwd, ['token', 'revoke', id])).code).toBe(0);
  expect(await status(server.address, tokens[0]!)).toBe(401);

  const late = v3Token(AT + 60_000);
  content.tokens.push(late.entry);
  content.logs.push({ ...content.logs[0]!, timestamp: AT + 60_001 });
  write();
  const again = await migrate(cwd, '--v3-key', V3_KEY, '--json');
  expect(lastLine(again.stdout)).toEqual({ tokens: 1, logs: 1, skipped: 5 });
  expect(await status(server.address, late.token)).toBe(200);
  expect(await status(server.address, tokens[0]!)).toBe(401);
  expect((await server.stop()).code).toBe(0);
});

test('the key is taken from a file, the environment, .env or standard input, too', async () => {
  const { cwd } = withV3();
  writeFileSync(join(cwd, 'v3.key'), `${V3_KEY}\n`);
  const args = ['migrate', '--from-v3', FILE, '--json'];
  const byFile = await wotp(cwd, [...args, '--v3-key-file', 'v3.key'], { V3_DB_MASTER_KEY: 'another' });
  expect(lastLine(byFile.stdout)).toEqual({ tokens: 2, logs: 3, skipped: 0 });
  const ways = [
    await wotp(cwd, args, { V3_DB_MASTER_KEY: V3_KEY }),
    await wotp(cwd, args, {}, `${V3_KEY}\n`),
  ];
  writeFileSync(join(cwd, '.env'), `V3_DB_MASTER_KEY=${V3_KEY}\n`);
  ways.push(await wotp(cwd, args));
  for (const { stdout } of ways) expect(lastLine(stdout)).toEqual({ tokens: 0, logs: 0, skipped: 5 });
});

test('what is wrong is said in one sentence with exit 1, and nothing is made or changed', async () => {
  const { cwd } = withV3();
  writeFileSync(join(cwd, 'short.wodb'), readFileSync(join(cwd, FILE)).subarray(0, -5));
  const run = (file: string, ...key: string[]) => wotp(cwd, ['migrate', '--from-v3', file, ...key]);
  for (const [result, words] of [
    [await run(FILE, '--v3-key', 'wrong'), /^wotp: v3\/database\.wodb does not open with this key\./],
    [await run('none.wodb', '--v3-key', V3_KEY), /^wotp: There is no file none\.wodb\./],
    [await run('short.wodb', '--v3-key', V3_KEY), /^wotp: short\.wodb is cut off/],
    [await run(FILE, '--v3-key-file', 'none'), /^wotp: The key file none cannot be read/],
  ] as const) {
    expect(result.stderr).toMatch(words);
    expect(result.stderr.trimEnd().split('\n')).toHaveLength(1);
    expect(result).toMatchObject({ code: 1, stdout: '' });
  }
  expect(existsSync(join(cwd, 'data'))).toBe(false);

  await wotp(cwd, ['migrate']);
  const own = await run('data/wotp.wodb', '--v3-key', V3_KEY);
  expect(own.stderr).toMatch(/^wotp: data\/wotp\.wodb seems to be a database of WOTP 4/);
});
