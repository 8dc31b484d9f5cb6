import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startTestApp, type TestApp } from '../support/test-app.ts';
import { newPhone, QUICK_ADMIN, verificationsOf } from '../support/verifications.ts';

let server: TestApp;
let otp: ReturnType<typeof verificationsOf>;
const startWith = (mockMode: boolean) => async () => {
  server = await startTestApp({ env: { ...QUICK_ADMIN, BOT_MOCK_MODE: String(mockMode) } });
  otp = verificationsOf(server);
};

describe('in mock mode', () => {
  beforeAll(startWith(true));
  afterAll(() => server.stop());

  test.each([undefined, 'auto', 'whatsapp', 'simulator'])(
    'channel %s goes to the virtual phone, and the answer says so',
    async (channel) => {
      const phone = newPhone();
      expect((await otp.sent({ phone, channel })).channel).toBe('simulator');
      await otp.deliver();
      expect(await otp.inbox(phone)).toHaveLength(1);
    },
  );

  test.each(['cloud_api', 'email', 'sms', 'http'])(
    'channel %s counts as set up, and the virtual phone stands in for it',
    async (channel) => {
      const phone = newPhone();
      const email = `${phone.slice(1)}@example.com`;
      const data = await otp.sent({ phone, email, channel });
      expect(data).toMatchObject({ channel: 'simulator', plays: channel, route: [channel] });
      await otp.deliver();
      const [message] = await otp.inbox(channel === 'email' ? email : phone);
      expect(message).toMatchObject({ channel: 'simulator', plays: channel });
    },
  );

  test('the link says that it is mocked', async () => {
    await server.clock.advance(3_000);
    const { status, body } = await server.call('GET', 'otp/status');
    expect(status).toBe(200);
    expect(body.data).toMatchObject({ connected: false, mode: 'mock' });
    expect(body.data.uptime).toBeGreaterThanOrEqual(3);
  });
});

describe('out of mock mode', () => {
  beforeAll(startWith(false));
  afterAll(() => server.stop());

  test('the simulator is no channel', async () => {
    const phone = newPhone();
    const refusal = await otp.send({ phone, channel: 'simulator' });
    expect(refusal.status).toBe(400);
    expect(refusal.body).toMatchObject({ code: 'VALIDATION_ERROR', errors: [{ path: 'channel' }] });
    expect(await otp.messagesTo(phone)).toBe(0);
  });

  test.each([undefined, 'auto', 'whatsapp'])(
    'channel %s is 503 while no WhatsApp number is linked',
    async (channel) => {
      const phone = newPhone();
      const refusal = await otp.send({ phone, channel });
      expect({ status: refusal.status, code: refusal.body.code }).toEqual({
        status: 503,
        code: 'WHATSAPP_OFFLINE',
      });
      expect(await otp.messagesTo(phone)).toBe(0);
      const logged = JSON.parse(server.logLines.find((line) => line.includes('WHATSAPP_OFFLINE'))!);
      expect(logged).toMatchObject({ level: 40, msg: refusal.body.error });
      expect(logged).not.toHaveProperty('err');
    },
  );

  test('what is wrong with a request is told before that nothing is linked', async () => {
    const refusals = [{ message: 'no code in it' }, { expiryMinutes: 30 }, { code: '1234', length: 6 }];
    for (const body of refusals) {
      expect((await otp.send({ phone: newPhone(), ...body })).body.code).toBe('VALIDATION_ERROR');
    }
  });

  test('the virtual phone has no routes', async () => {
    for (const [method, path] of [
      ['GET', 'simulator/messages'],
      ['PUT', 'simulator/faults'],
      ['POST', 'simulator/reply'],
    ] as const) {
      const body = method === 'GET' ? undefined : {};
      const answer = await server.call(method, path, { asAdmin: true, body });
      expect({ path, status: answer.status, code: answer.body.code }).toEqual({
        path,
        status: 404,
        code: 'RESOURCE_NOT_FOUND',
      });
    }
  });

  test('the link is not called a mock', async () => {
    const { body } = await server.call('GET', 'otp/status');
    expect(body.data).toEqual({ connected: false, uptime: expect.any(Number) });
  });
});

test('a code that was sent in mock mode is not sent again once it is off and no number is linked', async () => {
  await startWith(true)();
  const { id } = await otp.sent({ phone: newPhone() });
  await otp.jump(30_000);
  const { dir, clock, key } = server;
  await server.stop({ keepFiles: true });
  server = await startTestApp({ dir, clock, key, env: { ...QUICK_ADMIN, BOT_MOCK_MODE: 'false' } });
  otp = verificationsOf(server);
  const refusal = await otp.resend(id);
  expect({ status: refusal.status, code: refusal.body.code }).toEqual({
    status: 503,
    code: 'WHATSAPP_OFFLINE',
  });
  await server.stop();
});
