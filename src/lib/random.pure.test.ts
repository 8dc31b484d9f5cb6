import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { pooledRandomBytes } from './random.ts';

describe('pooled random bytes', () => {
  test('are as many as asked for', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 8_192 }), (size) => {
        expect(pooledRandomBytes(size)).toHaveLength(size);
      }),
    );
  });

  test('more than the pool holds are refused, never cut short', () => {
    expect(() => pooledRandomBytes(8_193)).toThrow(RangeError);
    expect(pooledRandomBytes(16)).toHaveLength(16);
  });

  test('are handed out once, over the end of the pool too', () => {
    const seen = new Set<string>();
    for (let i = 0; i < 5_000; i++)
      seen.add(
        pooledRandomBytes(8 + (i % 9))
          .toString('hex')
          .slice(0, 16),
      );
    expect(seen.size).toBe(5_000);
  });

  test('belong to the caller: what it does to them changes no others', () => {
    const mine = pooledRandomBytes(16);
    mine.fill(0);
    const next = pooledRandomBytes(16);
    expect(next.equals(mine)).toBe(false);
    next.fill(0);
    expect(pooledRandomBytes(16).equals(next)).toBe(false);
  });

  test('have every value equally often', () => {
    const counts = new Array<number>(256).fill(0);
    for (let i = 0; i < 1_000; i++) for (const byte of pooledRandomBytes(128)) counts[byte]! += 1;
    const chiSquare = counts.reduce((sum, count) => sum + (count - 500) ** 2 / 500, 0);
    // 255 degrees of freedom: a fair source leaves this range once in many millions of runs.
    expect(chiSquare).toBeGreaterThan(150);
    expect(chiSquare).toBeLessThan(400);
  });
});
