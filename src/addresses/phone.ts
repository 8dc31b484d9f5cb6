import type { NumberType } from 'libphonenumber-js/max';
import { counted } from '../lib/counted.ts';
import { cleanTyped, unreadableIn } from '../lib/typed-text.ts';
import { AMBIGUOUS, readDigits } from './phone-reading.ts';

/** A phone number to which a code may be sent. */
export interface Phone {
  /** E.164 (`+6281234566034`), spelled as the caller gave it: Mexico's old 1 or Brazil's missing 9 stay. */
  e164: string;
  /**
   * Opaque key of the line behind the number: digits without plus, the same for every spelling that rings the
   * same phone. Limits, guess budgets and superseding count by it; it is not meant to be dialled.
   */
  identity: string;
  /** ISO 3166-1 alpha-2, upper case; `001` (the world) for satellite numbers, which belong to no country. */
  country: string;
}

/** What an operator lets through. Countries are ISO 3166-1 alpha-2 in upper case, or `001` (see {@link Phone}). */
export interface PhoneRules {
  /** The country of numbers that are written without their country code. */
  defaultRegion?: string | undefined;
  /** When not empty, only these countries pass. */
  countriesAllowed: readonly string[];
  /** These countries never pass, also when they are allowed. */
  countriesDenied: readonly string[];
}

/**
 * Why a number is refused. The message is safe to show and never repeats the number.
 * `invalid`: no such number can exist, or its country is not known. `not_allowed`: it exists, but codes are
 * not sent to its kind (premium-rate, shared-cost, toll-free, pager …) or its country.
 */
export class PhoneError extends Error {
  override readonly name = 'PhoneError';
  readonly kind: 'invalid' | 'not_allowed';

  constructor(kind: 'invalid' | 'not_allowed', message: string) {
    super(message);
    this.kind = kind;
  }
}

const INPUT_LENGTH_MAX = 40;
const DIGITS_ALONE = /^\+?\d{1,40}$/;
const WORLD = '001';

const REFUSED_KINDS: Partial<Record<NonNullable<NumberType>, string>> = {
  PREMIUM_RATE: 'premium-rate',
  SHARED_COST: 'shared-cost',
  TOLL_FREE: 'toll-free',
  PAGER: 'pager',
  UAN: 'company (UAN)',
  VOICEMAIL: 'voicemail',
  PERSONAL_NUMBER: 'personal (forwarding)',
};

/**
 * Reads a phone number as people type and paste it: white space, dashes, brackets, dots and slashes of every kind and
 * invisible characters do not count, digits of every script do; `tel:` or `whatsapp:` may stand in front, `@c.us` or
 * `@s.whatsapp.net` behind. What number the digits mean without a `+`, {@link readDigits} says.
 *
 * @throws {PhoneError} `invalid` or `not_allowed`; nothing else, whatever the input.
 */
export function parsePhone(input: string, rules: PhoneRules): Phone {
  const digits = phoneDigits(input);
  const found = readDigits(digits, rules.defaultRegion);
  if (found === AMBIGUOUS) {
    throw new PhoneError('invalid', `These digits can be two different phone numbers. ${HOW_TO_WRITE}`);
  }
  if (found === undefined) throw new PhoneError('invalid', whyUnread(digits, rules.defaultRegion));
  const refusedKind = REFUSED_KINDS[found.type];
  if (refusedKind !== undefined) {
    throw new PhoneError('not_allowed', `Codes are not sent to ${refusedKind} numbers. Use a mobile number.`);
  }
  const country = found.country ?? WORLD;
  if (
    rules.countriesDenied.includes(country) ||
    (rules.countriesAllowed.length > 0 && !rules.countriesAllowed.includes(country))
  ) {
    throw new PhoneError(
      'not_allowed',
      'Codes are not sent to numbers of this country. Use another number, or ask the operator to allow it.',
    );
  }
  if (country === WORLD && found.type !== 'MOBILE') {
    throw new PhoneError(
      'invalid',
      'This number belongs to no country and is not a mobile number. Use a mobile number.',
    );
  }
  return { e164: found.e164, identity: identityOf(found.e164), country };
}

/**
 * Masks a number for logs: every digit but the last four becomes `*` (`+*********6034`).
 *
 * @param e164 the number in E.164.
 */
export function maskPhone(e164: string): string {
  return e164.slice(0, -4).replace(/\d/g, '*') + e164.slice(-4);
}

/** What of the digits could not be read. */
function whyUnread(digits: string, region: string | undefined): string {
  const count = digits.replace('+', '').length;
  const length = counted(count, 'digit');
  const subject = count === 1 ? `This ${length} is` : `These ${length} are`;
  if (digits.startsWith('+') || digits.startsWith('00')) {
    return `${subject} not a phone number. Check the number and its country code.`;
  }
  return region
    ? `${subject} not a phone number of ${region}, nor one of another country with its country code. ${HOW_TO_WRITE}`
    : `The phone number of ${length} does not exist or lacks its country code. ${HOW_TO_WRITE.slice(0, -1)}, or set DEFAULT_REGION on the server.`;
}

/** Words in front that say only that a number follows. */
const SCHEME = /^(?:tel|whatsapp):/i;
/** What WhatsApp writes behind a number; before it, it is in full, with its country code. */
const WHATSAPP_DOMAIN = /@(?:c\.us|s\.whatsapp\.net)$/i;
const FOREIGN_PLUS = /[\uff0b\ufe62]/g;
/** Brackets, slashes and dots of every width. */
const PUNCTUATION =
  /[\p{Open_Punctuation}\p{Close_Punctuation}/\uff0f.\u00b7\u2024\u2027\u3002\uff0e\uff61]/gu;
const PHONE_CHARACTER = /^[+0-9]$/;
const HOW_TO_WRITE = 'Write it with + and the country code, such as +62 838 3494 6034.';

/**
 * The digits of a phone number as a person typed or pasted it, after a `+` if it began with one or is known to be
 * international.
 *
 * @throws {PhoneError} `invalid`, naming what cannot be read.
 */
export function phoneDigits(input: string): string {
  if (input.length > INPUT_LENGTH_MAX) {
    throw new PhoneError('invalid', `A phone number may have at most ${INPUT_LENGTH_MAX} characters.`);
  }
  const cleaned = cleanTyped(input);
  if (DIGITS_ALONE.test(cleaned)) return cleaned;
  const typed = cleaned.replace(FOREIGN_PLUS, '+').replace(SCHEME, '');
  const bare = typed.replace(WHATSAPP_DOMAIN, '');
  const digits = bare.replace(PUNCTUATION, '');
  const unreadable = unreadableIn(digits, PHONE_CHARACTER);
  if (unreadable !== undefined) {
    throw new PhoneError('invalid', `A phone number cannot contain ${unreadable}. ${HOW_TO_WRITE}`);
  }
  if (digits.lastIndexOf('+') > 0) {
    throw new PhoneError('invalid', `A phone number can have a + only at its beginning. ${HOW_TO_WRITE}`);
  }
  if (!/\d/.test(digits)) throw new PhoneError('invalid', `The phone number has no digits. ${HOW_TO_WRITE}`);
  return bare !== typed && /^[1-9]/.test(digits) ? `+${digits}` : digits;
}

/**
 * Every spelling under which the line of this number may be known to others, the given one first: in Brazil with and
 * without the ninth digit, in Mexico with and without the 1, in Argentina with and without the 9.
 */
export function spellingsOf(e164: string): string[] {
  const identity = identityOf(e164);
  const other = (digits: string) => [...new Set([e164, `+${identity}`, `+${digits}`])];
  if (identity.startsWith('55') && identity.length === 13 && identity[4] === '9') {
    return other(`${identity.slice(0, 4)}${identity.slice(5)}`);
  }
  if (identity.startsWith('52') && identity.length === 12) return other(`521${identity.slice(2)}`);
  if (identity.startsWith('54') && identity.length === 12) return other(`549${identity.slice(2)}`);
  return [e164];
}

/**
 * The identity of a number in E.164 (see {@link Phone}): Brazil with its ninth digit, Mexico without its 1,
 * Argentina without its 9.
 */
export function identityOf(e164: string): string {
  const digits = e164.slice(1);
  if (digits.length === 12 && digits.startsWith('55') && digits[4]! >= '6') {
    return `${digits.slice(0, 4)}9${digits.slice(4)}`;
  }
  if (digits.length === 13 && digits.startsWith('521')) return `52${digits.slice(3)}`;
  if (digits.length === 13 && digits.startsWith('549')) return `54${digits.slice(3)}`;
  return digits;
}
