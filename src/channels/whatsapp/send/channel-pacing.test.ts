import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import type { FakeWhatsApp } from '../../../../test/support/fake-whatsapp/server.ts';
import { settle } from '../../../../test/support/test-clock.ts';
import { linkedChannels } from '../../../../test/support/whatsapp-channel.ts';

const channels = linkedChannels();
const { newPhone, setUp } = channels;
let whatsapp: FakeWhatsApp;
beforeAll(() => {
  ({ whatsapp } = channels);
});

describe('pacing', () => {
  test('lets messages leave no faster than the rate, and takes no more from the outbox than will leave soon', async () => {
    const { channel, clock, message } = await setUp({ pacing: { ratePerSecond: 1, burst: 2 } });
    const phones = Array.from({ length: 4 }, () => newPhone());
    expect(channel.capabilities.concurrency).toBe(7);
    const sending = Promise.all(
      phones.map(({ number }) => channel.send(message(number), new AbortController().signal)),
    );
    const arrived = () => phones.filter(({ messages }) => messages.length > 0).length;
    await clock.advance(500);
    await whatsapp.until(() => arrived() === 2);
    await clock.advance(1_000);
    await whatsapp.until(() => arrived() === 3);
    await clock.advance(1_000);
    await sending;
    expect(arrived()).toBe(4);
  });

  test('ends the day at the cap, also after a restart, and begins anew with the next', async () => {
    const { channel, clock, send, failure, makeChannel } = await setUp({ pacing: { dailyCap: 3 } });
    for (let sent = 0; sent < 3; sent++) await send(newPhone().number);
    expect(channel.waitReason).toContain('WHATSAPP_DAILY_CAP');
    expect((await failure(newPhone().number)).reason).toContain('WHATSAPP_DAILY_CAP');
    await settle();
    await channel.stop();

    const restarted = await makeChannel();
    onTestFinished(() => restarted.stop());
    expect(restarted.capabilities.concurrency).toBe(0);
    clock.set(Date.UTC(2026, 0, 16));
    expect(restarted.capabilities.concurrency).toBe(3);
    expect(restarted.waitReason).toBeUndefined();
  });

  test('is slower for a number that was linked lately', async () => {
    const { channel, sessions, clock } = await setUp({ pacing: { warmUp: true } });
    onTestFinished(() => {
      sessions[0]!.linkedAt = 0;
    });
    expect(channel.sender(sessions[0]!.id)!.leftToday).toBe(10_000_000);
    sessions[0]!.linkedAt = clock.now();
    expect(channel.sender(sessions[0]!.id)!.leftToday).toBe(50);
    expect(channel.capabilities.concurrency).toBe(5);
  });
});
