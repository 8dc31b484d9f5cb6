import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { makeKey, makeProject } from '../support/keys.ts';
import { expectProblem } from '../support/problem.ts';
import { startTestApp, type TestApp } from '../support/test-app.ts';
import {
  expectOneEventPerChange,
  MINUTE_MS,
  newPhone,
  QUICK_ADMIN,
  verificationsOf,
} from '../support/verifications.ts';

const CODE = '481516';

let server: TestApp;
let otp: ReturnType<typeof verificationsOf>;
beforeAll(async () => {
  server = await startTestApp({ env: QUICK_ADMIN });
  otp = verificationsOf(server);
});
afterAll(() => server.stop());

interface Entry {
  at: string;
  messageId: string;
  channel: string;
  status: string;
  reason: string | null;
}

async function timelineOf(id: string, messageId?: string): Promise<Entry[]> {
  const { timeline } = (await otp.read(id)).body.data;
  return timeline.filter((entry: Entry) => messageId === undefined || entry.messageId === messageId);
}

const statesOf = async (id: string, messageId?: string) =>
  (await timelineOf(id, messageId)).map(({ status }) => status);

/** Tries of a message that count. */
async function attemptsOf(messageId: string, on = server): Promise<number> {
  const row = await on.app.database.reader
    .selectFrom('messages')
    .select('attempts')
    .where('id', '=', messageId)
    .executeTakeFirstOrThrow();
  return row.attempts;
}

/** Moves time on until the newest message of a verification is in a state. */
async function until(id: string, status: string, stepMs = 100): Promise<void> {
  for (let step = 0; step < 600; step++) {
    if ((await otp.read(id)).body.data.messageStatus === status) return;
    await server.clock.advance(stepMs);
  }
  expect((await otp.read(id)).body.data.messageStatus).toBe(status);
}

describe('a message', () => {
  test('is sent, delivered after 300 ms and read after 1 s, and each is told', async () => {
    const phone = newPhone();
    const { id, messageId } = await otp.sent({ phone });
    await until(id, 'read');
    const timeline = await timelineOf(id);
    expect(timeline.map(({ status, reason }) => [status, reason])).toEqual([
      ['queued', null],
      ['sending', null],
      ['sent', null],
      ['delivered', null],
      ['read', null],
    ]);
    expect(timeline.every((entry) => entry.messageId === messageId && entry.channel === 'simulator')).toBe(
      true,
    );
    const [, , sent, delivered, read] = timeline.map(({ at }) => Date.parse(at));
    expect([delivered! - sent!, read! - sent!]).toEqual([300, 1000]);
    expect(await otp.eventsOf(id)).toEqual([
      'otp.created',
      'message.queued',
      'message.sent',
      'message.delivered',
      'message.read',
    ]);
    expect((await otp.read(id)).body.data.status).toBe('pending');
  });

  test('is tried within a second of being sent', async () => {
    const phone = newPhone();
    await otp.sent({ phone });
    await server.clock.advance(1_000);
    expect(await otp.inbox(phone)).toHaveLength(1);
  });

  test('to each of 120 phones arrives once, though a channel takes 100 at a time', async () => {
    const phones = Array.from({ length: 120 }, newPhone);
    await Promise.all(phones.map((phone) => otp.sent({ phone })));
    await server.clock.advance(5_000);
    const inboxes = await Promise.all(phones.map((phone) => otp.inbox(phone)));
    expect(inboxes.every((inbox) => inbox.length === 1 && inbox[0]!.status === 'read')).toBe(true);
  });
});

describe('the virtual phone', () => {
  test('shows its messages newest first, under the ids of the stored ones, for any spelling', async () => {
    const phone = newPhone();
    const first = await otp.sent({ phone, code: CODE, message: 'One {{code}}' });
    await server.clock.advance(30_000);
    const second = (await otp.send({ phone, message: 'Two {{code}}' })).body.data;
    await otp.deliver();
    const spelling = encodeURIComponent(`00${phone.slice(1, 5)} ${phone.slice(5)}`);
    const { status, body } = await server.call('GET', `simulator/messages?to=${spelling}`, { asAdmin: true });
    expect(status).toBe(200);
    const common = {
      to: phone,
      channel: 'simulator',
      plays: 'whatsapp',
      status: 'read',
      at: expect.stringMatching(/Z$/),
    };
    expect(body).toEqual({
      success: true,
      data: [
        { id: second.messageId, text: `Two ${CODE}`, ...common },
        { id: first.messageId, text: `One ${CODE}`, ...common },
      ],
      page: { next: null },
    });
  });

  test('shows a key with otp:read the messages of its own project, and of no other', async () => {
    const own = await makeProject(server);
    const { key } = await makeKey(server, ['otp:read'], { projectId: own.number });
    const [phone, another] = [newPhone(), newPhone()];
    const sent = await otp.sent({ phone, code: CODE, message: 'Own: {{code}}' }, { key: own.key });
    await otp.sent({ phone: another });
    await otp.deliver();
    const read = (query: string, reader = key) =>
      server.call('GET', `simulator/messages${query}`, { key: reader });
    const { status, body } = await read('');
    expect(status).toBe(200);
    expect(body.data).toMatchObject([{ id: sent.messageId, to: phone, text: `Own: ${CODE}` }]);
    expect((await read(`?to=${encodeURIComponent(another)}`)).body.data).toEqual([]);
    expect((await read(`?projectId=${own.projectId}`)).status).toBe(200);
    expectProblem(await read(`?projectId=${server.app.defaultProjectId}`), 'RESOURCE_NOT_FOUND');
    expect((await read(`?to=${encodeURIComponent(phone)}`, server.key)).body.data).toEqual([]);
  });

  test('is closed to keys without otp:read, and its faults to every key', async () => {
    const { key } = await makeKey(server, ['otp:send', 'otp:verify', 'keys:manage']);
    const refused = await server.call('GET', 'simulator/messages', { key });
    expect(expectProblem(refused, 'FORBIDDEN').requiredPermission).toBe('otp:read');
    expectProblem(await server.call('PUT', 'simulator/faults', { body: {} }), 'FORBIDDEN');
  });

  test('shows long lists in pages, each message once', async () => {
    const phones = Array.from({ length: 5 }, newPhone);
    const ids: string[] = [];
    for (const phone of phones) ids.push((await otp.sent({ phone })).messageId);
    await otp.deliver();
    const seen: string[] = [];
    let cursor: string | null = null;
    for (let page = 0; page < 3; page++) {
      const path = `simulator/messages?limit=2${cursor === null ? '' : `&cursor=${cursor}`}`;
      const { body } = await server.call('GET', path, { asAdmin: true });
      expect(body.data).toHaveLength(2);
      seen.push(...body.data.map((message: { id: string }) => message.id));
      cursor = body.page.next;
    }
    expect(seen.slice(0, 5)).toEqual(ids.reverse());
    expect(new Set(seen).size).toBe(6);
  });

  test.each<[string, Record<string, unknown>]>([
    ['refuse', { refuse: 'yes' }],
    ['delayMs', { delayMs: -1 }],
    ['delayMs', { delayMs: 60_001 }],
    ['channel', { channel: 'pigeon' }],
    ['explode', { explode: true }],
  ])('refuses a fault whose %s is %o', async (path, fault) => {
    const { status, body } = await otp.fault(fault);
    expect({ status, path: body.errors[0].path }).toEqual({ status: 400, path });
  });

  test('refuses a fault for a number that cannot exist', async () => {
    expect((await otp.fault({ to: '12345', refuse: true })).body.code).toBe('PHONE_INVALID');
  });

  test('answers with the fault that now holds', async () => {
    const phone = newPhone();
    const none = { refuse: false, drop: false, notOnWhatsApp: false, delayMs: 0 };
    const set = await otp.fault({ to: phone.slice(1), channel: 'whatsapp', drop: true, delayMs: 50 });
    expect(set.body.data).toEqual({ ...none, to: phone, channel: 'whatsapp', drop: true, delayMs: 50 });
    expect((await otp.fault({ to: phone })).body.data).toEqual({ ...none, to: phone, channel: null });
  });
});

describe('while a channel is down', () => {
  test('a message waits, and is delivered when it is up again, at the cost of no attempt', async () => {
    const phone = newPhone();
    await otp.fault({ to: phone, refuse: true });
    const { id, messageId } = await otp.sent({ phone });
    await server.clock.advance(20_000);
    expect(await otp.inbox(phone)).toEqual([]);
    expect(await attemptsOf(messageId)).toBe(0);
    expect(await timelineOf(id)).toContainEqual(
      expect.objectContaining({ status: 'queued', reason: 'channel down' }),
    );
    expect((await otp.read(id)).body.data).toMatchObject({ status: 'pending', messageStatus: 'queued' });
    await otp.fault({ to: phone });
    await until(id, 'read');
    expect(await otp.inbox(phone)).toHaveLength(1);
    expect(await attemptsOf(messageId)).toBe(1);
  });

  test('for one number, the others get their messages', async () => {
    const [down, up] = [newPhone(), newPhone()];
    await otp.fault({ to: down, refuse: true });
    await otp.sent({ phone: down });
    const { id } = await otp.sent({ phone: up });
    await until(id, 'delivered');
    expect(await otp.inbox(down)).toEqual([]);
    await otp.fault({ to: down });
  });

  test('for all numbers, one with a fault of its own follows that', async () => {
    const [down, dropped] = [newPhone(), newPhone()];
    await otp.fault({ refuse: true });
    await otp.fault({ to: dropped, drop: true });
    const waiting = await otp.sent({ phone: down });
    const taken = await otp.sent({ phone: dropped });
    await otp.deliver();
    expect((await otp.read(waiting.id)).body.data.messageStatus).toBe('queued');
    expect((await otp.read(taken.id)).body.data.messageStatus).toBe('sent');
    await otp.fault({});
    await until(waiting.id, 'read');
  });

  test('a message whose code expires is never sent, and ends as expired', async () => {
    const phone = newPhone();
    await otp.fault({ to: phone, refuse: true });
    const { id, messageId } = await otp.sent({ phone, expiryMinutes: 1 });
    await server.clock.advance(58_000);
    expect((await otp.read(id)).body.data.messageStatus).toMatch(/queued|sending/);
    await server.clock.advance(2_000);
    await otp.fault({ to: phone });
    await server.clock.advance(MINUTE_MS);
    expect(await otp.inbox(phone)).toEqual([]);
    expect((await otp.read(id)).body.data).toMatchObject({ status: 'expired', messageStatus: 'expired' });
    expect((await otp.eventsOf(id)).slice(-2).sort()).toEqual(['message.expired', 'otp.expired']);
    expect((await statesOf(id, messageId)).filter((state) => state === 'sent')).toEqual([]);
  });
});

/** The ways in which a verification ends before its message has left. */
const ENDS: [string, (sent: { id: string; phone: string }) => Promise<void>][] = [
  ['verified', async ({ id }) => expect((await otp.check({ id, code: CODE })).status).toBe(200)],
  ['canceled', async ({ id }) => expect((await otp.cancel(id)).status).toBe(200)],
  [
    'superseded',
    async ({ phone }) => {
      await otp.sent({ phone, code: '222222', message: 'New {{code}}' });
    },
  ],
  [
    'spent',
    async ({ id }) => {
      for (let guess = 0; guess < 5; guess++) await otp.check({ id, code: '000000' });
    },
  ],
];

describe('once a verification is over', () => {
  test.each(ENDS)('(%s) a message that waits is never sent', async (how, end) => {
    const phone = newPhone();
    await otp.fault({ to: phone, refuse: true });
    const { id, messageId } = await otp.sent({ phone, code: CODE, message: 'Old {{code}}' });
    await server.clock.advance(30_500);
    await until(id, 'queued');
    await end({ id, phone });
    await otp.fault({ to: phone });
    await server.clock.advance(20_000);
    expect((await statesOf(id, messageId)).at(-1)).toBe('canceled');
    const texts = (await otp.inbox(phone)).map(({ text }) => text);
    expect(texts).toEqual(how === 'superseded' ? ['New 222222'] : []);
  });

  test.each(ENDS)(
    '(%s) a message that the channel had in hand and gave back is not sent again',
    async (how, end) => {
      const phone = newPhone();
      await otp.fault({ to: phone, refuse: true, delayMs: 40 });
      const { id, messageId } = await otp.sent({ phone, code: CODE, message: 'Old {{code}}' });
      await server.clock.advance(30_000);
      await until(id, 'sending', 10);
      await end({ id, phone });
      await server.clock.advance(100);
      await otp.fault({ to: phone });
      await server.clock.advance(20_000);
      const texts = (await otp.inbox(phone)).map(({ text }) => text);
      expect(texts).toEqual(how === 'superseded' ? ['New 222222'] : []);
      const states = await statesOf(id, messageId);
      if (how !== 'verified') expect(states.at(-1)).toBe('canceled');
      expect(states).not.toContain('sent');
    },
  );

  test.each(ENDS)('(%s) a message whose try has failed is not tried again', async (how, end) => {
    const phone = newPhone();
    await otp.fault({ to: phone, delayMs: 60_000 });
    const { id, messageId } = await otp.sent({ phone, code: CODE, message: 'Old {{code}}' });
    await until(id, 'sending');
    await otp.jump(29_900);
    await end({ id, phone });
    await otp.fault({ to: phone });
    await server.clock.advance(20_000);
    const texts = (await otp.inbox(phone)).map(({ text }) => text);
    expect(texts).toEqual(how === 'superseded' ? ['New 222222'] : []);
    expect(await statesOf(id, messageId)).not.toContain('sent');
  });
});

describe('a message that is lost on its way', () => {
  test('stays sent: nobody says it was delivered', async () => {
    const phone = newPhone();
    await otp.fault({ to: phone, drop: true });
    const { id } = await otp.sent({ phone });
    await server.clock.advance(30_000);
    expect(await otp.inbox(phone)).toEqual([]);
    expect(await statesOf(id)).toEqual(['queued', 'sending', 'sent']);
  });

  test('is sent for good once its code has expired', async () => {
    const phone = newPhone();
    await otp.fault({ to: phone, drop: true });
    const { id } = await otp.sent({ phone, expiryMinutes: 1 });
    await otp.deliver();
    await otp.jump(2 * MINUTE_MS);
    await otp.deliver();
    expect((await otp.read(id)).body.data).toMatchObject({ status: 'expired', messageStatus: 'sent' });
  });
});

describe('a number that is not on WhatsApp', () => {
  test('fails the message and the verification, with the reason', async () => {
    const phone = newPhone();
    await otp.fault({ to: phone, notOnWhatsApp: true });
    const { id, messageId } = await otp.sent({ phone, code: CODE });
    await otp.deliver();
    const { data } = (await otp.read(id)).body;
    expect(data).toMatchObject({
      status: 'failed',
      messageStatus: 'failed',
      reason: 'PHONE_NOT_ON_WHATSAPP',
      attemptsRemaining: 0,
    });
    expect(await timelineOf(id)).toContainEqual(
      expect.objectContaining({ messageId, status: 'failed', reason: 'PHONE_NOT_ON_WHATSAPP' }),
    );
    expect(await attemptsOf(messageId)).toBe(1);
    expect((await otp.eventsOf(id)).slice(-2)).toEqual(['message.failed', 'otp.failed']);
    expect((await otp.check({ id, code: CODE })).body.code).toBe('OTP_NOT_FOUND');
  });

  test('may be sent a new code when the phone may be', async () => {
    const phone = newPhone();
    await otp.fault({ to: phone, notOnWhatsApp: true });
    const first = await otp.sent({ phone });
    await server.clock.advance(30_000);
    await otp.fault({ to: phone });
    const second = await otp.sent({ phone });
    expect(second.id).not.toBe(first.id);
    await until(second.id, 'read');
  });

  test('leaves a verification pending of which another message has arrived', async () => {
    const phone = newPhone();
    const { id } = await otp.sent({ phone, code: CODE });
    await until(id, 'read');
    await otp.fault({ to: phone, notOnWhatsApp: true });
    await server.clock.advance(30_000);
    await otp.resend(id);
    await until(id, 'failed');
    expect((await otp.read(id)).body.data.status).toBe('pending');
    expect((await otp.check({ id, code: CODE })).status).toBe(200);
  });
});

describe('a slow provider', () => {
  test('leaves the message in sending until it has answered', async () => {
    const phone = newPhone();
    await otp.fault({ to: phone, delayMs: 5_000 });
    const { id } = await otp.sent({ phone });
    await server.clock.advance(4_000);
    expect((await otp.read(id)).body.data.messageStatus).toBe('sending');
    expect(await otp.inbox(phone)).toEqual([]);
    await server.clock.advance(1_500);
    expect(await statesOf(id)).toEqual(expect.arrayContaining(['sent']));
    expect(await otp.inbox(phone)).toHaveLength(1);
  });

  test('delays no other message', async () => {
    const [slow, quick] = [newPhone(), newPhone()];
    await otp.fault({ to: slow, delayMs: 20_000 });
    await otp.sent({ phone: slow });
    const { id } = await otp.sent({ phone: quick });
    await server.clock.advance(3_000);
    expect((await otp.read(id)).body.data.messageStatus).toBe('read');
    expect(await otp.inbox(slow)).toEqual([]);
  });

  test('that does not answer in 30 s is tried again, under the same id', async () => {
    const phone = newPhone();
    await otp.fault({ to: phone, delayMs: 60_000 });
    const { id, messageId } = await otp.sent({ phone });
    await until(id, 'sending');
    await otp.fault({ to: phone });
    await server.clock.advance(32_000);
    expect(await timelineOf(id)).toContainEqual(
      expect.objectContaining({ status: 'queued', reason: 'no answer within 30 seconds' }),
    );
    await until(id, 'read');
    expect((await otp.inbox(phone)).map((message) => message.id)).toEqual([messageId]);
    expect(await attemptsOf(messageId)).toBe(2);
  });
});

describe('over a restart', () => {
  let again: TestApp;
  let after: ReturnType<typeof verificationsOf>;
  const [waits, inHand, arrived, expires] = [newPhone(), newPhone(), newPhone(), newPhone()];
  const sent: Record<string, { id: string; messageId: string }> = {};

  beforeAll(async () => {
    const first = await startTestApp({ env: QUICK_ADMIN });
    const before = verificationsOf(first);
    sent[arrived] = await before.sent({ phone: arrived, code: CODE });
    for (let step = 0; step < 50 && (await before.inbox(arrived)).length === 0; step++) {
      await first.clock.advance(10);
    }
    await before.fault({ to: waits, refuse: true });
    await before.fault({ to: inHand, delayMs: 60_000 });
    await before.fault({ to: expires, refuse: true });
    for (const phone of [waits, inHand]) sent[phone] = await before.sent({ phone });
    sent[expires] = await before.sent({ phone: expires, expiryMinutes: 1 });
    await first.clock.advance(150);
    expect((await before.inbox(arrived)).map(({ status }) => status)).toEqual(['sent']);

    // What a channel has in hand is waited for, by the clock.
    let isStopped = false;
    const stopping = first.stop({ keepFiles: true }).then(() => {
      isStopped = true;
    });
    for (let step = 0; step < 100 && !isStopped; step++) await first.clock.advance(100);
    await stopping;
    first.clock.set(first.clock.now() + MINUTE_MS);
    again = await startTestApp({ env: QUICK_ADMIN, dir: first.dir, clock: first.clock, key: first.key });
    after = verificationsOf(again);
    await again.clock.advance(5_000);
  });
  afterAll(() => again.stop());

  test.each([
    ['that waited', waits],
    ['that a channel had in hand', inHand],
  ])('a message %s is delivered once, at the cost of no attempt', async (_which, phone) => {
    const { id, messageId } = sent[phone]!;
    expect((await after.inbox(phone)).map((message) => message.id)).toEqual([messageId]);
    expect((await after.read(id)).body.data.messageStatus).toBe('read');
    expect(await attemptsOf(messageId, again)).toBe(1);
  });

  test('the virtual phone keeps its messages, and receipts that were lost come again', async () => {
    const { id, messageId } = sent[arrived]!;
    expect(await after.inbox(arrived)).toMatchObject([{ id: messageId, status: 'read' }]);
    expect((await after.check({ id, code: CODE })).status).toBe(200);
  });

  test('a message whose code expired meanwhile is not sent', async () => {
    expect(await after.inbox(expires)).toEqual([]);
    const { data } = (await after.read(sent[expires]!.id)).body;
    expect(data).toMatchObject({ status: 'expired', messageStatus: 'expired' });
  });

  test('every change before and after has exactly one event', () => expectOneEventPerChange(again));
});

test('every message is in a final state a minute after its code expired', async () => {
  await server.clock.advance(0);
  await otp.jump(11 * MINUTE_MS);
  await server.clock.advance(2_000);
  const rows = await server.app.database.reader.selectFrom('messages').select('status').distinct().execute();
  const left = rows
    .map(({ status }) => status)
    .filter((status) => status === 'queued' || status === 'sending');
  expect(left).toEqual([]);
});

test('every change made here has exactly one event', () => expectOneEventPerChange(server));
