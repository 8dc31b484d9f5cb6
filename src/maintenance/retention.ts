import type { Database } from '../database/database.ts';
import type { Keep } from '../feature.ts';
import type { Clock } from '../lib/clock.ts';
import { pause } from '../lib/pause.ts';

/** Between two portions the queue belongs to everybody else, in ms. */
const PAUSE_MS = 20;

/** How much was deleted, by what it is. */
export type Purged = Record<string, number>;

/** Deletes what has been kept for as long as it shall be. */
export type Retention = ReturnType<typeof retention>;

export function retention(deps: { database: Database; clock: Clock; keeps: readonly Keep[] }) {
  const { database, clock, keeps } = deps;

  /** Deletes one portion of each kind, a transaction each; `more` when there may be others. */
  async function purgeSome(): Promise<{ purged: Purged; more: boolean }> {
    const purged: Purged = {};
    let anyMore = false;
    for (const keep of keeps) {
      const { counts, more } = await database.transaction((trx) => keep.forgetSome(trx));
      add(purged, counts);
      anyMore ||= more;
    }
    return { purged, more: anyMore };
  }

  return {
    purgeSome,

    /** Deletes everything that is over, portion by portion with pauses between, or stops when `signal` is aborted. */
    async purge(signal: AbortSignal): Promise<void> {
      while (!signal.aborted && (await purgeSome()).more) await pause(clock, PAUSE_MS, signal);
    },
  };
}

/** Adds counts to others. */
export function add(purged: Purged, counts: Readonly<Record<string, number>>): void {
  for (const [what, count] of Object.entries(counts)) purged[what] = (purged[what] ?? 0) + count;
}
