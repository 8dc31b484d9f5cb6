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
  perDay: 1_000,
  warmUpDay: undefined,
  ...changes,
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
