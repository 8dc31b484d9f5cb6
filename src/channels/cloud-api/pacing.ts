import type { Clock } from '../../lib/clock.ts';

const KEPT_MAX = 20_000;

/** So many at once, and then one each interval (GCRA): for each key on its own. */
export class Pacing {
  readonly #clock: Clock;
  readonly #intervalMs: number;
  readonly #burst: number;
  /** When each key is back at rest (Unix ms); those that are need not be kept. */
  readonly #busyUntil = new Map<string, number>();

  constructor(clock: Clock, { intervalMs, burst }: { intervalMs: number; burst: number }) {
    this.#clock = clock;
    this.#intervalMs = intervalMs;
    this.#burst = burst;
  }

  /** How long the next one has to wait, in ms. */
  waitMs(key: string): number {
    const busyMs = (this.#busyUntil.get(key) ?? 0) - this.#clock.now();
    return Math.max(0, busyMs - (this.#burst - 1) * this.#intervalMs);
  }

  /** Counts one, also where it has to wait. */
  count(key: string): void {
    const now = this.#clock.now();
    const busyUntil = Math.max(now, this.#busyUntil.get(key) ?? 0) + this.#intervalMs;
    // The oldest first, as in a queue.
    this.#busyUntil.delete(key);
    this.#busyUntil.set(key, busyUntil);
    for (const [oldest, until] of this.#busyUntil) {
      if (until > now && this.#busyUntil.size <= KEPT_MAX) break;
      this.#busyUntil.delete(oldest);
    }
  }
}
