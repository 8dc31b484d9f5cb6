/** So many of the latest tries are remembered. */
const REMEMBERED = 256;

/** How a channel did in its latest tries; null where it had none. */
export interface Figures {
  /** The share of tries that the provider acknowledged, 0 to 1; addresses that it refused do not count. */
  readonly successRate: number | null;
  /** In 95 of 100 acknowledged tries the acknowledgement came within this time, in ms. */
  readonly p95Ms: number | null;
}

/** The latest tries of a channel: a try costs one number, and reading sorts them. */
export function trackRecord() {
  /** Latencies in ms; a failed try is NaN. */
  const tries: number[] = [];
  let next = 0;
  const add = (latencyMs: number): void => {
    tries[next] = latencyMs;
    next = (next + 1) % REMEMBERED;
  };
  return {
    /** @param latencyMs from the hand-over to the acknowledgement */
    succeeded: add,
    failed: () => add(Number.NaN),
    figures(): Figures {
      const latencies = tries.filter((latencyMs) => !Number.isNaN(latencyMs)).sort((a, b) => a - b);
      return {
        successRate: tries.length === 0 ? null : latencies.length / tries.length,
        p95Ms: latencies[Math.ceil(latencies.length * 0.95) - 1] ?? null,
      };
    },
  };
}
