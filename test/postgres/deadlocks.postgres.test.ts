import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startTestApp, type TestApp } from '../support/test-app.ts';
import { newPhone, QUICK_ADMIN, verificationsOf } from '../support/verifications.ts';

const ROUNDS = 1_000;

let server: TestApp;
let otp: ReturnType<typeof verificationsOf>;
beforeAll(async () => {
  server = await startTestApp({ env: { ...QUICK_ADMIN, SENDS_PER_PREFIX: '0', OTP_RESEND_SECONDS: '0' } });
  otp = verificationsOf(server);
});
afterAll(() => server.stop());

/** How many deadlocks PostgreSQL has counted in this database. */
async function deadlocks(): Promise<number> {
  const { rows } = await sql<{
    deadlocks: string;
  }>`select pg_stat_clear_snapshot(), deadlocks from pg_stat_database
    where datname = current_database()`.execute(server.app.database.reader);
  return Number(rows[0]!.deadlocks);
}

test('a try that fails for good and a check of the same phone never wait for each other', async () => {
  const { app } = server;
  const before = await deadlocks();
  for (let round = 0; round < ROUNDS; round++) {
    const { id } = await otp.sent({ phone: newPhone(), code: '481516', message: 'Code {{code}}' });
    const [claimed] = await app.messages.claimDue('simulator', 1);
    // Both begin in the same moment, on two connections.
    const [, checked] = await Promise.all([
      app.messages.markTryFailed(claimed!, 'permanent', 'gone'),
      otp.check({ id, code: round % 2 === 0 ? '481516' : '000000' }),
    ]);
    expect([200, 404, 422], checked.text).toContain(checked.status);
    const { status } = (await otp.read(id)).body.data;
    expect(status).toBe(checked.status === 200 ? 'verified' : 'failed');
  }
  expect(await deadlocks()).toBe(before);
}, 180_000);
