import { beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import type { LinkedDevice } from '../../../../test/support/fake-whatsapp/linked-device.ts';
import type { FakeWhatsApp } from '../../../../test/support/fake-whatsapp/server.ts';
import { linkedChannels, OTHER, OWN } from '../../../../test/support/whatsapp-channel.ts';
import { MINUTE_MS } from '../../../lib/duration.ts';
import type { SendError } from '../../../messages/channel.ts';

const channels = linkedChannels();
const { newPhone, setUp } = channels;
let whatsapp: FakeWhatsApp;
beforeAll(() => {
  ({ whatsapp } = channels);
});

/** From now on nobody answers what is sent. Returns those to whom a chat was opened. */
function leaveUnanswered(device: LinkedDevice): Set<string> {
  // The receipts of the number's own phone, for the copies that it gets, would be answers, too.
  whatsapp.phone(OWN).on = false;
  onTestFinished(() => {
    whatsapp.phone(OWN).on = true;
  });
  const opened = new Set<string>();
  device.acks = ({ to }) => {
    opened.add(to);
    return { lost: true };
  };
  return opened;
}

describe('refused new chats (463)', () => {
  test('stop within 3; known chats go on, and the others go to the next number', async () => {
    const { channel, message, send, device } = await setUp({ numbers: 2 });
    const known = newPhone();
    await send(known.number);
    await whatsapp.until(() => known.messages.length === 1);
    const sender = known.messages[0]!.from;
    const restricted = sender === OWN ? device : whatsapp.linked(OTHER);
    let refusals = 0;
    restricted.acks = ({ to }) => {
      if (to === known.number) return undefined;
      refusals += 1;
      return { error: 463 };
    };
    const strangers = Array.from({ length: 20 }, () => newPhone());
    await Promise.all(
      strangers.map(({ number }) => channel.send(message(number), new AbortController().signal)),
    );
    expect(refusals).toBeGreaterThan(0);
    expect(refusals).toBeLessThanOrEqual(3);
    await whatsapp.until(() => strangers.every(({ messages }) => messages.length === 1));
    expect(strangers.map(({ messages }) => messages[0]!.from)).not.toContain(sender);

    await send(known.number, 'still here');
    await whatsapp.until(() => known.messages.length === 2);
    expect(known.messages[1]!.from).toBe(sender);
  });

  test('are 3 at most also after 200 were taken, however late the answers; they resume when the lock ends', async () => {
    const { channel, message, send, device, clock } = await setUp();
    const strangers = Array.from({ length: 220 }, () => newPhone());
    const outcomesOf = (phones: typeof strangers) =>
      Promise.all(
        phones.map(({ number }) =>
          channel.send(message(number), new AbortController().signal).then(
            () => 'sent',
            (error: SendError) => error.reason,
          ),
        ),
      );
    const taken = strangers.splice(0, 200);
    expect(new Set(await outcomesOf(taken))).toEqual(new Set(['sent']));

    let refusals = 0;
    const endsAt = clock.now() + 10 * MINUTE_MS;
    device.acks = ({ to }) => {
      if (taken.some(({ number }) => number === to)) return undefined;
      refusals += 1;
      if (refusals === 1) {
        whatsapp.phone(OWN).restrict({ reachoutTimelock: { endsAt: endsAt / 1000, type: 'BIZ_QUALITY' } });
      }
      return { error: 463, delayMs: 100 };
    };
    const outcomes = await outcomesOf(strangers);
    expect(refusals).toBeGreaterThan(0);
    expect(refusals).toBeLessThanOrEqual(3);
    expect(outcomes.filter((outcome) => !outcome.startsWith('WHATSAPP_NEW_CHAT'))).toEqual([]);
    await send(taken[0]!.number, 'still here');

    device.acks = {};
    await clock.advance(10 * MINUTE_MS - 1);
    expect((await outcomesOf([newPhone()]))[0]).toContain('WHATSAPP_NEW_CHATS_STOPPED');
    await clock.advance(1);
    expect(await outcomesOf([newPhone()])).toEqual(['sent']);
  }, 60_000);

  test('keep their places for half a minute when nobody waits for their answers any more', async () => {
    const { channel, message, device, clock } = await setUp();
    const opened = leaveUnanswered(device);
    const tryThree = () =>
      Array.from({ length: 3 }, () => {
        const phone = newPhone();
        phone.on = false;
        const abort = new AbortController();
        const outcome = channel.send(message(phone.number), abort.signal).catch((error: unknown) => error);
        return { abort, outcome };
      });
    const first = tryThree();
    await whatsapp.until(() => opened.size === 3);
    for (const { abort } of first) abort.abort(new Error('took too long'));
    const second = tryThree();
    await vi.waitFor(() => expect(clock.timersIn(15_000)).toBe(3));
    await clock.advance(29_999);
    for (const { outcome } of second) expect(await outcome).toMatchObject({ failure: 'unavailable' });
    expect(opened.size).toBe(3);

    await clock.advance(1);
    const third = tryThree();
    await whatsapp.until(() => opened.size === 6);
    for (const { abort, outcome } of third) {
      abort.abort(new Error('took too long'));
      await outcome;
    }
  });

  test('that are not answered hold up others for 15 seconds at most, which go back without a try', async () => {
    const { channel, message, device, clock } = await setUp();
    const opened = leaveUnanswered(device);
    const phones = Array.from({ length: 4 }, () => newPhone());
    for (const phone of phones) phone.on = false;
    const outcomes = phones.map(({ number }) =>
      channel.send(message(number), new AbortController().signal).catch((error: unknown) => error),
    );
    await whatsapp.until(() => opened.size === 3);
    await vi.waitFor(() => expect(clock.timersIn(15_000)).toBe(1));
    await clock.advance(15_000);
    // Which of the four had to wait is the database's choice.
    expect(await Promise.race(outcomes)).toMatchObject({
      failure: 'unavailable',
      reason: expect.stringContaining('WHATSAPP_NEW_CHATS_BUSY'),
      retryAfterMs: 2_000,
    });
    expect(opened.size).toBe(3);
  });

  test('wait with the reason when there is no other number, and go on by themselves when the lock ends', async () => {
    const { channel, message, failure, device, clock, sessions } = await setUp();
    const strangers = Array.from({ length: 10 }, () => newPhone());
    const endsAt = clock.now() + 10 * MINUTE_MS;
    let refusals = 0;
    device.acks = () => {
      refusals += 1;
      whatsapp.phone(OWN).restrict({ reachoutTimelock: { endsAt: endsAt / 1000, type: 'BIZ_QUALITY' } });
      return { error: 463 };
    };
    const messages = strangers.map(({ number }) => message(number));
    const sendAll = () =>
      Promise.all(
        messages.map((each) =>
          channel.send(each, new AbortController().signal).then(
            () => 'sent',
            (error: SendError) => `${error.failure}: ${error.reason}`,
          ),
        ),
      );
    const outcomes = await sendAll();
    expect(refusals).toBeLessThanOrEqual(3);
    expect(outcomes.every((outcome) => outcome.startsWith('unavailable: WHATSAPP_'))).toBe(true);
    await whatsapp.until(() => channel.sender(sessions[0]!.id)!.health.score === 0);
    const locked = await failure(newPhone().number);
    expect(locked).toMatchObject({
      failure: 'unavailable',
      retryAfterMs: 30_000,
      reason: `WHATSAPP_NEW_CHATS_STOPPED: WhatsApp lets this number open no new chats until ${new Date(endsAt).toISOString().replace('.000', '')} (BIZ_QUALITY).`,
    });
    expect(refusals).toBeLessThanOrEqual(3);

    device.acks = {};
    await clock.advance(10 * MINUTE_MS);
    const after = await sendAll();
    expect(after.filter((outcome) => outcome === 'sent')).toHaveLength(1);
    for (let minute = 0; minute < 4; minute++) {
      await clock.advance(MINUTE_MS);
      await channel.send(messages[minute + 4]!, new AbortController().signal);
    }
  });

  test('are not asked for after the first warning of the limit', async () => {
    const { channel, failure, sessions } = await setUp();
    whatsapp.phone(OWN).restrict({ newChats: { quota: 250, used: 200, status: 'FIRST_WARNING' } });
    await whatsapp.until(() => channel.sender(sessions[0]!.id)!.health.score < 100);
    const phone = newPhone();
    expect((await failure(phone.number)).reason).toContain('(200 of 250 used)');
    expect(phone.messages).toEqual([]);
  });
});
