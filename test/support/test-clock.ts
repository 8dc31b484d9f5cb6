import type { Clock } from '../../src/lib/clock.ts';
import { isPostgresBusy } from './postgres-activity.ts';

/** A clock that stands still until a test moves it. */
export interface TestClock extends Clock {
  /** Moves time on, and runs every timer that falls due on the way, in order, those of each instant with the work they start. */
  advance(ms: number): Promise<void>;
  /** Jumps without running any timer; may go back. */
  set(time: number): void;
  /** How many timers fall due in `ms` from now, so that a test can see that somebody waits. */
  timersIn(ms: number): number;
}

const QUIET_TURNS = 10;
/** So often it is settled after the last timer. */
const LAST_SETTLES = 5;
/** A query that waits for a lock which the test itself holds does not hold up the clock for longer, in ms. */
const BUSY_MAX_MS = 2_000;

/** Lets everything that can go on without the clock go on: promises, the write queue, queries, answers on sockets. */
export async function settle(): Promise<void> {
  const begun = performance.now();
  for (let turn = 0; turn < QUIET_TURNS; turn++) {
    await new Promise((resolve) => setImmediate(resolve));
    if (isPostgresBusy() && performance.now() - begun < BUSY_MAX_MS) turn = 0;
  }
}

export function testClock(start = Date.UTC(2026, 0, 15, 12, 0, 0)): TestClock {
  let time = start;
  const timers = new Set<{ at: number; callback: () => void }>();
  return {
    now: () => time,
    setTimeout(callback, delayMs) {
      const timer = { at: time + delayMs, callback };
      timers.add(timer);
      return { cancel: () => timers.delete(timer) };
    },
    async advance(ms) {
      const end = time + ms;
      await settle();
      for (;;) {
        const earliest = Math.min(...[...timers].map(({ at }) => at));
        if (!(earliest <= end)) break;
        time = Math.max(time, earliest);
        // Those of one instant run one after another, as those of a real clock that fall due together.
        for (const timer of [...timers].filter(({ at }) => at === earliest)) {
          if (timers.delete(timer)) timer.callback();
        }
        await settle();
      }
      // What the last timers began may take many turns, such as a retention of every kind.
      for (let more = 0; more < LAST_SETTLES; more++) await settle();
      time = end;
    },
    set(to) {
      time = to;
    },
    timersIn: (ms) => [...timers].filter(({ at }) => at === time + ms).length,
  };
}
