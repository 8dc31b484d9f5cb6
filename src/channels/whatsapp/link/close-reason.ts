import { MINUTE_MS } from '../../../lib/duration.ts';
import type { SessionState } from './session.ts';

/** How a connection ended, as Baileys tells it. */
export interface Close {
  /** The status code; undefined when there is none. */
  code: number | undefined;
  /** Whether WhatsApp itself said so, and not the network on the way. */
  isDeclared: boolean;
  /** Whether this machine could not even look WhatsApp's address up, or has no way to it. */
  isOffline?: boolean;
  /** Whether nobody has scanned the QR code, or typed the pairing code, in time. */
  isLinkingOver?: boolean;
  /** For a ban that ends by itself: when, in seconds from now. */
  banSeconds?: number;
}

/**
 * What a session does after a close. `now`: a new socket at once. `backoff`: a new socket after a growing wait.
 * `later`: a new socket after a fixed, long one. `stop`: nothing, until the operator has acted.
 */
export type Answer =
  | { next: 'now' | 'backoff'; reason: string }
  | { next: 'later'; state: SessionState; delayMs: number; reason: string }
  | { next: 'stop'; state: SessionState; reason: string; forgetsCredentials: boolean };

interface Rule {
  name: string;
  answer: (close: Close) => Answer;
}

/** The code for a version of the protocol that WhatsApp takes no longer. */
export const OUTDATED = 405;
const OUTDATED_DELAY_MS = 30 * MINUTE_MS;

const backoff = (reason: string) => (): Answer => ({ next: 'backoff', reason });
const stop = (state: SessionState, reason: string) => (): Answer => ({
  next: 'stop',
  state,
  reason,
  forgetsCredentials: state === 'logged_out',
});

const LOGGED_OUT =
  'WhatsApp has logged this device out: it was removed on the phone, or the phone was away for too long. Link the number again.';

/** What the codes that WhatsApp or the network closes with mean; a code that is not here is tried again. */
const CLOSE_REASONS: Readonly<Record<number, Rule>> = {
  401: { name: 'logged out', answer: stop('logged_out', LOGGED_OUT) },
  402: {
    name: 'banned temporarily',
    answer: ({ banSeconds }) =>
      banSeconds === undefined
        ? stop(
            'banned',
            'WhatsApp has banned this number temporarily. Check the phone, then restart the session.',
          )()
        : {
            next: 'later',
            state: 'banned',
            delayMs: banSeconds * 1000,
            reason: 'WhatsApp has banned this number temporarily. The session tries again when the ban ends.',
          },
  },
  403: {
    name: 'banned',
    answer: stop(
      'banned',
      'WhatsApp refuses this number: it is banned or blocked. Open WhatsApp on the phone to see why; restart once it is lifted.',
    ),
  },
  [OUTDATED]: {
    name: 'version outdated',
    answer: () => ({
      next: 'later',
      state: 'reconnecting',
      delayMs: OUTDATED_DELAY_MS,
      reason:
        'WhatsApp no longer accepts the protocol version of this server. Update WOTP, or set BOT_WEB_VERSION to the current version or BOT_WEB_VERSION_REFRESH=true to look it up; then restart the server.',
    }),
  },
  406: { name: 'logged out', answer: stop('logged_out', LOGGED_OUT) },
  408: { name: 'no answer', answer: backoff('WhatsApp did not answer in time, or could not be reached.') },
  411: {
    name: 'not multi-device',
    answer: stop(
      'action_required',
      'The phone does not support linked devices. Update WhatsApp on it, then restart the session.',
    ),
  },
  428: { name: 'connection closed', answer: backoff('The connection to WhatsApp was lost.') },
  440: {
    name: 'replaced',
    answer: stop(
      'action_required',
      'Another program has connected with the credentials of this session. Stop it, then restart the session: two programs would keep disconnecting each other.',
    ),
  },
  500: { name: 'bad session', answer: backoff('WhatsApp did not accept the session this time.') },
  503: { name: 'unavailable', answer: backoff('WhatsApp is unavailable at the moment.') },
  515: { name: 'restart required', answer: () => ({ next: 'now', reason: 'WhatsApp asked to restart.' }) },
};

/** What to do after a connection of a linked number has ended. */
export function answerTo(close: Close): Answer {
  const { code, isDeclared } = close;
  const rule = code === undefined ? undefined : CLOSE_REASONS[code];
  // A proxy or a broken line can produce any number; only WhatsApp's own word ends a session.
  if (!isDeclared) return { next: 'backoff', reason: close.isOffline ? OFFLINE : networkReason(code) };
  return rule?.answer(close) ?? { next: 'backoff', reason: `WhatsApp closed the connection (${code}).` };
}

/** What the operating system says of a machine that has no network, or no DNS. */
const OFFLINE_CODES = ['ENOTFOUND', 'EAI_AGAIN', 'ENETUNREACH', 'ENETDOWN', 'EHOSTUNREACH'];
const OFFLINE =
  'This machine cannot reach WhatsApp: it has no internet connection, or its DNS does not answer.';

function networkReason(code: number | undefined): string {
  const rule = code === 408 || code === 428 ? CLOSE_REASONS[code] : undefined;
  if (rule) return rule.answer({ code, isDeclared: false }).reason;
  return code === undefined
    ? 'The connection to WhatsApp failed.'
    : `The connection to WhatsApp failed (${code}).`;
}

/** Bad sessions within this time that are one too many, in ms. */
const BAD_SESSION_WINDOW_MS = 10 * MINUTE_MS;
const BAD_SESSIONS_MAX = 3;

/** Whether a code-500 close is the third within ten minutes; `times` are those of all of them, Unix ms, oldest first. */
export function isBadForGood(times: readonly number[]): boolean {
  const [newest, first] = [times.at(-1), times.at(-BAD_SESSIONS_MAX)];
  return newest !== undefined && first !== undefined && newest - first <= BAD_SESSION_WINDOW_MS;
}

/** What stands in a session's status when it is bad for good. */
export const BAD_FOR_GOOD =
  'WhatsApp has refused this session three times within ten minutes. Its credentials are kept: restart it to try again, or log it out and link the number again.';

interface BoomLike {
  message?: string;
  data?: { attrs?: Record<string, string>; expire?: string; code?: string } & NodeJS.ErrnoException;
  output?: { statusCode?: number };
}

/** Reads the error that Baileys closes with, which may also be a bare number or nothing. */
export function readClose(error: unknown): Close {
  if (typeof error === 'number') return { code: error, isDeclared: false };
  const { message = '', data, output } = (error ?? {}) as BoomLike;
  const code = output?.statusCode;
  const isDeclared = /^(Stream Errored|Connection Failure|Multi-device|Connection Terminated by Server)/.test(
    message,
  );
  const seconds = Number(data?.expire);
  return {
    code,
    isDeclared,
    ...(OFFLINE_CODES.includes(data?.code ?? '') ? { isOffline: true } : {}),
    ...(message.startsWith('QR refs attempts ended') ? { isLinkingOver: true } : {}),
    ...(code === 402 && seconds > 0 ? { banSeconds: seconds } : {}),
  };
}
