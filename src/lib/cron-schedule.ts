import { Cron } from 'croner';
import type { Clock, Timer } from './clock.ts';
import type { Logger } from './logger.ts';

/** Timers of the machine cannot wait longer than 24.8 days, and a clock may be set meanwhile: look again by then. */
const LOOK_AGAIN_MS = 3_600_000;

/**
 * Runs something whenever a cron pattern says so, in the time zone of the process, and never twice at the same time: a
 * moment that falls into a run is left out. A rejection is logged; the next moment tries again.
 */
export class CronSchedule {
  readonly #cron: Cron;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #work: { name: string; run: () => Promise<unknown> };
  #stopped = false;
  #timer: Timer | undefined;
  #current: Promise<unknown> | undefined;

  /** @param pattern as `BACKUP_CRON` takes it; `work.name` names the work in the log */
  constructor(
    pattern: string,
    work: { name: string; run: () => Promise<unknown> },
    clock: Clock,
    log: Logger,
  ) {
    this.#cron = new Cron(pattern);
    this.#work = work;
    this.#clock = clock;
    this.#log = log;
  }

  start(): void {
    if (!this.#timer) this.#waitFor(this.#next());
  }

  /** Resolves when no run is under way and none will follow. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.cancel();
    await this.#current;
  }

  #next(): number {
    return this.#cron.nextRun(new Date(this.#clock.now()))?.getTime() ?? Number.POSITIVE_INFINITY;
  }

  #waitFor(moment: number): void {
    if (this.#stopped) return;
    const delayMs = Math.min(Math.max(moment - this.#clock.now(), 0), LOOK_AGAIN_MS);
    this.#timer = this.#clock.setTimeout(() => {
      if (this.#clock.now() < moment) this.#waitFor(moment);
      else this.#run();
    }, delayMs);
  }

  #run(): void {
    this.#current = this.#work
      .run()
      .catch((error: unknown) =>
        this.#log.error({ err: error }, `${this.#work.name} failed; the next time tries again`),
      )
      .then(() => this.#waitFor(this.#next()));
  }
}
