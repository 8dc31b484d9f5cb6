import { DAY_MS } from '../../../lib/duration.ts';
import type { PacingRules } from '../../../settings/settings.ts';

/** What the rules come to for one number at one time. */
export interface Allowance {
  ratePerSecond: number;
  burst: number;
  perDay: number;
  /** The day of the warm-up plan, from 1; undefined when it is over or off. */
  warmUpDay: number | undefined;
}

/** Messages on the first, second, … day after a number was linked; then the daily cap alone holds. */
export const WARM_UP_PER_DAY: readonly number[] = [50, 100, 200, 400, 800, 1_600, 3_200];
const WARM_UP_RATE_PER_SECOND = 0.5;
const WARM_UP_BURST = 3;
/** Turns are put off by a random share of the gap between two messages, up to this long, in ms. */
const JITTER_MAX_MS = 1_000;
const JITTER_SHARE = 0.5;

/** What a number may do at `now`, by the rules and the time it was linked (Unix ms). */
export function allowanceOf(rules: PacingRules, linkedAt: number | undefined, now: number): Allowance {
  const { ratePerSecond, burst, dailyCap } = rules;
  const days = Math.max(0, Math.floor((now - (linkedAt ?? now)) / DAY_MS));
  const planned = rules.warmUp ? WARM_UP_PER_DAY[days] : undefined;
  if (planned === undefined) return { ratePerSecond, burst, perDay: dailyCap, warmUpDay: undefined };
  return {
    ratePerSecond: Math.min(ratePerSecond, WARM_UP_RATE_PER_SECOND),
    burst: Math.min(burst, WARM_UP_BURST),
    perDay: Math.min(dailyCap, planned),
    warmUpDay: days + 1,
  };
}

/**
 * Where a number stands with its rate: the time (Unix ms) at which it would be in step had it sent evenly. 0 for one
 * that has sent nothing.
 */
export type Pace = number;

/**
 * Takes the next turn to send: when it is (Unix ms, `now` or later) and the pace after it.
 * @param random a number in [0, 1), for the jitter
 */
export function takeTurn(
  pace: Pace,
  { ratePerSecond, burst }: Allowance,
  now: number,
  random: number,
): { at: number; pace: Pace } {
  const gapMs = 1000 / ratePerSecond;
  const inStep = Math.max(pace, now);
  const earliest = Math.max(now, inStep - (burst - 1) * gapMs);
  const jitterMs = random * Math.min(JITTER_MAX_MS, gapMs * JITTER_SHARE);
  return { at: Math.round(earliest + jitterMs), pace: inStep + gapMs };
}

/** How many turns are left until `horizonMs` from now. */
export function turnsWithin(
  pace: Pace,
  { ratePerSecond, burst }: Allowance,
  now: number,
  horizonMs: number,
): number {
  const gapMs = 1000 / ratePerSecond;
  const lead = horizonMs + (burst - 1) * gapMs - Math.max(0, pace - now);
  return lead < 0 ? 0 : Math.floor(lead / gapMs) + 1;
}

/** The day of a time (Unix ms), counted from 1970 in UTC: daily caps begin anew with it. */
export function dayOf(time: number): number {
  return Math.floor(time / DAY_MS);
}

/** How long the day of `now` still lasts, in ms. */
export function restOfDayMs(now: number): number {
  return (dayOf(now) + 1) * DAY_MS - now;
}
