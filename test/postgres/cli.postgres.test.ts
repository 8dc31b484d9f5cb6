import { afterEach, beforeAll, expect, test } from 'vitest';
import { ensureBuilt } from '../support/child.ts';
import { endCommands, serve, wotp } from '../support/command-line.ts';
import { createPostgres } from '../support/postgres.ts';
import { tempFolder } from '../support/temp-folder.ts';

const KEY = { DB_MASTER_KEY: 'a master key of the tests, long enough' };

beforeAll(ensureBuilt);
afterEach(endCommands);

test('commands work on PostgreSQL with and without a running server, and each server has a folder of its own', async () => {
  const postgres = await createPostgres({ empty: true });
  const settings = { ...KEY, DATABASE_URL: postgres.url };
  const dir = tempFolder();
  const created = await wotp(dir, ['token', 'create', '--permissions', 'otp:read', '--json'], settings);
  expect(created.stderr).toBe('');
  const { id, key } = JSON.parse(created.stdout);

  const server = await serve(dir, settings);
  const read = () => fetch(`${server.address}/api/v1/otp`, { headers: { authorization: `Bearer ${key}` } });
  expect((await read()).status).toBe(200);
  const second = await wotp(dir, ['serve'], { ...settings, PORT: '0' });
  expect(second.code).toBe(1);
  expect(second.stderr).toMatch(/Another WOTP process uses this data folder.*DATA_DIR of its own/);
  const revoked = await wotp(dir, ['token', 'revoke', id], settings);
  expect(revoked.code).toBe(0);
  expect((await read()).status).toBe(401);
  // From another machine: no socket there, the same database.
  const elsewhere = await wotp(tempFolder(), ['token', 'list', '--json'], settings);
  expect(JSON.parse(elsewhere.stdout).keys).toHaveLength(1);
  expect(await server.stop()).toMatchObject({ code: 0 });
  await postgres.drop();
});

test('what is wrong with DATABASE_URL is said in a line, without its password', async () => {
  const dir = tempFolder();
  const DATABASE_URL = 'postgres://wotp:a-secret-password@127.0.0.1:1/wotp';
  const withoutKey = await wotp(dir, ['serve'], { DATABASE_URL });
  expect(withoutKey.code).toBe(1);
  expect(withoutKey.stderr).toMatch(/DB_MASTER_KEY: given nothing; .*PostgreSQL \(DATABASE_URL\) needs one/);
  const withoutServer = await wotp(dir, ['serve'], { ...KEY, DATABASE_URL });
  expect(withoutServer.code).toBe(1);
  expect(withoutServer.stderr).toMatch(
    /^wotp: PostgreSQL at 127\.0\.0\.1:1\/wotp cannot be used: .*ECONNREFUSED/,
  );
  for (const url of ['mysql://wotp@host/wotp', 'postgres://host', 'a-secret-password']) {
    const wrong = await wotp(dir, ['serve'], { ...KEY, DATABASE_URL: url });
    expect(wrong.stderr).toContain('DATABASE_URL: given ***; allowed: an address such as postgres://');
  }
  expect(withoutKey.stderr + withoutServer.stderr).not.toContain('a-secret-password');
});

test('commands that look after the database file name the tools of PostgreSQL that serve instead', async () => {
  const postgres = await createPostgres({ empty: true });
  const settings = { ...KEY, DATABASE_URL: postgres.url };
  const dir = tempFolder();
  for (const [line, tool] of [
    ['backup', 'pg_dump'],
    ['restore some.wodb --yes', 'pg_restore'],
    ['compact', 'vacuumdb'],
    ['verify', 'pg_amcheck'],
    ['reset --yes', 'dropdb'],
    ['master-key rotate --yes', 'disk'],
  ] as const) {
    const { code, stderr } = await wotp(dir, line.split(' '), settings);
    expect({ line, code, stderr }).toEqual({ line, code: 1, stderr: expect.stringContaining(tool) });
  }
  const pending = JSON.parse((await wotp(dir, ['migrate', '--status', '--json'], settings)).stdout);
  expect(pending.engine).toBe('postgres');
  expect(pending.migrations[0]).toEqual({ number: 1, name: '0001-initial', appliedAt: null });
  const applied = JSON.parse((await wotp(dir, ['migrate', '--json'], settings)).stdout);
  expect(applied).toEqual({ applied: expect.arrayContaining(['0001-initial']), backup: null });
  await postgres.drop();
});
