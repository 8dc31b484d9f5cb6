import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { firstIdAt, type IdPrefix, idOfContent, isId, newId } from './id.ts';

const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz';
const PREFIXES: IdPrefix[] = ['prj', 'key', 'ver', 'msg'];
const NOW = Date.UTC(2026, 0, 15);

/** The UUID inside a TypeID, decoded as its specification says: 26 digits of base 32 are one number. */
function uuidOf(id: string): string {
  let value = 0n;
  for (const digit of id.split('_')[1]!) value = value * 32n + BigInt(ALPHABET.indexOf(digit));
  return value.toString(16).padStart(32, '0');
}

const prefix = fc.constantFrom(...PREFIXES);
const time = fc.integer({ min: 0, max: 2 ** 48 - 1 });

describe('the id of a content', () => {
  test('is a version 7 UUID of its time, the same each time, and another for another content or kind', () => {
    fc.assert(
      fc.property(prefix, time, fc.string(), fc.string(), (kind, at, one, other) => {
        const id = idOfContent(kind, at, one);
        expect(isId(kind, id)).toBe(true);
        expect(idOfContent(kind, at, one)).toBe(id);
        const uuid = uuidOf(id);
        expect(Number.parseInt(uuid.slice(0, 12), 16)).toBe(at);
        expect(uuid[12]).toBe('7');
        expect('89ab').toContain(uuid[16]);
        if (one !== other) expect(idOfContent(kind, at, other)).not.toBe(id);
      }),
    );
  });
});

describe('a new id', () => {
  test('is its prefix and a version 7 UUID that begins with the time', () => {
    fc.assert(
      fc.property(prefix, time, (kind, now) => {
        const id = newId(kind, now);
        expect(id).toMatch(new RegExp(`^${kind}_[0-7][0-9a-hjkmnp-tv-z]{25}$`));
        const uuid = uuidOf(id);
        expect(Number.parseInt(uuid.slice(0, 12), 16)).toBe(now);
        expect(uuid[12]).toBe('7');
        expect('89ab').toContain(uuid[16]);
      }),
    );
  });

  test('sorts after those of earlier moments', () => {
    fc.assert(
      fc.property(time, time, (a, b) => {
        const [earlier, later] = a < b ? [a, b] : [b, a];
        if (earlier === later) return;
        const [second, first] = [newId('ver', later), newId('ver', earlier)];
        expect(first < second).toBe(true);
      }),
    );
  });

  test('sorts after those made before it in the same millisecond', () => {
    const ids = Array.from({ length: 4_000 }, () => newId('msg', NOW));
    expect([...ids].sort()).toEqual(ids);
  });

  test('is made once, however many are made in one millisecond', () => {
    const ids = Array.from({ length: 20_000 }, () => newId('msg', NOW + 1));
    expect(new Set(ids).size).toBe(ids.length);
  });

  test('cannot be guessed from the one before', () => {
    const tails = Array.from({ length: 1_000 }, () => uuidOf(newId('ver', NOW + 2)).slice(17));
    expect(new Set(tails).size).toBe(tails.length);
    const ones = tails
      .flatMap((tail) => [...BigInt(`0x${tail}`).toString(2)])
      .filter((bit) => bit === '1').length;
    // 60 random bits each; a fair source leaves this range once in many millions of runs.
    expect(ones).toBeGreaterThan(30_000 - 700);
    expect(ones).toBeLessThan(30_000 + 700);
  });
});

describe('the first id of a moment', () => {
  test('lies between all ids of the moments before and all from it on', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 2 ** 48 - 1 }), (now) => {
        expect(newId('ver', now - 1) < firstIdAt('ver', now)).toBe(true);
        expect(newId('ver', now) >= firstIdAt('ver', now)).toBe(true);
      }),
    );
  });

  test('of a time before 1970 is the very first, and parts of a millisecond do not count', () => {
    expect(firstIdAt('ver', -1)).toBe(`ver_${'0'.repeat(26)}`);
    expect(firstIdAt('ver', NOW + 0.9)).toBe(firstIdAt('ver', NOW));
  });

  test('has the form of an id', () => {
    expect(isId('ver', firstIdAt('ver', NOW))).toBe(true);
  });
});

describe('what has the form of an id', () => {
  test('is every id of its kind, and none of another', () => {
    for (const kind of PREFIXES) {
      const id = newId(kind, NOW);
      expect(PREFIXES.filter((other) => isId(other, id))).toEqual([kind]);
    }
  });

  test.each([
    '',
    'ver_',
    'ver',
    'ver_01jd3x8zq2e6v9k5m7n0p4r8s',
    'ver_01jd3x8zq2e6v9k5m7n0p4r8stt',
    'ver_81jd3x8zq2e6v9k5m7n0p4r8st',
    'ver_01JD3X8ZQ2E6V9K5M7N0P4R8ST',
    'ver_01jd3x8zq2e6v9k5m7n0p4r8su',
    'ver_01jd3x8zq2e6v9k5m7n0p4r8st\n',
    ' ver_01jd3x8zq2e6v9k5m7n0p4r8st',
    'VER_01jd3x8zq2e6v9k5m7n0p4r8st',
    "ver_' or 1=1 --",
  ])('is not %o', (text) => {
    expect(isId('ver', text)).toBe(false);
  });
});
