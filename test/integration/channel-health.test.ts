import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { untilSo } from '../support/far-ends.ts';
import { providersFile } from '../support/http-providers.ts';
import { type MailServer, startMailServer } from '../support/mail-server.ts';
import { answering, type ProviderStandIn, startProvider } from '../support/provider-stand-in.ts';
import { startTestApp, type TestApp } from '../support/test-app.ts';
import { newPhone, QUICK_ADMIN, verificationsOf } from '../support/verifications.ts';

let mail: MailServer;
let provider: ProviderStandIn;
let server: TestApp;

/** A server whose route is e-mail and then SMS. */
beforeEach(async () => {
  mail = await startMailServer();
  provider = await startProvider();
  provider.always(answering(200, { ok: true }));
  const file = providersFile({
    providers: [
      {
        name: 'acme',
        channel: 'sms',
        url: `${provider.origin}/send`,
        json: { to: '{{to}}', text: '{{text}}' },
        success: { where: [{ path: 'ok', in: [true] }] },
      },
    ],
  });
  server = await startTestApp({
    env: {
      ...QUICK_ADMIN,
      BOT_MOCK_MODE: 'false',
      CHANNELS: 'email,sms',
      SMTP_URL: `smtp://127.0.0.1:${mail.port}?connections=1`,
      SMTP_FROM: 'no-reply@example.com',
      PROVIDERS_FILE: file.path,
      PROVIDERS_ALLOWED_ADDRESSES: '127.0.0.1',
    },
  });
  file.remove();
});
afterEach(async () => {
  await server.stop();
  await mail.stop();
  await provider.stop();
});

const until = (isSo: () => boolean | Promise<boolean>) => untilSo(server, isSo);

let people = 0;
const send = async (body: object = {}) => {
  people += 1;
  const answer = await server.call('POST', 'otp/send', {
    body: { phone: newPhone(), email: `person${people}@example.com`, ...body },
  });
  expect(answer.body).toMatchObject({ success: true });
  return answer.body.data;
};
const read = async (id: string) => (await server.call('GET', `otp/${id}`)).body.data;
const channels = async () => (await server.call('GET', 'channels')).body.data;
const email = async () => (await channels()).find(({ name }: { name: string }) => name === 'email');
const health = async () => (await server.call('GET', 'health', { key: null })).body;

describe('the channels', () => {
  test('are listed with their state, their receipts and their place on the route', async () => {
    const answer = await server.call('GET', 'channels');
    expect(answer.body).toMatchObject({ success: true, page: { next: null } });
    expect(answer.body.data.slice(0, 2)).toEqual([
      { name: 'email', state: 'ready', reason: null, receipts: 'none', route: 1 },
      { name: 'sms', state: 'ready', reason: null, receipts: 'none', route: 2 },
    ]);
    const others = Object.fromEntries(
      answer.body.data.slice(2).map(({ name, ...rest }: { name: string }) => [name, rest]),
    );
    expect(others).toMatchObject({
      whatsapp: {
        state: 'off',
        reason: expect.stringContaining('No WhatsApp number is linked'),
        route: null,
      },
      http: { state: 'off', reason: expect.stringContaining('PROVIDERS_FILE'), receipts: null, route: null },
    });
    expect(server.app.channelsInUse()).toEqual(['email', 'sms']);
  });

  test('each have a check in the health report, with how sends went', async () => {
    const { id } = await send();
    await until(async () => (await read(id)).messageStatus === 'sent');
    const { checks } = await health();
    expect(checks.email).toEqual({ status: 'healthy', successRate: 1, p95Ms: expect.any(Number) });
    expect(checks.sms).toEqual({ status: 'healthy', successRate: null, p95Ms: null });
    expect(checks).not.toHaveProperty('http');
  });
});

test('messages that wait when their channel is paused go on by the next one at once, and say why', async () => {
  mail.onConnect = () => 'cut';
  const { id } = await send();
  const begun = server.clock.now();
  await until(() => provider.received.length === 1);
  expect(server.clock.now() - begun).toBeLessThan(10_000);
  const { timeline } = await read(id);
  const reasons = timeline.map(({ reason }: { reason: string | null }) => reason);
  expect(reasons).toContain('e-mail is offline: sent by SMS');
  expect(mail.mails).toHaveLength(0);
});

describe('a channel that fails again and again', () => {
  beforeEach(async () => {
    mail.onConnect = () => 'cut';
    const { id } = await send({ channel: 'email', email: 'waiting@example.com' });
    await until(async () => (await email()).state === 'off');
    expect((await read(id)).status).toBe('pending');
  });

  test('is off, with the reason, and the server is degraded but takes sends', async () => {
    expect(await email()).toMatchObject({
      reason: expect.stringContaining('paused after repeated failures'),
    });
    const { status, checks } = await health();
    expect(status).toBe('degraded');
    expect(checks.email).toMatchObject({
      status: 'degraded',
      detail: expect.stringContaining('paused after repeated failures'),
      successRate: 0,
    });
  });

  test('is left out by new sends, whose code goes by the next channel at once', async () => {
    const sent = await send();
    expect(sent).toMatchObject({ route: ['sms'], channel: 'sms' });
    await until(() => provider.received.length === 1);
  });

  test('gets one message after a while, and when it takes it, all that waited', async () => {
    const waiting = [await send({ channel: 'email' }), await send({ channel: 'email' })];
    expect(mail.mails).toHaveLength(0);
    mail.onConnect = () => 'go on';
    await until(() => mail.mails.length === 3);
    for (const { id } of waiting) {
      await until(async () => (await read(id)).messageStatus === 'sent');
    }
    expect(await email()).toMatchObject({ state: 'ready', reason: null });
  });
});

test('in mock mode the virtual phone plays every channel, also one that is down', async () => {
  const mock = await startTestApp({ env: QUICK_ADMIN });
  try {
    const { data } = (await mock.call('GET', 'channels')).body;
    expect(data.slice(0, 2)).toEqual([
      { name: 'whatsapp', state: 'ready', reason: null, receipts: 'read', route: 1 },
      { name: 'email', state: 'ready', reason: null, receipts: 'read', route: 2 },
    ]);
    expect(data).toHaveLength(5);
    expect((await mock.call('GET', 'health', { key: null })).body.checks).not.toHaveProperty('email');
    expect(mock.app.channelsInUse()).toEqual([]);
    expect((await mock.call('GET', 'channels', { key: null })).status).toBe(401);
    const otp = verificationsOf(mock);
    const whatsapp = async () => (await mock.call('GET', 'channels')).body.data[0];
    await otp.fault({ channel: 'whatsapp', refuse: true });
    expect(await whatsapp()).toMatchObject({ name: 'whatsapp', state: 'off', reason: 'channel down' });
    const sent = await otp.sent({ phone: newPhone(), email: 'jo@example.com' });
    expect(sent).toMatchObject({ plays: 'email', route: ['email'] });
    await otp.fault({ channel: 'whatsapp' });
    expect(await whatsapp()).toMatchObject({ state: 'ready', reason: null });
    await otp.fault({ to: newPhone(), refuse: true });
    expect(await whatsapp()).toMatchObject({ state: 'ready' });
  } finally {
    await mock.stop();
  }
});
