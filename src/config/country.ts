import { getCountries } from 'libphonenumber-js/max';
import { type Declaration, list, type Variable } from './variable.ts';

/** One country by its two-letter code (ISO 3166), in capitals whatever was typed. */
export function country(declaration: Declaration): Variable<string | undefined> {
  return {
    defaultText: '',
    ...declaration,
    allowed: 'a two-letter country code such as US or ID',
    fallback: undefined,
    secret: false,
    parse: parseCountry,
  };
}

/** Countries by their two-letter codes (ISO 3166), in capitals whatever was typed. */
export function countries(declaration: Declaration): Variable<string[]> {
  return list({
    ...declaration,
    allowed: 'two-letter country codes such as US,ID, separated by commas',
    parseEntry: parseCountry,
  });
}

function parseCountry(given: string): string | undefined {
  const code = given.trim().toUpperCase();
  return getCountries().find((known) => known === code);
}
