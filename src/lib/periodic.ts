import type { Clock, Timer } from './clock.ts';
import type { Logger } from './logger.ts';

export interface PeriodicWork {
  /** Names the work in the log. */
  name: string;
  /** From the end of one run to the start of the next, in ms. */
  intervalMs: number;
  /** One run; a rejection is logged, and the next run tries again. */
  run: () => Promise<void>;
}

/** Runs something again and again, never twice at the same time. */
export class Periodic {
  readonly #work: PeriodicWork;
  readonly #clock: Clock;
  readonly #log: Logger;
  #state: 'new' | 'running' | 'stopped' = 'new';
  #timer: Timer | undefined;
  #current: Promise<void> | undefined;

  constructor(work: PeriodicWork, clock: Clock, log: Logger) {
    this.#work = work;
    this.#clock = clock;
    this.#log = log;
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
      this.#current = this.#work
        .run()
        .catch((error: unknown) =>
          this.#log.error({ err: error }, `${this.#work.name} failed; it is tried again`),
        )
        .then(() => this.#schedule());
    }, this.#work.intervalMs);
  }
}
