import type { Clock, Timer } from '../lib/clock.ts';
import type { Troubles } from './troubles.ts';

export interface PeriodicWork {
  /** Names the work in the log. */
  name: string;
  /** From the end of one run to the start of the next, in ms. */
  intervalMs: number;
  /** One run; a rejection is a trouble, and the next run tries again. */
  run: () => Promise<void>;
}

/** Runs something again and again, never twice at the same time. */
export class Periodic {
  readonly #work: PeriodicWork;
  readonly #clock: Clock;
  readonly #troubles: Troubles;
  #state: 'new' | 'running' | 'stopped' = 'new';
  #timer: Timer | undefined;
  #current: Promise<void> | undefined;

  constructor(work: PeriodicWork, clock: Clock, troubles: Troubles) {
    this.#work = work;
    this.#clock = clock;
    this.#troubles = troubles;
  }

  start(): void {
    if (this.#state !== 'new') return;
    this.#state = 'running';
    this.#schedule();
  }

  /** Resolves when no run is under way and none will follow. */
  async stop(): Promise<void> {
    this.#state = 'stopped';
    this.#timer?.cancel();
    await this.#current;
  }

  #schedule(): void {
    if (this.#state !== 'running') return;
    this.#timer = this.#clock.setTimeout(() => {
      const { name, run } = this.#work;
      this.#current = run()
        .then(
          () => this.#troubles.succeeded(name),
          (error: unknown) => this.#troubles.failed(name, error, { message: `${name} failed; trying again` }),
        )
        .then(() => this.#schedule());
    }, this.#work.intervalMs);
  }
}
