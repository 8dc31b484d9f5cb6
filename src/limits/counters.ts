import type { Database } from '../database/database.ts';
import type { Clock } from '../lib/clock.ts';
import { HOUR_MS } from '../lib/duration.ts';
import { requestCounters } from './request-counters.ts';
import { sharedCounters } from './shared-counters.ts';

/** No window is longer, but that of API keys, which is set. In ms. */
export const COUNTED_MAX_MS = HOUR_MS;

/** What one count came to. */
export interface Count {
  allowed: boolean;
  remaining: number;
  /** When the window ends (Unix ms). */
  resetAt: number;
}

/**
 * Requests counted in fixed windows (`windowMs`) against a limit. Checking and counting is one step, so parallel
 * requests cannot slip through. What cannot be counted rejects, and is refused by that.
 */
export interface Counters {
  /** Counts one request against `limit` a window, if it still fits. */
  consume(key: string, limit: number, windowMs: number): Count | Promise<Count>;
  /** Takes back one count of the window that began at `startedAt` (Unix ms), unless that window has ended. */
  uncount(key: string, startedAt: number): void | Promise<void>;
  /** Writes what is only in memory so far. */
  flush(): Promise<void>;
  /** Deletes the rows that no window of this length (ms) can still need. */
  purge(longestWindowMs: number): Promise<void>;
}

/** The counters of an earlier run going on: in memory where this process is the only one, in the database elsewhere. */
export async function openCounters(
  database: Database,
  clock: Clock,
  longestWindowMs: number,
): Promise<Counters> {
  if (!database.isExclusive) return sharedCounters(database, clock);
  const counters = requestCounters(database, clock);
  await counters.load(longestWindowMs);
  return counters;
}
