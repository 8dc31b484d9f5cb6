import { createHmac, createSecretKey } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { codeIn } from '../../dashboard/assets/code-in-text.js';
import { builtInText } from '../templates/built-in.ts';
import { BUILT_IN_TEXTS } from '../templates/built-in-texts.ts';
import { codeMac, generateCode, macsEqual, readCode } from './code.ts';
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

/** The sentence with which a typed code is refused; fails when it is read. */
function refusalOf(typed: string): string {
  try {
    readCode(typed);
  } catch (error) {
    expect(error).toMatchObject({
      code: 'VALIDATION_ERROR',
      details: { errors: [{ path: 'code', message: (error as Error).message }] },
    });
    return (error as Error).message;
  }
  throw new Error('the code was read');
}

describe('what a person typed', () => {
  test.each([
    ['481516', '481516'],
    ['481 516', '481516'],
    [' 48-15-16 ', '481516'],
    ['000012', '000012'],
    ['1234', '1234'],
    ['1234567890', '1234567890'],
    ['ab12Cd', 'AB12CD'],
    ['٤٨١٥١٦', '481516'],
    ['۴۸۱۵۱۶', '481516'],
    ['१२३४५६', '123456'],
    ['１２３４５６', '123456'],
    ['𝟒𝟖𝟏𝟓𝟏𝟔', '481516'],
    ['481\u00a0516', '481516'],
    ['481\u2009516', '481516'],
    ['481\u2011516', '481516'],
    ['481\u2013516', '481516'],
    ['481\t516', '481516'],
    ['481516\n', '481516'],
    ['481516\u200f', '481516'],
    ['\u2068481516\u2069', '481516'],
    ['\ufeff481516', '481516'],
    ['4 8 1 5 1 6', '481516'],
    ['4815-16', '481516'],
    ['PF6M 4T44', 'PF6M4T44'],
    ['pf6m 4t44', 'PF6M4T44'],
    ['PFMX-4444', 'PFMX4444'],
    ['pfmx 4t44', 'PFMX4T44'],
    ['PFM-4444', 'PFM4444'],
    ['PFMX-ACDE-44', 'PFMXACDE44'],
    ['P F M X 4 4', 'PFMX44'],
    ['ABCD-1234', 'ABCD1234'],
    ['AB-12-CD', 'AB12CD'],
    ['PF\u200bMX4T', 'PFMX4T'],
    [' code ', 'CODE'],
    ['pfm-4444', 'PFM4444'],
    ['pfmx 4444 ac', 'PFMX4444AC'],
    ['AB 482913', 'AB482913'],
    ['a1 4829', 'A14829'],
    ['1ab 48299', '1AB48299'],
    ['ab1 48299', 'AB148299'],
    ['it a4829', 'ITA4829'],
    ['4829a it', '4829AIT'],
  ])('%o is read as %o', (typed, code) => {
    expect(readCode(typed)).toBe(code);
  });

  test.each([
    ['', 'This one has 0,'],
    ['   ', 'This one has 0,'],
    ['-', 'This one has 0,'],
    ['- 4 -', 'This one has 1,'],
    ['123', 'This one has 3,'],
    ['12345678901', 'This one has 11,'],
    ['Your verification code is 482913', 'This one has 28,'],
    ['Kode: 482913', '“:” (U+003A)'],
    ['●●●●●●', '“●” (U+25CF)'],
    ['••••••', '“•” (U+2022)'],
    ['481\u0000516', 'the invisible character U+0000'],
    ['481_516', '“_” (U+005F)'],
    ['ÄB12cd', '“Ä” (U+00C4)'],
    ['ſ12345', '“ſ” (U+017F)'],
    ['\u212a12345', '“\u212a” (U+212A)'],
    ['481.516', '“.” (U+002E)'],
    ['+481516', '“+” (U+002B)'],
  ])('%o is no code, and what is wrong is named: %s', (typed, named) => {
    expect(refusalOf(typed)).toContain(named);
  });

  test.each([
    'code 482913',
    'PIN 482913',
    'is 482913',
    'OTP-482913',
    'otp\u2013482913',
    'Code 4829',
    'CODE 4829',
    'PIN 4829',
    'Kode\n4829',
    'code ٤٨٢٩',
    '482913 is',
    'it is 4829',
    'it IS 4829',
    'its 48291 ok',
    'code PF6M4T',
    'your code',
    'YOUR CODE',
    'the code is',
    '\u2068code\u2069\u00a0482913',
  ])('%o has words around the code, and is told what to send', (typed) => {
    expect(refusalOf(typed)).toBe(
      'A code is 4 to 10 letters A-Z or digits. Send the code alone, without the words around it.',
    );
  });

  test.each(ALPHABETS)(
    'no code of %s symbols is taken for words, alone or in even groups, in either case',
    (alphabet) => {
      for (let length = 4; length <= 10; length++) {
        for (let i = 0; i < 200; i++) {
          const code = generateCode(length, alphabet);
          for (const size of [1, 2, 3, 4, 5, 10]) {
            // Two groups of a word's and a number's lengths are no even groups.
            if (length > size && length < 2 * size - 1) continue;
            const grouped = code.match(new RegExp(`.{1,${size}}`, 'g'))!.join(' ');
            expect(readCode(grouped), grouped).toBe(code);
            expect(readCode(grouped.toLowerCase()), grouped).toBe(code);
          }
        }
      }
    },
  );

  test('whatever it is, 4 to 10 ASCII letters or digits come out, and reading them again changes nothing', () => {
    const nearlyCode = fc.string({ unit: fc.constantFrom(...'0189azAZ -_\t\u0663\uff11ıſ\u212a') });
    fc.assert(
      fc.property(fc.oneof(nearlyCode, fc.string({ unit: 'binary' })), (typed) => {
        let code: string;
        try {
          code = readCode(typed);
        } catch (error) {
          expect(error).toMatchObject({ code: 'VALIDATION_ERROR' });
          return;
        }
        expect(code).toMatch(/^[A-Z0-9]{4,10}$/);
        expect(readCode(code)).toBe(code);
      }),
    );
  });

  test('white space and dashes make no difference around a code and between digits, nor anywhere what nobody sees, or case', () => {
    const symbol = fc.constantFrom(...'0123456789abcdefghijklmnopqrstuvwxyz');
    const digit = fc.constantFrom(...'0123456789');
    const blank = fc.stringMatching(/^[ \n\u00a0\u3000\u2013\u200b\u200f\u2066-]{0,3}$/);
    const unseen = fc.stringMatching(/^[\u200b\u200f\u2066]{0,3}$/);
    const size = { minLength: 4, maxLength: 10 };
    const typed = fc.oneof(
      fc.array(fc.tuple(symbol, fc.boolean(), unseen), size),
      fc.array(fc.tuple(digit, fc.boolean(), blank), size),
    );
    fc.assert(
      fc.property(typed, blank, blank, (symbols, before, after) => {
        const written = symbols.map(([s, upper, fill]) => (upper ? s.toUpperCase() : s) + fill).join('');
        const plain = symbols.map(([s]) => s.toUpperCase()).join('');
        expect(readCode(before + written + after)).toBe(plain);
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

describe('the page finds the code', () => {
  const builtIn = builtInText({ brand: undefined, warnsOfSharing: true, webOtpHost: undefined });
  const locales = Object.keys(BUILT_IN_TEXTS);

  test.each(ALPHABETS)("of %s symbols in WOTP's own text, whatever it is", (alphabet) => {
    for (let length = 6; length <= 10; length++) {
      for (let i = 0; i < 300; i++) {
        const code = generateCode(length, alphabet);
        const locale = locales[i % locales.length];
        for (const channel of ['whatsapp', 'simulator'] as const) {
          const { text: body } = builtIn.textFor({ locale, channel, minutes: 5 });
          const text = body.replace('{{code}}', code);
          expect(codeIn(text), text).toEqual({ index: text.indexOf(code), code });
        }
      }
    }
  });

  test.each([
    ['Ihr Code: 4829.', '4829'],
    ['رمز التحقق الخاص بك هو 482913. صالح لمدة ٥ دقائق', '482913'],
    ['您的验证码是482913，5分钟内有效。', '482913'],
    ['G-482913 is your code', '482913'],
    ['Use A1B2 or call 112', 'A1B2'],
    ['Code4829', 'Code4829'],
    ['<b>482913</b>', '482913'],
    ['ACME CODE: KXPWMQ', 'KXPWMQ'],
  ])('in %j', (text, code) => {
    expect(codeIn(text)).toEqual({ index: text.indexOf(code), code });
  });

  test.each(['', 'Your code is ••••••.', 'Hello from us', 'Call 112'])('not in %j', (text) => {
    expect(codeIn(text)).toBeUndefined();
  });
});
