import { afterAll, beforeAll, expect, test } from 'vitest';
import { startTestApp, type TestApp } from '../support/test-app.ts';

let server: TestApp;
beforeAll(async () => {
  server = await startTestApp();
});
afterAll(() => server.stop());

test('a code that was sent arrives on the virtual phone and verifies once', async () => {
  const sent = await server.call('POST', 'otp/send', { body: { phone: '+6283834946034' } });
  expect(sent.status).toBe(201);
  await server.clock.advance(2_000);

  const phone = await server.call('GET', 'simulator/messages?to=6283834946034', { asAdmin: true });
  const [message] = phone.body.data;
  expect(message).toMatchObject({ id: sent.body.data.messageId, to: '+6283834946034', status: 'read' });
  const code = /\d{6}/.exec(message.text)![0];

  const body = { phone: '0838 3494 6034', code };
  expect((await server.call('POST', 'otp/verify', { body })).body.code).toBe('PHONE_INVALID');
  const international = { phone: '6283834946034', code };
  expect((await server.call('POST', 'otp/verify', { body: international })).status).toBe(200);
  expect((await server.call('POST', 'otp/verify', { body: international })).status).toBe(404);
});
