import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { nextMessageAt, nextResendAt, type PhoneLimits } from './phone-limits.ts';

const TEN_MINUTES_MS = 600_000;
const DAY_MS = 86_400_000;
const NOW = Date.UTC(2026, 0, 15);
const USUAL: PhoneLimits = { gapMs: 30_000, per10Minutes: 5, perDay: 10 };

const limits = fc.record({
  gapMs: fc.constantFrom(0, 1_000, 30_000, 3_600_000),
  per10Minutes: fc.integer({ min: 1, max: 8 }),
  perDay: fc.integer({ min: 1, max: 20 }),
});
const times = fc.array(fc.integer({ min: NOW - 2 * DAY_MS, max: NOW }), { maxLength: 40, size: 'max' });

/** Whether a message at `at` keeps all limits, counted plainly. */
function isWithin(
  sentAt: readonly number[],
  at: number,
  { gapMs, per10Minutes, perDay }: PhoneLimits,
): boolean {
  const since = (windowMs: number) => sentAt.filter((sent) => sent > at - windowMs).length;
  return since(gapMs) === 0 && since(TEN_MINUTES_MS) < per10Minutes && since(DAY_MS) < perDay;
}

describe('the next message to a phone', () => {
  test('is allowed at once when there was none', () => {
    expect(nextMessageAt([], USUAL)).toBe(0);
  });

  test('waits 30 s after the latest', () => {
    expect(nextMessageAt([NOW], USUAL)).toBe(NOW + 30_000);
  });

  test('the sixth waits until ten minutes after the first', () => {
    const five = [0, 30, 60, 90, 120].map((seconds) => NOW + seconds * 1_000);
    expect(nextMessageAt(five, USUAL)).toBe(NOW + TEN_MINUTES_MS);
  });

  test('the eleventh waits until a day after the first', () => {
    const ten = Array.from({ length: 10 }, (_, i) => NOW + i * TEN_MINUTES_MS);
    expect(nextMessageAt(ten, USUAL)).toBe(NOW + DAY_MS);
  });

  test('does not depend on the order of those before', () => {
    fc.assert(
      fc.property(times, limits, (sentAt, rules) => {
        expect(nextMessageAt([...sentAt].reverse(), rules)).toBe(nextMessageAt(sentAt, rules));
      }),
    );
  });

  test('is allowed exactly from the moment that is told', () => {
    fc.assert(
      fc.property(times, limits, (sentAt, rules) => {
        const at = nextMessageAt(sentAt, rules);
        expect(isWithin(sentAt, Math.max(at, NOW), rules)).toBe(true);
        if (at > NOW) expect(isWithin(sentAt, at - 1, rules)).toBe(false);
      }),
      { numRuns: 500 },
    );
  });

  test('however eagerly one is sent, no window ever holds more than its limit', () => {
    fc.assert(
      fc.property(
        limits,
        fc.array(fc.integer({ min: 0, max: 600_000 }), { maxLength: 60, size: 'max' }),
        (rules, waits) => {
          const sentAt: number[] = [];
          let now = NOW;
          for (const wait of waits) {
            now = Math.max(now + wait, wait % 2 === 0 ? nextMessageAt(sentAt, rules) : 0);
            if (nextMessageAt(sentAt, rules) <= now) sentAt.push(now);
          }
          for (const end of sentAt) {
            const within = (windowMs: number) =>
              sentAt.filter((at) => at > end - windowMs && at <= end).length;
            expect(within(TEN_MINUTES_MS)).toBeLessThanOrEqual(rules.per10Minutes);
            expect(within(DAY_MS)).toBeLessThanOrEqual(rules.perDay);
          }
        },
      ),
    );
  });
});

describe('the next message of a verification', () => {
  test('waits 1, 2 and 4 times the gap, and 4 times from then on', () => {
    const gaps = [1, 2, 3, 4, 5].map((count) => {
      const sentAt = Array.from({ length: count }, (_, i) => NOW + i * 1_000_000);
      return nextResendAt(sentAt, USUAL) - sentAt.at(-1)!;
    });
    expect(gaps).toEqual([30_000, 60_000, 120_000, 120_000, 120_000]);
  });

  test('is allowed at once when none counts', () => {
    expect(nextResendAt([], USUAL)).toBe(0);
  });

  test('waits for nothing without a gap', () => {
    expect(nextResendAt([NOW], { ...USUAL, gapMs: 0 })).toBe(NOW);
  });
});
