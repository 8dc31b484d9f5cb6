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

describe('what a number may do', () => {
  const rules = { ratePerSecond: 10, burst: 20, dailyCap: 10_000, warmUp: true };

  test('is the plan of its day while it is warmed up, counted from its linking in whole days', () => {
    const linkedFor = (ms: number) => allowanceOf(rules, NOW - ms, NOW);
    expect(linkedFor(0)).toEqual({ ratePerSecond: 0.5, burst: 3, perDay: 50, warmUpDay: 1 });
    expect(linkedFor(DAY_MS - 1)).toMatchObject({ perDay: 50, warmUpDay: 1 });
    expect(linkedFor(DAY_MS)).toMatchObject({ perDay: 100, warmUpDay: 2 });
    expect(linkedFor(6 * DAY_MS)).toMatchObject({ perDay: 3_200, warmUpDay: WARM_UP_PER_DAY.length });
    expect(linkedFor(7 * DAY_MS)).toEqual(allowance({ ratePerSecond: 10, burst: 20, perDay: 10_000 }));
  });

  test('begins with the first day where the time of its linking is unknown or lies ahead', () => {
    expect(allowanceOf(rules, undefined, NOW)).toMatchObject({ warmUpDay: 1 });
    expect(allowanceOf(rules, NOW + 5 * DAY_MS, NOW)).toMatchObject({ warmUpDay: 1 });
  });

  test('is never more than the rules', () => {
    const strict = { ratePerSecond: 0.1, burst: 2, dailyCap: 7, warmUp: true };
    expect(allowanceOf(strict, NOW, NOW)).toEqual({ ratePerSecond: 0.1, burst: 2, perDay: 7, warmUpDay: 1 });
  });
});

describe('a turn', () => {
  test('is never in the past, however long nothing was sent, and the rest counts from now', () => {
    expect(takeTurn(NOW - DAY_MS, allowance(), NOW, 0)).toEqual({ at: NOW, pace: NOW + 1_000 });
    expect(takeTurn(0, allowance({ burst: 5 }), NOW, 0)).toEqual({ at: NOW, pace: NOW + 1_000 });
  });

  test('comes a burst before the even pace', () => {
    expect(takeTurn(NOW + 5_000, allowance({ burst: 3 }), NOW, 0)).toEqual({
      at: NOW + 3_000,
      pace: NOW + 6_000,
    });
  });

  test('is put off by its share of half a gap, a second at most, in whole milliseconds', () => {
    const at = (random: number, ratePerSecond = 1) =>
      takeTurn(0, allowance({ ratePerSecond }), NOW, random).at - NOW;
    expect([at(0), at(0.5), at(0.9999)]).toEqual([0, 250, 500]);
    expect([at(0.5, 10), at(0.5, 0.01), at(0.1234, 1)]).toEqual([25, 500, 62]);
  });

  test('that is put off keeps the pace as it was', () => {
    expect(takeTurn(NOW, allowance(), NOW, 0.9).pace).toBe(NOW + 1_000);
  });
});

describe('the turns until a time', () => {
  test('are those that the pace and the burst leave, the one at its very end included', () => {
    const within = (pace: number, horizonMs: number, burst = 1) =>
      turnsWithin(pace, allowance({ burst }), NOW, horizonMs);
    expect(within(0, 0)).toBe(1);
    expect(within(0, 999)).toBe(1);
    expect(within(0, 1_000)).toBe(2);
    expect(within(0, 1_000, 3)).toBe(4);
    expect(within(NOW + 2_000, 1_999)).toBe(0);
    expect(within(NOW + 2_000, 2_000)).toBe(1);
    expect(within(NOW + 2_000, 2_000, 2)).toBe(2);
    expect(within(NOW - 5_000, 1_000)).toBe(2);
    expect(within(NOW + 100_000, 1_000)).toBe(0);
    expect(turnsWithin(0, allowance({ ratePerSecond: 4 }), NOW, 1_000)).toBe(5);
  });
});

test('a day lasts from midnight to midnight, UTC', () => {
  const midnight = Date.UTC(2026, 0, 15);
  expect(dayOf(midnight) - dayOf(midnight - 1)).toBe(1);
  expect(dayOf(midnight + DAY_MS - 1)).toBe(dayOf(midnight));
  expect(restOfDayMs(midnight)).toBe(DAY_MS);
  expect(restOfDayMs(midnight + DAY_MS - 1)).toBe(1);
});
