import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { headersOf, type MailServer, partOf, startMailServer } from '../support/mail-server.ts';
import { startTestApp, type TestApp } from '../support/test-app.ts';

let mail: MailServer;
let server: TestApp;

beforeEach(async () => {
  mail = await startMailServer();
  server = await startTestApp({
    env: {
      BOT_MOCK_MODE: 'false',
      BRAND_NAME: 'Example',
      SMTP_URL: `smtp://127.0.0.1:${mail.port}`,
      SMTP_FROM: 'no-reply@example.com',
      SMTP_BOUNCE_TOKEN: 'bounces-of-example-com-7Q2x',
    },
  });
});

afterEach(async () => {
  await server.stop();
  await mail.stop();
});

const isAnySending = async () => {
  const { reader } = server.app.database;
  const sending = reader.selectFrom('messages').select('id').where('status', '=', 'sending');
  return (await sending.execute()).length > 0;
};

/**
 * Waits until something is so. The clock stands still while a mail is under way: its answers come in their own time, which a
 * clock that ran ahead would take for silence.
 */
async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await isSo())) {
    if (!(await isAnySending())) await server.clock.advance(20);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

const sendTo = (email: string) => server.call('POST', 'otp/send', { body: { email } });
const messageStatusOf = async (id: string) => (await server.call('GET', `otp/${id}`)).body.data.messageStatus;

describe('a code by e-mail', () => {
  test('is in the mail that the mail server gets, and verifies the address', async () => {
    const sent = await sendTo('Jo@Example.NET');
    expect(sent.status).toBe(201);
    const { id, messageId } = sent.body.data;
    await until(() => mail.mails.length > 0);
    const [{ envelope, raw } = { envelope: undefined, raw: '' }] = mail.mails;
    expect(envelope).toEqual({ from: 'no-reply@example.com', to: ['Jo@example.net'] });
    expect(headersOf(raw).get('message-id')).toEqual([`<${messageId}@example.com>`]);
    const [code] = /\d{6}/.exec(partOf(raw, 'text/plain'))!;
    const checked = await server.call('POST', 'otp/verify', { body: { id, code } });
    expect(checked.body).toMatchObject({ success: true, data: { valid: true, id } });
  });

  test('that bounces has failed, with the reason in its timeline', async () => {
    const { id, messageId } = (await sendTo('jo@example.net')).body.data;
    await until(async () => (await messageStatusOf(id)) === 'sent');
    const body = { messageId: `<${messageId}@example.com>`, status: '5.1.1', diagnostic: 'no such user' };
    const report = () =>
      server.call('POST', 'channels/email/bounce?token=bounces-of-example-com-7Q2x', { key: null, body });
    expect((await report()).status).toBe(200);
    await until(async () => (await messageStatusOf(id)) === 'failed');
    const { timeline } = (await server.call('GET', `otp/${id}`)).body.data;
    expect(timeline.at(-1)).toMatchObject({
      status: 'failed',
      reason: 'the mail bounced: 5.1.1 no such user',
    });
    expect((await report()).status).toBe(200);
    await server.clock.advance(1_000);
    expect((await server.call('GET', `otp/${id}`)).body.data.timeline).toEqual(timeline);
  });

  test.each([
    ['digits', '739158'],
    ['letters', 'KRWXYT'],
  ])('that bounces with its text tells nobody its code of %s', async (_, code) => {
    const sent = await server.call('POST', 'otp/send', { body: { email: 'jo@example.net', code } });
    const { id, messageId } = sent.body.data;
    await until(async () => (await messageStatusOf(id)) === 'sent');
    const diagnostic = `550 rejected <diag@example.com>:\r\nYour code is ${code.toLowerCase()}\u001b[31m`;
    const body = { messageId, status: '5.7.1', diagnostic };
    await server.call('POST', 'channels/email/bounce?token=bounces-of-example-com-7Q2x', { key: null, body });
    await until(async () => (await messageStatusOf(id)) === 'failed');
    const { timeline } = (await server.call('GET', `otp/${id}`)).body.data;
    expect(timeline.at(-1).reason).toBe(
      'the mail bounced: 5.7.1 550 rejected <d***@example.com>: Your code is •••• [31m',
    );
  });
});
