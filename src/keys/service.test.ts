import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { breakTable } from '../../test/support/obstacles.ts';
import { testSettings } from '../../test/support/settings.ts';
import { testClock } from '../../test/support/test-clock.ts';
import { openTestDatabase } from '../../test/support/test-database.ts';
import { MASTER_KEY } from '../../test/support/wodb.ts';
import type { Database } from '../database/database.ts';
import { type Keyring, openKeyring } from '../database/keyring.ts';
import { eventRecorder } from '../events/record.ts';
import { newId } from '../lib/id.ts';
import { keyService } from './service.ts';

const clock = testClock();
const ANYBODY = { by: { name: 'test', address: 'local' }, grants: ['*'] as const };

let opened: Awaited<ReturnType<typeof openTestDatabase>>;
let database: Database;
let keyring: Keyring;
let keys: ReturnType<typeof keyService>;
const projectId = 2;
beforeEach(async () => {
  opened = await openTestDatabase();
  database = opened.database;
  keyring = await openKeyring(database, MASTER_KEY, clock);
  keys = keyService({
    database,
    clock,
    events: eventRecorder(database, clock, keyring),
    settings: testSettings(),
  });
  const project = { id: newId('prj', clock.now()), number: projectId, name: 'Test', created_at: clock.now() };
  await database.transaction((trx) => trx.insertInto('projects').values(project).execute());
});
afterEach(() => opened.close());

const create = (wanted: Partial<Parameters<typeof keys.create>[1]> = {}) =>
  database.transaction((trx) =>
    keys.create(trx, { projectId, name: 'test', permissions: ['otp:send'], ...wanted }, ANYBODY),
  );
const usesOf = async (id: string) => {
  const { keys: listed } = await keys.list(projectId, { limit: 200 });
  return listed.find((key) => key.id === id)?.usageCount;
};

describe('a key', () => {
  test('is 256 random bits behind its prefix, found by its hash, and told by its last 8 characters', async () => {
    const made = await create();
    expect(made.key).toMatch(/^wotp_[0-9a-f]{64}$/);
    expect(made.keyPreview).toBe(`wotp_...${made.key.slice(-8)}`);
    expect(await keys.authenticate(made.key)).toMatchObject({ id: made.id, projectId });
    const [row] = await database.reader.selectFrom('api_keys').selectAll().execute();
    expect(JSON.stringify(row)).not.toContain(made.key.slice(5, -8));
  });

  test('names each permission once, in the order given', async () => {
    const made = await create({ permissions: ['otp:verify', 'otp:send', 'otp:verify'] });
    expect(made.permissions).toEqual(['otp:verify', 'otp:send']);
  });

  test.each(['', 'wotp_', 'Bearer', '\n', '%', 'ü'])(
    'is not found by %j before or after it',
    async (extra) => {
      const { key } = await create();
      expect(await keys.authenticate(key + extra)).toEqual(extra === '' ? expect.anything() : undefined);
      if (extra) expect(await keys.authenticate(extra + key)).toBeUndefined();
    },
  );

  test('ends at its time, also when it was used a moment before', async () => {
    const { key } = await create({ expiresAt: clock.now() + 1_000 });
    expect(await keys.authenticate(key)).toBeDefined();
    clock.set(clock.now() + 999);
    expect(await keys.authenticate(key)).toBeDefined();
    clock.set(clock.now() + 1);
    expect(await keys.authenticate(key)).toBeUndefined();
  });

  test('is refused from the moment that its revocation has been answered', async () => {
    const { id, key } = await create();
    expect(await keys.authenticate(key)).toBeDefined();
    await keys.revoke(projectId, id, ANYBODY);
    expect(await keys.authenticate(key)).toBeUndefined();
  });

  test('goes on working when its revocation could not be written', async () => {
    const { id, key } = await create();
    const repair = await breakTable(database, 'insert', 'events', 'no event');
    await expect(keys.revoke(projectId, id, ANYBODY)).rejects.toThrow('no event');
    await repair();
    expect(await keys.authenticate(key)).toBeDefined();
    expect(await usesOf(id)).toBe(0);
  });

  test('of another project cannot be revoked, and stays', async () => {
    const { id, key } = await create();
    const elsewhere = projectId + 1;
    await expect(keys.revoke(elsewhere, id, ANYBODY)).rejects.toMatchObject({ code: 'RESOURCE_NOT_FOUND' });
    expect(await keys.authenticate(key)).toBeDefined();
  });
});

describe('the uses of a key', () => {
  test('are known at once and written in one row however many there were', async () => {
    const { id } = await create();
    for (let i = 0; i < 1_000; i++) keys.countUse(id);
    expect(await usesOf(id)).toBe(1_000);
    await keys.flushUsage();
    expect(await usesOf(id)).toBe(1_000);
    for (let i = 0; i < 5; i++) keys.countUse(id);
    await keys.flushUsage();
    await keys.flushUsage();
    expect(await usesOf(id)).toBe(1_005);
    const reopened = keyService({
      database,
      clock,
      events: eventRecorder(database, clock, keyring),
      settings: testSettings(),
    });
    const { keys: listed } = await reopened.list(projectId, { limit: 1 });
    expect(listed[0]).toMatchObject({ usageCount: 1_005, lastUsed: clock.now() });
  });

  test('are not lost when they cannot be written', async () => {
    const { id } = await create();
    keys.countUse(id);
    const repair = await breakTable(database, 'update', 'api_keys', 'no');
    await expect(keys.flushUsage()).rejects.toThrow();
    await repair();
    keys.countUse(id);
    await keys.flushUsage();
    expect(await usesOf(id)).toBe(2);
  });

  test('that come while others are being written are neither lost nor counted twice', async () => {
    const made = await Promise.all([create(), create(), create()]);
    const ids = made.map(({ id }) => id);
    for (const id of ids) keys.countUse(id);
    const flushing = keys.flushUsage();
    for (let turn = 0; turn < 50; turn++) {
      for (const id of ids) keys.countUse(id);
      await Promise.resolve();
    }
    await flushing;
    for (const id of ids) keys.countUse(id);
    await keys.flushUsage();
    expect(await Promise.all(ids.map(usesOf))).toEqual([52, 52, 52]);
  });
});
