import { createSecretKey } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { seal, unseal } from './seal.ts';

const key = createSecretKey(Buffer.alloc(32, 1));
const otherKey = createSecretKey(Buffer.alloc(32, 2));
const text = fc.string({ unit: 'grapheme', maxLength: 200 });

describe('a sealed text', () => {
  test('opens to what it was', () => {
    fc.assert(
      fc.property(text, text, (plain, context) => {
        expect(unseal(key, seal(key, plain, context), context)).toBe(plain);
      }),
    );
  });

  test('does not show what it holds, and is another each time', () => {
    const sealed = Array.from({ length: 1_000 }, () => seal(key, '481516', 'msg_a').toString('latin1'));
    expect(new Set(sealed).size).toBe(sealed.length);
    expect(sealed.some((bytes) => bytes.includes('481516'))).toBe(false);
  });

  test('never uses an initialization vector twice', () => {
    const vectors = Array.from({ length: 5_000 }, () => seal(key, '', '').subarray(0, 12).toString('hex'));
    expect(new Set(vectors).size).toBe(vectors.length);
  });

  test('opens with no other key and in no other place', () => {
    const sealed = seal(key, '481516', 'msg_a');
    expect(() => unseal(otherKey, sealed, 'msg_a')).toThrow();
    expect(() => unseal(key, sealed, 'msg_b')).toThrow();
    expect(() => unseal(key, sealed, '')).toThrow();
  });

  test('does not open when a single bit of it has changed', () => {
    const sealed = seal(key, '481516', 'msg_a');
    for (let bit = 0; bit < sealed.length * 8; bit++) {
      const changed = Buffer.from(sealed);
      changed[bit >> 3]! ^= 1 << (bit & 7);
      expect(() => unseal(key, changed, 'msg_a')).toThrow();
    }
  });

  test('does not open when it is cut short or lengthened', () => {
    const sealed = seal(key, '481516', 'msg_a');
    for (let length = 0; length < sealed.length; length++) {
      expect(() => unseal(key, sealed.subarray(0, length), 'msg_a')).toThrow();
    }
    expect(() => unseal(key, Buffer.concat([sealed, Buffer.alloc(1)]), 'msg_a')).toThrow();
  });
});
