import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { newId } from '../../src/lib/id.ts';
import type { Receipt } from '../../src/messages/channel.ts';
import { startTestApp, type TestApp } from '../support/test-app.ts';
import { settle } from '../support/test-clock.ts';

const TOKEN = 'bounces-of-example-com-7Q2x';
const BOUNCE = 'channels/email/bounce';
let server: TestApp;
let receipts: Receipt[];

beforeAll(async () => {
  server = await startTestApp({
    env: {
      BOT_MOCK_MODE: 'false',
      SMTP_URL: 'smtp://127.0.0.1:2525',
      SMTP_FROM: 'no-reply@example.com',
      SMTP_BOUNCE_TOKEN: TOKEN,
      ADDRESS_LIMIT_PER_MINUTE: '20',
    },
  });
  const { messages } = server.app;
  const record = messages.recordReceipts;
  vi.spyOn(messages, 'recordReceipts').mockImplementation((given) => {
    receipts.push(...given);
    return record(given);
  });
});

afterAll(() => server.stop());

beforeEach(() => {
  receipts = [];
  // Past the window in which requests of an address are counted.
  server.clock.set(server.clock.now() + 60_000);
});

const report = (body: unknown, query = `?token=${TOKEN}`) =>
  server.call('POST', `${BOUNCE}${query}`, { key: null, body });

describe('a bounce', () => {
  const id = newId('msg', 0);

  test.each([
    [`<${id}@example.com>`, { messageId: id }],
    [`${id}@example.com`, { messageId: id }],
    [id, { messageId: id }],
    ['<AM0PR01@AM0PR01.prod.outlook.com>', { providerId: 'AM0PR01@AM0PR01.prod.outlook.com' }],
  ])('of %s is a failed receipt of that message', async (messageId, name) => {
    const { status, body } = await report({ messageId, status: '5.1.1', diagnostic: '550 no such user' });
    expect(status).toBe(200);
    expect(body).toEqual({ success: true, data: { received: true } });
    await settle();
    expect(receipts).toEqual([
      { ...name, channel: 'email', status: 'failed', reason: 'the mail bounced: 5.1.1 550 no such user' },
    ]);
  });

  test('of an unknown message, and one that comes again, is answered alike and changes nothing', async () => {
    const answers = [await report({ messageId: id }), await report({ messageId: id })];
    expect(answers.map(({ status }) => status)).toEqual([200, 200]);
    expect(answers[0]!.body).toEqual(answers[1]!.body);
    const { body } = await server.call('GET', 'otp');
    expect(body.data).toEqual([]);
  });

  test.each(['delayed', 'delivered', 'relayed', 'expanded'])(
    'that says %s changes nothing',
    async (action) => {
      expect((await report({ messageId: id, action })).status).toBe(200);
      await settle();
      expect(receipts).toEqual([]);
    },
  );

  test.each([
    [{}, 'messageId'],
    [{ messageId: '' }, 'messageId'],
    [{ messageId: id, status: 'no' }, 'status'],
    [{ messageId: id, action: 'lost' }, 'action'],
    [{ messageId: id, foo: 1 }, 'foo'],
  ])('%j is refused', async (body, path) => {
    const answer = await report(body);
    expect(answer.status).toBe(400);
    expect(answer.body.errors[0].path).toBe(path);
    await settle();
    expect(receipts).toEqual([]);
  });
});

describe('a report', () => {
  const body = { messageId: newId('msg', 0) };

  test.each([
    ['no token', ''],
    ['an empty token', '?token='],
    ['another token', '?token=bounces-of-example-com-7Q2y'],
    ['the beginning of the token', '?token=bounces'],
  ])('with %s is refused, also when it could not be read', async (_, query) => {
    for (const given of [body, { nonsense: true }]) {
      const answer = await report(given, query);
      expect(answer.status).toBe(401);
      expect(answer.body.code).toBe('UNAUTHORIZED');
    }
    await settle();
    expect(receipts).toEqual([]);
  });

  test('with an API key is refused: it opens nothing here', async () => {
    expect((await server.call('POST', BOUNCE, { body })).status).toBe(401);
  });

  test('of the administrator needs no token, and a wrong password is refused', async () => {
    expect((await server.call('POST', BOUNCE, { body, asAdmin: true })).status).toBe(200);
    const headers = { 'x-master-key': 'wrong password' };
    const answer = await server.call('POST', `${BOUNCE}?token=${TOKEN}`, { body, key: null, headers });
    expect(answer.status).toBe(401);
    await settle();
    expect(receipts).toHaveLength(1);
  });

  test('is not limited with the token; forgeries are, by address', async () => {
    for (let times = 0; times < 25; times++) expect((await report(body)).status).toBe(200);
    const forged: number[] = [];
    for (let times = 0; times < 22; times++) forged.push((await report(body, '?token=x')).status);
    expect(forged).toEqual([...Array(20).fill(401), 429, 429]);
    expect((await report(body)).status).toBe(200);
  });

  test('leaves the token in no line of the log', async () => {
    await report(body);
    expect(server.logLines.join('\n')).toContain(BOUNCE);
    expect(server.logLines.join('\n')).not.toContain(TOKEN);
  });

  test('of more than 16 kB is not read', async () => {
    expect((await report({ ...body, diagnostic: 'x'.repeat(20_000) })).status).toBe(413);
  });
});

describe('without SMTP_BOUNCE_TOKEN', () => {
  test('only the administrator may report, also where there is no e-mail channel', async () => {
    const other = await startTestApp();
    const body = { messageId: newId('msg', 0) };
    for (const query of ['', '?token=', '?token=undefined']) {
      expect((await other.call('POST', `${BOUNCE}${query}`, { key: null, body })).status).toBe(401);
    }
    expect((await other.call('POST', BOUNCE, { asAdmin: true, body })).status).toBe(200);
    await other.stop();
  });
});
