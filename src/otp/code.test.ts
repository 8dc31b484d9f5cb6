import { createHmac, createSecretKey } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { codeMac, generateCode, macsEqual, normalizeCode } from './code.ts';
import { ALPHABETS } from './types.ts';

const SYMBOLS = { numeric: '0123456789', alphanumeric: '34679ACDEFGHJKMNPQRTWXY' } as const;

/** The chi-square statistic of counts that should be equal. */
function chiSquare(counts: readonly number[]): number {
  const expected = counts.reduce((sum, count) => sum + count, 0) / counts.length;
  return counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
}

describe('a generated code', () => {
  test.each(ALPHABETS)('of %s symbols has the length asked for and no symbol beside them', (alphabet) => {
    for (let length = 4; length <= 10; length++) {
      for (let i = 0; i < 200; i++) {
        const code = generateCode(length, alphabet);
        expect(code).toHaveLength(length);
        for (const symbol of code) expect(SYMBOLS[alphabet]).toContain(symbol);
      }
    }
  });

  test.each(ALPHABETS)('has every %s symbol equally often in every place', (alphabet) => {
    const draws = 20_000;
    const symbols = SYMBOLS[alphabet];
    const counts = Array.from({ length: 6 }, () => new Array<number>(symbols.length).fill(0));
    for (let i = 0; i < draws; i++) {
      const code = generateCode(6, alphabet);
      for (let place = 0; place < 6; place++) counts[place]![symbols.indexOf(code[place]!)]! += 1;
    }
    // A fair source exceeds this once in more than ten million runs; taking a random byte modulo 10, or a number
    // without its leading zeros, exceeds it every time.
    for (const place of counts) expect(chiSquare(place)).toBeLessThan(80);
  });

  test('keeps leading zeros', () => {
    const codes = Array.from({ length: 1_000 }, () => generateCode(6, 'numeric'));
    expect(codes.some((code) => code.startsWith('0'))).toBe(true);
  });

  test('holds no two symbols that people mistake for each other', () => {
    const alphanumeric = new Set(SYMBOLS.alphanumeric);
    for (const pair of ['0O', '1I', '1L', 'IL', '2Z', '5S', '8B', 'UV', '0Q']) {
      expect([...pair].filter((symbol) => alphanumeric.has(symbol)).length, pair).toBeLessThan(2);
    }
  });
});

describe('what a person typed', () => {
  test.each([
    ['481516', '481516'],
    ['481 516', '481516'],
    [' 48-15-16 ', '481516'],
    ['000012', '000012'],
    ['ab12Cd', 'AB12CD'],
    ['- 4 -', '4'],
  ])('%o is read as %o', (typed, code) => {
    expect(normalizeCode(typed)).toBe(code);
  });

  test.each([
    '',
    '   ',
    '-',
    '١٢٣٤٥٦',
    '１２３４５６',
    '𝟒𝟖𝟏𝟓𝟏𝟔',
    '481\u00a0516',
    '481\u2009516',
    '481\u2011516',
    '481\t516',
    '481516\n',
    '481516\u200f',
    '\ufeff481516',
    '481\u0000516',
    '481_516',
    'ÄB12cd',
    'ſ12345',
    '\u212a12345',
    '481.516',
    '+481516',
  ])('%o is no code', (typed) => {
    expect(normalizeCode(typed)).toBeUndefined();
  });

  test('whatever it is, only ASCII letters and digits come out, and reading them again changes nothing', () => {
    const nearlyCode = fc.string({ unit: fc.constantFrom(...'0189azAZ -_\t\u0663\uff11ıſ\u212a') });
    fc.assert(
      fc.property(fc.oneof(nearlyCode, fc.string({ unit: 'binary-ascii' })), (typed) => {
        const code = normalizeCode(typed);
        if (code === undefined) {
          expect(typed.replace(/[ -]/g, '')).not.toMatch(/^[A-Za-z0-9]+$/);
        } else {
          expect(code).toMatch(/^[A-Z0-9]+$/);
          expect(normalizeCode(code)).toBe(code);
        }
      }),
    );
  });

  test('spaces, hyphens and case make no difference', () => {
    const symbol = fc.constantFrom(...'0123456789abcdefghijklmnopqrstuvwxyz');
    const filler = fc.stringMatching(/^[ -]{0,3}$/);
    const typed = fc.array(fc.tuple(symbol, fc.boolean(), filler), { minLength: 1, maxLength: 10 });
    fc.assert(
      fc.property(typed, (symbols) => {
        const written = symbols.map(([s, upper, fill]) => (upper ? s.toUpperCase() : s) + fill).join('');
        const plain = symbols.map(([s]) => s.toUpperCase()).join('');
        expect(normalizeCode(written)).toBe(plain);
      }),
    );
  });
});

describe('the MAC of a code', () => {
  const key = createSecretKey(Buffer.alloc(32, 1));
  const otherKey = createSecretKey(Buffer.alloc(32, 2));

  test('is HMAC-SHA-256 over the verification and the code', () => {
    const expected = createHmac('sha256', Buffer.alloc(32, 1)).update('ver_a:481516').digest();
    expect(codeMac(key, 'ver_a', '481516')).toEqual(expected);
  });

  test('differs with the code, the verification and the key', () => {
    const macs = [
      codeMac(key, 'ver_a', '481516'),
      codeMac(key, 'ver_a', '481517'),
      codeMac(key, 'ver_b', '481516'),
      codeMac(otherKey, 'ver_a', '481516'),
    ].map((mac) => mac.toString('hex'));
    expect(new Set(macs).size).toBe(macs.length);
  });

  test('equals only itself; another length is simply another value', () => {
    const mac = codeMac(key, 'ver_a', '481516');
    expect(macsEqual(mac, Buffer.from(mac))).toBe(true);
    expect(macsEqual(mac, codeMac(key, 'ver_a', '481517'))).toBe(false);
    expect(macsEqual(mac, mac.subarray(1))).toBe(false);
    expect(macsEqual(mac, Buffer.alloc(0))).toBe(false);
    for (let at = 0; at < mac.length; at++) {
      const changed = Buffer.from(mac);
      changed[at]! ^= 1;
      expect(macsEqual(mac, changed)).toBe(false);
    }
  });
});
