import type { Clock } from '../../../lib/clock.ts';
import type { Logger } from '../../../lib/logger.ts';
import type { WhatsAppSocket } from '../link/session.ts';

/** Recipients whose token was noted by this connection; the oldest are looked up again. */
const REMEMBERED_MAX = 10_000;
/** A token is given anew in every week, as the client counts weeks, in s. */
const WEEK_SECONDS = 7 * 24 * 60 * 60;

/** Who has been given the token that lets them write back. */
export interface TokenNotes {
  /** A message to this address was acknowledged, and the client gave the token with it. */
  given(address: string): void;
}

/**
 * WhatsApp Web gives each recipient a token once a week, after a message has left. The client does so too, but its note
 * of it is lost in a transaction that is already over, so that it would ask WhatsApp once more with every message. The
 * note is kept here instead, where the client looks for it.
 */
export function tokenNotes(socket: WhatsAppSocket, clock: Clock, log: Logger): TokenNotes {
  const noted = new Map<string, number>();
  const { keys } = socket.authState;

  async function note(address: string, seconds: number): Promise<void> {
    const { [address]: entry } = await keys.get('tctoken', [address]);
    if (weekOf(entry?.senderTimestamp ?? 0) >= weekOf(seconds)) return;
    const kept = { token: Buffer.alloc(0), ...entry, senderTimestamp: seconds };
    await keys.set({ tctoken: { [address]: kept } });
  }

  return {
    given(address) {
      const seconds = Math.floor(clock.now() / 1000);
      if (noted.get(address) === weekOf(seconds)) return;
      noted.set(address, weekOf(seconds));
      if (noted.size > REMEMBERED_MAX) noted.delete(noted.keys().next().value!);
      note(address, seconds).catch((error: unknown) =>
        log.debug({ err: error }, 'issued token not recorded; it is issued again'),
      );
    },
  };
}

function weekOf(seconds: number): number {
  return Math.floor(seconds / WEEK_SECONDS);
}
