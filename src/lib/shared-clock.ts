import type { Clock } from './clock.ts';

/** A clock that can be set by another one. */
export interface SharedClock extends Clock {
  /** Asks the other clock again; between two times this one goes by itself. */
  adjust(): Promise<void>;
}

/** Of so many answers the one that came quickest tells the time best. */
const SAMPLES = 3;

/**
 * This machine's clock, put right by one that others share (Unix ms), so that processes on machines whose clocks
 * differ agree on what has expired. Like every clock here it never goes back: set back, it stands until it is caught
 * up with.
 */
export async function sharedClock(own: Clock, readTime: () => Promise<number>): Promise<SharedClock> {
  let offset = 0;
  let latest = 0;
  const adjust = async () => {
    let quickest = Number.POSITIVE_INFINITY;
    let measured = offset;
    for (let i = 0; i < SAMPLES; i++) {
      const asked = own.now();
      const time = await readTime();
      const answered = own.now();
      if (answered - asked >= quickest) continue;
      quickest = answered - asked;
      measured = time - (asked + answered) / 2;
    }
    offset = measured;
  };
  await adjust();
  return {
    now() {
      latest = Math.max(latest, Math.floor(own.now() + offset));
      return latest;
    },
    setTimeout: own.setTimeout,
    adjust,
  };
}
