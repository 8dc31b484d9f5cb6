import type { Clock } from '../../lib/clock.ts';

/** Why the account, or one of its numbers, is not used for a while. */
export interface Hold {
  /** Unix ms. */
  until: number;
  state: 'waiting' | 'offline';
  reason: string;
}

/** What is not used for a while, by its name. */
export class Holds {
  readonly #clock: Clock;
  readonly #holds = new Map<string, Hold & { count: number; at: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Undefined where it may be used. */
  of(name: string): Hold | undefined {
    const hold = this.#holds.get(name);
    return hold && this.#clock.now() < hold.until ? hold : undefined;
  }

  /** Whether it was left alone and nothing has succeeded since. */
  isInDoubt(name: string): boolean {
    return this.#holds.has(name);
  }

  /**
   * Leaves it alone from `at` on, for `waitMs` of how often that was so before without a success between. What begins
   * while it is left alone has the same cause, and what is reported again is no news.
   */
  hold(
    name: string,
    given: Pick<Hold, 'state' | 'reason'> & { at: number; waitMs: (count: number) => number },
  ): void {
    const { at, state, reason, waitMs } = given;
    const before = this.#holds.get(name);
    if (before && at <= before.at) return;
    const isSame = this.of(name) !== undefined;
    const count = before ? before.count + (isSame ? 0 : 1) : 0;
    const until = at + waitMs(count);
    if (until <= this.#clock.now() || (isSame && until <= before!.until)) return;
    this.#holds.set(name, { until, state, reason, count, at });
  }

  /** It works again. What was sent before a hold began says nothing about it. */
  succeeded(name: string): void {
    if (this.of(name) === undefined) this.#holds.delete(name);
  }
}
