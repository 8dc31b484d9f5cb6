import { describe, expect, test } from 'vitest';
import { retryInMs } from './retry-schedule.ts';

const WAITS = [0, 5, 300];

describe('the wait for the next attempt', () => {
  test('is that of the schedule and up to a tenth more, and there is none after the last', () => {
    expect(retryInMs(WAITS, { tries: 1, random: 0 })).toBe(5_000);
    expect(retryInMs(WAITS, { tries: 1, random: 1 })).toBe(5_500);
    expect(retryInMs(WAITS, { tries: 2, random: 0.5 })).toBe(315_000);
    expect(retryInMs(WAITS, { tries: 3, random: 0 })).toBeUndefined();
  });

  test('is made longer by what the endpoint asks for, and never shorter', () => {
    expect(retryInMs(WAITS, { tries: 1, retryAfterMs: 60_000, random: 0 })).toBe(60_000);
    expect(retryInMs(WAITS, { tries: 2, retryAfterMs: 1_000, random: 0 })).toBe(300_000);
    expect(retryInMs(WAITS, { tries: 3, retryAfterMs: 1_000, random: 0 })).toBeUndefined();
  });
});
