/** A source of time; the clock of the tests is one. */
export interface Scheduler {
  /** Unix time in ms. */
  now(): number;
  /** Calls `callback` once, `delayMs` from now. */
  setTimeout(callback: () => void, delayMs: number): { cancel(): void };
}

/** What the fake server and its phones will do later. */
export interface Agenda {
  /** Unix time in ms. */
  now(): number;
  /** Unix time in seconds, as stanzas carry it. */
  timestamp(): string;
  /** Does the work in a later turn of the event loop, `delayMs` from now; work of the same delay keeps its order. */
  later(delayMs: number, work: () => void | Promise<void>): void;
  /** Strikes out everything that is left. */
  stop(): void;
}

/** The machine's own time. */
export const realTime: Scheduler = {
  now: () => Date.now(),
  setTimeout(callback, delayMs) {
    const timer = setTimeout(callback, delayMs);
    return { cancel: () => clearTimeout(timer) };
  },
};

/** An agenda that runs by this source of time; work with no delay does not wait for it. */
export function makeAgenda(scheduler: Scheduler, failed: (error: unknown) => void): Agenda {
  const cancels = new Set<() => void>();
  return {
    now: () => scheduler.now(),
    timestamp: () => String(Math.floor(scheduler.now() / 1000)),
    later(delayMs, work) {
      const run = () => {
        cancels.delete(cancel);
        Promise.resolve().then(work).catch(failed);
      };
      let cancel: () => void;
      if (delayMs <= 0) {
        const immediate = setImmediate(run);
        cancel = () => clearImmediate(immediate);
      } else {
        const timer = scheduler.setTimeout(run, delayMs);
        cancel = () => timer.cancel();
      }
      cancels.add(cancel);
    },
    stop() {
      for (const cancel of cancels) cancel();
      cancels.clear();
    },
  };
}
