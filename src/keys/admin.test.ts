import crypto from 'node:crypto';
import { syncBuiltinESMExports } from 'node:module';
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { testClock } from '../../test/support/test-clock.ts';
import { openTestDatabase } from '../../test/support/test-database.ts';
import { MASTER_KEY } from '../../test/support/wodb.ts';
import type { Database } from '../database/database.ts';
import { type Keyring, openKeyring } from '../database/keyring.ts';
import { requestCounters } from '../limits/request-counters.ts';
import { adminService } from './admin.ts';
import { hashPassword } from './password.ts';

// The real slow hash, only counted.
const realHash = crypto.scrypt;
const slowHash = vi.spyOn(crypto, 'scrypt');
syncBuiltinESMExports();
afterAll(() => {
  slowHash.mockRestore();
  syncBuiltinESMExports();
});

const RIGHT = 'the right password';
const ADDRESS = '192.0.2.1';
const MINUTE_MS = 60_000;

let opened: Awaited<ReturnType<typeof openTestDatabase>>;
let database: Database;
let keyring: Keyring;
let stored: { key: string; value: string };
let clock: ReturnType<typeof testClock>;
let admin: ReturnType<typeof adminService>;

const newAdmin = (configuredPassword?: string) => {
  const counters = requestCounters(database, clock);
  return adminService({ database, keyring, clock, counters, configuredPassword, failuresMax: 3 });
};

beforeAll(async () => {
  opened = await openTestDatabase();
  database = opened.database;
  clock = testClock();
  keyring = await openKeyring(database, MASTER_KEY, clock);
  await newAdmin().setPassword(RIGHT);
  stored = await database.reader
    .selectFrom('settings')
    .selectAll()
    .where('key', '=', 'admin_password_hash')
    .executeTakeFirstOrThrow();
});
afterAll(() => opened.close());

// The slow hash is made once; each test begins with it, and with nothing in memory.
beforeEach(async () => {
  clock = testClock();
  admin = newAdmin();
  await database.transaction(async (trx) => {
    await trx.deleteFrom('admin_sessions').execute();
    await trx.updateTable('settings').set({ value: stored.value }).where('key', '=', stored.key).execute();
  });
  slowHash.mockClear();
});

describe('the slow hash of the password', () => {
  test('is worked out once for a right one in 5 minutes, and again after them', async () => {
    expect(await admin.checkPassword(RIGHT, ADDRESS)).toBe(true);
    clock.set(clock.now() + 5 * MINUTE_MS - 1);
    expect(await admin.checkPassword(RIGHT, ADDRESS)).toBe(true);
    expect(slowHash).toHaveBeenCalledTimes(1);
    clock.set(clock.now() + 1);
    expect(await admin.checkPassword(RIGHT, ADDRESS)).toBe(true);
    expect(slowHash).toHaveBeenCalledTimes(2);
  });

  test('is worked out once for many right ones at once', async () => {
    const checks = await Promise.all(Array.from({ length: 20 }, () => admin.checkPassword(RIGHT, ADDRESS)));
    expect(checks).toEqual(Array(20).fill(true));
    expect(slowHash).toHaveBeenCalledTimes(1);
  });

  test('is not worked out for an address that has failed too often, whatever it says', async () => {
    for (let i = 0; i < 3; i++) expect(await admin.checkPassword(`wrong ${i}`, ADDRESS)).toBe(false);
    slowHash.mockClear();
    for (const password of ['wrong again', RIGHT]) {
      await expect(async () => admin.checkPassword(password, ADDRESS)).rejects.toMatchObject({
        code: 'RATE_LIMIT_EXCEEDED',
        details: { retryAfterSeconds: 15 * 60 },
      });
    }
    expect(slowHash).not.toHaveBeenCalled();
    expect(await admin.checkPassword(RIGHT, '192.0.2.2')).toBe(true);
  });

  test('is worked out for no more wrong ones at once than may fail', async () => {
    const checks = Array.from({ length: 10 }, (_, i) => admin.checkPassword(`wrong ${i}`, ADDRESS));
    const outcomes = await Promise.allSettled(checks);
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(3);
    expect(slowHash).toHaveBeenCalledTimes(3);
  });

  test('is worked out for a wrong one though a right one is remembered', async () => {
    await admin.checkPassword(RIGHT, ADDRESS);
    expect(await admin.checkPassword('wrong', ADDRESS)).toBe(false);
    expect(slowHash).toHaveBeenCalledTimes(2);
  });
});

describe('a changed password', () => {
  test('takes the place of the old one at once, though that was remembered', async () => {
    await admin.checkPassword(RIGHT, ADDRESS);
    await admin.setPassword('another password');
    expect(await admin.checkPassword(RIGHT, ADDRESS)).toBe(false);
    expect(await admin.checkPassword('another password', ADDRESS)).toBe(true);
  });

  test('leaves nothing of the old one that was being checked meanwhile', async () => {
    const another = await hashPassword('another password');
    slowHash.mockClear();
    let finish = () => {};
    const held = new Promise<void>((resolve) => {
      finish = resolve;
    });
    slowHash.mockImplementationOnce((...hashing) => void held.then(() => realHash(...hashing)));
    const check = admin.checkPassword(RIGHT, ADDRESS);
    await vi.waitFor(() => expect(slowHash).toHaveBeenCalledOnce());
    await database.transaction((trx) => admin.keepPassword(trx, another));
    finish();
    await check;
    expect(await admin.checkPassword(RIGHT, ADDRESS)).toBe(false);
  });

  test('ends every session', async () => {
    const { token } = await database.transaction((trx) => admin.openSession(trx));
    expect(await admin.sessionEnd(token)).toBeDefined();
    await admin.setPassword('another password');
    expect(await admin.sessionEnd(token)).toBeUndefined();
  });
});

describe('a session', () => {
  test('is over once another password is configured', async () => {
    const open = (service: typeof admin) => database.transaction((trx) => service.openSession(trx));
    const generated = await open(newAdmin());
    const { token } = await open(newAdmin('one password'));
    expect(await newAdmin('one password').sessionEnd(token)).toBeDefined();
    expect(await newAdmin('another password').sessionEnd(token)).toBeUndefined();
    expect(await newAdmin('another password').sessionEnd(generated.token)).toBeUndefined();
  });

  const open = () => database.transaction((trx) => admin.openSession(trx));

  test('is 256 random bits, and another one each time', async () => {
    const tokens = (await Promise.all([open(), open(), open()])).map(({ token }) => token);
    expect(new Set(tokens).size).toBe(3);
    for (const token of tokens) expect(Buffer.from(token, 'base64url')).toHaveLength(32);
  });

  test('ends 12 hours after it began at the latest, and says so', async () => {
    const { token, expiresAt } = await open();
    expect(expiresAt).toBe(clock.now() + 12 * 60 * MINUTE_MS);
    expect(await admin.sessionEnd(token)).toBe(expiresAt);
  });

  test('is over after half an hour without use; a use within the last minute need not be written', async () => {
    const { token } = await open();
    clock.set(clock.now() + 29 * MINUTE_MS);
    expect(await admin.sessionEnd(token)).toBeDefined();
    clock.set(clock.now() + 29 * MINUTE_MS);
    expect(await admin.sessionEnd(token)).toBeDefined();
    clock.set(clock.now() + 30 * MINUTE_MS);
    expect(await admin.sessionEnd(token)).toBeUndefined();
  });

  test('that is long over is gone from the database with the next one', async () => {
    await open();
    clock.set(clock.now() + 12 * 60 * MINUTE_MS + 1);
    await open();
    expect(await database.reader.selectFrom('admin_sessions').select('hash').execute()).toHaveLength(1);
  });

  test('is nothing for a token that nobody was given', async () => {
    for (const token of ['', 'x', 'a'.repeat(10_000)]) {
      expect(await admin.sessionEnd(token)).toBeUndefined();
    }
  });
});

describe('the token of the sign-in link', () => {
  test('works once, within 15 minutes, and a newer one ends it', async () => {
    const first = admin.newSignInToken();
    expect(await admin.useSignInToken(first, ADDRESS)).toBe(true);
    expect(await admin.useSignInToken(first, ADDRESS)).toBe(false);
    const second = admin.newSignInToken();
    clock.set(clock.now() + 15 * MINUTE_MS);
    expect(await admin.useSignInToken(second, ADDRESS)).toBe(false);
    const third = admin.newSignInToken();
    const fourth = admin.newSignInToken();
    expect(await admin.useSignInToken(third, '192.0.2.9')).toBe(false);
    expect(await admin.useSignInToken(fourth, '192.0.2.9')).toBe(true);
  });

  test('is guessed at no more often than a password', async () => {
    const token = admin.newSignInToken();
    for (let i = 0; i < 3; i++) await admin.useSignInToken(`wrong ${i}`, ADDRESS);
    await expect(async () => admin.useSignInToken(token, ADDRESS)).rejects.toMatchObject({
      code: 'RATE_LIMIT_EXCEEDED',
    });
    await expect(async () => admin.checkPassword(RIGHT, ADDRESS)).rejects.toMatchObject({
      code: 'RATE_LIMIT_EXCEEDED',
    });
  });
});
