import type { Database } from '../database/database.ts';
import type { Clock } from '../lib/clock.ts';
import { pause } from '../lib/pause.ts';
import { add, type Purged, type Retention } from './retention.ts';

/** How long one step works, in ms. */
const STEP_MS = 1_000;
/** Pages that one transaction gives back (128 kB), and how long everybody else has the queue after it, in ms. */
const PORTION_PAGES = 32;
const PAUSE_MS = 10;

/** What one step came to. */
export interface CompactionStep {
  purged: Purged;
  /** The database on disk before and after, and what of it is empty; null where the engine looks after its space. */
  bytesBefore: number | null;
  bytes: number | null;
  freeBytes: number | null;
  /** Nothing is left to do; otherwise another step goes on. */
  done: boolean;
}

/** Makes a database smaller while it is used. */
export type Compaction = ReturnType<typeof compaction>;

export function compaction(deps: {
  database: Database;
  clock: Clock;
  retention: Retention;
  signal: AbortSignal;
}) {
  const { database, clock, retention, signal } = deps;
  const { space } = database;

  return {
    /**
     * Works for a second at most, in short transactions with pauses between: deletes what is over, then gives empty
     * pages back, then writes the WAL into the file. Remembers nothing, so steps may be repeated, left out and run at
     * the same time.
     */
    async step(): Promise<CompactionStep> {
      const until = clock.now() + STEP_MS;
      const before = space?.measure();
      const purged: Purged = {};

      /** Whether the step may do another portion; gives others their turn first. */
      const goesOn = async () => {
        await pause(clock, PAUSE_MS, signal);
        return !signal.aborted && clock.now() < until;
      };

      async function work(): Promise<boolean> {
        for (;;) {
          const some = await retention.purgeSome();
          add(purged, some.purged);
          if (!some.more) break;
          if (!(await goesOn())) return false;
        }
        while (space && space.measure().freeBytes > 0) {
          await space.release(PORTION_PAGES);
          if (space.measure().freeBytes === 0) break;
          if (!(await goesOn())) return false;
        }
        await space?.checkpoint();
        return true;
      }

      const done = await work();
      const after = space?.measure();
      return {
        purged,
        bytesBefore: before?.bytes ?? null,
        bytes: after?.bytes ?? null,
        freeBytes: after?.freeBytes ?? null,
        done,
      };
    },
  };
}
