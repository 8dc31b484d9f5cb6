import {
  type CountryCode,
  type NumberType,
  type PhoneNumber,
  parsePhoneNumberFromString,
} from 'libphonenumber-js/max';
import { readByPlan } from './numbering-plan.ts';

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
 * `invalid`: no such number can exist, or its country cannot be told. `not_allowed`: it exists, but codes are
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
 * Reads a phone number in any usual spelling: spaces, hyphens, dots, slashes, parentheses, `+`, `00`, `tel:`.
 *
 * Without plus, 11-15 digits that are valid as `+digits` are international; otherwise the number is national in
 * `defaultRegion`. A `00` is the international prefix unless `defaultRegion` reads it differently (Hong Kong
 * dials 001).
 *
 * @throws {PhoneError} `invalid` or `not_allowed`; nothing else, whatever the input.
 */
export function parsePhone(input: string, rules: PhoneRules): Phone {
  const found = read(digitsOf(input), rules.defaultRegion);
  if (found === undefined) {
    throw new PhoneError(
      'invalid',
      rules.defaultRegion
        ? 'This phone number does not exist. Check its digits, and write + and the country code before it.'
        : 'This phone number does not exist or lacks its country code. Write it with + and the country code.',
    );
  }
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
      'This number belongs to no country and is not a mobile. Use a mobile number.',
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

/** The digits of the input, after a `+` if it began with one. */
function digitsOf(input: string): string {
  if (input.length > INPUT_LENGTH_MAX) {
    throw new PhoneError('invalid', `A phone number may have at most ${INPUT_LENGTH_MAX} characters.`);
  }
  let digits = '';
  for (let at = /^tel:/i.test(input) ? 4 : 0; at < input.length; at++) {
    const unit = input.charCodeAt(at);
    if (unit >= 0x30 && unit <= 0x39) {
      digits += input[at];
    } else if (unit === 0x2b && digits === '') {
      digits = '+';
    } else if (!isSeparator(unit)) {
      throw new PhoneError(
        'invalid',
        'The phone number holds a character that does not belong in one. Use the digits 0-9, spaces, hyphens, dots, slashes, parentheses, and a + before the country code.',
      );
    }
  }
  return digits;
}

/** What people put between digits: space ( ) - . / and, from copied text, the hard space and U+2010 to U+2015. */
function isSeparator(unit: number): boolean {
  switch (unit) {
    case 0x20:
    case 0x28:
    case 0x29:
    case 0x2d:
    case 0x2e:
    case 0x2f:
    case 0xa0:
      return true;
    default:
      return unit >= 0x2010 && unit <= 0x2015;
  }
}

interface Reading {
  e164: string;
  country: string | undefined;
  type: NonNullable<NumberType>;
}

/** The first valid reading in the order that {@link parsePhone} documents; one call to the library as a rule. */
function read(digits: string, region: string | undefined): Reading | undefined {
  if (digits.startsWith('+')) return readAs(digits);
  if (digits.startsWith('00')) {
    return (region ? readAs(digits, region) : undefined) ?? readAs(`+${digits.slice(2)}`);
  }
  if (digits.length >= 11 && digits.length <= 15 && !digits.startsWith('0')) {
    const international = readAs(`+${digits}`);
    if (international) return international;
  }
  return region ? readAs(digits, region) : undefined;
}

function readAs(digits: string, region?: string): Reading | undefined {
  const plain = digits.startsWith('+') ? readByPlan(digits) : undefined;
  if (plain) return { e164: digits, ...plain };
  const number = parsePhoneNumberFromString(digits, {
    defaultCountry: region as CountryCode | undefined,
    extract: false,
  });
  if (!number) return undefined;
  // The type is undefined exactly when the number is invalid; asking for it alone halves the work of isValid().
  const type = number.getType();
  if (type) return { e164: number.number, country: number.country, type };
  return readOldSpelling(number);
}

/** Spellings that WhatsApp and address books still use after the numbering plan, and so the library, dropped them. */
function readOldSpelling(number: PhoneNumber): Reading | undefined {
  const national = number.nationalNumber;
  if (number.countryCallingCode === '55' && /^\d{2}[6-9]\d{7}$/.test(national)) {
    const today = validType(`+55${national.slice(0, 2)}9${national.slice(2)}`);
    return today === 'MOBILE' ? { e164: number.number, country: 'BR', type: today } : undefined;
  }
  const mexican = number.countryCallingCode === '52' ? /^(1|01|044|045)(\d{10})$/.exec(national) : null;
  if (mexican) {
    const today = `+52${mexican[2]}`;
    const type = validType(today);
    // 01, 044 and 045 were dialled, never part of the number; the 1 was part of it abroad.
    return type && { e164: mexican[1] === '1' ? number.number : today, country: 'MX', type };
  }
  return undefined;
}

function validType(e164: string): NumberType {
  return parsePhoneNumberFromString(e164, { extract: false })?.getType();
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
