import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ENDINGS, statusAt } from './state-machine.ts';
import { VERIFICATION_STATUSES } from './types.ts';

const time = fc.integer({ min: 0, max: 2 ** 42 });
const status = fc.constantFrom(...VERIFICATION_STATUSES);

describe('the state of a verification', () => {
  test('is expired from the very moment of its expiry, whether or not that has been written down', () => {
    expect(statusAt({ status: 'pending', expires_at: 1_000 }, 999)).toBe('pending');
    expect(statusAt({ status: 'pending', expires_at: 1_000 }, 1_000)).toBe('expired');
  });

  test('once ended, is the same at every moment', () => {
    const ended = status.filter((value) => value !== 'pending');
    fc.assert(
      fc.property(ended, time, time, (value, expires_at, now) => {
        expect(statusAt({ status: value, expires_at }, now)).toBe(value);
      }),
    );
  });

  test('never goes back to pending as time goes on', () => {
    fc.assert(
      fc.property(status, time, time, time, (value, expires_at, a, b) => {
        const [earlier, later] = a < b ? [a, b] : [b, a];
        const row = { status: value, expires_at };
        if (statusAt(row, earlier) !== 'pending') expect(statusAt(row, later)).toBe(statusAt(row, earlier));
      }),
    );
  });

  test('has an event for every way to end', () => {
    expect(Object.keys(ENDINGS).sort()).toEqual(
      VERIFICATION_STATUSES.filter((value) => value !== 'pending').sort(),
    );
    expect(ENDINGS).toMatchObject({ max_attempts_reached: 'otp.failed', failed: 'otp.failed' });
  });
});
