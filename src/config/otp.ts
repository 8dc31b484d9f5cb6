import { countries, country } from './country.ts';
import { boolean, type Declaration, integer, type Variable } from './variable.ts';

const HOST_NAME = /^(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]$/;

/** A host name with its domain, without a scheme, a port or a path. */
function hostName(declaration: Declaration): Variable<string | undefined> {
  return {
    defaultText: '',
    ...declaration,
    allowed: 'a host name such as login.example.com, without https:// and without a path',
    fallback: undefined,
    secret: false,
    parse(given) {
      const name = given.trim().toLowerCase();
      return HOST_NAME.test(name) ? name : undefined;
    },
  };
}

/** Codes and the numbers they go to. */
export const otpVariables = {
  length: integer({
    name: 'OTP_LENGTH',
    min: 6,
    max: 10,
    fallback: 6,
    help: 'How many characters a code has when the request does not say.',
  }),
  expiryMinutes: integer({
    name: 'OTP_EXPIRY_MINUTES',
    min: 1,
    max: 60,
    fallback: 5,
    help: 'How long a code lives when the request does not say; not above OTP_MAX_EXPIRY_MINUTES.',
  }),
  maxExpiryMinutes: integer({
    name: 'OTP_MAX_EXPIRY_MINUTES',
    min: 1,
    max: 60,
    fallback: 10,
    help: 'The longest life a request may ask for; over 10 is less strict than recommended.',
  }),
  maxAttempts: integer({
    name: 'OTP_MAX_ATTEMPTS',
    min: 1,
    max: 5,
    fallback: 5,
    help: 'How many guesses one verification allows.',
  }),
  resendSeconds: integer({
    name: 'OTP_RESEND_SECONDS',
    min: 0,
    max: 3600,
    fallback: 30,
    help: 'The wait before the first resend; later waits are 2 and 4 times this; under 30 is less strict than recommended.',
  }),
  warnsOfSharing: boolean({
    name: 'OTP_SHARE_WARNING',
    fallback: true,
    help: 'Whether the built-in text ends with the sentence that the code is not to be shared.',
  }),
  webOtpHost: hostName({
    name: 'WEBOTP_HOST',
    help: 'The host of the page into which browsers fill the code of an SMS (WebOTP): the last line of each SMS becomes @host #code.',
  }),
  testNumbers: boolean({
    name: 'TEST_NUMBERS',
    defaultText: 'true outside production',
    help: 'Whether test numbers get their fixed code and no message.',
  }),
  defaultRegion: country({
    name: 'DEFAULT_REGION',
    help: 'The country of numbers written without +: digits that are a number of this country are that number, whatever else they could be. Without it, only 11 to 15 digits with a country code are read.',
  }),
  countriesAllowed: countries({
    name: 'COUNTRIES_ALLOWED',
    defaultText: 'every country',
    help: 'The only countries that codes are sent to.',
  }),
  countriesDenied: countries({
    name: 'COUNTRIES_DENIED',
    help: 'Countries that no code is sent to; stronger than COUNTRIES_ALLOWED.',
  }),
};
