import { describe, expect, test } from 'vitest';
import { senderHealth } from './sender-health.ts';

const NOW = Date.UTC(2026, 0, 15, 12);
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

/** Opens a new chat that WhatsApp takes, if it may; tells whether it might. */
function open(health: ReturnType<typeof senderHealth>, now: number): boolean {
  if (!health.admission(now).open) return false;
  health.openingChat(now);
  health.acknowledged(50, true, now);
  return true;
}

describe('a number of which nothing is known', () => {
  test('has the full score and opens chats', () => {
    const health = senderHealth();
    expect(health.report(NOW)).toEqual({ score: 100, reasons: [], newChats: { open: true } });
    for (let chat = 0; chat < 100; chat++) expect(open(health, NOW)).toBe(true);
    expect(health.stopped).toBeUndefined();
  });
});

describe('refusals of new chats (error 463)', () => {
  test('stop new chats at the second in a row, for an hour', () => {
    const health = senderHealth();
    expect(health.refused(NOW)).toBe(false);
    expect(health.admission(NOW).open).toBe(true);
    expect(health.refused(NOW)).toBe(true);
    expect(health.admission(NOW)).toEqual({
      open: false,
      reason: 'WhatsApp has refused new chats from this number; it tries again at 2026-01-15T13:00:00Z.',
      until: NOW + HOUR_MS,
    });
    expect(health.report(NOW)).toMatchObject({
      score: 40,
      reasons: ['WhatsApp has refused new chats (error 463).'],
    });
  });

  test('with accepted chats in between are single cases', () => {
    const health = senderHealth();
    for (let times = 0; times < 5; times++) {
      expect(health.refused(NOW)).toBe(false);
      expect(open(health, NOW)).toBe(true);
    }
  });

  test('are followed by a ramp: one chat a minute, then three, then freely', () => {
    const health = senderHealth();
    health.refused(NOW);
    health.refused(NOW);
    let now = NOW + HOUR_MS;
    const openedAt: number[] = [];
    for (; openedAt.length < 27; now += 1000) if (open(health, now)) openedAt.push(now);
    const gaps = openedAt.slice(1).map((at, index) => at - openedAt[index]!);
    expect(gaps.slice(0, 4)).toEqual(Array(4).fill(MINUTE_MS));
    expect(gaps.slice(4, 24)).toEqual(Array(20).fill(20_000));
    expect(gaps.slice(24)).toEqual([1000, 1000]);
    expect(health.report(now).score).toBe(100);
  });

  test('in the ramp stop at once, and for twice as long, a day at most', () => {
    const health = senderHealth();
    health.refused(NOW);
    health.refused(NOW);
    let until = NOW + HOUR_MS;
    for (const hours of [2, 4, 8, 16, 24, 24]) {
      expect(health.admission(until).open).toBe(true);
      expect(health.refused(until)).toBe(true);
      expect(health.admission(until)).toMatchObject({ open: false, until: until + hours * HOUR_MS });
      until += hours * HOUR_MS;
    }
  });

  test('are remembered over a restart', () => {
    const before = senderHealth();
    before.refused(NOW);
    before.refused(NOW);
    const after = senderHealth(before.stopped);
    expect(after.admission(NOW + HOUR_MS - 1).open).toBe(false);
    expect(open(after, NOW + HOUR_MS)).toBe(true);
    expect(open(after, NOW + HOUR_MS + 1)).toBe(false);
  });
});

describe('new chats that wait for an answer at once', () => {
  test('are no more than may be refused before the stop, however many were taken', () => {
    const health = senderHealth();
    for (let chat = 0; chat < 200; chat++) {
      expect(health.newChatWindow(NOW)).toBe(3);
      open(health, NOW);
    }
    health.refused(NOW);
    expect(health.newChatWindow(NOW)).toBe(2);
    open(health, NOW);
    expect(health.newChatWindow(NOW)).toBe(3);
    health.refused(NOW);
    health.refused(NOW);
    expect(health.newChatWindow(NOW)).toBe(0);
  });

  test('and are refused after the stop make it no longer', () => {
    const health = senderHealth();
    for (let refusal = 0; refusal < 3; refusal++) health.refused(NOW);
    expect(health.admission(NOW)).toMatchObject({ until: NOW + HOUR_MS });
    expect(health.stopped).toMatchObject({ stops: 1 });
  });
});

describe('what WhatsApp declares', () => {
  test('a lock stops new chats until it ends, and a ramp follows by itself', () => {
    const health = senderHealth();
    health.declareLock({ endsAt: NOW + HOUR_MS, type: 'BIZ_QUALITY' }, NOW);
    expect(health.report(NOW)).toEqual({
      score: 0,
      reasons: ['WhatsApp lets this number open no new chats until 2026-01-15T13:00:00Z (BIZ_QUALITY).'],
      newChats: expect.objectContaining({ open: false, until: NOW + HOUR_MS }),
    });
    expect(open(health, NOW + HOUR_MS)).toBe(true);
    expect(open(health, NOW + HOUR_MS + 1000)).toBe(false);
    expect(open(health, NOW + HOUR_MS + MINUTE_MS)).toBe(true);
  });

  test('a lock that is lifted early ends early; one without an end is believed for an hour', () => {
    const health = senderHealth();
    health.declareLock({ endsAt: undefined, type: 'DEFAULT' }, NOW);
    expect(health.admission(NOW)).toMatchObject({ until: NOW + HOUR_MS });
    health.declareLock(undefined, NOW + MINUTE_MS);
    expect(open(health, NOW + MINUTE_MS)).toBe(true);
  });

  test('the first warning of the limit on new chats already stops them, until the cycle ends', () => {
    const health = senderHealth();
    const cycleEndsAt = NOW + 5 * HOUR_MS;
    health.declareCap({ status: 'FIRST_WARNING', used: 200, quota: 250, cycleEndsAt }, NOW);
    expect(health.admission(NOW)).toEqual({
      open: false,
      reason:
        'WhatsApp warns that this number has opened many new chats (200 of 250 used); it opens none until 2026-01-15T17:00:00Z.',
      until: cycleEndsAt,
    });
    expect(health.report(NOW).score).toBeLessThan(100);
    expect(health.admission(cycleEndsAt).open).toBe(true);
    health.declareCap({ status: 'NONE', used: 0, quota: 250, cycleEndsAt: undefined }, NOW);
    expect(health.admission(NOW).open).toBe(true);
  });
});

describe('what is observed', () => {
  test('missing and slow acknowledgements, and messages that never arrive, lower the score', () => {
    const missing = senderHealth();
    for (let i = 0; i < 20; i++)
      (i % 2 ? missing.unacknowledged : () => missing.acknowledged(20, false, NOW))(NOW);
    expect(missing.report(NOW)).toMatchObject({
      score: 50,
      reasons: ['WhatsApp acknowledged 50 % of the last 20 messages in time.'],
    });
    const slow = senderHealth();
    for (let i = 0; i < 20; i++) slow.acknowledged(4200, false, NOW);
    expect(slow.report(NOW).reasons).toEqual(['WhatsApp takes 4.2 s to acknowledge.']);
    const unseen = senderHealth();
    for (let i = 0; i < 60; i++) {
      unseen.acknowledged(20, false, NOW);
      if (i % 3 === 0) unseen.arrived();
    }
    expect(unseen.report(NOW).reasons).toEqual(['Only 33 % of the latest messages reached their phones.']);
    expect(unseen.report(NOW).newChats.open).toBe(true);
  });
});
