import {
  type CountryCode,
  type NumberType,
  type PhoneNumber,
  parsePhoneNumberFromString,
} from 'libphonenumber-js/max';
import { homeOf, isNumberOf, readByPlan, readNationalByPlan } from './numbering-plan.ts';

/** What digits are taken to mean: a number that exists. */
export interface Reading {
  e164: string;
  /** Undefined for numbers that belong to no country, such as those of satellite phones. */
  country: string | undefined;
  type: NonNullable<NumberType>;
}

/** The digits are two numbers that exist, and nothing tells which is meant. */
export const AMBIGUOUS = 'ambiguous';

/**
 * Reads the digits of a phone number, after a `+` if it began with one.
 *
 * With `+` or `00` it is international. Without, where `region` is given and the digits are a number of that region
 * (national, with or without its trunk prefix, or with its country code), it is that number, whatever else it could
 * be; else 11-15 digits may be international, or what people of the region dial abroad or in a country with which
 * they share a numbering plan. Of two readings the mobile one is meant.
 *
 * @param region ISO 3166-1 alpha-2; one that does not exist is as none.
 * @returns undefined when no such number exists.
 */
export function readDigits(digits: string, region?: string): Reading | typeof AMBIGUOUS | undefined {
  if (digits.startsWith('+')) return readInternational(digits);
  const home = region === undefined ? undefined : homeOf(region);
  const prefixed = home?.abroad.exec(digits)?.[0];
  const abroad = prefixed ? readInternational(`+${digits.slice(prefixed.length)}`) : undefined;
  if (digits.startsWith('00')) return choose([readInternational(`+${digits.slice(2)}`), abroad], region);

  const national = region && home ? readNational(digits, region, home.callingCode, !!prefixed) : undefined;
  const own = home && digits.startsWith(home.callingCode) ? readInternational(`+${digits}`) : undefined;
  const international = () =>
    digits.length >= 11 && digits.length <= 15 ? readInternational(`+${digits}`) : undefined;
  return ofRegion([national, own], region) ?? choose([national, abroad, international()], region);
}

/** Of the readings the one of the region if there is one, else the only one. */
function choose(
  readings: readonly (Reading | undefined)[],
  region: string | undefined,
): Reading | typeof AMBIGUOUS | undefined {
  return ofRegion(readings, region) ?? theOne(readings);
}

function ofRegion(readings: readonly (Reading | undefined)[], region: string | undefined) {
  if (region === undefined) return undefined;
  return theOne(
    readings.filter((reading) => reading && (reading.country === region || isNumberOf(region, reading.e164))),
  );
}

function theOne(readings: readonly (Reading | undefined)[]): Reading | typeof AMBIGUOUS | undefined {
  const distinct = readings.filter(
    (reading, at): reading is Reading =>
      reading !== undefined && readings.findIndex((other) => other?.e164 === reading.e164) === at,
  );
  if (distinct.length < 2) return distinct[0];
  const mobiles = distinct.filter(({ type }) => type === 'MOBILE' || type === 'FIXED_LINE_OR_MOBILE');
  return mobiles.length === 1 ? mobiles[0] : AMBIGUOUS;
}

/**
 * Reads a number with its country code. Undefined when no such number exists.
 *
 * @param e164 a `+` and digits.
 */
export function readInternational(e164: string): Reading | undefined {
  const facts = readByPlan(e164);
  return facts ? { e164, ...facts } : readByLibrary(e164);
}

/** The countries that have numbers which {@link readOldSpelling} knows and the plan does not. */
const WITH_OLD_SPELLINGS = ['52', '55'];

function readNational(
  digits: string,
  region: string,
  callingCode: string,
  beginsAsAbroad: boolean,
): Reading | undefined {
  const facts = readNationalByPlan(region, digits);
  if (facts) return facts;
  if (facts === null && !WITH_OLD_SPELLINGS.includes(callingCode)) return undefined;
  // The library would read it as dialled abroad.
  return beginsAsAbroad ? readInternational(`+${callingCode}${digits}`) : readByLibrary(digits, region);
}

function readByLibrary(digits: string, region?: string): Reading | undefined {
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
  if (number.countryCallingCode === '55' && /^[1-9]\d[6-9]\d{7}$/.test(national)) {
    const today = validType(`+55${national.slice(0, 2)}9${national.slice(2)}`);
    return today === 'MOBILE' ? { e164: number.number, country: 'BR', type: today } : undefined;
  }
  const mexican = number.countryCallingCode === '52' ? /^(1|01|044|045)([2-9]\d{9})$/.exec(national) : null;
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
