import { describe, expect, test } from 'vitest';
import type { WotpError } from '../errors/errors.ts';
import { phoneReader } from './phone-reader.ts';

const read = phoneReader({ defaultRegion: 'ID', countriesAllowed: [], countriesDenied: ['DE'] });

function refusalOf(input: string, path?: string): WotpError {
  try {
    read(input, path);
  } catch (error) {
    return error as WotpError;
  }
  throw new Error('the number was read');
}

test('a number is read by the rules of the server', () => {
  expect(read('0812 3456 6034')).toEqual({
    e164: '+6281234566034',
    identity: '6281234566034',
    country: 'ID',
  });
});

describe.each([
  ['cannot exist', '12', 'PHONE_INVALID'],
  ['is of a country that the operator refuses', '+4915112345678', 'PHONE_NOT_ALLOWED'],
])('a number that %s is refused', (_what, input, code) => {
  test('with what is wrong, as an error of the field `phone`', () => {
    const { message, ...error } = refusalOf(input);
    expect(error).toMatchObject({ code, details: { errors: [{ path: 'phone', message }] } });
    expect(message).not.toMatch(/The value of/);
  });

  test('with the name of another field, where it was in that', () => {
    const { message, ...error } = refusalOf(input, 'recipients.0.phone');
    expect(error).toMatchObject({ code, details: { errors: [{ path: 'recipients.0.phone', message }] } });
    expect(message).toBe(`The value of \`recipients.0.phone\` is refused. ${refusalOf(input).message}`);
  });
});

test('what else goes wrong is no fault of the number', () => {
  const broken = undefined as unknown as string;
  expect(() => read(broken)).toThrow(TypeError);
});
