import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type Allowance,
  allowanceOf,
  dayOf,
  restOfDayMs,
  takeTurn,
  turnsWithin,
  WARM_UP_PER_DAY,
} from './pacing.ts';

const DAY_MS = 86_400_000;
const NOW = Date.UTC(2026, 0, 15, 12);
const allowance = (changes: Partial<Allowance> = {}): Allowance => ({
  ratePerSecond: 1,
  burst: 1,
  perDay: 1000,
  warmUpDay: undefined,
  ...changes,
});

/** The times, from now, of so many turns that are all asked for at once. */
function turns(count: number, rules: Allowance, random = 0): number[] {
  let pace = 0;
  return Array.from({ length: count }, () => {
    const turn = takeTurn(pace, rules, NOW, random);
    pace = turn.pace;
    return turn.at - NOW;
  });
}

describe('the turns of a number', () => {
  test('keep the rate when everything is asked for at once', () => {
    expect(turns(4, allowance())).toEqual([0, 1000, 2000, 3000]);
    expect(turns(3, allowance({ ratePerSecond: 0.01 }))).toEqual([0, 100_000, 200_000]);
  });

  test('begin with the burst after a quiet time', () => {
    expect(turns(5, allowance({ burst: 3 }))).toEqual([0, 0, 0, 1000, 2000]);
  });

  test('are put off by up to half a gap, and never by more than a second', () => {
    expect(turns(3, allowance(), 0.999)).toEqual([500, 1500, 2500]);
    expect(turns(1, allowance({ ratePerSecond: 0.01 }), 0.999)).toEqual([999]);
  });

  test('are never more than the rate and the burst allow in any time, whatever the arrivals', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 5_000 }), { minLength: 1, maxLength: 60 }),
        fc.integer({ min: 1, max: 10 }),
        fc.double({ min: 0.2, max: 50, noNaN: true }),
        (gaps, burst, ratePerSecond) => {
          const rules = allowance({ burst, ratePerSecond });
          let pace = 0;
          let now = NOW;
          const times = gaps.map((gap) => {
            now += gap;
            const turn = takeTurn(pace, rules, now, 0);
            pace = turn.pace;
            return turn.at;
          });
          times.forEach((time, first) => {
            times.slice(first).forEach((later, count) => {
              expect(count + 1).toBeLessThanOrEqual(burst + ((later - time + 2) * ratePerSecond) / 1000);
            });
          });
        },
      ),
    );
  });

  test('can be counted ahead', () => {
    const rules = allowance({ burst: 3 });
    expect(turnsWithin(0, rules, NOW, 5_000)).toBe(8);
    const { pace } = takeTurn(NOW + 6_000, rules, NOW, 0);
    expect(turnsWithin(pace, rules, NOW, 5_000)).toBe(1);
    expect(turnsWithin(NOW + 100_000, rules, NOW, 5_000)).toBe(0);
  });
});

describe('a number that was linked lately', () => {
  const rules = { ratePerSecond: 10, burst: 20, dailyCap: 1_000, warmUp: true };

  test('may send more from day to day, and as the rules say after a week', () => {
    const perDay = Array.from({ length: 9 }, (_, day) => allowanceOf(rules, NOW - day * DAY_MS, NOW).perDay);
    expect(perDay).toEqual([50, 100, 200, 400, 800, 1_000, 1_000, 1_000, 1_000]);
    expect(allowanceOf(rules, NOW, NOW)).toEqual({ ratePerSecond: 0.5, burst: 3, perDay: 50, warmUpDay: 1 });
    const over = NOW - WARM_UP_PER_DAY.length * DAY_MS;
    expect(allowanceOf(rules, over, NOW)).toEqual(allowance({ ratePerSecond: 10, burst: 20 }));
  });

  test('sends as the rules say at once when the warm-up is off', () => {
    const off = { ...rules, warmUp: false };
    expect(allowanceOf(off, NOW, NOW)).toEqual(allowance({ ratePerSecond: 10, burst: 20 }));
  });
});

test('days begin at midnight UTC', () => {
  expect(dayOf(Date.UTC(1970, 0, 2))).toBe(1);
  expect(dayOf(Date.UTC(1970, 0, 2) - 1)).toBe(0);
  expect(restOfDayMs(NOW)).toBe(DAY_MS / 2);
});
