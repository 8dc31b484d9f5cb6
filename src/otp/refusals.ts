import { RateLimitError, type UsedUpLimit, WotpError } from '../errors/errors.ts';

/** How many messages or guesses there are in which time. */
type Quota = Pick<UsedUpLimit, 'quota' | 'windowMs'>;

export const NONE_PENDING = 'No code is waiting for this number. Send a new one.';
export const NONE_WITH_ID = 'No code is waiting with this id. Check the id, or send a new one.';
export const EXPIRED = 'The code has expired. Send a new one.';
export const UNREADABLE_CODE =
  'The stored code of this verification cannot be read, so it cannot be sent again. Send a new one.';

/** The user of the number asked for no more messages. */
export function optedOut(): WotpError {
  return new WotpError(
    'PHONE_OPTED_OUT',
    'This number has opted out of messages. Its user can write START to the number that sent the codes, or an administrator can remove it from the opt-outs.',
  );
}

/** Only e-mail could be used, and the address gets another message at `allowedAt` (Unix ms) only. */
export function addressIsFull(allowedAt: number, now: number, quota: Quota): RateLimitError {
  const seconds = secondsUntil(allowedAt, now);
  return new RateLimitError(
    `This e-mail address has got as many messages as it may for now. You can send another in ${seconds} s.`,
    seconds,
    { name: 'phone', ...quota, resetAt: allowedAt },
  );
}

/** Another message to the phone is allowed at `allowedAt` (Unix ms) only. */
export function tooSoon(allowedAt: number, now: number, quota: Quota): RateLimitError {
  const seconds = secondsUntil(allowedAt, now);
  return new RateLimitError(
    `A code was just sent to this number. You can send another in ${seconds} s.`,
    seconds,
    { name: 'phone', ...quota, resetAt: allowedAt },
  );
}

/** A wrong code. After the last one it says when a new code may be sent (`nextSendAt`, Unix ms). */
export function incorrect(attemptsRemaining: number, nextSendAt: number, now: number): WotpError {
  const left =
    { 0: 'no attempts are', 1: '1 attempt is' }[attemptsRemaining] ?? `${attemptsRemaining} attempts are`;
  const next = attemptsRemaining === 0 ? ` ${newCodeIn(secondsUntil(nextSendAt, now))}` : '';
  return new WotpError('OTP_INCORRECT', `The code is wrong; ${left} left.${next}`, { attemptsRemaining });
}

/** The guesses are used up; a new code may be sent at `nextSendAt` (Unix ms). */
export function guessesSpent(nextSendAt: number, now: number, quota: Quota): RateLimitError {
  const seconds = secondsUntil(nextSendAt, now);
  return new RateLimitError(
    `Too many wrong codes for this number. ${newCodeIn(seconds)}`,
    seconds,
    { name: 'guesses', ...quota, resetAt: nextSendAt },
    'OTP_ATTEMPTS_EXCEEDED',
  );
}

const newCodeIn = (seconds: number) => `A new code may be sent in ${seconds} s.`;

function secondsUntil(at: number, now: number): number {
  return Math.max(1, Math.ceil((at - now) / 1000));
}
