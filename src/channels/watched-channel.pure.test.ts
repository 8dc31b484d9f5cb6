import { beforeEach, describe, expect, test } from 'vitest';
import { ScriptedChannel } from '../../test/support/scripted-channel.ts';
import { silentLog } from '../../test/support/silent-log.ts';
import { settle, type TestClock, testClock } from '../../test/support/test-clock.ts';
import { newId } from '../lib/id.ts';
import { type ChannelName, SendError, type SendFailure } from '../messages/channel.ts';
import { OPEN_MS, OUTAGES_TO_OPEN } from './circuit.ts';
import { WatchedChannel } from './watched-channel.ts';

const PROJECT = 1;

let clock: TestClock;
let channel: ScriptedChannel;
let watched: WatchedChannel;
function watch(name: ChannelName, hasOwnLinks = false): void {
  clock = testClock();
  channel = new ScriptedChannel(name, 20, 5);
  channel.hasOwnLinks = hasOwnLinks;
  watched = new WatchedChannel(channel, { clock, log: silentLog });
}
beforeEach(() => watch('sms'));

/** Sends a message that ends so after `ms`: acknowledged, or with this failure. */
async function send(end: 'taken' | SendFailure, ms = 0): Promise<void> {
  const message = {
    id: newId('msg', clock.now()),
    projectId: PROJECT,
    to: '+6281234500001',
    text: 'Code 481516',
    expiresAt: clock.now() + 300_000,
  };
  const sending = watched.send(message, new AbortController().signal).catch((error: unknown) => error);
  await settle();
  await clock.advance(ms);
  const attempt = channel.tries.at(-1)!;
  if (end === 'taken') attempt.acknowledge('provider-id');
  else attempt.fail(new SendError(end, 'because of +4915100000009'));
  const outcome = await sending;
  if (end === 'taken') expect(outcome).toEqual({ providerId: 'provider-id' });
  else expect(outcome).toMatchObject({ failure: end });
}

async function open(): Promise<void> {
  for (let i = 0; i < OUTAGES_TO_OPEN; i++) await send('unavailable', 1);
}

describe('a channel that works', () => {
  test('is as it says itself', () => {
    channel.refusal = (to) => (to === '+1' ? 'PHONE_NOT_ON_WHATSAPP' : undefined);
    channel.waitReason = 'busy';
    channel.unready.set(PROJECT, { state: 'waiting', reason: 'reconnecting' });
    expect(watched).toMatchObject({ name: 'sms', reaches: 'phone', waitReason: 'busy' });
    expect(watched.capabilities).toEqual({ receipts: 'read', concurrency: 20, portion: 5 });
    expect(watched.refuses?.('+1')).toBe('PHONE_NOT_ON_WHATSAPP');
    expect(watched.readiness(PROJECT)).toEqual({ state: 'waiting', reason: 'reconnecting' });
    expect(watched.readiness(2)).toEqual({ state: 'ready' });
  });

  test('has figures of its latest tries; a refused address counts for nothing', async () => {
    expect(watched.figures).toEqual({ successRate: null, p95Ms: null });
    for (let i = 1; i <= 18; i++) await send('taken', i * 10);
    await send('permanent', 5_000);
    for (let i = 0; i < 2; i++) await send('temporary', 5_000);
    expect(watched.figures).toEqual({ successRate: 0.9, p95Ms: 180 });
    for (let i = 0; i < 300; i++) await send('taken', 7);
    expect(watched.figures).toEqual({ successRate: 1, p95Ms: 7 });
  });
});

describe('a channel that fails again and again', () => {
  test('is offline, and says nothing of whom it failed for', async () => {
    await open();
    const reason = 'paused after repeated failures';
    expect(watched.readiness(PROJECT)).toEqual({ state: 'offline', reason });
    expect(watched.waitReason).toBe(reason);
    channel.unready.set(PROJECT, { state: 'waiting', reason: 'acme asks to wait' });
    expect(watched.readiness(PROJECT)).toEqual({ state: 'offline', reason: `${reason}: acme asks to wait` });
    channel.unready.set(PROJECT, { state: 'offline', reason: 'no credit' });
    expect(watched.readiness(PROJECT)).toEqual({ state: 'offline', reason: 'no credit' });
  });

  test('gets one message at a time when its time has passed, and is ready when it takes it', async () => {
    await open();
    await clock.advance(OPEN_MS.first);
    expect(watched.readiness(PROJECT)).toMatchObject({ state: 'waiting' });
    expect(watched.waitReason).toBeUndefined();
    expect(watched.capabilities).toEqual({ receipts: 'read', concurrency: 1 });
    await send('taken');
    expect(watched.readiness(PROJECT)).toEqual({ state: 'ready' });
    expect(watched.capabilities.concurrency).toBe(20);
  });

  test('is offline again when it does not take that message', async () => {
    await open();
    await clock.advance(OPEN_MS.first);
    await send('temporary');
    expect(watched.readiness(PROJECT).state).toBe('offline');
    await clock.advance(OPEN_MS.first);
    expect(watched.readiness(PROJECT).state).toBe('offline');
    await clock.advance(OPEN_MS.first);
    expect(watched.readiness(PROJECT).state).toBe('waiting');
  });

  test('works as soon as it refuses an address, which it must have looked at', async () => {
    await open();
    await clock.advance(OPEN_MS.first);
    await send('permanent');
    expect(watched.readiness(PROJECT)).toEqual({ state: 'ready' });
  });

  test('is not one that defers some recipients, however many, as a mail server does that greylists', async () => {
    for (let i = 0; i < 30; i++) await send('deferred');
    expect(watched.readiness(PROJECT)).toEqual({ state: 'ready' });
    expect(watched.figures).toEqual({ successRate: null, p95Ms: null });
    await open();
    await clock.advance(OPEN_MS.first);
    await send('deferred');
    expect(watched.readiness(PROJECT)).toEqual({ state: 'ready' });
  });

  test('is not paused where it supervises its links itself', async () => {
    watch('whatsapp', true);
    for (let i = 0; i < 30; i++) await send('unavailable', 1);
    expect(watched.readiness(PROJECT)).toEqual({ state: 'ready' });
    expect(watched.figures).toEqual({ successRate: 0, p95Ms: null });
  });

  test('is not blamed for tries that end because the server stops', async () => {
    for (let i = 0; i < OUTAGES_TO_OPEN; i++) {
      const abort = new AbortController();
      const message = { id: `msg_${i}`, projectId: PROJECT, to: '+1', text: '', expiresAt: 0 };
      const sending = watched.send(message, abort.signal);
      abort.abort(new SendError('unavailable', 'server stopping'));
      await expect(sending).rejects.toThrow('server stopping');
      await clock.advance(1);
    }
    expect(watched.readiness(PROJECT)).toEqual({ state: 'ready' });
    expect(watched.figures.successRate).toBeNull();
  });
});
