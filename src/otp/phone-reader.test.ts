import { describe, expect, test } from 'vitest';
import { phoneReader, REMEMBERED } from './phone-reader.ts';

const rules = { countriesAllowed: [], countriesDenied: [] };
const number = (n: number) => `+62838${10_000_000 + n}`;

describe('a number that was read lately', () => {
  test('is not read again, however many come between that are still remembered', () => {
    const readPhone = phoneReader(rules);
    const first = readPhone(number(0));
    expect(first.e164).toBe('+6283810000000');
    for (let n = 1; n < 2 * REMEMBERED; n++) readPhone(number(n));
    expect(readPhone(number(0))).toBe(first);
  });

  test('is forgotten once twice as many others have come, and then read as before', () => {
    const readPhone = phoneReader(rules);
    const first = readPhone(number(0));
    for (let n = 1; n <= 2 * REMEMBERED; n++) readPhone(number(n));
    expect(readPhone(number(0))).not.toBe(first);
    expect(readPhone(number(0))).toEqual(first);
  });
});
