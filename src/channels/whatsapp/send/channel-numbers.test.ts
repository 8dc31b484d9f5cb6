import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import type { FakeWhatsApp } from '../../../../test/support/fake-whatsapp/server.ts';
import { settle } from '../../../../test/support/test-clock.ts';
import { linkedChannels, OTHER, OWN } from '../../../../test/support/whatsapp-channel.ts';

const channels = linkedChannels();
const { newPhone, setUp } = channels;
let whatsapp: FakeWhatsApp;
beforeAll(() => {
  ({ whatsapp } = channels);
});

describe('a lost connection', () => {
  const INTERRUPTED =
    'WHATSAPP_NOT_CONNECTED: the connection to WhatsApp is interrupted; it reconnects automatically.';

  test('gives the message back without a try, and the next connection sends it', async () => {
    const { sessions, channel, message, device } = await setUp();
    const phone = newPhone();
    phone.on = false;
    const copies: string[] = [];
    device.acks = ({ id }) => {
      copies.push(id);
      return { lost: true };
    };
    const sent = message(phone.number);
    const failing = channel.send(sent, new AbortController().signal).catch((error: unknown) => error);
    await whatsapp.until(() => copies.length === 1);
    device.drop();
    expect(await failing).toMatchObject({ failure: 'unavailable', reason: INTERRUPTED });
    expect(channel.waitReason).toBe(INTERRUPTED);

    device.acks = {};
    phone.on = true;
    await sessions[0]!.reconnect();
    await settle();
    expect(channel.waitReason).toBeUndefined();
    await channel.send(sent, new AbortController().signal);
    await whatsapp.until(() => phone.messages.length === 1);
    expect(phone.unreadable).toEqual([]);
  });

  test('or one that is no longer trusted moves its messages to another number', async () => {
    const { sessions, channel, message, device, other } = await setUp({ numbers: 2 });
    const phone = newPhone();
    phone.on = false;
    const copies: string[] = [];
    const moved: string[] = [];
    other.acks = ({ id }) => {
      moved.push(id);
      return undefined;
    };
    device.acks = ({ id }) => {
      copies.push(id);
      return { lost: true };
    };
    const sending = channel.send(message(phone.number), new AbortController().signal);
    await whatsapp.until(() => copies.length === 1);
    sessions[0]!.enter('degraded');
    await sending;
    expect(moved).toEqual(copies);

    sessions[0]!.enter('open');
    await settle();
    device.acks = {};
    await channel.send(message(newPhone().number), new AbortController().signal);
  });

  test.each([
    ['logged_out', 'WHATSAPP_NOT_CONNECTED: the linked number was logged out; link it again.'],
    ['banned', 'WHATSAPP_NOT_CONNECTED: WhatsApp has banned the linked number; link another one.'],
    ['paused', 'WHATSAPP_NOT_CONNECTED: the linked number is paused.'],
    ['action_required', 'WHATSAPP_NOT_CONNECTED: WhatsApp asks for a step on the linked phone.'],
  ] as const)('because the number is %s says so, and what to do', async (state, reason) => {
    const { sessions, channel } = await setUp();
    onTestFinished(() => sessions[0]!.enter('open'));
    sessions[0]!.enter(state);
    expect(channel.waitReason).toBe(reason);
  });
});

test('says nothing of the numbers before they have been read after a start', async () => {
  const { makeChannel } = await setUp();
  const starting = await makeChannel({ isReady: false });
  onTestFinished(() => starting.stop());
  expect(starting.waitReason).toBeUndefined();
  expect(starting.capabilities.concurrency).toBe(0);
});

describe('several numbers', () => {
  test('share new recipients, and each recipient keeps the number that wrote first', async () => {
    const { channel, message } = await setUp({ numbers: 2 });
    const phones = Array.from({ length: 10 }, () => newPhone());
    const toAll = () =>
      Promise.all(phones.map(({ number }) => channel.send(message(number), new AbortController().signal)));
    await toAll();
    await whatsapp.until(() => phones.every(({ messages }) => messages.length === 1));
    const senders = phones.map(({ messages }) => messages[0]!.from);
    expect(new Set(senders)).toEqual(new Set([OWN, OTHER]));
    await settle();
    await toAll();
    await whatsapp.until(() => phones.every(({ messages }) => messages.length === 2));
    expect(phones.map(({ messages }) => messages[1]!.from)).toEqual(senders);
  });

  test('stand in for one that does not answer', async () => {
    const { channel, clock, message, device, sessions } = await setUp({ numbers: 2 });
    const [first, second] = [newPhone(), newPhone()];
    let copies = 0;
    device.acks = () => {
      copies += 1;
      return { lost: true };
    };
    whatsapp.phone(OWN).on = false;
    first.on = false;
    onTestFinished(() => {
      whatsapp.phone(OWN).on = true;
    });
    const failing = channel
      .send(message(first.number), new AbortController().signal)
      .catch((error: unknown) => error);
    for (const copy of [1, 2]) {
      await whatsapp.until(() => copies === copy);
      await settle();
      await clock.advance(8_000);
    }
    expect(await failing).toMatchObject({ failure: 'temporary' });
    expect(sessions[0]!.state).toBe('open');
    await channel.send(message(second.number), new AbortController().signal);
    await whatsapp.until(() => second.messages.length === 1);
    expect(second.messages[0]!.from).toBe(OTHER);
  });
});
