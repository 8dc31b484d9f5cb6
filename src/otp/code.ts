import { createHmac, type KeyObject, randomInt, timingSafeEqual } from 'node:crypto';
import { ValidationError } from '../errors/errors.ts';
import { cleanTyped, unreadableIn } from '../lib/typed-text.ts';
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

/**
 * A code as a person typed or pasted it, in the form in which it is compared: white space, dashes and invisible
 * characters removed, digits of every script as ASCII, letters in upper case.
 * @throws {ValidationError} when this is no code, naming what cannot be read
 */
export function readCode(typed: string): string {
  const code = cleanTyped(typed);
  if (/^[A-Za-z0-9]{4,10}$/.test(code)) return code.toUpperCase();
  const unreadable = unreadableIn(code, LETTER_OR_DIGIT);
  const message =
    unreadable === undefined
      ? `${HOW_TO_WRITE} This is ${code.length}, without white space and dashes.`
      : `A code cannot contain ${unreadable}. ${HOW_TO_WRITE}`;
  throw new ValidationError(message, [{ path: 'code', message }]);
}

/** HMAC-SHA-256 (RFC 2104) of a code as {@link readCode} gives it, bound to its verification. */
export function codeMac(key: KeyObject, verificationId: string, code: string): Buffer {
  return createHmac('sha256', key).update(`${verificationId}:${code}`).digest();
}

/** Compares two MACs in a time that does not depend on where they differ. */
export function macsEqual(a: Buffer, b: Buffer): boolean {
  return a.length === b.length && timingSafeEqual(a, b);
}
