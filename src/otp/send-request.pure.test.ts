import { describe, expect, test } from 'vitest';
import type { ValidationError } from '../errors/errors.ts';
import { expiryOf, readText } from './send-request.ts';
import type { SendRequest } from './types.ts';

const request = (given: Partial<SendRequest>): SendRequest => ({
  projectId: 1,
  phone: '+6281234500001',
  purpose: 'default',
  channel: 'auto',
  ...given,
});

/** The field and the sentence of a refusal; fails when there is none. */
function refusalOf(act: () => unknown): unknown {
  try {
    act();
  } catch (error) {
    expect(error).toMatchObject({ code: 'VALIDATION_ERROR' });
    return (error as ValidationError).details.errors;
  }
  throw new Error('the request was accepted');
}

describe('the code and the text of a send', () => {
  test.each<[rule: string, given: Partial<SendRequest>, code?: string, body?: string]>([
    ["are both WOTP's to choose where the caller gives neither", {}],
    ['are what the caller gives', { message: 'Use {{code}}.', code: '4815' }, '4815', 'Use {{code}}.'],
    ['leave the text to WOTP where only a code is given', { code: '4815' }, '4815'],
    [
      'leave the code to WOTP where the text has a place for it',
      { message: '{{code}}!' },
      undefined,
      '{{code}}!',
    ],
    ['are both in a text that holds the code', { message: 'Use 481516.' }, '481516', 'Use {{code}}.'],
    ['may have a length beside them that is that of the code', { code: '4815', length: 4 }, '4815'],
    ['may have a length that WOTP is to choose a code of', { length: 8 }],
  ])('%s', (_rule, given, code, body) => {
    expect(readText(request(given))).toEqual({ code, body });
  });

  test.each<Partial<SendRequest>>([
    { code: '4815', length: 6 },
    { message: 'Use 481516.', length: 4 },
  ])('are refused with a length that is not that of the code: %o', (given) => {
    const message = 'The `code` given does not have this `length`. Leave `length` out when you give `code`.';
    expect(refusalOf(() => readText(request(given)))).toEqual([{ path: 'length', message }]);
  });
});

describe('the life of a code', () => {
  const rules = { expiryMinutes: 5, maxExpiryMinutes: 10 };

  test('is what the caller gives, else what the server is set to', () => {
    expect(expiryOf(request({ expiryMinutes: 1 }), rules)).toBe(1);
    expect(expiryOf(request({ expiryMinutes: 10 }), rules)).toBe(10);
    expect(expiryOf(request({}), rules)).toBe(5);
  });

  test('is refused where it is longer than the server allows, and the setting is named', () => {
    expect(refusalOf(() => expiryOf(request({ expiryMinutes: 11 }), rules))).toEqual([
      {
        path: 'expiryMinutes',
        message: 'The value of `expiryMinutes` must be a whole number from 1 to 10 (OTP_MAX_EXPIRY_MINUTES).',
      },
    ]);
  });
});
