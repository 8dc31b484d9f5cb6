import type { ApiClient } from './api-client.ts';

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
}

/** Where the API has a session. */
export const sessionPath = (id: string) => `/api/v1/bot/sessions/${encodeURIComponent(id)}`;

/** Does what a session was just made for; when that fails, the session goes again. */
export async function removingOnFailure<T>(api: ApiClient, id: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    // Why the work failed matters more than that something was left behind.
    await api.call('DELETE', sessionPath(id)).catch(() => {});
    throw error;
  }
}
