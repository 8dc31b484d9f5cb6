import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { ensureBuilt } from '../../bench/ensure-built.js';
import { endCommands, serve, wotp } from '../support/command-line.ts';
import { tempFolder } from '../support/temp-folder.ts';

vi.setConfig({ testTimeout: 60_000 });

beforeAll(ensureBuilt, 120_000);
afterAll(endCommands);

/** The object in the last line that was printed. */
function lastLine(stdout: string): Record<string, unknown> {
  return JSON.parse(stdout.trimEnd().split('\n').at(-1)!);
}

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
    expect(refused.stderr).toMatch(/^wotp: The database holds verifications already.* --yes\.\n$/);
    const beside = await wotp(cwd, ['seed', '--count', '30', '--yes']);
    expect(beside.code).toBe(0);
    expect(beside.stdout).toMatch(/^Made 30 verifications with \d+ messages and \d+ events\.\n$/);
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
    expect(stderr).toMatch(/^wotp: Invented data has no place in production/);
    expect(readdirSync(cwd)).toEqual([]);
  });
});

describe('reset', () => {
  test('deletes the database and nothing it does not know, and the next start is a first run', async () => {
    const cwd = tempFolder();
    const data = join(cwd, 'data');
    expect((await wotp(cwd, ['seed', '--count', '10'])).code).toBe(0);
    mkdirSync(join(data, 'backups'));
    const others = ['backups/wotp-20260101-000000.wodb', 'notes.txt', 'wotp.wodb.replaced-20260101-000000'];
    for (const name of others) writeFileSync(join(data, name), 'of somebody');
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
      expect.arrayContaining(['wotp.wodb', 'wotp.wodb-wal', 'wotp.keycheck'].map((name) => join(data, name))),
    );
    expect(readdirSync(data).sort()).toEqual(
      ['backups', 'master.key', 'notes.txt', 'wotp.wodb.lock', 'wotp.wodb.replaced-20260101-000000'].sort(),
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
