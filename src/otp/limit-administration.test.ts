import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { actorNamed } from '../../test/support/actors.ts';
import { testSettings } from '../../test/support/settings.ts';
import { openTestOutbox, type TestOutbox } from '../../test/support/test-outbox.ts';
import { verificationRow } from '../../test/support/verifications.ts';
import type { FailedCheck } from './guess-budget.ts';
import { limitAdministration } from './limit-administration.ts';
import { type VerificationRow, verificationRepository } from './repository.ts';

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;
const PROJECT = 1;
const ANOTHER = 2;
const PHONE = '+6281234500001';
const STRANGER = '203.0.113.7';

let outbox: TestOutbox;
/** What is locked, in order. */
const locked: string[] = [];
let limits: ReturnType<typeof limitAdministration>;
beforeAll(async () => {
  outbox = await openTestOutbox();
  const database: typeof outbox.database = Object.create(outbox.database, {
    serialize: { value: async (_trx: unknown, key: string) => void locked.push(key) },
  });
  limits = limitAdministration({
    ...outbox,
    database,
    repository: verificationRepository(outbox.database),
    settings: testSettings(),
  });
});
afterAll(() => outbox.close());
beforeEach(async () => {
  locked.length = 0;
  await outbox.clear();
  await outbox.database.transaction((trx) => trx.deleteFrom('verifications').execute());
});

/** Stores a verification of the phone that sent messages and was guessed at so long ago, in ms. */
async function stored(
  { sent, failed = [] }: { sent: number[]; failed?: [ago: number, clientIp: string | null][] },
  given: Partial<VerificationRow> = {},
): Promise<void> {
  const now = outbox.clock.now();
  const row = verificationRow({
    created_at: now - Math.max(...sent),
    project_id: PROJECT,
    phone: PHONE,
    destination: PHONE.slice(1),
    status: 'expired',
    sends: JSON.stringify(sent.map((ago, i) => [now - ago, `msg_${i}`])),
    failed_checks: JSON.stringify(failed.map(([ago, clientIp]): FailedCheck => [now - ago, clientIp])),
    ...given,
  });
  await outbox.database.transaction((trx) => trx.insertInto('verifications').values(row).execute());
}

const guesses = (count: number, clientIp: string | null = null) =>
  Array.from({ length: count }, (_, i): [number, string | null] => [count - i, clientIp]);

const lift = (phone = PHONE) =>
  outbox.database.transaction((trx) => limits.lift(trx, PROJECT, phone, actorNamed('key_of_someone')));

describe('what an administrator sees of a phone', () => {
  test('is that nothing is used where nothing was sent, in any spelling of the number', async () => {
    expect(await limits.show(PROJECT, '0062 812-3450-0001')).toEqual({
      phone: PHONE,
      messagesLast10Minutes: 0,
      messagesLastDay: 0,
      failedChecksLastDay: 0,
      guessesRemaining: 20,
      guessesRemainingUnknownClient: 15,
      nextSendAt: null,
    });
  });

  test('counts messages and failed checks over all its verifications until the window has passed them', async () => {
    await stored({
      sent: [DAY_MS, DAY_MS - 1, 11 * MINUTE_MS],
      failed: [
        [DAY_MS, null],
        [DAY_MS - 1, null],
      ],
    });
    await stored({ sent: [10 * MINUTE_MS, 10 * MINUTE_MS - 1, MINUTE_MS], failed: guesses(2) });
    await stored({ sent: [0] }, { project_id: ANOTHER });
    expect(await limits.show(PROJECT, PHONE)).toMatchObject({
      messagesLast10Minutes: 2,
      messagesLastDay: 5,
      failedChecksLastDay: 3,
      guessesRemaining: 17,
      guessesRemainingUnknownClient: 12,
    });
  });

  test('keeps the guesses of a client that has verified it apart from those that strangers share', async () => {
    for (let i = 0; i < 3; i++) await stored({ sent: [i + 1], failed: guesses(5, `${STRANGER}${i}`) });
    expect(await limits.show(PROJECT, PHONE)).toMatchObject({
      failedChecksLastDay: 15,
      guessesRemaining: 5,
      guessesRemainingUnknownClient: 0,
    });
  });

  test('says when the next code may be sent while something keeps it away, by the pause or by the guesses', async () => {
    const now = outbox.clock.now();
    await stored({ sent: [29_999] });
    expect(await limits.show(PROJECT, PHONE)).toMatchObject({ nextSendAt: now + 1 });
    outbox.clock.set(now + 1);
    expect(await limits.show(PROJECT, PHONE)).toMatchObject({ nextSendAt: null });
    outbox.clock.set(now);
    for (let i = 0; i < 3; i++) await stored({ sent: [60_000], failed: guesses(5) });
    expect(await limits.show(PROJECT, PHONE)).toMatchObject({ nextSendAt: now - 5 + DAY_MS });
  });

  test('is refused for what is no phone number', async () => {
    await expect(limits.show(PROJECT, '12')).rejects.toMatchObject({ code: 'PHONE_INVALID' });
    await expect(lift('12')).rejects.toMatchObject({ code: 'PHONE_INVALID' });
  });
});

describe('lifting the limits of a phone', () => {
  test('forgets its messages and failed checks in this project, and gives the number back in E.164', async () => {
    await stored({ sent: [2, 1], failed: guesses(5) });
    await stored({ sent: [2], failed: guesses(3) });
    await stored({ sent: [2] }, { project_id: ANOTHER });
    expect(await lift('0062 812-3450-0001')).toBe(PHONE);
    expect(await limits.show(PROJECT, PHONE)).toMatchObject({
      messagesLastDay: 0,
      failedChecksLastDay: 0,
      guessesRemaining: 20,
      guessesRemainingUnknownClient: 15,
      nextSendAt: null,
    });
    expect(await limits.show(ANOTHER, PHONE)).toMatchObject({ messagesLastDay: 1 });
  });

  test('is done alone with the phone, and recorded with who did it and the number masked', async () => {
    await lift();
    expect(locked).toEqual([`${PROJECT}:${PHONE.slice(1)}`]);
    const events = await outbox.database.reader.selectFrom('events').selectAll().execute();
    expect(events.map(({ type, project_id, data }) => ({ type, project_id, data }))).toEqual([
      {
        type: 'limits.cleared',
        project_id: PROJECT,
        data: JSON.stringify({ phone: '+*********0001', actor: 'key_of_someone' }),
      },
    ]);
  });
});
