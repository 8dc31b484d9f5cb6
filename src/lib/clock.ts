/** A running timer; `cancel` is safe to call at any time, also twice. */
export interface Timer {
  cancel(): void;
}

/**
 * The one source of time. Services take it as an argument so that tests move time by hand.
 */
export interface Clock {
  /** Unix time in ms. Never goes back while the process lives. */
  now(): number;
  /** Calls `callback` once, `delayMs` from now. A pending timer does not keep the process alive. */
  setTimeout(callback: () => void, delayMs: number): Timer;
}

/**
 * The machine's clock. Steps forward are followed; a step back is ignored until the wall clock has caught up,
 * so that an expired code stays expired.
 */
export function systemClock(): Clock {
  let offset = Date.now() - performance.now();
  return {
    now() {
      const elapsed = performance.now();
      offset = Math.max(offset, Date.now() - elapsed);
      return Math.floor(elapsed + offset);
    },
    setTimeout(callback, delayMs) {
      const timer = setTimeout(callback, delayMs);
      timer.unref();
      return { cancel: () => clearTimeout(timer) };
    },
  };
}
