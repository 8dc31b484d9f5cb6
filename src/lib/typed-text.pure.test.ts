import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { cleanTyped, unreadableIn } from './typed-text.ts';

/** What keyboards of the world produce for the digits 0 to 9. */
const DIGITS_OF_SCRIPTS = {
  'Arabic-Indic': '٠١٢٣٤٥٦٧٨٩',
  'Persian and Urdu': '۰۱۲۳۴۵۶۷۸۹',
  Devanagari: '०१२३४५६७८९',
  Bengali: '০১২৩৪৫৬৭৮৯',
  Gurmukhi: '੦੧੨੩੪੫੬੭੮੯',
  Gujarati: '૦૧૨૩૪૫૬૭૮૯',
  Odia: '୦୧୨୩୪୫୬୭୮୯',
  Tamil: '௦௧௨௩௪௫௬௭௮௯',
  Telugu: '౦౧౨౩౪౫౬౭౮౯',
  Kannada: '೦೧೨೩೪೫೬೭೮೯',
  Malayalam: '൦൧൨൩൪൫൬൭൮൯',
  Sinhala: '෦෧෨෩෪෫෬෭෮෯',
  Thai: '๐๑๒๓๔๕๖๗๘๙',
  Lao: '໐໑໒໓໔໕໖໗໘໙',
  Tibetan: '༠༡༢༣༤༥༦༧༨༩',
  Myanmar: '၀၁၂၃၄၅၆၇၈၉',
  Khmer: '០១២៣៤៥៦៧៨៩',
  Mongolian: '᠐᠑᠒᠓᠔᠕᠖᠗᠘᠙',
  'N’Ko': '߀߁߂߃߄߅߆߇߈߉',
  Adlam: '𞥐𞥑𞥒𞥓𞥔𞥕𞥖𞥗𞥘𞥙',
  'full-width': '０１２３４５６７８９',
  'mathematical bold': '𝟎𝟏𝟐𝟑𝟒𝟓𝟔𝟕𝟖𝟗',
  'mathematical double-struck': '𝟘𝟙𝟚𝟛𝟜𝟝𝟞𝟟𝟠𝟡',
  'mathematical monospace': '𝟶𝟷𝟸𝟹𝟺𝟻𝟼𝟽𝟾𝟿',
};

/** What stands around or between digits: of keyboards, word processors, address books and messengers. */
const INSIGNIFICANT_CHARACTERS: Record<string, string> = {
  space: ' ',
  tab: '\t',
  'line feed': '\n',
  'carriage return and line feed': '\r\n',
  'next line': '\u0085',
  'no-break space': '\u00a0',
  'narrow no-break space, of French keyboards': '\u202f',
  'thin space': '\u2009',
  'figure space': '\u2007',
  'ideographic space, of Japanese and Chinese keyboards': '\u3000',
  'line separator': '\u2028',
  hyphen: '-',
  'true hyphen': '\u2010',
  'non-breaking hyphen': '\u2011',
  'figure dash': '\u2012',
  'en dash': '\u2013',
  'em dash, which phones make of two hyphens': '\u2014',
  'horizontal bar': '\u2015',
  'minus sign': '\u2212',
  'hyphen bullet': '\u2043',
  'small hyphen': '\ufe63',
  'full-width hyphen': '\uff0d',
  'Japanese prolonged sound mark, typed for a hyphen': '\u30fc',
  'half-width prolonged sound mark': '\uff70',
  'wave dash': '\u301c',
  'Hebrew maqaf': '\u05be',
  'soft hyphen': '\u00ad',
  'zero-width space': '\u200b',
  'zero-width non-joiner': '\u200c',
  'zero-width joiner': '\u200d',
  'word joiner': '\u2060',
  'byte order mark': '\ufeff',
  'left-to-right mark': '\u200e',
  'right-to-left mark': '\u200f',
  'Arabic letter mark': '\u061c',
  'left-to-right embedding, of copied contacts': '\u202a',
  'pop directional formatting': '\u202c',
  'right-to-left override': '\u202e',
  'left-to-right isolate': '\u2066',
  'first strong isolate': '\u2068',
  'pop directional isolate': '\u2069',
  'variation selector': '\ufe0f',
  'combining grapheme joiner': '\u034f',
  'Hangul filler': '\u3164',
  'Mongolian vowel separator': '\u180e',
  tag: '\u{e0020}',
};

describe('of what people type and paste', () => {
  test.each(Object.entries(DIGITS_OF_SCRIPTS))('%s digits are digits', (_script, digits) => {
    expect(cleanTyped(digits)).toBe('0123456789');
  });

  test('the decimal digits of every script that Unicode knows are 0 to 9, in this order', () => {
    const digits: string[] = [];
    for (let codePoint = 0; codePoint <= 0x10ffff; codePoint++) {
      const character = String.fromCodePoint(codePoint);
      if (/\p{Nd}/u.test(character)) digits.push(character);
    }
    expect(digits.length).toBeGreaterThan(600);
    expect(cleanTyped(digits.join(''))).toBe('0123456789'.repeat(digits.length / 10));
  });

  test.each(Object.entries(INSIGNIFICANT_CHARACTERS))('a %s does not count', (_name, character) => {
    expect(cleanTyped(`${character}48${character}29${character}13${character}`)).toBe('482913');
  });

  test('all white space, dashes and invisible format characters of Unicode do not count', () => {
    for (let codePoint = 0; codePoint <= 0x10ffff; codePoint++) {
      const character = String.fromCodePoint(codePoint);
      if (/[\p{White_Space}\p{Pd}\p{Cf}\p{Bidi_Control}]/u.test(character)) {
        expect(cleanTyped(character), codePoint.toString(16)).toBe('');
      }
    }
  });

  test.each([
    ['letters', 'abcXYZäß'],
    ['marks', '!"#$%&\'()*+,./:;<=>?@[\\]^_`{|}~'],
    ['bullets', '••●●'],
    ['numbers that are no digits', '²½Ⅳ①'],
    ['controls', '\u0000\u0007\u001b'],
    ['combining marks', '\u0301\u20e3'],
    ['halves of characters', '\ud835'],
  ])('%s stay', (_what, text) => {
    expect(cleanTyped(text)).toBe(text);
  });

  test('what was cleaned once is clean', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(cleanTyped(cleanTyped(text))).toBe(cleanTyped(text));
      }),
    );
  });
});

describe('what cannot be read', () => {
  test.each([
    ['12x4y', '“x” (U+0078)'],
    ['●●●', '“●” (U+25CF)'],
    ['1😀', '“😀” (U+1F600)'],
    ['12\u0000', 'the invisible character U+0000'],
    ['12\u0301', 'the invisible character U+0301'],
    ['12\ud835', 'the invisible character U+D835'],
  ])('in %j is %s', (text, named) => {
    expect(unreadableIn(text, /^\d$/)).toBe(named);
  });

  test('is nothing where every character is allowed', () => {
    expect(unreadableIn('0123456789', /^\d$/)).toBeUndefined();
    expect(unreadableIn('', /^\d$/)).toBeUndefined();
  });
});
