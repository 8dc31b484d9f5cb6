import { afterAll, beforeAll, expect, test } from 'vitest';
import { expectProblem } from '../support/problem.ts';
import { startTestApp, type TestApp } from '../support/test-app.ts';
import { newPhone, QUICK_ADMIN, verificationsOf } from '../support/verifications.ts';

let server: TestApp;
let otp: ReturnType<typeof verificationsOf>;
beforeAll(async () => {
  server = await startTestApp({ env: QUICK_ADMIN });
  otp = verificationsOf(server);
});
afterAll(() => server.stop());

const reply = (from: string, text: string) =>
  server.call('POST', 'simulator/reply', { asAdmin: true, body: { from, text } });

async function eventsOf(phone: string): Promise<unknown[]> {
  const rows = await server.app.database.reader
    .selectFrom('events')
    .select(['type', 'data'])
    .where('type', 'in', ['message.received', 'number.opted_out', 'number.opted_in'])
    .orderBy('seq')
    .execute();
  return rows.map(({ type, data }) => ({ type, ...JSON.parse(data!) })).filter(({ from }) => from === phone);
}

test('STOP written on the virtual phone opts the number out, and START in again', async () => {
  const phone = newPhone();
  const stopped = await reply(phone.replace('+62', '+62 '), 'stop');
  expect(stopped.body.data).toEqual({
    from: phone,
    optedOut: true,
    answer: expect.stringContaining('reply START'),
  });
  expectProblem(await otp.send({ phone }), 'PHONE_OPTED_OUT');
  expect((await reply(phone, 'STOP')).body.data).toEqual({ from: phone, optedOut: true, answer: null });
  expect((await reply(phone, 'Mulai')).body.data).toEqual({ from: phone, optedOut: false, answer: null });
  await otp.sent({ phone });
  expect(await eventsOf(phone)).toEqual([
    { type: 'message.received', from: phone, text: 'stop' },
    { type: 'number.opted_out', from: phone },
    { type: 'message.received', from: phone, text: 'STOP' },
    { type: 'message.received', from: phone, text: 'Mulai' },
    { type: 'number.opted_in', from: phone },
  ]);
});

test('any other text is an event, without what looks like a code', async () => {
  const phone = newPhone();
  expect((await reply(phone, 'is it 482 913?')).body.data).toEqual({
    from: phone,
    optedOut: null,
    answer: null,
  });
  expect(await eventsOf(phone)).toEqual([{ type: 'message.received', from: phone, text: 'is it ••••?' }]);
});

test('is for the administrator, for phones, and for mock mode', async () => {
  const body = { from: newPhone(), text: 'STOP' };
  expect((await server.call('POST', 'simulator/reply', { body })).status).toBe(403);
  expectProblem(await reply('jo@example.com', 'STOP'), 'PHONE_INVALID');
  expectProblem(await reply(newPhone(), ''), 'VALIDATION_ERROR');
  const real = await startTestApp({
    env: { ...QUICK_ADMIN, BOT_MOCK_MODE: 'false', BOT_SOCKET_URL: 'wss://127.0.0.1:9/' },
  });
  expect((await real.call('POST', 'simulator/reply', { asAdmin: true, body })).status).toBe(404);
  await real.stop();
});
