/**
 * A class of a regular expression (with `u`) for what does not count where a person types or pastes: white space, dashes
 * and what nobody sees, such as direction marks, joiners, soft hyphens and variation selectors.
 */
export const INSIGNIFICANT = String.raw`[\p{White_Space}\p{Dash}\p{Format}\p{Default_Ignorable_Code_Point}\u2043\u30fc\uff70]`;
const ALL_INSIGNIFICANT = new RegExp(INSIGNIFICANT, 'gu');
const DIGIT = /\p{Decimal_Number}/u;
const DIGITS = /\p{Decimal_Number}/gu;
const PRINTABLE_ASCII = /^[ -~]*$/;
/** What looks like something of its own where it stands in a sentence. */
const SHOWN = /^[\p{L}\p{N}\p{P}\p{S}]$/u;

/**
 * What a person typed or pasted, without what their keyboard, address book or messenger put around and between: white
 * space and dashes of every kind and invisible characters are removed, decimal digits of every script become ASCII.
 * The one place where this is decided, for phone numbers and for codes.
 */
export function cleanTyped(text: string): string {
  // The same, and quicker, for what nearly everybody writes.
  if (PRINTABLE_ASCII.test(text)) return text.replace(/[ -]/g, '');
  return text.replace(ALL_INSIGNIFICANT, '').replace(DIGITS, asciiDigit);
}

/**
 * Names the first character of a cleaned text that is not among the `allowed` ones, by its code point and, where it
 * can be seen, itself: `“x” (U+0078)`. Undefined when all are allowed.
 *
 * @param allowed matches one allowed character.
 */
export function unreadableIn(cleaned: string, allowed: RegExp): string | undefined {
  const character = [...cleaned].find((candidate) => !allowed.test(candidate));
  if (character === undefined) return undefined;
  const codePoint = `U+${character.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0')}`;
  return SHOWN.test(character) ? `“${character}” (${codePoint})` : `the invisible character ${codePoint}`;
}

/** Unicode holds the decimal digits of a script as ten code points in a row, some of these rows next to each other. */
function asciiDigit(digit: string): string {
  const codePoint = digit.codePointAt(0)!;
  let first = codePoint;
  while (DIGIT.test(String.fromCodePoint(first - 1))) first -= 1;
  return String((codePoint - first) % 10);
}
