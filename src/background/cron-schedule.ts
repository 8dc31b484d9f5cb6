import { Cron } from 'croner';
import type { Clock, Timer } from '../lib/clock.ts';
import type { Troubles } from './troubles.ts';

/** Timers of the machine cannot wait longer than 24.8 days, and a clock may be set meanwhile: look again by then. */
const LOOK_AGAIN_MS = 3_600_000;

/**
 * Runs something whenever a cron pattern says so, in the time zone of the process, and never twice at the same time: a
 * moment that falls into a run is left out. A rejection is a trouble; the next moment tries again.
 */
export class CronSchedule {
  readonly #cron: Cron;
  readonly #clock: Clock;
  readonly #troubles: Troubles;
  readonly #work: { name: string; run: () => Promise<unknown> };
  #stopped = false;
  #timer: Timer | undefined;
  #current: Promise<unknown> | undefined;

  /** @param pattern as `BACKUP_CRON` takes it; `work.name` names the work in the log */
  constructor(
    pattern: string,
    work: { name: string; run: () => Promise<unknown> },
    clock: Clock,
    troubles: Troubles,
  ) {
    this.#cron = new Cron(pattern);
    this.#work = work;
    this.#clock = clock;
    this.#troubles = troubles;
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
    const { name, run } = this.#work;
    this.#current = run()
      .then(
        () => this.#troubles.succeeded(name),
        (error: unknown) =>
          this.#troubles.failed(name, error, {
            message: `${name} failed; trying again at the next scheduled time`,
          }),
      )
      .then(() => this.#waitFor(this.#next()));
  }
}
