import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { actorNamed } from '../../test/support/actors.ts';
import { ScriptedChannel } from '../../test/support/scripted-channel.ts';
import { testSettings } from '../../test/support/settings.ts';
import { openTestOutbox, type TestOutbox } from '../../test/support/test-outbox.ts';
import { scriptedRouting } from '../../test/support/test-routing.ts';
import { phoneReader } from '../addresses/phone-reader.ts';
import { type OtpService, otpService } from './service.ts';
import type { SendRequest } from './types.ts';

const [USUAL, STRICT] = [1, 2];
const CODE = '481516';
const BRAZILIAN = '+5511987654321';

let outbox: TestOutbox;
let otp: OtpService;
beforeAll(async () => {
  outbox = await openTestOutbox();
  const settings = testSettings(
    {},
    {
      [STRICT]: {
        code: { length: 8, expiryMinutes: 2, maxExpiryMinutes: 3, maxAttempts: 2 },
        phoneLimits: { gapMs: 120_000, per10Minutes: 2, perDay: 3 },
        spread: { perClientIp: 1, perPrefix: 0 },
        readPhone: phoneReader({ defaultRegion: 'ID', countriesAllowed: ['ID'], countriesDenied: [] }),
      },
    },
  );
  const routing = scriptedRouting([new ScriptedChannel('whatsapp')]);
  otp = otpService({
    ...outbox,
    settings,
    routing,
    isOptedOut: async () => false,
    testCodeFor: () => undefined,
  });
  outbox.messages.ownedBy('ver', otp.owner);
});
afterAll(() => outbox.close());

let phones = 0;
const newPhone = () => `+62812346${String(10_000 + phones++)}`;

async function sent(projectId: number, request: Partial<SendRequest> = {}) {
  const wanted = { projectId, phone: newPhone(), purpose: 'default', channel: 'auto' as const, ...request };
  return (await outbox.database.transaction((trx) => otp.send(trx, wanted))).verification;
}
const codeLengthOf = async (projectId: number) => {
  const { id } = await sent(projectId);
  const rows = outbox.database.reader.selectFrom('verifications').select('code_length').where('id', '=', id);
  return (await rows.executeTakeFirstOrThrow()).code_length;
};

describe('a project has its own', () => {
  test('length of codes', async () => {
    expect([await codeLengthOf(USUAL), await codeLengthOf(STRICT)]).toEqual([6, 8]);
  });

  test('life of codes, and longest life', async () => {
    const lifeOf = async (projectId: number) => {
      const { createdAt, expiresAt } = await sent(projectId);
      return (expiresAt - createdAt) / 60_000;
    };
    expect([await lifeOf(USUAL), await lifeOf(STRICT)]).toEqual([5, 2]);
    await sent(USUAL, { expiryMinutes: 4 });
    await expect(sent(STRICT, { expiryMinutes: 4 })).rejects.toMatchObject({ code: 'VALIDATION_ERROR' });
  });

  test('number of guesses', async () => {
    for (const [projectId, left] of [
      [USUAL, 4],
      [STRICT, 1],
    ] as const) {
      const { id, attemptsRemaining } = await sent(projectId, { code: CODE });
      expect(attemptsRemaining).toBe(left + 1);
      await expect(otp.verify({ projectId, id, code: '000000' })).rejects.toMatchObject({
        details: { attemptsRemaining: left },
      });
    }
    const { id } = await sent(STRICT, { code: CODE });
    const guess = otp.verify({ projectId: STRICT, id, code: '000000' });
    await expect(guess).rejects.toMatchObject({ code: 'OTP_INCORRECT' });
    await expect(otp.verify({ projectId: STRICT, id, code: '000000' })).rejects.toMatchObject({
      code: 'OTP_INCORRECT',
    });
    await expect(otp.verify({ projectId: STRICT, id, code: CODE })).rejects.toMatchObject({
      code: 'OTP_ATTEMPTS_EXCEEDED',
    });
  });

  test('limits of a phone: for sends, for resends and in what is shown', async () => {
    const phone = newPhone();
    const now = outbox.clock.now();
    const ours = await sent(USUAL, { phone });
    const theirs = await sent(STRICT, { phone });
    expect([ours.resendAt - now, theirs.resendAt - now]).toEqual([30_000, 120_000]);
    const nextOf = async (projectId: number) => (await otp.limits.show(projectId, phone)).nextSendAt! - now;
    expect([await nextOf(USUAL), await nextOf(STRICT)]).toEqual([30_000, 120_000]);

    await outbox.clock.advance(31_000);
    const resend = (projectId: number, id: string) =>
      outbox.database.transaction((trx) => otp.resend(trx, projectId, id));
    await resend(USUAL, ours.id);
    await expect(resend(STRICT, theirs.id)).rejects.toMatchObject({ code: 'RATE_LIMIT_EXCEEDED' });
    await expect(sent(STRICT, { phone })).rejects.toMatchObject({ code: 'RATE_LIMIT_EXCEEDED' });
  });

  test('limit of sends for a client address', async () => {
    const clientIp = '203.0.113.9';
    for (let i = 0; i < 3; i++) await sent(USUAL, { clientIp });
    await sent(STRICT, { clientIp });
    await expect(sent(STRICT, { clientIp })).rejects.toMatchObject({ code: 'RATE_LIMIT_EXCEEDED' });
  });

  test('countries and region of numbers, wherever one is named', async () => {
    await sent(USUAL, { phone: BRAZILIAN });
    const page = { limit: 1 };
    const refused = { code: 'PHONE_NOT_ALLOWED' };
    const lift = (projectId: number, phone: string) =>
      outbox.database.transaction((trx) => otp.limits.lift(trx, projectId, phone, actorNamed('test')));
    await expect(sent(STRICT, { phone: BRAZILIAN })).rejects.toMatchObject(refused);
    await expect(otp.verify({ projectId: STRICT, phone: BRAZILIAN, code: CODE })).rejects.toMatchObject(
      refused,
    );
    await expect(otp.list(STRICT, { phone: BRAZILIAN }, page)).rejects.toMatchObject(refused);
    await expect(otp.limits.show(STRICT, BRAZILIAN)).rejects.toMatchObject(refused);
    await expect(lift(STRICT, BRAZILIAN)).rejects.toMatchObject(refused);

    const { phone } = await sent(STRICT, { phone: '0812-3456-9999' });
    expect(phone).toBe('+6281234569999');
    await expect(sent(USUAL, { phone: '0812-3456-9999' })).rejects.toMatchObject({ code: 'PHONE_INVALID' });
    expect((await otp.list(STRICT, { phone: '081234569999' }, page)).verifications).toHaveLength(1);
    expect(await lift(STRICT, '081234569999')).toBe(phone);
  });
});
