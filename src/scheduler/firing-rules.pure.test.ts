import { describe, expect, test } from 'vitest';
import { isMissed, nextAttemptAt } from './firing-rules.ts';

const MINUTE = 60_000;
const TEN_MINUTES = 10 * MINUTE;

describe('a schedule', () => {
  test('is sent while its time is less than the allowed minutes ago, and missed from then on', () => {
    expect(isMissed(1_000, 1_000, TEN_MINUTES)).toBe(false);
    expect(isMissed(1_000, 1_000 + TEN_MINUTES - 1, TEN_MINUTES)).toBe(false);
    expect(isMissed(1_000, 1_000 + TEN_MINUTES, TEN_MINUTES)).toBe(true);
  });

  test('is not missed before its time', () => {
    expect(isMissed(1_000, 0, MINUTE)).toBe(false);
  });
});

describe('after a refusal', () => {
  const refused = { attempts: 1, maxAttempts: 5, scheduledAt: 0, now: 0, retryAfterMs: 0 };

  test.each([
    [1, 30_000],
    [2, MINUTE],
    [3, 2 * MINUTE],
    [4, 4 * MINUTE],
  ])('number %d it is tried again %d ms later', (attempts, waitMs) => {
    expect(nextAttemptAt({ ...refused, attempts }, TEN_MINUTES)).toBe(waitMs);
  });

  test('all five attempts fit into the usual ten minutes', () => {
    let now = 0;
    for (let attempts = 1; attempts < 5; attempts++)
      now = nextAttemptAt({ ...refused, attempts, now }, TEN_MINUTES)!;
    expect(now).toBe(7.5 * MINUTE);
  });

  test('no attempt is made before the refusal allows one', () => {
    expect(nextAttemptAt({ ...refused, retryAfterMs: 45_000 }, TEN_MINUTES)).toBe(45_000);
    expect(nextAttemptAt({ ...refused, retryAfterMs: 5_000 }, TEN_MINUTES)).toBe(30_000);
  });

  test('of the last attempt none follows', () => {
    expect(nextAttemptAt({ ...refused, attempts: 5 }, TEN_MINUTES)).toBeUndefined();
    expect(nextAttemptAt({ ...refused, maxAttempts: 1 }, TEN_MINUTES)).toBeUndefined();
  });

  test('none follows that would come when the schedule counts as missed', () => {
    expect(nextAttemptAt({ ...refused, retryAfterMs: TEN_MINUTES - 1 }, TEN_MINUTES)).toBe(TEN_MINUTES - 1);
    expect(nextAttemptAt({ ...refused, retryAfterMs: TEN_MINUTES }, TEN_MINUTES)).toBeUndefined();
    expect(nextAttemptAt({ ...refused, now: 30_000 }, MINUTE)).toBeUndefined();
  });
});
