import { ValidationError } from '../errors/errors.ts';

/** The refusal of an address that holds U+0000: PostgreSQL keeps no such text, and WODB shall not differ. */
export function nulInAddress(url: string): ValidationError | undefined {
  return url.includes('%00')
    ? new ValidationError('The address holds the character U+0000 (%00), which is not allowed.')
    : undefined;
}

/** The refusal of a JSON body that holds U+0000, with the places that do. Takes the text and what it was parsed to. */
export function nulInBody(text: string, value: unknown): ValidationError | undefined {
  // An escaped backslash before `u0000` looks the same, so the text alone does not tell.
  if (!text.includes('\\u0000')) return undefined;
  const places = placesOfNul(value, []);
  if (places.length === 0) return undefined;
  return new ValidationError(
    'The body holds the character U+0000, which is not allowed.',
    places.slice(0, PLACES_SHOWN).map((path) => ({ path, message: 'Holds the character U+0000.' })),
  );
}

/** A refusal stays small, however much is wrong. */
const PLACES_SHOWN = 20;

/** The paths of the strings that hold U+0000, and of the objects that have it in a name. */
function placesOfNul(value: unknown, path: readonly string[]): string[] {
  const here = path.length === 0 ? 'body' : path.join('.');
  if (typeof value === 'string') return value.includes('\0') ? [here] : [];
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, member]) =>
    name.includes('\0') ? [here] : placesOfNul(member, [...path, name]),
  );
}
