import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { TEST_NUMBERS_MAX } from '../../src/test-numbers/service.ts';
import { expectProblem } from '../support/problem.ts';
import { startTestApp, type TestApp } from '../support/test-app.ts';
import { newPhone, QUICK_ADMIN, verificationsOf } from '../support/verifications.ts';
import { MASTER_KEY } from '../support/wodb.ts';

let server: TestApp;
beforeAll(async () => {
  server = await startTestApp({ env: QUICK_ADMIN });
});
afterAll(() => server.stop());

const CODE = '424242';

const add = (body: object, on = server) => on.call('POST', 'test-numbers', { asAdmin: true, body });
const send = (body: object, on = server) => on.call('POST', 'otp/send', { body });
const verify = (body: object, on = server) => on.call('POST', 'otp/verify', { body });

/** A number that is listed, with the code that it gets. */
async function testNumber(): Promise<{ id: string; phone: string }> {
  const phone = newPhone();
  const { status, body, text } = await add({ phone, code: CODE, note: 'Review' });
  expect(status, text).toBe(201);
  return { id: body.data.id, phone };
}

describe('a test number', () => {
  test('gets its fixed code and no message, and every answer about it says so', async () => {
    const { phone } = await testNumber();
    const otp = verificationsOf(server);
    const sent = await send({ phone });
    expect(sent.status).toBe(201);
    expect(sent.body.data).toMatchObject({ phone, test: true, status: 'pending', messageStatus: 'canceled' });
    const { id } = sent.body.data;
    await otp.deliver();
    expect(await otp.inbox(phone)).toEqual([]);

    const { body: whole } = await server.call('GET', `otp/${id}`);
    expect(whole.data).toMatchObject({
      test: true,
      nextAt: null,
      timeline: [{ status: 'canceled', reason: 'test number: no message is sent' }],
    });
    const { body: list } = await server.call('GET', `otp?phone=${encodeURIComponent(phone)}`);
    expect(list.data).toMatchObject([{ id, test: true }]);
    const checked = await verify({ phone, code: CODE });
    expect(checked.body.data).toMatchObject({ valid: true, test: true, channels: [] });
    expectProblem(await verify({ phone, code: CODE }), 'OTP_NOT_FOUND');
  });

  test('is sent to again and again, as tests do: each send is a verification of its own', async () => {
    const { phone } = await testNumber();
    for (let i = 0; i < 12; i += 1) {
      const { status, text } = await send({ phone, message: 'Your code is {{code}}.' });
      expect(status, text).toBe(201);
      expect((await verify({ phone, code: CODE })).status).toBe(200);
    }
  });

  test('has the guesses of every other, so that its code is not for strangers', async () => {
    const { phone } = await testNumber();
    await send({ phone });
    for (let i = 0; i < 5; i += 1) expectProblem(await verify({ phone, code: '000000' }), 'OTP_INCORRECT');
    expectProblem(await verify({ phone, code: CODE }), 'OTP_ATTEMPTS_EXCEEDED');
  });

  test('can be an e-mail address', async () => {
    const email = 'Review@example.com';
    expect((await add({ email, code: 'ABC123' })).body.data).toMatchObject({ email: 'Review@example.com' });
    expect((await send({ email: 'review@EXAMPLE.com' })).body.data).toMatchObject({ test: true });
    expect((await verify({ email, code: 'abc123' })).status).toBe(200);
  });

  test('is resent without a message, and has no next channel', async () => {
    const { phone } = await testNumber();
    const { id } = (await send({ phone })).body.data;
    const resent = await server.call('POST', `otp/${id}/resend`);
    expect(resent.body.data).toMatchObject({ id, test: true, messageStatus: 'canceled' });
    expectProblem(await server.call('POST', `otp/${id}/next`), 'CONFLICT');
    await verificationsOf(server).deliver();
    expect(await verificationsOf(server).inbox(phone)).toEqual([]);
  });

  test('gets messages again once it is removed', async () => {
    const { id, phone } = await testNumber();
    const removed = await server.call('DELETE', `test-numbers/${id}`, { asAdmin: true });
    expect(removed.body).toEqual({ success: true, data: { id } });
    expect((await send({ phone })).body.data).not.toHaveProperty('test');
    await verificationsOf(server).deliver();
    expect(await verificationsOf(server).inbox(phone)).toHaveLength(1);
    expectProblem(await server.call('DELETE', `test-numbers/${id}`, { asAdmin: true }), 'RESOURCE_NOT_FOUND');
  });
});

describe('the list of test numbers', () => {
  test('is for administrators, shows the codes, and holds 20 a project', async () => {
    const own = await startTestApp({ env: QUICK_ADMIN });
    onTestFinished(() => own.stop());
    expectProblem(await own.call('GET', 'test-numbers'), 'FORBIDDEN');
    const phones = Array.from({ length: TEST_NUMBERS_MAX }, () => newPhone());
    for (const phone of phones) expect((await add({ phone, code: CODE }, own)).status).toBe(201);
    const { body } = await own.call('GET', 'test-numbers', { asAdmin: true });
    expect(body.data.map((entry: { phone: string }) => entry.phone)).toEqual(phones);
    expect(body.data[0]).toMatchObject({ code: CODE, note: null });
    expectProblem(await add({ phone: newPhone(), code: CODE }, own), 'CONFLICT');
    expectProblem(await add({ phone: phones[0]!, code: CODE }, own), 'CONFLICT');
    expectProblem(await add({ code: CODE }, own), 'VALIDATION_ERROR');
  });

  test('holds again after a restart', async () => {
    const own = await startTestApp({ env: QUICK_ADMIN });
    const phone = newPhone();
    await add({ phone, code: CODE }, own);
    await own.stop({ keepFiles: true });
    const { dir, key, adminPassword, clock } = own;
    const again = await startTestApp({ env: QUICK_ADMIN, dir, key, adminPassword, clock });
    onTestFinished(() => again.stop());
    expect((await send({ phone }, again)).body.data).toMatchObject({ test: true });
  });

  test('is off in production, unless TEST_NUMBERS says otherwise', async () => {
    const production = { ...QUICK_ADMIN, NODE_ENV: 'production', DB_MASTER_KEY: MASTER_KEY };
    const off = await startTestApp({ env: production });
    onTestFinished(() => off.stop());
    const refused = await add({ phone: newPhone(), code: CODE }, off);
    expect(expectProblem(refused, 'CONFLICT').detail).toContain('Set TEST_NUMBERS=true');
    const on = await startTestApp({ env: { ...production, TEST_NUMBERS: 'true' } });
    onTestFinished(() => on.stop());
    const phone = newPhone();
    await add({ phone, code: CODE }, on);
    expect((await send({ phone }, on)).body.data).toMatchObject({ test: true });
  });
});
