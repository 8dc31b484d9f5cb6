import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { testSettings } from '../../test/support/settings.ts';
import { openTestOutbox, type TestOutbox } from '../../test/support/test-outbox.ts';
import { mockRouting } from '../../test/support/test-routing.ts';
import { codeCheck } from './check.ts';
import { codeSecrets } from './code-secrets.ts';
import { verificationEnder } from './ending.ts';
import { type VerificationRepository, verificationRepository } from './repository.ts';
import { otpService } from './service.ts';

const CODE = '481516';
const settings = testSettings();

let outbox: TestOutbox;
let phonesMade = 0;
beforeAll(async () => {
  outbox = await openTestOutbox();
});
afterAll(() => outbox.close());

/** Sends a code to a phone of its own; resolves to the verification's id. */
async function sent(): Promise<string> {
  const otp = otpService({
    ...outbox,
    settings,
    routing: mockRouting(),
    isOptedOut: async () => false,
    testCodeFor: () => undefined,
  });
  const phone = `+62812345${String(10_000 + phonesMade++)}`;
  const { verification } = await outbox.database.transaction((trx) =>
    otp.send(trx, { projectId: 1, phone, purpose: 'default', channel: 'auto', code: CODE }),
  );
  return verification.id;
}

/** Checks codes on a node whose queries another node gets in between of. */
function checkingWith(interfere: (repository: VerificationRepository) => Partial<VerificationRepository>) {
  const real = verificationRepository(outbox.database);
  const repository = { ...real, ...interfere(real) };
  return codeCheck({
    ...outbox,
    repository,
    ender: verificationEnder({ ...outbox, repository }),
    secrets: codeSecrets(outbox.keyring),
    settings,
  });
}

const row = (id: string) =>
  outbox.database.reader
    .selectFrom('verifications')
    .selectAll()
    .where('id', '=', id)
    .executeTakeFirstOrThrow();

describe('a check that another node gets ahead of', () => {
  test.each([CODE, '000000'])(
    'after the verification was read verifies nothing and counts nothing (%s)',
    async (code) => {
      const id = await sent();
      const check = checkingWith((real) => ({
        async ofDestination(executor, ...rest) {
          const rows = await real.ofDestination(executor, ...rest);
          await real.end(executor, { id, status: 'canceled', reason: 'elsewhere' });
          return rows;
        },
      }));
      await expect(check({ projectId: 1, id, code })).rejects.toMatchObject({
        code: 'OTP_NOT_FOUND',
      });
      const { status, attempts, failed_checks } = await row(id);
      expect([status, attempts, JSON.parse(failed_checks)]).toEqual(['canceled', 0, []]);
    },
  );

  test('at the very last moment does not verify: a code is consumed once', async () => {
    const id = await sent();
    const check = checkingWith((real) => ({
      async consume(trx, ...rest) {
        expect(await real.consume(trx, ...rest)).toBe(true);
        return real.consume(trx, ...rest);
      },
    }));
    await expect(check({ projectId: 1, id, code: CODE })).rejects.toMatchObject({
      code: 'OTP_NOT_FOUND',
    });
    const events = await outbox.database.reader
      .selectFrom('events')
      .select('type')
      .where('subject', '=', id)
      .where('type', '=', 'otp.verified')
      .execute();
    expect(events).toEqual([]);
  });
});

test('the attempt is taken before the comparison, and is kept whatever that comes to', async () => {
  const id = await sent();
  let attemptsBefore: number | undefined;
  const check = checkingWith((real) => ({
    async consume(trx) {
      attemptsBefore = (await real.byIdInAnyProject(trx, id))!.attempts;
      return false;
    },
  }));
  await expect(check({ projectId: 1, id, code: CODE })).rejects.toMatchObject({
    code: 'OTP_NOT_FOUND',
  });
  expect(attemptsBefore).toBe(1);
  expect(await row(id)).toMatchObject({ status: 'pending', attempts: 1 });
});
