import { describe, expect, test } from 'vitest';
import { EXPIRED, guessesSpent, NONE_PENDING, NONE_WITH_ID, tooSoon } from './refusals.ts';

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

test('what says that no code waits, or that it has expired, says what to do', () => {
  for (const sentence of [NONE_PENDING, EXPIRED]) expect(sentence).toMatch(/^[A-Z].*\. Send a new one\.$/);
  expect(NONE_WITH_ID).toMatch(/with this id\. Check the id, or send a new one\.$/);
});
