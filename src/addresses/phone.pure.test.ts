import fc from 'fast-check';
import { getCountries, getExampleNumber } from 'libphonenumber-js/max';
import examples from 'libphonenumber-js/mobile/examples';
import { describe, expect, it } from 'vitest';
import {
  identityOf,
  maskPhone,
  PhoneError,
  type PhoneRules,
  parsePhone,
  phoneDigits,
  spellingsOf,
} from './phone.ts';

const ANYWHERE: PhoneRules = { countriesAllowed: [], countriesDenied: [] };
const inRegion = (defaultRegion: string): PhoneRules => ({ ...ANYWHERE, defaultRegion });

function refusal(input: string, rules: PhoneRules = ANYWHERE): PhoneError {
  try {
    parsePhone(input, rules);
  } catch (error) {
    if (error instanceof PhoneError) return error;
    throw error;
  }
  throw new Error('the number was accepted');
}

describe('spellings', () => {
  it.each([
    '+6281234566034',
    '6281234566034',
    '006281234566034',
    '081234566034',
    '0812 3456 6034',
    '0812-3456-6034',
    '0812.3456.6034',
    '0812/3456/6034',
    '0812-34566034',
    '(0812) 3456 6034',
    '(0812) 3456-6034',
    '(0812)34566034',
    '0 812 3456 6034',
    '(0)812-3456-6034 ',
    '+62 812 3456 6034',
    '+62-812-3456-6034',
    '+62.812.3456.6034',
    '+62 812-3456-6034',
    '+62 (812) 3456-6034',
    '+62(812)34566034',
    '(+62) 812 3456 6034',
    '(+62)81234566034',
    '+62 (0) 812 3456 6034',
    '+62 (0)812-3456-6034',
    '+62 0812 3456 6034',
    '+ 62 812 3456 6034',
    ' +6281234566034',
    '+6281234566034 ',
    '62 812 3456 6034',
    '62-812-3456-6034',
    '(62) 812 3456 6034',
    '00 62 812 3456 6034',
    '0062-812-3456-6034',
    '00 (62) 812 3456 6034',
    '008 62 812 3456 6034',
    'tel:+6281234566034',
    'tel:+62-812-3456-6034',
    'TEL:+62 812 3456 6034',
    '+62\u00a0812\u00a03456\u00a06034',
    '+62 812\u20103456\u20106034',
    '+62 812\u20113456\u20116034',
    '+62 812\u20133456\u20146034',
    '+6 2 8 1 2 3 4 5 6 6 0 3 4',
    '+6281234566034\n',
    '+62\t812\u202f3456\u30006034',
    '0812\u22123456\uff0d6034',
    '0812ー3456ー6034',
    '+62\u200b81234566034',
    '\u200e+6281234566034',
    '\u200f+6281234566034',
    '\u202a+62 812 3456 6034\u202c',
    '\u2066+62 812-3456-6034\u2069',
    '+62\u202e81234566034',
    '+6\ufe0f281234566034',
    '+６２８１２３４５６６０３４',
    '＋６２ （８１２） ３４５６－６０３４',
    '﹢6281234566034',
    '+٦٢٨١٢٣٤٥٦٦٠٣٤',
    '٠٨١٢٣٤٥٦٦٠٣٤',
    '+۶۲۸۱۲۳۴۵۶۶۰۳۴',
    '+६२८१२३४५६६०३४',
    '[0812] 3456-6034',
    '+62｟812｠3456·6034',
    'whatsapp:+6281234566034',
    'WhatsApp: +62 812 3456 6034',
    ' tel:+62-812-3456-6034 ',
    '6281234566034@c.us',
    '6281234566034@s.whatsapp.net',
    '+6281234566034@C.US',
  ])('one line has one identity however it is written: %s', (spelling) => {
    expect(parsePhone(spelling, inRegion('ID'))).toEqual({
      e164: '+6281234566034',
      identity: '6281234566034',
      country: 'ID',
    });
  });

  it.each([
    ['Italy keeps the zero of its landlines', '+39 06 1234 5678', '+390612345678', 'IT'],
    ['Russia drops its 8', '8 (916) 123-45-67', '+79161234567', 'RU'],
    ['a North American 1 is the country code', '1-202-555-0123', '+12025550123', 'US'],
    ['the United Kingdom writes (0)', '+44 (0)20 7031 3000', '+442070313000', 'GB'],
    [
      'a number abroad is dialled through the trunk 8 in Russia',
      '8 10 44 20 7031 3000',
      '+442070313000',
      'RU',
    ],
    ['a region dials abroad by its own prefix', '011 44 20 7031 3000', '+442070313000', 'US'],
    ['00 is + where the region reads nothing else', '0044 20 7031 3000', '+442070313000', 'US'],
    ['Hong Kong dials 001', '001 65 8123 4567', '+6581234567', 'HK'],
  ])('%s', (_rule, spelling, e164, region) => {
    expect(parsePhone(spelling, inRegion(region)).e164).toBe(e164);
  });

  it('reads 00 as + without a default region', () => {
    expect(parsePhone('0062 812 3456 6034', ANYWHERE).e164).toBe('+6281234566034');
  });
});

describe('digits without plus', () => {
  it('are international from 11 digits to 15 where there is no default region', () => {
    expect(parsePhone('972153014539585', ANYWHERE).e164).toBe('+972153014539585');
    expect(parsePhone('6281234566034', ANYWHERE).e164).toBe('+6281234566034');
    expect(parsePhone('5511987654321', ANYWHERE).e164).toBe('+5511987654321');
    expect(parsePhone('12025550123', ANYWHERE).e164).toBe('+12025550123');
    expect(refusal('2025550123').kind).toBe('invalid');
    expect(refusal('4520123456').kind).toBe('invalid');
  });

  it.each([
    ['a Brazilian mobile, though Peru has the digits', '(51) 98123-4567', 'BR', '+5551981234567'],
    ['a Chinese mobile, though the United States have the digits', '15012345678', 'CN', '+8615012345678'],
    ['an Indonesian mobile without its 0', '81234566034', 'ID', '+6281234566034'],
    ['with its trunk 0', '0812 3456 6034', 'ID', '+6281234566034'],
    ['with its own country code', '6281234566034', 'ID', '+6281234566034'],
    ['shorter than 11 digits', '2025550123', 'US', '+12025550123'],
    ['shorter than 11 digits, with its own country code', '6581234567', 'SG', '+6581234567'],
    ['local digits where the region has one area code', '234 5678', 'BB', '+12462345678'],
    ['a landline, though Indonesia has the digits', '6281234566034', 'DE', '+496281234566034'],
    ['without its ninth digit', '(51) 7654-3210', 'BR', '+555176543210'],
  ])('are a number of the default region wherever they are one: %s', (_what, input, region, e164) => {
    expect(parsePhone(input, inRegion(region)).e164).toBe(e164);
  });

  it.each([
    ['4915123456789', 'DE', '+4915123456789'],
    ['62812345678', 'ID', '+62812345678'],
  ])('mean the mobile where they are two numbers of the region: %s in %s', (input, region, e164) => {
    expect(parsePhone(input, inRegion(region)).e164).toBe(e164);
  });

  it.each([
    ['of two landlines', '4941026330', 'DE'],
    ['of two mobiles, here and, as dialled, abroad', '001 658 234 5678', 'HK'],
  ])('are refused where nothing tells which is meant, %s, and a + is asked for', (_what, input, region) => {
    const { kind, message } = refusal(input, inRegion(region));
    expect(kind).toBe('invalid');
    expect(message).toMatch(/two different phone numbers.*Write it with \+/);
  });

  it('are international from 11 digits on where the region has no such number', () => {
    expect(parsePhone('6281234566034', inRegion('US')).e164).toBe('+6281234566034');
    expect(parsePhone('5511987654321', inRegion('ID')).e164).toBe('+5511987654321');
    expect(refusal('4520123456', inRegion('US')).kind).toBe('invalid');
  });

  it.each([
    ['Toronto is dialled in the United States as at home', '(416) 555-0123', 'US', '+14165550123', 'CA'],
    ['Jersey in the United Kingdom', '07797 712345', 'GB', '+447797712345', 'JE'],
  ])('reach countries of the same numbering plan: %s', (_what, input, region, e164, country) => {
    expect(parsePhone(input, inRegion(region))).toMatchObject({ e164, country });
  });

  it('are international before what WhatsApp writes behind a number, also where they would be one of the region', () => {
    expect(parsePhone('51981234567@c.us', inRegion('BR')).e164).toBe('+51981234567');
    expect(parsePhone('08123456 6034@c.us', inRegion('ID')).e164).toBe('+6281234566034');
  });

  it('after 00 are international before they are dialled through a carrier', () => {
    expect(parsePhone('0055 51 98123-4567', inRegion('BR')).e164).toBe('+5551981234567');
  });
});

describe('one line, one identity', () => {
  it.each([
    ['Brazil, São Paulo', ['+5511987654321', '+551187654321', '11 8765-4321', '0 15 11 98765-4321'], 'BR'],
    ['Brazil, Porto Alegre', ['+5551976543210', '+555176543210', '555176543210', '(51) 7654-3210'], 'BR'],
    ['Mexico', ['+525512345678', '+5215512345678', '5215512345678', '044 55 1234 5678'], 'MX'],
    ['Mexico, from a landline', ['55 1234 5678', '045 55 1234 5678', '01 55 1234 5678'], 'MX'],
    ['Argentina', ['+5491123456789', '+541123456789', '011 15-2345-6789', '+54 11 15 2345 6789'], 'AR'],
    ['Argentina, in the provinces', ['+54 9 3435 551212', '+54 3435 15 551212', '03435 15-551212'], 'AR'],
  ])('%s', (_line, spellings, region) => {
    const identities = spellings.map((spelling) => parsePhone(spelling, inRegion(region)).identity);
    expect(new Set(identities).size).toBe(1);
  });

  it('keeps the number as given, because the message goes there', () => {
    expect(parsePhone('+551187654321', ANYWHERE)).toEqual({
      e164: '+551187654321',
      identity: '5511987654321',
      country: 'BR',
    });
    expect(parsePhone('+52 1 55 1234 5678', ANYWHERE)).toEqual({
      e164: '+5215512345678',
      identity: '525512345678',
      country: 'MX',
    });
    expect(parsePhone('+54 9 11 2345-6789', ANYWHERE)).toEqual({
      e164: '+5491123456789',
      identity: '541123456789',
      country: 'AR',
    });
  });

  it('does not fold a Brazilian landline into a mobile', () => {
    expect(parsePhone('+551137654321', ANYWHERE).identity).toBe('551137654321');
    expect(refusal('+55 10 8765 4321').kind).toBe('invalid');
  });

  it('takes no digits after a carrier as an old spelling of an area code that does not exist', () => {
    expect(refusal('0120470000000', inRegion('BR')).kind).toBe('invalid');
  });

  it('does not accept a Mexican 1 before a number that does not exist', () => {
    expect(refusal('+52 1 00 1234 5678').kind).toBe('invalid');
  });

  it('folds every Brazilian mobile and its old spelling into one', () => {
    const mobile = fc.tuple(
      fc.constantFrom('11', '21', '51', '61', '85'),
      fc.integer({ min: 6e7, max: 1e8 - 1 }),
    );
    fc.assert(
      fc.property(mobile, ([area, subscriber]) => {
        let today: string;
        try {
          today = parsePhone(`+55${area}9${subscriber}`, ANYWHERE).identity;
        } catch {
          return;
        }
        expect(parsePhone(`+55${area}${subscriber}`, ANYWHERE).identity).toBe(today);
      }),
    );
  });
});

describe('numbers that cannot exist', () => {
  it.each([
    ['nothing', ''],
    ['separators only', ' ( ) - '],
    ['a plus only', '+'],
    ['zeros only', '00'],
    ['too few digits', '+62812'],
    ['too many digits', '+62812345660341234567'],
    ['an unknown country code', '+999123456789'],
    ['an impossible area code', '+1 000 555 0123'],
    ['letters', '+62812abc6034'],
    ['vanity letters', '+1 800 FLOWERS'],
    ['an extension', '+1 202 555 0123 ext. 5'],
    ['a short extension', '+1 202 555 0123 x5'],
    ['a pause', '+12025550123,,5'],
    ['a telephone URI with parameters', 'tel:0812-3456-6034;phone-context=+62'],
    ['another URI', 'sip:+6281234566034'],
    ['two pluses', '++6281234566034'],
    ['a group of WhatsApp', '120363041234567890@g.us'],
    ['a hidden identity of WhatsApp', '6281234566034@lid'],
    ['a linked device of WhatsApp', '6281234566034:5@s.whatsapp.net'],
    ['a link', 'https://wa.me/6281234566034'],
    ['superscript digits', '+6281234566⁰³⁴'],
    ['digits in circles', '+628123456603④'],
    ['a plus inside', '62+81234566034'],
    ['a NUL', '+62\u000081234566034'],
    ['a lone surrogate', '+62\ud83581234566034'],
    ['over 40 characters', `+62${' '.repeat(30)}81234566034`],
    ['a national number without a region', '0812 3456 6034'],
  ])('are invalid: %s', (_what, input) => {
    expect(refusal(input).kind).toBe('invalid');
  });

  it('accepts 40 characters', () => {
    const spaced = `+62${' '.repeat(26)}81234566034`;
    expect(spaced).toHaveLength(40);
    expect(parsePhone(spaced, ANYWHERE).e164).toBe('+6281234566034');
  });

  it('says that the country code is missing only where there is no default region', () => {
    expect(refusal('0812 3456 6034').message).toBe(
      'The phone number of 12 digits does not exist or lacks its country code. Write it with + and the country code, such as +62 838 3494 6034, or set DEFAULT_REGION on the server.',
    );
    const inIndonesia = refusal('0812', inRegion('ID')).message;
    expect(inIndonesia).not.toMatch(/lacks its country code|DEFAULT_REGION/);
  });

  it.each([
    ['a letter', '+62812abc6034', 'cannot contain “a” (U+0061)'],
    ['a character that cannot be seen', '+62\u0000', 'cannot contain the invisible character U+0000'],
    ['half of a character', '+62\ud83581234566034', 'cannot contain the invisible character U+D835'],
    ['a character beyond the first plane', '📞 0812', 'cannot contain “📞” (U+1F4DE)'],
    ['a combining mark', '0812\u0301', 'cannot contain the invisible character U+0301'],
    ['digits that are hidden', '+62 8•• ••• 6034', 'cannot contain “•” (U+2022)'],
    ['a plus inside', '62+81234566034', 'a + only at its beginning'],
    ['no digit', '( ) -', 'has no digits'],
    ['its length', '+62812', 'These 5 digits are not a phone number. Check'],
    ['the country code after 00', '0062812', 'These 7 digits are not a phone number. Check'],
    ['zeros at the end', '81200', 'lacks its country code'],
    ['too many characters', '8'.repeat(41), 'may have at most 40 characters'],
    ['one digit', '7', 'phone number of 1 digit does not exist'],
    ['one digit after a plus', '+7', 'This 1 digit is not a phone number. Check'],
    ['the region that lacks it', '0812', 'These 4 digits are not a phone number of ID, nor'],
    ['the region that lacks one digit', '7', 'This 1 digit is not a phone number of ID, nor'],
  ])('says what could not be read: %s', (_what, input, named) => {
    expect(refusal(input, _what.startsWith('the region') ? inRegion('ID') : ANYWHERE).message).toContain(
      named,
    );
  });

  it('refuses national numbers of a region that does not exist', () => {
    expect(refusal('0812 3456 6034', inRegion('XX')).kind).toBe('invalid');
  });
});

describe('kinds of number', () => {
  it.each([
    ['premium-rate', '+1 900 555 1234'],
    ['premium-rate', '+33 8 12 34 56 78'],
    ['premium-rate', '+979 123 456 789'],
    ['shared-cost', '+49 180 2 12 34 56'],
    ['shared-cost', '+808 1234 5678'],
    ['toll-free', '+1 800 555 1234'],
    ['toll-free', '+800 1234 5678'],
    ['pager', '+44 7640 123456'],
    ['company', '+44 300 123 4567'],
    ['voicemail', '+49 177 99 123456 78'],
    ['personal', '+49 700 1234 5678'],
  ])('a %s number is not allowed: %s', (kind, input) => {
    const error = refusal(input);
    expect(error.kind).toBe('not_allowed');
    expect(error.message).toContain(kind);
  });

  it.each([
    ['a mobile', '+6281234566034', 'ID'],
    ['a landline', '+493012345678', 'DE'],
    ['a number that may be either', '+12025550123', 'US'],
    ['a VoIP number', '+33987654321', 'FR'],
    ['a satellite phone', '+881612345678', '001'],
    ['a ship', '+870773111632', '001'],
  ])('%s is allowed', (_what, e164, country) => {
    expect(parsePhone(e164, ANYWHERE)).toMatchObject({ e164, country });
  });

  it('a number without a country that is no mobile is invalid', () => {
    for (const input of ['+883510012345', '+878101234567890']) {
      const { kind, message } = refusal(input);
      expect(kind).toBe('invalid');
      expect(message).toContain('belongs to no country and is not a mobile');
    }
  });
});

describe('countries', () => {
  const onlyIndonesia: PhoneRules = { countriesAllowed: ['ID'], countriesDenied: [] };

  it('lets only allowed countries through when the list is not empty', () => {
    expect(parsePhone('+6281234566034', onlyIndonesia).country).toBe('ID');
    expect(refusal('+4915112345678', onlyIndonesia)).toMatchObject({
      name: 'PhoneError',
      kind: 'not_allowed',
      message: expect.stringContaining('numbers of this country'),
    });
  });

  it('denied always wins', () => {
    const both: PhoneRules = { countriesAllowed: ['ID', 'DE'], countriesDenied: ['DE'] };
    expect(parsePhone('+6281234566034', both).country).toBe('ID');
    expect(refusal('+4915112345678', both).kind).toBe('not_allowed');
  });

  it.each([
    ['+1 202 555 0123', 'US'],
    ['+1 416 555 0123', 'CA'],
    ['+1 876 555 0123', 'JM'],
    ['+7 916 123-45-67', 'RU'],
    ['+7 701 234 5678', 'KZ'],
    ['+44 7400 123456', 'GB'],
    ['+44 7797 712345', 'JE'],
  ])('tells countries that share a code apart: %s is %s', (input, country) => {
    expect(parsePhone(input, ANYWHERE).country).toBe(country);
    expect(refusal(input, { countriesAllowed: [], countriesDenied: [country] }).kind).toBe('not_allowed');
  });

  it('refuses numbers without a country when an allow list is set', () => {
    expect(refusal('+881612345678', onlyIndonesia).kind).toBe('not_allowed');
    expect(refusal('+883510012345', onlyIndonesia).kind).toBe('not_allowed');
  });

  it('applies the lists to old spellings too', () => {
    const withoutBrazil: PhoneRules = { countriesAllowed: [], countriesDenied: ['BR', 'MX'] };
    expect(refusal('+551187654321', withoutBrazil).kind).toBe('not_allowed');
    expect(refusal('+5215512345678', withoutBrazil).kind).toBe('not_allowed');
  });
});

/** A message without the example, code points and counts that it may name. */
function withoutOwnDigits(message: string): string {
  return message.replace(/\+62 838 3494 6034|U\+[0-9A-F]{4,6}|\b\d{1,2} (?:digits?|characters)/g, '');
}

describe('for any input', () => {
  const mobiles = getCountries().flatMap((country) => getExampleNumber(country, examples)?.number ?? []);
  const separator = fc.constantFrom('', '', '', ' ', '-', '.', '/', ' (', ') ', '\u00a0', '\u2010', '\u2013');
  const spelled = fc
    .tuple(fc.constantFrom(...mobiles), fc.constantFrom('+', '00', 'tel:+'), fc.infiniteStream(separator))
    .map(([e164, prefix, separators]) => ({
      e164,
      spelling: prefix + [...e164.slice(1)].map((digit) => digit + separators.next().value).join(''),
    }))
    .filter(({ spelling }) => spelling.length <= 40);

  it('separators change nothing, in every country', () => {
    fc.assert(
      fc.property(spelled, ({ e164, spelling }) => {
        expect(parsePhone(spelling, ANYWHERE)).toEqual(parsePhone(e164, ANYWHERE));
        expect(parsePhone(e164, ANYWHERE).e164).toBe(e164);
      }),
      { numRuns: 500 },
    );
  });

  it('what was read once is read the same again', () => {
    const someDigits = fc.stringMatching(/^\+?[0-9]{7,15}$/);
    fc.assert(
      fc.property(someDigits, fc.constantFrom('BR', 'MX', 'AR', 'ID', 'US', 'IT'), (input, region) => {
        let phone: ReturnType<typeof parsePhone>;
        try {
          phone = parsePhone(input, inRegion(region));
        } catch (error) {
          expect(error).toBeInstanceOf(PhoneError);
          return;
        }
        expect(phone.e164).toMatch(/^\+[1-9][0-9]{6,14}$/);
        expect(phone.identity).toMatch(/^[1-9][0-9]{6,14}$/);
        expect(parsePhone(phone.e164, ANYWHERE)).toEqual(phone);
        expect(parsePhone(`+${phone.identity}`, ANYWHERE).identity).toBe(phone.identity);
      }),
      { numRuns: 2000 },
    );
  });

  it('nothing but a PhoneError is thrown, and it never repeats the number', () => {
    const nearlyPhone = fc.string({
      unit: fc.constantFrom(...'+0123456789 ()-./;=xe\u200f\u0663'),
      maxLength: 45,
    });
    fc.assert(
      fc.property(fc.oneof(nearlyPhone, fc.string({ unit: 'binary' })), (input) => {
        try {
          parsePhone(input, inRegion('BR'));
        } catch (error) {
          expect(error).toBeInstanceOf(PhoneError);
          expect(withoutOwnDigits((error as PhoneError).message)).toMatch(/^[A-Z][^0-9]*\.$/);
        }
      }),
      { numRuns: 2000 },
    );
  });

  it('a huge input costs no more than a short one', () => {
    for (const part of ['0', ' ', '+', '(', '\u00a0', 'a']) {
      const huge = part.repeat(5_000_000);
      const begun = performance.now();
      expect(refusal(huge).kind).toBe('invalid');
      expect(performance.now() - begun).toBeLessThan(1_000);
    }
  });
});

describe('spellingsOf', () => {
  it.each([
    ['+5511987654321', '+551187654321'],
    ['+525512345678', '+5215512345678'],
    ['+541123456789', '+5491123456789'],
  ])('gives both spellings of %s, the given one first', (today, other) => {
    expect(spellingsOf(today)).toEqual([today, other]);
    expect(spellingsOf(other)).toEqual([other, today]);
  });

  it('gives every other number alone', () => {
    for (const phone of ['+6281234566034', '+12025550123', '+4915112345678']) {
      expect(spellingsOf(phone)).toEqual([phone]);
    }
  });

  it.each([
    ['a landline of Brazil', '+551132345678'],
    ['thirteen digits of Brazil without the ninth', '+5511832345678'],
    ['fewer digits of Brazil', '+55119876543'],
    ['fewer digits of Mexico', '+5255123456'],
    ['fewer digits of Mexico with a 1', '+5215512345'],
    ['fewer digits of Argentina', '+5411234567'],
    ['fewer digits of Argentina with a 9', '+5491123456'],
    ['thirteen digits of China whose fifth is a 9', '+8613912345678'],
    ['a fifth digit that is a 9', '+6281912345678'],
  ])('takes the rules of Brazil, Mexico and Argentina for no other number: %s', (_what, phone) => {
    expect(spellingsOf(phone)).toEqual([phone]);
    expect(identityOf(phone)).toBe(phone.slice(1));
  });
});

describe('phoneDigits', () => {
  it.each([
    ['＋62 812-3456-6034', '+6281234566034'],
    ['﹢62 (812) 3456.6034', '+6281234566034'],
    ['62 812 3456 6034', '6281234566034'],
    ['6281234566034@c.us', '+6281234566034'],
    ['tel:0812/34566034', '081234566034'],
  ])('are what is left of %s, with the + where one is meant', (input, digits) => {
    expect(phoneDigits(input)).toBe(digits);
  });
});

describe('maskPhone', () => {
  it('shows the last four digits only', () => {
    expect(maskPhone('+6281234566034')).toBe('+*********6034');
    expect(maskPhone('+12025550123')).toBe('+*******0123');
  });
});
