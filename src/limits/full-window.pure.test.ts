import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { DAY_MS } from '../lib/duration.ts';
import { fullWindow, nextMessageAt, type PhoneLimits } from './phone-limits.ts';

const TEN_MINUTES_MS = 600_000;
const NOW = Date.UTC(2026, 0, 15);
const USUAL: PhoneLimits = { gapMs: 30_000, per10Minutes: 5, perDay: 10 };

const everyMinute = (count: number) => Array.from({ length: count }, (_, i) => NOW + i * 60_000);
const limitOf = (sentAt: readonly number[], rules = USUAL) =>
  fullWindow(sentAt, rules, nextMessageAt(sentAt, rules));

describe('the limit that keeps a message away', () => {
  test('is the pause since the latest message where no window is full', () => {
    expect(limitOf([NOW])).toEqual({ quota: 1, windowMs: 30_000 });
    expect(limitOf(everyMinute(4))).toEqual({ quota: 1, windowMs: 30_000 });
  });

  test('is the longer pause of a verification, where that is what is waited for', () => {
    expect(fullWindow(everyMinute(2), USUAL, NOW + 60_000 + 120_000)).toEqual({
      quota: 1,
      windowMs: 120_000,
    });
  });

  test('is the ten minutes with their quota from the fifth message on', () => {
    expect(limitOf(everyMinute(5))).toEqual({ quota: 5, windowMs: TEN_MINUTES_MS });
    expect(limitOf([NOW - DAY_MS, ...everyMinute(6)])).toEqual({ quota: 5, windowMs: TEN_MINUTES_MS });
  });

  test('is the day with its quota from the tenth message on', () => {
    const spread = Array.from({ length: 10 }, (_, i) => NOW + i * TEN_MINUTES_MS);
    expect(limitOf(spread)).toEqual({ quota: 10, windowMs: DAY_MS });
    expect(limitOf(everyMinute(10))).toEqual({ quota: 10, windowMs: DAY_MS });
  });

  test('is the pause again as soon as the full windows end before it does', () => {
    const oneMs = { ...USUAL, gapMs: TEN_MINUTES_MS };
    const five = [0, 1, 2, 3, 4].map((ms) => NOW + ms);
    expect(limitOf(five, oneMs)).toEqual({ quota: 1, windowMs: TEN_MINUTES_MS });
    expect(fullWindow(five, USUAL, NOW + TEN_MINUTES_MS)).toEqual({ quota: 5, windowMs: TEN_MINUTES_MS });
    expect(fullWindow(five, USUAL, NOW + TEN_MINUTES_MS + 1)).toMatchObject({ quota: 1 });
  });

  test('does not depend on the order of the messages, and leaves them as they are', () => {
    const times = fc.array(fc.integer({ min: NOW - DAY_MS, max: NOW }), { minLength: 1, maxLength: 20 });
    fc.assert(
      fc.property(times, (sentAt) => {
        const given = [...sentAt];
        const allowedAt = nextMessageAt(sentAt, USUAL);
        expect(fullWindow(sentAt, USUAL, allowedAt)).toEqual(
          fullWindow(
            [...sentAt].sort((a, b) => a - b),
            USUAL,
            allowedAt,
          ),
        );
        expect(sentAt).toEqual(given);
      }),
    );
  });
});
