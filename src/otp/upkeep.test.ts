import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { testSettings } from '../../test/support/settings.ts';
import { openTestOutbox, type TestOutbox } from '../../test/support/test-outbox.ts';
import { verificationRow } from '../../test/support/verifications.ts';
import { newId } from '../lib/id.ts';
import { endAllPending } from './end-all.ts';
import { verificationEnder } from './ending.ts';
import { type VerificationRow, verificationRepository } from './repository.ts';
import { spreadLimits } from './spread-limits.ts';
import { upkeep } from './upkeep.ts';

const HOUR_MS = 60 * 60_000;
const DAY_MS = 24 * HOUR_MS;
const MASTER_KEY = 'a master key of the tests, long enough';

let outbox: TestOutbox;
beforeAll(async () => {
  outbox = await openTestOutbox();
});
afterAll(() => outbox.close());
beforeEach(async () => {
  await outbox.clear();
  await outbox.database.transaction(async (trx) => {
    for (const table of ['verifications', 'recent_sends'] as const) await trx.deleteFrom(table).execute();
  });
});

function work() {
  const repository = verificationRepository(outbox.database);
  const ender = verificationEnder({ ...outbox, repository });
  const spread = spreadLimits({
    ...outbox,
    repository,
    settings: testSettings({ spread: { perClientIp: 30, perPrefix: 20 } }),
  });
  return upkeep({ ...outbox, repository, ender, spread });
}

/** Stores a verification with a message that waits in the outbox; resolves to its id. */
async function stored(given: Partial<VerificationRow> = {}): Promise<string> {
  const now = outbox.clock.now();
  const row = verificationRow({
    created_at: now,
    expires_at: now + 1_000,
    sends: JSON.stringify([[now, await outbox.enqueue()]]),
    ...given,
  });
  await outbox.database.transaction((trx) => trx.insertInto('verifications').values(row).execute());
  return row.id;
}

/** The stored verifications in the order in which they were made, each with its state and its reason. */
async function states(): Promise<unknown[]> {
  const rows = await outbox.database.reader
    .selectFrom('verifications')
    .selectAll()
    .orderBy('created_at')
    .orderBy('id')
    .execute();
  return rows.map(({ status, reason }) => (reason === null ? status : [status, reason]));
}

const messageStates = async () =>
  (await outbox.database.reader.selectFrom('messages').select('status').execute()).map(
    ({ status }) => status,
  );
const endings = async () =>
  (
    await outbox.database.reader
      .selectFrom('events')
      .select('type')
      .where('type', 'like', 'otp.%')
      .orderBy('seq')
      .execute()
  ).map(({ type }) => type);

describe('the sweep of what has expired', () => {
  test('ends a verification at the moment of its expiry, with its message and an event, and no other', async () => {
    await stored();
    await stored({ expires_at: outbox.clock.now() + 1_001 });
    const { expireDue } = work();
    outbox.clock.set(outbox.clock.now() + 999);
    expect(await expireDue(10)).toBe(0);
    expect(await states()).toEqual(['pending', 'pending']);
    outbox.clock.set(outbox.clock.now() + 1);
    expect(await expireDue(10)).toBe(1);
    expect(await states()).toEqual(['expired', 'pending']);
    expect((await messageStates()).sort()).toEqual(['expired', 'queued']);
    expect(await endings()).toEqual(['otp.expired']);
  });

  test('ends as many as it is asked to, and says how many there were', async () => {
    for (let i = 0; i < 5; i++) await stored();
    outbox.clock.set(outbox.clock.now() + 1_000);
    const { expireDue } = work();
    expect([await expireDue(2), await expireDue(2), await expireDue(2), await expireDue(2)]).toEqual([
      2, 2, 1, 0,
    ]);
  });

  test('opens no transaction where nothing has expired', async () => {
    await stored();
    const begun: unknown[] = [];
    const database: typeof outbox.database = Object.create(outbox.database, {
      transaction: { value: (...of: unknown[]) => begun.push(of) },
    });
    const repository = verificationRepository(outbox.database);
    const ender = verificationEnder({ ...outbox, repository });
    const spread = spreadLimits({
      ...outbox,
      repository,
      settings: testSettings({ spread: { perClientIp: 0, perPrefix: 0 } }),
    });
    expect(await upkeep({ ...outbox, database, repository, ender, spread }).expireDue(10)).toBe(0);
    expect(begun).toEqual([]);
  });
});

describe('at the start, a clock that was set back', () => {
  test('behind the last change ends every pending verification, however many and however long they had', async () => {
    const now = outbox.clock.now();
    const rows = Array.from({ length: 1_001 }, () =>
      verificationRow({ created_at: now, sends: '[]', expires_at: now + HOUR_MS }),
    );
    await outbox.database.transaction(async (trx) => {
      for (let at = 0; at < rows.length; at += 200)
        await trx
          .insertInto('verifications')
          .values(rows.slice(at, at + 200))
          .execute();
    });
    await stored();
    outbox.clock.set(now - 1);
    expect(await work().expireIfClockWasSetBack()).toBe(true);
    expect(new Set(await states())).toEqual(new Set(['expired']));
    expect(await messageStates()).toEqual(['expired']);
  });

  test('no further than the last change ends nothing', async () => {
    await stored();
    expect(await work().expireIfClockWasSetBack()).toBe(false);
    expect(await states()).toEqual(['pending']);
  });
});

describe('what is kept no longer', () => {
  const forget = (time: number, limit = 100) =>
    outbox.database.transaction((trx) => work().forgetEnded(trx, { except: [] }, time, limit));

  test('goes when it has ended and began before the time, the oldest first, and its messages are named', async () => {
    const begin = outbox.clock.now();
    const messages: string[][] = [];
    for (let i = 0; i < 3; i++) {
      const ids = [newId('msg', begin + i), newId('msg', begin + i)];
      messages.push(ids);
      const created_at = begin + i;
      const sends = JSON.stringify(ids.map((id) => [created_at, id]));
      await stored({ id: newId('ver', created_at), created_at, sends, status: 'canceled' });
    }
    await stored({ id: newId('ver', begin - 1), created_at: begin - 1 });
    outbox.clock.set(begin + 30 * DAY_MS);
    expect(await forget(begin + 2, 1)).toEqual({ count: 1, messageIds: messages[0] });
    expect(await forget(begin + 2)).toEqual({ count: 1, messageIds: messages[1] });
    expect(await forget(begin + 2)).toEqual({ count: 0, messageIds: [] });
    expect(await states()).toEqual(['pending', 'canceled']);
  });

  test('stays for a day and an hour, since limits and guesses are counted from it', async () => {
    const begin = outbox.clock.now();
    await stored({ status: 'expired' });
    outbox.clock.set(begin + 25 * HOUR_MS);
    expect((await forget(begin + DAY_MS)).count).toBe(0);
    outbox.clock.set(begin + 25 * HOUR_MS + 1);
    expect((await forget(begin + DAY_MS)).count).toBe(1);
  });

  test('of the recent sends goes as soon as no window can hold it: in the second hour after', async () => {
    const hour = Math.floor(outbox.clock.now() / HOUR_MS);
    await outbox.database.transaction((trx) =>
      trx
        .insertInto('recent_sends')
        .values([0, 1, 2, 3].map((ago) => ({ key: `k${ago}`, verifications: '[]', used_hour: hour - ago })))
        .execute(),
    );
    const { forgetRecentSends } = work();
    const forgotten = (limit: number) => outbox.database.transaction((trx) => forgetRecentSends(trx, limit));
    expect([await forgotten(1), await forgotten(10), await forgotten(10)]).toEqual([1, 1, 0]);
    const left = await outbox.database.reader
      .selectFrom('recent_sends')
      .select('key')
      .orderBy('key')
      .execute();
    expect(left).toEqual([{ key: 'k0' }, { key: 'k1' }]);
  });
});

describe('ending all that is pending in a database without a server', () => {
  const REASON = 'the database was restored';
  const endAll = (now = outbox.clock.now()) =>
    endAllPending(outbox.database, { masterKey: MASTER_KEY, now, reason: REASON });

  test('cancels what could still be used, and what is over at that moment has expired', async () => {
    const now = outbox.clock.now();
    await stored({ expires_at: now });
    await stored({ expires_at: now + 1 });
    await stored({ status: 'failed' });
    expect(await endAll()).toBe(1);
    expect(await states()).toEqual(['expired', ['canceled', REASON], 'failed']);
    expect((await messageStates()).sort()).toEqual(['canceled', 'expired', 'queued']);
    expect((await endings()).sort()).toEqual(['otp.canceled', 'otp.expired']);
  });

  test('tells it at the time that was given', async () => {
    await stored();
    const then = outbox.clock.now() + 500;
    await endAll(then);
    const events = await outbox.database.reader
      .selectFrom('events')
      .select('at')
      .where('type', '=', 'otp.canceled')
      .execute();
    expect(events).toEqual([{ at: then }]);
  });

  test('ends all of them, however many, and none where there is none', async () => {
    const now = outbox.clock.now();
    const rows = Array.from({ length: 501 }, () => verificationRow({ created_at: now, sends: '[]' }));
    await outbox.database.transaction(async (trx) => {
      for (let at = 0; at < rows.length; at += 200)
        await trx
          .insertInto('verifications')
          .values(rows.slice(at, at + 200))
          .execute();
    });
    expect(await endAll()).toBe(501);
    expect(await endAll()).toBe(0);
  });
});
