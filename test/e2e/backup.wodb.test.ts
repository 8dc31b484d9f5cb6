import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { ensureBuilt } from '../../bench/ensure-built.js';
import { endCommands, lastLine, PASSWORD, serve, wotp } from '../support/command-line.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { newPhone } from '../support/verifications.ts';

vi.setConfig({ testTimeout: 120_000 });

beforeAll(ensureBuilt, 120_000);
afterAll(endCommands);

const SETTINGS = {
  MASTER_PASSWORD: PASSWORD,
  DB_MASTER_KEY: 'a master key only tests know, long',
};
const OTHER_KEY = 'a key for copies that go elsewhere';

const send = (address: string, key: string) =>
  fetch(`${address}/api/v1/otp/send`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify({ phone: newPhone() }),
  });

/** Every JSON answer of a command that has to end with 0. */
async function good(cwd: string, ...args: string[]) {
  const { code, stdout, stderr } = await wotp(cwd, [...args, '--json'], SETTINGS);
  expect({ args, code, stderr }).toEqual({ args, code: 0, stderr: '' });
  return lastLine<Record<string, unknown> & { file: string }>(stdout);
}

async function refused(cwd: string, args: string[], settings: Record<string, string> = SETTINGS) {
  const { code, stdout, stderr } = await wotp(cwd, args, settings);
  expect({ args, code, stdout }).toEqual({ args, code: 1, stdout: '' });
  expect(stderr).not.toMatch(/\n\s+at /);
  return stderr;
}

test('beside a server: back up and verify through it, refuse to restore; without it: restore, and all is as it was', async () => {
  const cwd = tempFolder();
  const server = await serve(cwd, SETTINGS);
  const key = /API key +(\S+)/.exec(server.output())![1]!;
  for (let i = 0; i < 5; i++) expect((await send(server.address, key)).status).toBe(201);

  const { file } = await good(cwd, 'backup');
  expect(file).toMatch(/\/data\/backups\/wotp-\d{8}-\d{6}\.wodb$/);
  expect(await good(cwd, 'verify')).toMatchObject({ ok: true, findings: [], rows: { verifications: 5 } });
  expect(await good(cwd, 'verify', file)).toMatchObject({ ok: true, rows: { verifications: 5 } });
  const named = await good(cwd, 'backup', '--out', 'copy.wodb');
  expect(named.file).toBe(join(cwd, 'copy.wodb'));
  expect(await refused(cwd, ['backup', '--out', 'copy.wodb'])).toContain('exists already');
  expect((await send(server.address, key)).status).toBe(201);
  expect(await refused(cwd, ['restore', file, '--yes'])).toMatch(/Stop the server, then restore again/);
  expect((await server.stop()).code).toBe(0);

  expect(await refused(cwd, ['restore', file])).toContain('To continue, add --yes');
  const { replaced } = (await good(cwd, 'restore', file, '--yes')) as unknown as { replaced: string };
  expect(await good(cwd, 'verify', replaced)).toMatchObject({ rows: { verifications: 6 } });
  expect(await good(cwd, 'verify')).toMatchObject({ ok: true, rows: { verifications: 5 } });
  const again = await serve(cwd, SETTINGS);
  expect((await send(again.address, key)).status).toBe(201);
  expect((await again.stop()).code).toBe(0);
});

test('a copy under another key is made and read with a key from a file, standard input or the environment', async () => {
  const cwd = tempFolder();
  await good(cwd, 'migrate');
  await good(cwd, 'token', 'create');
  writeFileSync(join(cwd, 'other.key'), `${OTHER_KEY}\n`);
  const { file } = await good(cwd, 'backup', '--out', 'elsewhere.wodb', '--key-file', 'other.key');
  expect(await refused(cwd, ['verify', file])).toContain('The master key does not open');
  expect(await good(cwd, 'verify', file, '--key-file', 'other.key')).toMatchObject({ ok: true });
  const byVariable = await wotp(cwd, ['verify', file], { ...SETTINGS, WOTP_BACKUP_MASTER_KEY: OTHER_KEY });
  const byInput = await wotp(cwd, ['verify', file, '--key-file', '-'], SETTINGS, `${OTHER_KEY}\n`);
  expect(byInput).toMatchObject({ code: 0, stdout: expect.stringContaining('is intact') });
  expect(byVariable).toMatchObject({ code: 0, stdout: expect.stringContaining('is intact') });
  expect(await refused(cwd, ['restore', file, '--yes', '--key-file', 'none.key'])).toContain(
    'cannot be read (ENOENT)',
  );
  writeFileSync(join(cwd, 'short.key'), 'too short');
  expect(await refused(cwd, ['backup', '--key-file', 'short.key'])).toContain('it has 9 characters');
  await good(cwd, 'restore', file, '--yes', '--key-file', 'other.key');
  expect(await good(cwd, 'token', 'list')).toMatchObject({ keys: [{ name: 'cli' }] });
});

test('verify without a server exits 1 and names the damage, in a database that does not open any more as well', async () => {
  const cwd = tempFolder();
  await good(cwd, 'migrate');
  await good(cwd, 'token', 'create');
  const path = join(cwd, 'data', 'wotp.wodb');
  const whole = readFileSync(path);
  // The second page is read by everything that allocates or walks, the first by everything.
  for (const position of [100, 4096 * 3 + 50]) {
    const bytes = Buffer.from(whole);
    bytes[position]! ^= 1;
    writeFileSync(path, bytes);
    const { code, stdout } = await wotp(cwd, ['verify', '--json'], SETTINGS);
    expect(code).toBe(1);
    expect(lastLine(stdout)).toMatchObject({
      ok: false,
      findings: [expect.stringMatching(/^The file is damaged/)],
    });
    const forPeople = await wotp(cwd, ['verify'], SETTINGS);
    expect(forPeople.code).toBe(1);
    expect(forPeople.stdout).toContain('has problems:\n  The file is damaged');
    expect(readFileSync(path)).toEqual(bytes);
  }
  writeFileSync(path, whole);
  expect(await refused(cwd, ['verify'], { ...SETTINGS, DB_MASTER_KEY: OTHER_KEY })).toContain(
    'is not the key of this',
  );
});

test('a command in a folder without a database says so and makes nothing', async () => {
  const cwd = tempFolder();
  for (const command of [
    'backup',
    'verify',
    'compact',
    'token create',
    'token list',
    'token revoke key_01jd3x8zq2e6v9k5m7n0p4r8st',
    'limits show +6283834946034',
    'limits clear +6283834946034',
    'bot status',
    'bot pause ses_01jd3x8zq2e6v9k5m7n0p4r8st',
    'opt-outs list',
    'opt-outs add +6283834946034',
  ]) {
    expect(await refused(cwd, command.split(' ')), command).toMatch(
      /There is no database at .*data\/wotp\.wodb\. Run the command in the server's folder, or set DATA_DIR\./,
    );
  }
  expect(readdirSync(cwd)).toEqual([]);
});

test('older backups go when their number is limited', async () => {
  const cwd = tempFolder();
  await good(cwd, 'migrate');
  await good(cwd, 'token', 'create');
  mkdirSync(join(cwd, 'kept'));
  const first = await good(cwd, 'backup', '--out', 'kept');
  const second = await good(cwd, 'backup', '--out', 'kept', '--keep', '1');
  expect(second.removed).toEqual([first.file.split('/').at(-1)]);
  expect(readdirSync(join(cwd, 'kept'))).toHaveLength(2);
  rmSync(join(cwd, 'kept'), { recursive: true });
});
