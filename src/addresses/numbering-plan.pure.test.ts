import fc from 'fast-check';
import {
  getCountries,
  getCountryCallingCode,
  getExampleNumber,
  parsePhoneNumberFromString,
} from 'libphonenumber-js/max';
import examples from 'libphonenumber-js/mobile/examples';
import { describe, expect, it } from 'vitest';
import { isNumberOf, readByPlan, readNationalByPlan } from './numbering-plan.ts';

/** What the library says of a number; undefined when it is none, or when the library reads other digits than these. */
function byLibrary(e164: string) {
  const number = parsePhoneNumberFromString(e164, { extract: false });
  const type = number?.getType();
  if (!number?.country || !type || number.number !== e164) return undefined;
  return { country: number.country, type };
}

const mobiles = getCountries().map((country) => getExampleNumber(country, examples)!.number);
const callingCodes = [...new Set(getCountries().map((country) => getCountryCallingCode(country)))];
const digits = (minLength: number, maxLength: number) =>
  fc.string({ unit: fc.constantFrom(...'0123456789'), minLength, maxLength });

describe('a number in E.164', () => {
  it('of every country is read as the library reads it', () => {
    for (const mobile of mobiles) expect(readByPlan(mobile)).toEqual(byLibrary(mobile));
  });

  it('is read as the library reads it whatever its last digits are, or is left to the library', () => {
    const lastDigits = fc.tuple(fc.constantFrom(...mobiles), digits(1, 6));
    fc.assert(
      fc.property(lastDigits, ([mobile, last]) => {
        const number = mobile.slice(0, -last.length) + last;
        const facts = readByPlan(number);
        if (facts) expect(facts).toEqual(byLibrary(number));
      }),
      { numRuns: 20_000 },
    );
  });

  it('is read as the library reads it whatever follows the calling code, or is left to the library', () => {
    const anything = fc.tuple(fc.constantFrom(...callingCodes), digits(0, 12));
    fc.assert(
      fc.property(anything, ([code, rest]) => {
        const facts = readByPlan(`+${code}${rest}`);
        if (facts) expect(facts).toEqual(byLibrary(`+${code}${rest}`));
      }),
      { numRuns: 50_000 },
    );
  });

  it.each([
    ['that does not exist', '+62812'],
    ['of a country that does not exist', '+999123456789'],
    ['of no country', '+881612345678'],
    ['without digits', '+'],
    ['with the national prefix in it', '+6208123456789'],
  ])('%s is left to the library', (_what, number) => {
    expect(readByPlan(number)).toBeUndefined();
  });
});

describe('a number without its country code', () => {
  const indonesian = { country: 'ID', type: 'MOBILE', e164: '+6281234566034' };

  it.each([
    ['with its trunk prefix', 'ID', '081234566034', indonesian],
    ['without it', 'ID', '81234566034', indonesian],
    [
      'of another country of the same numbering plan',
      'US',
      '4165550123',
      { country: 'CA', type: 'FIXED_LINE_OR_MOBILE', e164: '+14165550123' },
    ],
    ['that does not exist', 'ID', '812', null],
    ['of a country that does not exist', 'XX', '81234566034', null],
    ['that is dialled through a carrier, and left to the library', 'BR', '01511987654321', undefined],
  ])('%s', (_what, country, written, read) => {
    expect(readNationalByPlan(country, written)).toEqual(read);
  });
});

it.each([
  ['+12025550123', 'US', true],
  ['+12025550123', 'CA', false],
  ['+14165550123', 'CA', true],
  ['+14165550123', 'US', false],
  ['+6281234566034', 'ID', true],
  ['+6281234566034', 'DE', false],
  ['+62812', 'ID', false],
  ['+6281234566034', 'XX', false],
])('%s is a number of %s: %s', (e164, country, is) => {
  expect(isNumberOf(country, e164)).toBe(is);
});
