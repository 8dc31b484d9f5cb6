import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { testOnWodb } from '../support/engine.ts';
import { startTestApp, type TestApp } from '../support/test-app.ts';
import { MINUTE_MS, newPhone, QUICK_ADMIN, verificationsOf } from '../support/verifications.ts';

const UNREADABLE = 'The stored code of this message cannot be read.';

describe('one sealed value that does not open', () => {
  let server: TestApp;
  let otp: ReturnType<typeof verificationsOf>;
  beforeAll(async () => {
    server = await startTestApp({ env: QUICK_ADMIN });
    otp = verificationsOf(server);
  });
  afterAll(() => server.stop());

  /** Turns one bit of the sealed code of a verification over. */
  async function damage(id: string): Promise<void> {
    const { database } = server.app;
    const { sealed_code } = await database.reader
      .selectFrom('verifications')
      .select('sealed_code')
      .where('id', '=', id)
      .executeTakeFirstOrThrow();
    const changed = Buffer.from(sealed_code!);
    changed[changed.length - 1]! ^= 1;
    await database.transaction((trx) =>
      trx.updateTable('verifications').set({ sealed_code: changed }).where('id', '=', id).execute(),
    );
  }

  test('fails its message alone, with the reason, while the outbox and every list go on', async () => {
    const [broken, whole] = [newPhone(), newPhone()];
    const { id } = await otp.sent({ phone: broken });
    const other = await otp.sent({ phone: whole });
    await damage(id);
    await otp.deliver();

    expect((await otp.inbox(whole)).map(({ id: arrived }) => arrived)).toEqual([other.messageId]);
    expect(await otp.inbox(broken)).toEqual([]);
    const { status, body } = await otp.read(id);
    expect(status).toBe(200);
    expect(body.data).toMatchObject({ status: 'failed', messageStatus: 'failed' });
    expect(body.data.timeline.at(-1)).toMatchObject({ status: 'failed', reason: UNREADABLE });
    expect((await server.call('GET', 'otp')).body.data.map((each: { id: string }) => each.id)).toContain(id);
    expect(await otp.eventsOf(id)).toEqual(['otp.created', 'message.queued', 'message.failed', 'otp.failed']);
  });

  test('shows its message with bullets, and a retry of its send gets a new code', async () => {
    const phone = newPhone();
    const { id } = await otp.sent({ phone });
    await otp.deliver();
    await damage(id);
    expect((await otp.inbox(phone))[0]?.text).toContain('••••••');
    await otp.jump(31_000);
    const resent = await otp.resend(id);
    expect([resent.status, resent.body.code]).toEqual([409, 'CONFLICT']);
    expect(resent.body.detail).toContain('Send a new one.');
    const again = await otp.send({ phone });
    expect(again.status).toBe(201);
    expect(again.body.data.id).not.toBe(id);
    expect((await otp.read(id)).body.data).toMatchObject({ status: 'canceled', reason: 'superseded' });
  });

  test('is not sent by the next channel either', async () => {
    const phone = newPhone();
    await otp.fault({ to: phone, channel: 'whatsapp', drop: true });
    const { id } = await otp.sent({ phone, channels: ['whatsapp', 'sms'] });
    await otp.deliver();
    await damage(id);
    const asked = await server.call('POST', `otp/${id}/next`);
    expect([asked.status, asked.body.code]).toEqual([409, 'CONFLICT']);
    await server.clock.advance(30_000);
    expect(await otp.inbox(phone)).toEqual([]);
    expect((await otp.read(id)).body.data).toMatchObject({ status: 'pending', nextAt: null });
  });

  test('is named by health, and logged once', async () => {
    const phone = newPhone();
    const { id } = await otp.sent({ phone });
    await otp.deliver();
    await damage(id);
    await otp.inbox(phone);
    await otp.inbox(phone);
    const { body } = await server.call('GET', 'health', { key: null });
    expect(body.status).toBe('degraded');
    expect(body.checks.database).toMatchObject({
      status: 'degraded',
      detail: expect.stringMatching(/^\d+ sealed values? could not be opened since the start\. /),
    });
    expect(server.logLines.filter((line) => line.includes(`"${id}"`))).toHaveLength(1);
  });

  testOnWodb('is named by verify, also once its message has failed and it is gone', async () => {
    const verdict = async () =>
      (await server.call('POST', 'database/verify', { asAdmin: true })).body.data.findings;
    const lost = await otp.sent({ phone: newPhone() });
    await damage(lost.id);
    await otp.deliver();
    expect((await otp.read(lost.id)).body.data.status).toBe('failed');
    await otp.jump(10 * MINUTE_MS);
    expect(await verdict()).toEqual([expect.stringMatching(/^Sealed values did not open since /)]);
    const { id } = await otp.sent({ phone: newPhone() });
    await otp.deliver();
    await damage(id);
    expect(await verdict()).toEqual([`Codes of verifications do not open: ${id}.`]);
  });

  test('of a kept answer refuses the repetition with what to do', async () => {
    const headers = { 'idempotency-key': 'damaged-1' };
    const body = { name: 'Key', permissions: ['otp:send'] };
    await server.call('POST', 'keys', { asAdmin: true, headers, body });
    const { database } = server.app;
    await database.transaction((trx) =>
      trx
        .updateTable('idempotency_keys')
        .set({ answer: Buffer.alloc(40) })
        .execute(),
    );
    const again = await server.call('POST', 'keys', { asAdmin: true, headers, body });
    expect([again.status, again.body.code]).toEqual([409, 'CONFLICT']);
    expect(again.body.detail).toContain('another Idempotency-Key');
  });
});
