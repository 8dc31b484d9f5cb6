import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { BUDGET_WINDOW_MS, type FailedCheck, guessBudget } from './guess-budget.ts';

const NOW = Date.UTC(2026, 0, 15);
const ANYBODY = { codeLength: 6, clientIp: null, isKnown: false };

/** So many failed checks, a second apart, the newest a second ago. */
function failures(count: number, clientIp: string | null = null): FailedCheck[] {
  return Array.from({ length: count }, (_, i) => [NOW - (count - i) * 1000, clientIp]);
}

const address = fc.constantFrom(null, '203.0.113.7', '198.51.100.4');
const failedChecks = fc.array(
  fc.tuple(fc.integer({ min: NOW - 2 * BUDGET_WINDOW_MS, max: NOW }), address) as fc.Arbitrary<FailedCheck>,
  { maxLength: 60, size: 'max' },
);
const guesser = fc.record({
  codeLength: fc.integer({ min: 4, max: 10 }),
  clientIp: address,
  isKnown: fc.boolean(),
});
const limitOf = ({ codeLength, isKnown }: { codeLength: number; isKnown: boolean }) =>
  codeLength < 6 ? 5 : isKnown ? 20 : 15;

describe('the guesses of a phone', () => {
  test.each([
    ['20 for a code of six symbols from an address that has verified it', 6, true, 20],
    ['20 for a longer code from such an address', 10, true, 20],
    ['15 for a code of six symbols from anybody else', 6, false, 15],
    ['15 for a longer code from anybody else', 10, false, 15],
    ['5 for a code of five symbols', 5, false, 5],
    ['5 for a code of four symbols', 4, true, 5],
  ])('are %s', (_rule, codeLength, isKnown, limit) => {
    const left = (count: number) =>
      guessBudget(failures(count), { codeLength, clientIp: null, isKnown }, NOW).remaining;
    expect([left(0), left(1), left(limit - 1), left(limit), left(limit + 1)]).toEqual([
      limit,
      limit - 1,
      1,
      0,
      0,
    ]);
  });

  test('are 10 from one client address, and no fewer for the others', () => {
    const checks = failures(10, '203.0.113.7');
    const left = (clientIp: string | null, isKnown = false) =>
      guessBudget(checks, { codeLength: 6, clientIp, isKnown }, NOW).remaining;
    expect(left('203.0.113.7')).toBe(0);
    expect(left('203.0.113.7', true)).toBe(0);
    expect(left('198.51.100.4')).toBe(5);
    expect(left('198.51.100.4', true)).toBe(10);
    expect(left(null)).toBe(5);
  });

  test('used up by strangers leave five to an address that has verified the phone', () => {
    const strangers = Array.from({ length: 15 }, (_, i) => failures(1, `203.0.113.${i}`)).flat();
    const left = (clientIp: string | null, isKnown: boolean) =>
      guessBudget(strangers, { codeLength: 6, clientIp, isKnown }, NOW).remaining;
    expect([left(null, false), left('198.51.100.4', false), left('198.51.100.4', true)]).toEqual([0, 0, 5]);
  });

  test('are told with the number there are of what is scarcer, the phone itself where both are as scarce', () => {
    const quota = (checks: FailedCheck[], clientIp: string | null) =>
      guessBudget(checks, { codeLength: 6, clientIp, isKnown: false }, NOW).quota;
    const own = (count: number) => failures(count, '203.0.113.7');
    expect(quota(own(1), '203.0.113.7')).toBe(10);
    expect(quota([...own(1), ...failures(5)], '203.0.113.7')).toBe(15);
    expect(quota([...own(1), ...failures(6)], '203.0.113.7')).toBe(15);
    expect(quota(own(1), null)).toBe(15);
  });

  test('come back 24 hours after the failed check that took them, to the millisecond', () => {
    const checks = failures(15);
    const { refillsAt } = guessBudget(checks, ANYBODY, NOW);
    expect(refillsAt).toBe(checks[0]![0] + BUDGET_WINDOW_MS);
    expect(guessBudget(checks, ANYBODY, refillsAt - 1).remaining).toBe(0);
    expect(guessBudget(checks, ANYBODY, refillsAt).remaining).toBe(1);
  });

  test('do not depend on the order of the failed checks', () => {
    fc.assert(
      fc.property(failedChecks, guesser, (checks, who) => {
        expect(guessBudget([...checks].reverse(), who, NOW)).toEqual(guessBudget(checks, who, NOW));
      }),
    );
  });

  test('are the smallest of what is left to the phone and to the client address', () => {
    fc.assert(
      fc.property(failedChecks, guesser, (checks, who) => {
        const counted = checks.filter(([at]) => at > NOW - BUDGET_WINDOW_MS);
        const limits = [limitOf(who) - counted.length];
        if (who.clientIp !== null) limits.push(10 - counted.filter(([, ip]) => ip === who.clientIp).length);
        expect(guessBudget(checks, who, NOW).remaining).toBe(Math.max(0, Math.min(...limits)));
      }),
    );
  });

  test('a further failed check never adds one, and takes at most one', () => {
    fc.assert(
      fc.property(failedChecks, address, guesser, (checks, ip, who) => {
        const before = guessBudget(checks, who, NOW).remaining;
        const after = guessBudget([...checks, [NOW, ip]], who, NOW).remaining;
        expect(after).toBeLessThanOrEqual(before);
        expect(after).toBeGreaterThanOrEqual(before - 1);
      }),
    );
  });

  test('while there are none, refillsAt is the first moment at which there is one', () => {
    fc.assert(
      fc.property(failedChecks, guesser, (checks, who) => {
        const { remaining, refillsAt } = guessBudget(checks, who, NOW);
        if (remaining > 0) return;
        expect(refillsAt).toBeGreaterThan(NOW);
        expect(guessBudget(checks, who, refillsAt - 1).remaining).toBe(0);
        expect(guessBudget(checks, who, refillsAt).remaining).toBeGreaterThan(0);
      }),
      { numRuns: 300 },
    );
  });
});
