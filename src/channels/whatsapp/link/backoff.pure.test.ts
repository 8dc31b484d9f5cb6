import fc from 'fast-check';
import { expect, test } from 'vitest';
import { reconnectDelayMs } from './backoff.ts';

test('waits double from 2 s to 5 minutes, and half of each is left to chance', () => {
  const longest = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10].map((failures) => reconnectDelayMs(failures, 1) / 1000);
  expect(longest).toEqual([2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 10_000 }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (failures, random) => {
        const delayMs = reconnectDelayMs(failures, random);
        expect(delayMs).toBeGreaterThanOrEqual(reconnectDelayMs(failures, 1) / 2);
        expect(delayMs).toBeLessThanOrEqual(5 * 60_000);
      },
    ),
  );
});

test('an hour of refusals is fewer than 60 attempts, even if chance makes every wait the shortest', () => {
  let attempts = 0;
  for (let at = 0; at < 60 * 60_000; at += reconnectDelayMs(attempts, 0)) attempts += 1;
  expect(attempts).toBeLessThan(60);
});
