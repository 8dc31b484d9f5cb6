import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { ensureBuilt } from '../../bench/ensure-built.js';
import { endCommands, lastLine, serve, wotp } from '../support/command-line.ts';
import { tempFolder } from '../support/temp-folder.ts';

vi.setConfig({ testTimeout: 60_000 });

beforeAll(ensureBuilt, 120_000);
afterAll(endCommands);

describe('seed', () => {
  test('makes as many verifications as asked for, with a server and without one', async () => {
    const cwd = tempFolder();
    const alone = await wotp(cwd, ['seed', '--count', '30', '--json']);
    expect(alone).toMatchObject({ code: 0, stderr: '' });
    expect(alone.stdout.trim().split('\n')).toHaveLength(1);
    expect(lastLine(alone.stdout)).toEqual({
      verifications: 30,
      messages: expect.any(Number),
      events: expect.any(Number),
    });

    const server = await serve(cwd);
    const refused = await wotp(cwd, ['seed', '--count', '30']);
    expect({ code: refused.code, stdout: refused.stdout }).toEqual({ code: 1, stdout: '' });
    expect(refused.stderr).toMatch(/^wotp: The database already contains verifications.* --yes\.\n$/);
    const beside = await wotp(cwd, ['seed', '--count', '30', '--yes']);
    expect(beside.code).toBe(0);
    expect(beside.stdout).toMatch(/^Created 30 verifications with \d+ messages and \d+ events\.\n$/);
    expect((await server.stop()).code).toBe(0);
  });

  test('is refused in production, and leaves nothing behind', async () => {
    const cwd = tempFolder();
    const settings = {
      NODE_ENV: 'production',
      DB_MASTER_KEY: 'a key of the tests, long enough by far',
      MASTER_PASSWORD: 'a password only tests know',
    };
    const { code, stdout, stderr } = await wotp(cwd, ['seed'], settings);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(/^wotp: Demo data is not allowed in production/);
    expect(readdirSync(cwd)).toEqual([]);
  });
});

describe('migrate', () => {
  test('shows what a database has, with a server, without one, and before there is one', async () => {
    const cwd = tempFolder();
    const status = ['migrate', '--status', '--json'];
    const nothing = await wotp(cwd, status);
    expect(nothing.code).toBe(0);
    expect(lastLine(nothing.stdout)).toMatchObject({
      engine: 'wodb',
      migrations: expect.arrayContaining([{ number: 1, name: '0001-initial', appliedAt: null }]),
    });
    expect(readdirSync(cwd)).toEqual([]);

    const first = await wotp(cwd, ['migrate', '--json']);
    expect(first).toMatchObject({ code: 0, stderr: '' });
    expect(lastLine(first.stdout)).toMatchObject({ backup: null });
    expect((lastLine(first.stdout) as { applied: string[] }).applied).toContain('0001-initial');

    const file = readFileSync(join(cwd, 'data/wotp.wodb'));
    const alone = lastLine((await wotp(cwd, status)).stdout);
    expect(readFileSync(join(cwd, 'data/wotp.wodb')).equals(file)).toBe(true);
    const { migrations } = alone as { migrations: { appliedAt: string | null }[] };
    for (const { appliedAt } of migrations) expect(appliedAt).toMatch(/^\d{4}-\d\d-\d\dT.*Z$/);

    const server = await serve(cwd);
    expect(server.output()).toContain('First run.');
    expect(lastLine((await wotp(cwd, status)).stdout)).toEqual(alone);
    expect(lastLine((await wotp(cwd, ['migrate', '--json'])).stdout)).toEqual({ applied: [], backup: null });
    const text = await wotp(cwd, ['migrate', '--status']);
    expect(text.stdout).toMatch(/^The database is wodb\.\n[\s\S]*0001-initial/);
    expect((await server.stop()).code).toBe(0);
  });
});

describe('compact', () => {
  const KEEP_A_DAY = { RETENTION_DAYS_VERIFICATIONS: '1', RETENTION_DAYS_EVENTS: '1' };

  test('deletes what is over and builds the file anew where no server runs', async () => {
    const cwd = tempFolder();
    await wotp(cwd, ['seed', '--count', '600']);
    const file = join(cwd, 'data/wotp.wodb');
    const before = statSync(file).size;
    const { code, stdout, stderr } = await wotp(cwd, ['compact', '--json'], KEEP_A_DAY);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout.trim().split('\n')).toHaveLength(1);
    const compacted = lastLine(stdout) as { bytes: number; purged: { verifications: number } };
    expect(compacted).toMatchObject({ bytesBefore: before, bytes: statSync(file).size });
    expect(compacted.bytes).toBeLessThan(before / 2);
    expect(compacted.purged.verifications).toBeGreaterThan(400);
    expect(readdirSync(join(cwd, 'data')).sort()).toEqual([
      'master.key',
      'wotp.keycheck',
      'wotp.wodb',
      'wotp.wodb.lock',
    ]);
    const again = await wotp(cwd, ['compact'], KEEP_A_DAY);
    expect(again.stdout).toMatch(
      /^No expired data was found\.\nThe database is [\d.]+ MB now; it was [\d.]+ MB\.\n$/,
    );
    const server = await serve(cwd);
    expect((await server.stop()).code).toBe(0);
  });

  test('works through the server that runs, which keeps its file', async () => {
    const cwd = tempFolder();
    await wotp(cwd, ['seed', '--count', '300']);
    const server = await serve(cwd, KEEP_A_DAY);
    const { ino } = statSync(join(cwd, 'data/wotp.wodb'));
    const { code, stdout } = await wotp(cwd, ['compact', '--json']);
    expect(code).toBe(0);
    const compacted = lastLine(stdout) as { bytesBefore: number; bytes: number };
    expect(compacted.bytes).toBeLessThan(compacted.bytesBefore);
    expect(statSync(join(cwd, 'data/wotp.wodb')).ino).toBe(ino);
    expect((await server.stop()).code).toBe(0);
  });
});

describe('master-key rotate', () => {
  const OLD = 'the master key of the first years, long enough';
  const NEW = 'the master key that comes after it, long enough';

  test('takes the new key from a file, from the environment or from standard input, never as an argument', async () => {
    const cwd = tempFolder();
    await wotp(cwd, ['seed', '--count', '10'], { DB_MASTER_KEY: OLD });
    writeFileSync(join(cwd, 'new.key'), `${NEW}\n`);
    const rotate = ['master-key', 'rotate', '--yes', '--json'];
    const byFile = await wotp(cwd, [...rotate, '--new-key-file', 'new.key'], { DB_MASTER_KEY: OLD });
    expect(byFile).toMatchObject({ code: 0, stderr: '' });
    expect(lastLine(byFile.stdout)).toEqual({ version: 2, keptIn: null, oldKeyIn: null });

    const byEnvironment = await wotp(cwd, rotate, { DB_MASTER_KEY: NEW, WOTP_NEW_MASTER_KEY: OLD });
    expect(lastLine(byEnvironment.stdout)).toEqual({ version: 3, keptIn: null, oldKeyIn: null });

    const byInput = await wotp(cwd, [...rotate, '--new-key-file', '-'], { DB_MASTER_KEY: OLD }, `${NEW}\n`);
    expect(lastLine(byInput.stdout)).toEqual({ version: 4, keptIn: null, oldKeyIn: null });
    for (const { stdout } of [byFile, byEnvironment, byInput]) expect(stdout).not.toContain('master key');

    const old = await wotp(cwd, ['token', 'list'], { DB_MASTER_KEY: OLD });
    expect(old).toMatchObject({ code: 1, stdout: '' });
    expect((await wotp(cwd, ['token', 'list'], { DB_MASTER_KEY: NEW })).code).toBe(0);
  });

  test('makes a key itself where WOTP keeps it, and the next start finds it', async () => {
    const cwd = tempFolder();
    await wotp(cwd, ['seed', '--count', '10']);
    const before = readFileSync(join(cwd, 'data/master.key'), 'utf8');
    const { code, stdout } = await wotp(cwd, ['master-key', 'rotate', '--yes']);
    expect(code).toBe(0);
    expect(stdout).toContain('It is kept in ');
    const after = readFileSync(join(cwd, 'data/master.key'), 'utf8');
    expect(after).toMatch(/^[0-9a-f]{64}\n$/);
    expect(after).not.toBe(before);
    expect(stdout).not.toContain(after.trim());
    const [, old] = /the old key only, which is kept in (.*\.replaced-[\d-]+)\./.exec(stdout) ?? [];
    expect(readFileSync(old!, 'utf8')).toBe(before);
    const server = await serve(cwd);
    expect((await server.stop()).code).toBe(0);
  });

  test('is refused without --yes, without a new key, with a short or the same one, beside a server, and before the first start', async () => {
    const cwd = tempFolder();
    const nothing = await wotp(cwd, ['master-key', 'rotate', '--yes'], { WOTP_NEW_MASTER_KEY: NEW });
    expect(readdirSync(cwd)).toEqual([]);
    const settings = { DB_MASTER_KEY: OLD };
    await wotp(cwd, ['seed', '--count', '10'], settings);
    const file = readFileSync(join(cwd, 'data/wotp.wodb'));
    const rotate = (args: string[], newKey?: string) =>
      wotp(cwd, ['master-key', 'rotate', ...args], {
        ...settings,
        ...(newKey === undefined ? {} : { WOTP_NEW_MASTER_KEY: newKey }),
      });
    const [sure, none, short, same, noFile] = [
      await rotate([], NEW),
      await rotate(['--yes']),
      await rotate(['--yes'], 'much-too-short'),
      await rotate(['--yes'], OLD),
      await rotate(['--yes', '--new-key-file', 'nowhere.key']),
    ];
    expect(readFileSync(join(cwd, 'data/wotp.wodb')).equals(file)).toBe(true);
    const server = await serve(cwd, settings);
    const beside = await rotate(['--yes'], NEW);
    expect((await server.stop()).code).toBe(0);

    for (const [refused, words] of [
      [nothing, /There is no database at .* yet/],
      [sure, /add --yes/],
      [none, /--new-key-file.*WOTP_NEW_MASTER_KEY/],
      [short, /allowed: a text of 32 characters or more/],
      [same, /is the current one/],
      [noFile, /cannot be read \(ENOENT\): nowhere\.key/],
      [beside, /Stop it, rotate the key/],
    ] as const) {
      expect({ code: refused.code, stdout: refused.stdout }).toEqual({ code: 1, stdout: '' });
      expect(refused.stderr).toMatch(words);
      expect(refused.stderr).toMatch(/^wotp: /);
      expect(refused.stderr).not.toMatch(/\n\s+at |much-too-short/);
    }
  });
});

describe('reset', () => {
  test('deletes the database, those it has replaced and nothing it does not know, and the next start is a first run', async () => {
    const cwd = tempFolder();
    const data = join(cwd, 'data');
    expect((await wotp(cwd, ['seed', '--count', '10'])).code).toBe(0);
    mkdirSync(join(data, 'backups'));
    const others = ['backups/wotp-20260101-000000.wodb', 'notes.txt', 'wotp.wodb.replaced-by-me'];
    const replaced = [
      'wotp.wodb.replaced-20260101-000000',
      'wotp.wodb.replaced-20260101-000000-2',
      'wotp.wodb.replaced-20260101-000000-2-wal',
    ];
    for (const name of [...others, ...replaced]) writeFileSync(join(data, name), 'of somebody');
    writeFileSync(join(data, 'wotp.wodb-wal'), 'changes');
    const masterKey = readFileSync(join(data, 'master.key'), 'utf8');

    const refused = await wotp(cwd, ['reset']);
    expect({ code: refused.code, stdout: refused.stdout }).toEqual({ code: 1, stdout: '' });
    expect(refused.stderr).toMatch(/^wotp: This deletes the database .*add --yes\.\n$/);
    expect(existsSync(join(data, 'wotp.wodb'))).toBe(true);

    const { code, stdout } = await wotp(cwd, ['reset', '--yes', '--json']);
    expect(code).toBe(0);
    const { removed } = lastLine(stdout) as { removed: string[] };
    expect(removed).toEqual(
      expect.arrayContaining(
        ['wotp.wodb', 'wotp.wodb-wal', 'wotp.keycheck', ...replaced].map((name) => join(data, name)),
      ),
    );
    expect(readdirSync(data).sort()).toEqual(
      ['backups', 'master.key', 'notes.txt', 'wotp.wodb.lock', 'wotp.wodb.replaced-by-me'].sort(),
    );
    for (const name of others) expect(readFileSync(join(data, name), 'utf8')).toBe('of somebody');

    const server = await serve(cwd);
    expect(server.output()).toContain('First run.');
    expect((await server.stop()).code).toBe(0);
    // Backups are worth nothing without it.
    expect(readFileSync(join(data, 'master.key'), 'utf8')).toBe(masterKey);
  });

  test('is refused while a server runs, which goes on', async () => {
    const cwd = tempFolder();
    const server = await serve(cwd);
    const before = readdirSync(join(cwd, 'data'));
    const { code, stderr } = await wotp(cwd, ['reset', '--yes']);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^wotp: .*Stop it first; nothing was deleted\.\n$/);
    expect(readdirSync(join(cwd, 'data'))).toEqual(before);
    expect((await fetch(`${server.address}/api/v1/health/live`)).status).toBe(200);
    expect((await server.stop()).code).toBe(0);
  });

  test('of a folder that holds nothing says so', async () => {
    const cwd = tempFolder();
    const { code, stdout } = await wotp(cwd, ['reset', '--yes']);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^There was nothing to delete in /);
    expect(readdirSync(cwd)).toEqual([]);
  });
});
