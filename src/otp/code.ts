import { createHmac, type KeyObject, randomInt, timingSafeEqual } from 'node:crypto';
import { ValidationError } from '../errors/errors.ts';
import { cleanTyped, INSIGNIFICANT, unreadableIn } from '../lib/typed-text.ts';
import type { Alphabet } from './types.ts';

const SYMBOLS: Record<Alphabet, string> = {
  numeric: '0123456789',
  // Without 0 O, 1 I L, 2 Z, 5 S, 8 B, U V: pairs that people mistake for each other.
  alphanumeric: '34679ACDEFGHJKMNPQRTWXY',
};

/** A uniformly random code of `length` symbols; leading zeros are kept. */
export function generateCode(length: number, alphabet: Alphabet): string {
  const symbols = SYMBOLS[alphabet];
  let code = '';
  for (let i = 0; i < length; i++) code += symbols[randomInt(symbols.length)];
  return code;
}

const LETTER_OR_DIGIT = /^[A-Za-z0-9]$/;
const HOW_TO_WRITE = 'A code is 4 to 10 letters A-Z or digits.';
/** What parts the groups of a code, and the words of a sentence: of what does not count, all that has a width. */
const BETWEEN_GROUPS = /[\p{White_Space}\p{Dash}\u2043\u30fc\uff70]+/u;
const ALL_IGNORED = new RegExp(INSIGNIFICANT, 'gu');
/** What messages call a code. None is a group of a code that WOTP made: their O and I are in no alphabet of it. */
const NAMES_OF_A_CODE = /^(code|kode|pin|otp)$/i;

/**
 * A code as a person typed or pasted it, in the form in which it is compared: white space, dashes and invisible
 * characters removed, digits of every script as ASCII, letters in upper case.
 * @throws {ValidationError} when this is no code, naming what cannot be read, or when words stand around it
 */
export function readCode(typed: string): string {
  const code = cleanTyped(typed);
  if (/^[A-Za-z0-9]{4,10}$/.test(code)) {
    if (!hasWords(typed)) return code.toUpperCase();
    const message = `${HOW_TO_WRITE} Send the code alone, without the words around it.`;
    throw new ValidationError(message, [{ path: 'code', message }]);
  }
  const unreadable = unreadableIn(code, LETTER_OR_DIGIT);
  const message =
    unreadable === undefined
      ? `${HOW_TO_WRITE} This one has ${code.length}, not counting white space and dashes.`
      : `A code cannot contain ${unreadable}. ${HOW_TO_WRITE}`;
  throw new ValidationError(message, [{ path: 'code', message }]);
}

/**
 * Whether a text has words in it, such as `PIN 482913` or `is 482913`, rather than being a code in groups, such as
 * `abcd-1234` or `ab cd-12`: a name of a code, or lower-case letters beside a run of digits of another length. A right
 * code that somebody writes in groups is never taken for a sentence, or nobody could use it.
 */
function hasWords(typed: string): boolean {
  const groups = typed
    .split(BETWEEN_GROUPS)
    .map((group) => group.replace(ALL_IGNORED, ''))
    .filter((group) => group !== '');
  if (groups.length < 2) return false;
  const words = groups.filter((group) => /^[A-Za-z]{2,}$/.test(group));
  if (words.some((word) => NAMES_OF_A_CODE.test(word))) return true;
  const hasLongNumber = groups.some((group) => /^\d{4,}$/.test(group));
  return hasLongNumber && !areEven(groups) && words.some((word) => word !== word.toUpperCase());
}

/** Whether groups are as long as each other but for one character, or but for a shorter last one of three or more. */
function areEven(groups: readonly string[]): boolean {
  const lengths = groups.map((group) => group.length);
  if (Math.max(...lengths) - Math.min(...lengths) <= 1) return true;
  const last = lengths.pop()!;
  return lengths.length >= 2 && lengths.every((length) => length === lengths[0] && length >= last);
}

/** HMAC-SHA-256 (RFC 2104) of a code as {@link readCode} gives it, bound to its verification. */
export function codeMac(key: KeyObject, verificationId: string, code: string): Buffer {
  return createHmac('sha256', key).update(`${verificationId}:${code}`).digest();
}

/** Compares two MACs in a time that does not depend on where they differ. */
export function macsEqual(a: Buffer, b: Buffer): boolean {
  return a.length === b.length && timingSafeEqual(a, b);
}
