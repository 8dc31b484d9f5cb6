import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openTestOutbox, type TestOutbox } from '../../test/support/test-outbox.ts';
import { verificationRow } from '../../test/support/verifications.ts';
import type { Transaction } from '../database/database.ts';
import { type VerificationEnder, verificationEnder } from './ending.ts';
import { type VerificationRow, verificationRepository } from './repository.ts';

let outbox: TestOutbox;
beforeAll(async () => {
  outbox = await openTestOutbox();
});
afterAll(() => outbox.close());

/** A pending verification with one message in the outbox, and an ender that says what it tells the messages. */
async function pending() {
  const { database, clock, messages } = outbox;
  const repository = verificationRepository(database);
  const messageId = await outbox.enqueue();
  const now = clock.now();
  const fresh = verificationRow({ created_at: now, sends: JSON.stringify([[now, messageId]]) });
  await database.transaction((trx) => repository.insert(trx, fresh));
  const { id } = fresh;
  const read = async () => (await repository.byIdInAnyProject(database.reader, id))!;
  const stops: unknown[] = [];
  const ender = verificationEnder({
    ...outbox,
    repository,
    messages: {
      ...messages,
      stop(trx, ids, end) {
        stops.push([ids, end]);
        return messages.stop(trx, ids, end);
      },
    },
  });
  const row = await read();
  const act = <T>(what: (ender: VerificationEnder, trx: Transaction, row: VerificationRow) => Promise<T>) =>
    database.transaction((trx) => what(ender, trx, row));
  return { id, messageId, read, stops, act };
}

async function eventsOf(id: string) {
  const rows = await outbox.database.reader
    .selectFrom('events')
    .selectAll()
    .where('subject', '=', id)
    .execute();
  return rows.map(({ type, project_id, data }) => ({ type, project_id, data }));
}

test('to verify consumes the code, tells it once, and lets a message that has left arrive', async () => {
  const { id, messageId, read, stops, act } = await pending();
  expect(await act((ender, trx, row) => ender.verify(trx, row, 12_345, '203.0.113.7'))).toBe(true);
  expect(await read()).toMatchObject({
    status: 'verified',
    verified_at: 12_345,
    verified_client_ip: '203.0.113.7',
  });
  expect(await eventsOf(id)).toEqual([{ type: 'otp.verified', project_id: 1, data: null }]);
  expect(stops).toEqual([
    [[messageId], { status: 'canceled', reason: 'verification verified', arrived: true }],
  ]);
});

describe.each([
  ['expired', null, { status: 'expired', reason: 'verification expired' }, 'otp.expired'],
  ['canceled', 'superseded', { status: 'canceled', reason: 'superseded' }, 'otp.canceled'],
  ['canceled', null, { status: 'canceled', reason: 'verification canceled' }, 'otp.canceled'],
  ['failed', 'no such number', { status: 'canceled', reason: 'no such number' }, 'otp.failed'],
  [
    'max_attempts_reached',
    'max_attempts_reached',
    { status: 'canceled', reason: 'max_attempts_reached' },
    'otp.failed',
  ],
] as const)('to end as %s (%s)', (status, reason, told, type) => {
  test('keeps the state and the reason, tells it once, and ends what still waits to be sent', async () => {
    const { id, messageId, read, stops, act } = await pending();
    expect(await act((ender, trx, row) => ender.end(trx, row, status, reason))).toBe(true);
    expect(await read()).toMatchObject({ status, reason, verified_at: null });
    const data = reason === null ? null : JSON.stringify({ reason });
    expect(await eventsOf(id)).toEqual([{ type, project_id: 1, data }]);
    expect(stops).toEqual([[[messageId], { ...told, arrived: false }]]);
    expect((await outbox.row(messageId)).status).toBe(told.status);
  });
});

test('what had ended before is ended no second time, in either way, and nothing is told', async () => {
  const { id, read, stops, act } = await pending();
  await act((ender, trx, row) => ender.end(trx, row, 'canceled', null));
  expect(await act((ender, trx, row) => ender.verify(trx, row, 1, null))).toBe(false);
  expect(await act((ender, trx, row) => ender.end(trx, row, 'expired', null))).toBe(false);
  expect(await read()).toMatchObject({ status: 'canceled', verified_at: null });
  expect(await eventsOf(id)).toHaveLength(1);
  expect(stops).toHaveLength(1);
});

test('a message that was added since the verification was read is ended with it', async () => {
  const { id, messageId, stops, act } = await pending();
  const later = await outbox.enqueue();
  const repository = verificationRepository(outbox.database);
  await act(async (ender, trx, row) => {
    await repository.setSends(
      trx,
      id,
      [
        [1, messageId],
        [2, later],
      ],
      row,
    );
    await ender.end(trx, row, 'canceled', null);
  });
  expect(stops).toMatchObject([[[messageId, later], { status: 'canceled' }]]);
  expect((await outbox.row(later)).status).toBe('canceled');
});
