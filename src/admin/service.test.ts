import crypto from 'node:crypto';
import { syncBuiltinESMExports } from 'node:module';
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { testClock } from '../../test/support/test-clock.ts';
import { openTestDatabase } from '../../test/support/test-database.ts';
import { MASTER_KEY } from '../../test/support/wodb.ts';
import type { Database } from '../database/database.ts';
import { type Keyring, openKeyring } from '../database/keyring.ts';
import { requestCounters } from '../limits/request-counters.ts';
import { hashPassword } from './password.ts';
import { adminService } from './service.ts';

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
/** The addresses of which a wrong try was recorded. */
let wrong: string[];

const newAdmin = (configuredPassword?: string) => {
  const counters = requestCounters(database, clock);
  return adminService({
    database,
    keyring,
    clock,
    counters,
    configuredPassword,
    failuresMax: 3,
    onWrong: async (address) => void wrong.push(address),
  });
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
  wrong = [];
  admin = newAdmin();
  await database.transaction(async (trx) => {
    await trx.deleteFrom('admin_addresses').execute();
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
    const { token } = await database.transaction((trx) => admin.sessions.open(trx));
    expect(await admin.sessions.endOf(token)).toBeDefined();
    await admin.setPassword('another password');
    expect(await admin.sessions.endOf(token)).toBeUndefined();
  });
});

describe('a session', () => {
  test('is over once another password is configured', async () => {
    const open = (service: typeof admin) => database.transaction((trx) => service.sessions.open(trx));
    const generated = await open(newAdmin());
    const { token } = await open(newAdmin('one password'));
    expect(await newAdmin('one password').sessions.endOf(token)).toBeDefined();
    expect(await newAdmin('another password').sessions.endOf(token)).toBeUndefined();
    expect(await newAdmin('another password').sessions.endOf(generated.token)).toBeUndefined();
  });

  const open = () => database.transaction((trx) => admin.sessions.open(trx));

  test('is 256 random bits, and another one each time', async () => {
    const tokens = (await Promise.all([open(), open(), open()])).map(({ token }) => token);
    expect(new Set(tokens).size).toBe(3);
    for (const token of tokens) expect(Buffer.from(token, 'base64url')).toHaveLength(32);
  });

  test('ends 12 hours after it began at the latest, and says so', async () => {
    const { token, expiresAt } = await open();
    expect(expiresAt).toBe(clock.now() + 12 * 60 * MINUTE_MS);
    expect(await admin.sessions.endOf(token)).toBe(expiresAt);
  });

  test('is over after half an hour without use; a use within the last minute need not be written', async () => {
    const { token } = await open();
    clock.set(clock.now() + 29 * MINUTE_MS);
    expect(await admin.sessions.endOf(token)).toBeDefined();
    clock.set(clock.now() + 29 * MINUTE_MS);
    expect(await admin.sessions.endOf(token)).toBeDefined();
    clock.set(clock.now() + 30 * MINUTE_MS);
    expect(await admin.sessions.endOf(token)).toBeUndefined();
  });

  test('that is long over is gone from the database with the next one', async () => {
    await open();
    clock.set(clock.now() + 12 * 60 * MINUTE_MS + 1);
    await open();
    expect(await database.reader.selectFrom('admin_sessions').select('hash').execute()).toHaveLength(1);
  });

  test('is nothing for a token that nobody was given', async () => {
    for (const token of ['', 'x', 'a'.repeat(10_000)]) {
      expect(await admin.sessions.endOf(token)).toBeUndefined();
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

  test('signs in though the address has used up its wrong passwords, and costs no password when it is wrong', async () => {
    const token = admin.newSignInToken();
    for (let i = 0; i < 5; i++) expect(await admin.useSignInToken(`wrong ${i}`, ADDRESS)).toBe(false);
    expect(await admin.checkPassword(RIGHT, ADDRESS)).toBe(true);
    for (let i = 0; i < 3; i++) await admin.checkPassword(`wrong ${i}`, ADDRESS);
    await expect(admin.checkPassword(RIGHT, ADDRESS)).rejects.toMatchObject({ code: 'RATE_LIMIT_EXCEEDED' });
    expect(await admin.useSignInToken(token, ADDRESS)).toBe(true);
    expect(wrong).toHaveLength(8);
  });

  test('is refused after a hundred wrong ones from an address, which are recorded no more, but never the right one', async () => {
    const token = admin.newSignInToken();
    for (let i = 0; i < 100; i++) await admin.useSignInToken(`wrong ${i}`, ADDRESS);
    const before = wrong.length;
    const refused = admin.useSignInToken('one more', ADDRESS);
    await expect(refused).rejects.toMatchObject({ code: 'RATE_LIMIT_EXCEEDED' });
    expect(wrong).toHaveLength(before);
    expect(await admin.useSignInToken(token, ADDRESS)).toBe(true);
  });
});

describe('wrong passwords', () => {
  const QUICK = 'a configured password';
  const guess = (service: typeof admin, from: string, password = 'wrong') =>
    service.checkPassword(password, from).then(
      (right) => (right ? 'right' : 'wrong'),
      (error: { code: string }) => error.code,
    );
  /** Uses up 3 guesses each of addresses that nobody has signed in from. */
  async function guessFrom(service: typeof admin, addresses: readonly string[]): Promise<Set<string>> {
    const outcomes = addresses.flatMap((from) => [1, 2, 3].map((n) => guess(service, from, `wrong ${n}`)));
    return new Set(await Promise.all(outcomes));
  }
  const addresses = (count: number, first = 0) =>
    Array.from({ length: count }, (_, i) => `10.${first}.${i >> 8}.${i & 255}`);

  test('from an IPv6 network of 48 bits are five times as many as from one address at most', async () => {
    const service = newAdmin(QUICK);
    const networks = Array.from({ length: 5 }, (_, i) => `2001:db8:7:${i}::/64`);
    expect(await guessFrom(service, networks)).toEqual(new Set(['wrong']));
    expect(await guess(service, '2001:db8:7:ff::/64', QUICK)).toBe('RATE_LIMIT_EXCEEDED');
    expect(await guess(service, '2001:db8:8:ff::/64', QUICK)).toBe('right');
  });

  test('from all addresses together are a thousand an hour, and from then on the right one waits as well', async () => {
    const service = newAdmin(QUICK);
    expect(await guessFrom(service, addresses(333))).toEqual(new Set(['wrong']));
    expect(await guess(service, '192.0.2.7')).toBe('wrong');
    expect(await guess(service, '192.0.2.8', QUICK)).toBe('RATE_LIMIT_EXCEEDED');
    clock.set(clock.now() + 60 * MINUTE_MS);
    expect(await guess(service, '192.0.2.8', QUICK)).toBe('right');
  });

  test('of strangers keep nobody out who signed in from the same address within 30 days', async () => {
    const service = newAdmin(QUICK);
    expect(await guess(service, ADDRESS, QUICK)).toBe('right');
    expect(await service.useSignInToken(service.newSignInToken(), '192.0.2.2')).toBe(true);
    clock.set(clock.now() + 30 * 24 * 60 * MINUTE_MS - 1);
    await guessFrom(service, addresses(334));
    expect(await guess(service, '192.0.2.3', QUICK)).toBe('RATE_LIMIT_EXCEEDED');
    expect(await guess(service, ADDRESS)).toBe('wrong');
    expect(await guess(service, ADDRESS, QUICK)).toBe('right');
    expect(await guess(service, '192.0.2.2', QUICK)).toBe('right');
    clock.set(clock.now() + 60 * MINUTE_MS + 30 * 24 * 60 * MINUTE_MS);
    await guessFrom(service, addresses(334, 1));
    expect(await guess(service, ADDRESS, QUICK)).toBe('RATE_LIMIT_EXCEEDED');
  });

  test('are three from an address that has signed in as well', async () => {
    const service = newAdmin(QUICK);
    expect(await guess(service, ADDRESS, QUICK)).toBe('right');
    expect(await guessFrom(service, [ADDRESS])).toEqual(new Set(['wrong']));
    expect(await guess(service, ADDRESS, QUICK)).toBe('RATE_LIMIT_EXCEEDED');
  });

  test('that come at once and are the same share one comparison, one count and one record', async () => {
    const outcomes = await Promise.all(Array.from({ length: 20 }, () => guess(admin, ADDRESS)));
    expect(new Set(outcomes)).toEqual(new Set(['wrong']));
    expect(slowHash).toHaveBeenCalledTimes(1);
    expect(wrong).toEqual([ADDRESS]);
    expect(await guess(admin, ADDRESS, RIGHT)).toBe('right');
  });

  test('over the control socket are not counted', async () => {
    const service = newAdmin(QUICK);
    for (let i = 0; i < 20; i++) expect(await service.checkLocalPassword('wrong')).toBe(false);
    expect(await service.checkLocalPassword(QUICK)).toBe(true);
  });
});

describe('a ticket', () => {
  const open = () => database.transaction((trx) => admin.sessions.open(trx));

  test('is good once, for 30 seconds, and for its own session', async () => {
    const { token } = await open();
    const { token: another } = await open();
    const { ticket, expiresAt } = admin.sessions.newTicket(token);
    expect(expiresAt).toBe(clock.now() + 30_000);
    expect(await admin.sessions.useTicket(another, ticket)).toBe(false);
    const uses = await Promise.all([1, 2, 3].map(() => admin.sessions.useTicket(token, ticket)));
    expect(uses.filter(Boolean)).toHaveLength(1);
    const late = admin.sessions.newTicket(token).ticket;
    clock.set(clock.now() + 30_000);
    expect(await admin.sessions.useTicket(token, late)).toBe(false);
  });

  test.each(['', '.', '..', 'a.b.c', `${'a'.repeat(10_000)}`])('is not %j', async (ticket) => {
    const { token } = await open();
    expect(await admin.sessions.useTicket(token, ticket)).toBe(false);
  });

  test('whose time was changed is none', async () => {
    const { token } = await open();
    const [nonce, expiresAt, mac] = admin.sessions.newTicket(token).ticket.split('.');
    expect(await admin.sessions.useTicket(token, `${nonce}.${Number(expiresAt) + 1}.${mac}`)).toBe(false);
  });
});
