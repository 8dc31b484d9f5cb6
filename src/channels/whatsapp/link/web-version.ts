import type { WAVersion } from 'baileys';
import type { Clock } from '../../../lib/clock.ts';
import type { Logger } from '../../../lib/logger.ts';

/** Asks which version WhatsApp Web has at the moment; rejects when the answer is not available. */
export type LatestVersion = (signal: AbortSignal) => Promise<WAVersion>;

/** The version of WhatsApp Web that all sessions connect as. */
export interface WebVersion {
  /** Undefined: the one the library was released with. */
  readonly current: WAVersion | undefined;
  /** WhatsApp takes `refused` no longer: resolves to whether there is another version to try. Never rejects. */
  renew(refused: WAVersion | undefined): Promise<boolean>;
}

/** The answer is small, and nothing but a second attempt waits for it. In ms. */
const ASK_MAX_MS = 10_000;

/**
 * @param pinned the operator's choice; undefined: the library's
 * @param latest where the present version can be asked for; undefined: nowhere, and `pinned` is all there is
 */
export function webVersion(deps: {
  pinned: WAVersion | undefined;
  latest: LatestVersion | undefined;
  clock: Clock;
  log: Logger;
}): WebVersion {
  const { latest, clock, log } = deps;
  let current = deps.pinned;
  let asking: Promise<void> | undefined;

  async function ask(latest: LatestVersion): Promise<void> {
    const abort = new AbortController();
    const timer = clock.setTimeout(() => abort.abort(new Error('no answer in time')), ASK_MAX_MS);
    const late = new Promise<never>((_, reject) => {
      abort.signal.addEventListener('abort', () => reject(abort.signal.reason), { once: true });
    });
    try {
      current = await Promise.race([latest(abort.signal), late]);
      log.info({ version: current.join('.') }, 'WhatsApp Web version updated');
    } catch (error) {
      log.warn(
        { err: error },
        'current WhatsApp Web version not available; set BOT_WEB_VERSION or update WOTP',
      );
    } finally {
      timer.cancel();
    }
  }

  return {
    get current() {
      return current;
    },
    async renew(refused) {
      const isOther = () => current?.join() !== refused?.join();
      if (isOther()) return true;
      if (!latest) return false;
      asking ??= ask(latest).finally(() => {
        asking = undefined;
      });
      await asking;
      return isOther();
    },
  };
}

/** The version that web.whatsapp.com gives to browsers, asked for directly and not through a session's proxy. */
export async function latestWebVersion(signal: AbortSignal): Promise<WAVersion> {
  const { fetchLatestWaWebVersion } = await import('baileys');
  const { version, isLatest, error } = await fetchLatestWaWebVersion({ signal });
  if (!isLatest) throw new Error('web.whatsapp.com did not say its version.', { cause: error });
  return version;
}
