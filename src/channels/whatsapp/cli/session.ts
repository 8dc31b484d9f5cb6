import type { ApiClient } from '../../../cli/api-client.ts';
import { CommandError } from '../../../cli/command-error.ts';

export const EXAMPLE_ID = 'ses_01jd3x8zq2e6v9k5m7n0p4r8st';

/** A WhatsApp session, as far as the commands look at it. */
export interface Session {
  id: string;
  name: string | null;
  state: string;
  phone: string | null;
  reason: string | null;
  /** ISO 8601. */
  nextAttemptAt: string | null;
  warning: string | null;
  pairingCode: { code: string; expiresAt: string } | null;
  /** Null while no connection has been made since the start. */
  health: { score: number; reasons: string[]; newChats: 'open' | 'stopped'; leftToday: number } | null;
}

/** Where the API has a session. */
export const sessionPath = (id: string) => `/api/v1/bot/sessions/${encodeURIComponent(id)}`;

/** What ends a command from outside: Ctrl+C, `kill`, and the end of its terminal. */
const INTERRUPTIONS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/**
 * Does what a session was just created for. When that fails or is interrupted, the session is removed, unless a phone is
 * linked to it by then. `work` ends soon after its signal is aborted.
 * @throws CommandError when it was interrupted, and what `work` throws
 */
export async function removingOnFailure<T>(
  api: ApiClient,
  id: string,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const interruption = new AbortController();
  const interrupted = new Promise<never>((_resolve, reject) => {
    const abort = () => {
      const error = new CommandError('Interrupted before a phone was linked. The session is removed.');
      interruption.abort(error);
      reject(error);
    };
    for (const signal of INTERRUPTIONS) process.once(signal, abort);
    interruption.signal.addEventListener('abort', () => {
      for (const signal of INTERRUPTIONS) process.off(signal, abort);
    });
  });
  try {
    return await Promise.race([work(interruption.signal), interrupted]);
  } catch (error) {
    // Why the work failed matters more than that something was left behind.
    await removeUnlinked(api, id).catch(() => {});
    throw error;
  } finally {
    interruption.abort();
  }
}

async function removeUnlinked(api: ApiClient, id: string): Promise<void> {
  const { data } = await api.call<{ data: Session }>('GET', sessionPath(id));
  if (data.phone === null) await api.call('DELETE', sessionPath(id));
}
