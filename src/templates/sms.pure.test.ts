import { describe, expect, test } from 'vitest';
import { outsideGsm7, smsSize } from './sms.ts';

describe('the size of an SMS', () => {
  test.each([
    ['nothing', '', 'GSM-7', 0, 1],
    ['one whole message', 'a'.repeat(160), 'GSM-7', 160, 1],
    ['one character more', 'a'.repeat(161), 'GSM-7', 161, 2],
    ['two whole parts', 'a'.repeat(306), 'GSM-7', 306, 2],
    ['one character more than two', 'a'.repeat(307), 'GSM-7', 307, 3],
    ['an extended character', '€{}', 'GSM-7', 6, 1],
    [
      'an extended character that does not fit the part',
      `${'a'.repeat(152)}€${'a'.repeat(10)}`,
      'GSM-7',
      164,
      2,
    ],
    ['accents that GSM-7 has', 'è Ñ ß Ω', 'GSM-7', 7, 1],
    ['an accent that it lacks', 'ê', 'UCS-2', 1, 1],
    ['another script', 'ж'.repeat(70), 'UCS-2', 70, 1],
    ['another script in two parts', 'ж'.repeat(71), 'UCS-2', 71, 2],
    ['an emoji', '🔐', 'UCS-2', 2, 1],
    ['an emoji at the end of a part', `${'ж'.repeat(66)}🔐${'ж'.repeat(66)}`, 'UCS-2', 134, 3],
  ])('of %s', (_what, text, encoding, characters, segments) => {
    expect(smsSize(text)).toEqual({ encoding, characters, segments });
  });

  test('names the character that makes it UCS-2', () => {
    expect(outsideGsm7('Your code’s here')).toBe('’');
    expect(outsideGsm7("Your code's here")).toBeUndefined();
  });
});
