import { DAY_MS } from '../lib/duration.ts';

/** How many messages one phone may get in one project. */
export interface PhoneLimits {
  /** Least time between two messages, in ms. */
  gapMs: number;
  per10Minutes: number;
  perDay: number;
}

const TEN_MINUTES_MS = 10 * 60 * 1000;

/** Resends wait 1, 2, then 4 times the gap. */
const GAP_FACTORS = [1, 2, 4] as const;

/**
 * The earliest moment (Unix ms) at which another message to the phone is allowed; in the past when it is now.
 * @param sentAt times of all messages to this phone in the project, at least those of the last 24 hours
 */
export function nextMessageAt(sentAt: readonly number[], limits: PhoneLimits): number {
  const times = [...sentAt].sort((a, b) => a - b);
  const latest = times.at(-1);
  if (latest === undefined) return 0;
  const inWindow = (count: number, windowMs: number) => {
    const first = times[times.length - count];
    return first === undefined ? 0 : first + windowMs;
  };
  return Math.max(
    latest + limits.gapMs,
    inWindow(limits.per10Minutes, TEN_MINUTES_MS),
    inWindow(limits.perDay, DAY_MS),
  );
}

/**
 * The limit that keeps another message away until `allowedAt`: a window that is full, or else the pause since the
 * latest message.
 * @param sentAt as for {@link nextMessageAt}, at least one
 */
export function fullWindow(
  sentAt: readonly number[],
  limits: PhoneLimits,
  allowedAt: number,
): { quota: number; windowMs: number } {
  const times = [...sentAt].sort((a, b) => a - b);
  for (const [quota, windowMs] of [
    [limits.perDay, DAY_MS],
    [limits.per10Minutes, TEN_MINUTES_MS],
  ] as const) {
    const first = times[times.length - quota];
    if (first !== undefined && first + windowMs >= allowedAt) return { quota, windowMs };
  }
  return { quota: 1, windowMs: allowedAt - times.at(-1)! };
}

/** The earliest moment (Unix ms) for the next message of one verification that has sent these so far. */
export function nextResendAt(sentAt: readonly number[], limits: PhoneLimits): number {
  const latest = sentAt.at(-1);
  if (latest === undefined) return 0;
  const factor = GAP_FACTORS[Math.min(sentAt.length, GAP_FACTORS.length) - 1]!;
  return latest + limits.gapMs * factor;
}
