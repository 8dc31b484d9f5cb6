import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openTestOutbox, type TestOutbox } from '../../test/support/test-outbox.ts';
import { newPhone, verificationRow } from '../../test/support/verifications.ts';
import { openVerifications } from './open-verifications.ts';
import type { VerificationRow } from './repository.ts';
import { VERIFICATION_STATUSES } from './types.ts';

let outbox: TestOutbox;
let now: number;
beforeAll(async () => {
  outbox = await openTestOutbox();
  now = outbox.clock.now();
});
afterAll(() => outbox.close());

async function stored(given: Partial<VerificationRow> = {}): Promise<VerificationRow> {
  const row = verificationRow({ created_at: now, ...given });
  await outbox.database.transaction((trx) => trx.insertInto('verifications').values(row).execute());
  return row;
}

describe('the phone of a verification', () => {
  test.each([
    ['check', ['pending', 'expired', 'max_attempts_reached']],
    ['resend', ['pending', 'expired']],
    ['cancel', ['pending', 'expired', 'canceled']],
  ] as const)('is found for a %s where it is %j, and for no other', async (request, open) => {
    const { openDestination } = openVerifications(outbox.database);
    for (const status of VERIFICATION_STATUSES) {
      const { id, destination } = await stored({ status });
      const found = (projectId: number, since: number) =>
        openDestination(outbox.database.reader, request, { projectId, id, since });
      const isOpen = (open as readonly string[]).includes(status);
      expect(await found(1, now), status).toBe(isOpen ? destination : undefined);
      expect(await found(1, -1), status).toBe(isOpen ? destination : undefined);
      expect(await found(1, now + 1), status).toBeUndefined();
      expect(await found(2, now), status).toBeUndefined();
    }
  });
});

describe('the verifications of a phone', () => {
  const of = (destination: string, since = now - 1_000, purpose = 'default') =>
    openVerifications(outbox.database).ofOpenDestination(outbox.database.reader, {
      projectId: 1,
      destination,
      purpose,
      since,
    });
  const ids = async (...asked: Parameters<typeof of>) => (await of(...asked)).map(({ id }) => id);

  test('are found, oldest first, for every purpose, where the newest of the one asked for is open for a check', async () => {
    const phone = newPhone();
    const older = await stored({ phone, created_at: now - 2, status: 'canceled' });
    const other = await stored({ phone, created_at: now - 1, purpose: 'login', status: 'failed' });
    const newest = await stored({ phone });
    await stored({ phone, project_id: 2 });
    await stored();
    expect(await ids(phone.slice(1))).toEqual([older.id, other.id, newest.id]);
    expect(await ids(phone.slice(1), now)).toEqual([newest.id]);
    expect(await ids(phone.slice(1), now - 1_000, 'login')).toEqual([]);
    expect(await ids(phone.slice(1), now - 1_000, 'another')).toEqual([]);
  });

  test('are none where the newest began before the time that is looked at', async () => {
    const { destination } = await stored();
    expect(await of(destination, now + 1)).toEqual([]);
  });
});
