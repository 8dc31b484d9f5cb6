import type { Clock, Timer } from '../lib/clock.ts';
import type { Accepted } from './channel.ts';

/** How long a channel has to say what became of a try that was aborted, in ms. */
const ABORT_GRACE_MS = 500;

/**
 * Settles with `work`; once the signal is aborted the channel, which knows how far it has come, has a moment to say so, and
 * then the signal's reason counts.
 */
export function settleOrAbort(work: Promise<Accepted>, signal: AbortSignal, clock: Clock): Promise<Accepted> {
  return new Promise((resolve, reject) => {
    let grace: Timer | undefined;
    const onAbort = () => {
      grace = clock.setTimeout(() => reject(signal.reason), ABORT_GRACE_MS);
    };
    signal.addEventListener('abort', onAbort, { once: true });
    work.then(resolve, reject).finally(() => {
      grace?.cancel();
      signal.removeEventListener('abort', onAbort);
    });
  });
}
