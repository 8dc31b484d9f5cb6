import { describe, expect, test } from 'vitest';
import {
  EXPIRED,
  guessesSpent,
  incorrect,
  NONE_PENDING,
  NONE_WITH_ID,
  optedOut,
  tooSoon,
} from './refusals.ts';

const NOW = Date.UTC(2026, 0, 15);
const QUOTA = { quota: 5, windowMs: 600_000 };

describe.each([
  ['another message too soon', tooSoon, 'RATE_LIMIT_EXCEEDED', 'phone'],
  ['a check without a guess left', guessesSpent, 'OTP_ATTEMPTS_EXCEEDED', 'guesses'],
] as const)('%s', (_what, refusal, code, name) => {
  test('is refused with the limit that is used up, and with the time of the next one', () => {
    const error = refusal(NOW + 20_000, NOW, QUOTA);
    expect(error).toMatchObject({
      code,
      status: 429,
      details: { retryAfterSeconds: 20, usedUp: { name, ...QUOTA, resetAt: NOW + 20_000 } },
    });
    expect(error.message).toContain(' 20 s');
  });

  test('asks to wait whole seconds, rounded up, and one at least', () => {
    const seconds = (ms: number) => refusal(NOW + ms, NOW, QUOTA).details.retryAfterSeconds;
    expect([19_001, 19_000, 1, 0, -5_000].map(seconds)).toEqual([20, 19, 1, 1, 1]);
  });
});

test('the last wrong code says when a new one may be sent, as the checks after it do; those before do not', () => {
  const [at, wait] = [NOW + 19_001, 'A new code may be sent in 20 s.'];
  expect(incorrect(0, at, NOW).message).toContain(wait);
  expect(guessesSpent(at, NOW, QUOTA).message).toContain(wait);
  expect(incorrect(1, at, NOW).message).not.toContain(' s.');
});

test('what says that no code waits, or that it has expired, says what to do', () => {
  for (const sentence of [NONE_PENDING, EXPIRED]) expect(sentence).toMatch(/^[A-Z].*\. Send a new one\.$/);
  expect(NONE_WITH_ID).toMatch(/with this id\. Check the id, or send a new one\.$/);
});

test('a number that wants no more messages is refused with how it can get some again', () => {
  const error = optedOut();
  expect(error).toMatchObject({ code: 'PHONE_OPTED_OUT' });
  expect(error.message).toMatch(/write START .*administrator can remove it from the opt-outs\.$/);
});

test('a wrong code is refused with how many attempts are left, and after the last with when a new one may be sent', () => {
  const told = (left: number) => {
    const { code, message, details } = incorrect(left, NOW + 20_000, NOW);
    expect({ code, details }).toEqual({ code: 'OTP_INCORRECT', details: { attemptsRemaining: left } });
    return message;
  };
  expect([4, 2, 1, 0].map(told)).toEqual([
    'The code is wrong; 4 attempts are left.',
    'The code is wrong; 2 attempts are left.',
    'The code is wrong; 1 attempt is left.',
    'The code is wrong; no attempts are left. A new code may be sent in 20 s.',
  ]);
});
