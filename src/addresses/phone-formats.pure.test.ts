import {
  type CountryCode,
  getCountries,
  getCountryCallingCode,
  parsePhoneNumberFromString,
} from 'libphonenumber-js/max';
import examples from 'libphonenumber-js/mobile/examples';
import { expect, test } from 'vitest';
import { prettyPhone, setPhoneFormats } from '../../dashboard/assets/phone-number.js';
import { phoneFormats } from './phone-formats.ts';

setPhoneFormats(phoneFormats());

test('the page groups the mobile numbers of every country as the library does', () => {
  const wrong = getCountries().flatMap((country: CountryCode) => {
    const e164 = `+${getCountryCallingCode(country)}${examples[country]}`;
    const expected = parsePhoneNumberFromString(e164)!
      .formatInternational()
      .replaceAll(/[^\d+]+/g, ' ');
    return prettyPhone(e164) === expected ? [] : [`${country} ${prettyPhone(e164)} instead of ${expected}`];
  });
  expect(wrong).toEqual([]);
});

test.each([
  ['+6281234566034', '+62 812 3456 6034'],
  ['+5551981234567', '+55 51 98123 4567'],
  ['+4915123456789', '+49 1512 3456789'],
  ['+14155552671', '+1 415 555 2671'],
  ['+201001234567', '+20 10 01234567'],
  ['+33612345678', '+33 6 12 34 56 78'],
  // No country has this code.
  ['+9991234567', '+9991234567'],
])('%s is shown as %s', (e164, shown) => expect(prettyPhone(e164)).toBe(shown));
