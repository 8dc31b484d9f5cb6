import type { Clock, Timer } from '../lib/clock.ts';
import type { Troubles } from './troubles.ts';
import type { Work } from './work.ts';

interface AlarmWork {
  /** Names the work in the log. */
  name: string;
  /** Looks at least this often, in ms: the clock may have been set, or another process may have added something. */
  atLeastMs: number;
  /** Does what is due; resolves to when there is more (Unix ms, past or future), to undefined when there is nothing. */
  run: () => Promise<number | undefined>;
}

/** After a run that failed the next one waits so long, in ms. */
const AFTER_FAILURE_MS = 1_000;

/** Runs something whenever it is due, never twice at the same time. */
export class Alarm implements Work {
  readonly #work: AlarmWork;
  readonly #clock: Clock;
  readonly #troubles: Troubles;
  #state: 'new' | 'running' | 'stopped' = 'new';
  #timer: { timer: Timer; at: number } | undefined;
  #current: Promise<void> | undefined;
  /** The earliest time that was asked for during the run that is under way. */
  #asked = Number.POSITIVE_INFINITY;

  constructor(work: AlarmWork, clock: Clock, troubles: Troubles) {
    this.#work = work;
    this.#clock = clock;
    this.#troubles = troubles;
  }

  start(): void {
    if (this.#state !== 'new') return;
    this.#state = 'running';
    this.wakeAt(this.#clock.now());
  }

  /** Resolves when no run is under way and none will follow. */
  async stop(): Promise<void> {
    this.#state = 'stopped';
    this.#timer?.timer.cancel();
    await this.#current;
  }

  /** Something is due at this time (Unix ms): runs then, or before. */
  wakeAt(time: number): void {
    if (this.#state !== 'running') return;
    if (this.#current) {
      this.#asked = Math.min(this.#asked, time);
      return;
    }
    const now = this.#clock.now();
    const at = Math.min(Math.max(time, now), now + this.#work.atLeastMs);
    if (this.#timer && this.#timer.at <= at) return;
    this.#timer?.timer.cancel();
    const timer = this.#clock.setTimeout(() => {
      this.#timer = undefined;
      this.#current = this.#run().then((next) => {
        this.#current = undefined;
        this.wakeAt(Math.min(next, this.#asked));
      });
    }, at - now);
    this.#timer = { timer, at };
  }

  async #run(): Promise<number> {
    const { name, run } = this.#work;
    this.#asked = Number.POSITIVE_INFINITY;
    try {
      const next = await run();
      this.#troubles.succeeded(name);
      return next ?? Number.POSITIVE_INFINITY;
    } catch (error) {
      this.#troubles.failed(name, error, { message: `${name} failed; trying again` });
      this.#asked = Number.POSITIVE_INFINITY;
      return this.#clock.now() + AFTER_FAILURE_MS;
    }
  }
}
