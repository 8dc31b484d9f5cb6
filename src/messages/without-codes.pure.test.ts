import { describe, expect, test } from 'vitest';
import { withoutCodes } from './without-codes.ts';

describe('of what people write, an event hides', () => {
  test.each([
    ['My code is 481516, or A7KQ2M?', 'My code is ••••, or ••••?'],
    ['482 913', '••••'],
    ['my code: 482 913', 'my code: ••••'],
    ['482-913 please', '•••• please'],
    ['it says 4 8 2 - 9 1 3.', 'it says ••••.'],
    ['٤٨٢ ٩١٣', '••••'],
    ['482\u2011913', '••••'],
    ['482\u00a0913 please', '•••• please'],
    ['\u200f48\u200b29\u200b13', '\u200f••••'],
    ['hkmnpq', '••••'],
    [' Hkmnpq!\n', '••••'],
    ['*hkmnpq*', '••••'],
    ['a7k q2m', '••••'],
    ['a7k-q2m.', '••••.'],
    ['hkm npq', '••••'],
    ['HKM-NPQ', '••••'],
    ['use HKM-NPQ now', 'use •••• now'],
    ['it is a7k q2m, I think', 'it is ••••, I think'],
    ['482913abc', '••••'],
    ['HKMNPQ is what I got', '•••• is what I got'],
  ])('the code in "%s"', (text, hidden) => {
    expect(withoutCodes(text)).toBe(hidden);
  });

  test.each([
    'to you',
    'Hello',
    'who is this, and why do you write?',
    'call me at 10 or 11, OK?',
    'I am on floor 5',
    '|help',
  ])('nothing of "%s"', (text) => {
    expect(withoutCodes(text)).toBe(text);
  });

  test('whatever comes after a thousand characters', () => {
    expect(withoutCodes('so '.repeat(1_000))).toHaveLength(1_000);
  });
});
