import { createHmac, type KeyObject, randomInt, timingSafeEqual } from 'node:crypto';
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

/**
 * What a person typed, as it is compared: ASCII spaces and hyphens removed, letters in upper case. Undefined when
 * anything but ASCII letters and digits is left, or nothing is.
 */
export function normalizeCode(typed: string): string | undefined {
  const code = typed.replace(/[ -]/g, '');
  return /^[A-Za-z0-9]+$/.test(code) ? code.toUpperCase() : undefined;
}

/** HMAC-SHA-256 (RFC 2104) of a normalized code, bound to its verification. */
export function codeMac(key: KeyObject, verificationId: string, code: string): Buffer {
  return createHmac('sha256', key).update(`${verificationId}:${code}`).digest();
}

/** Compares two MACs in a time that does not depend on where they differ. */
export function macsEqual(a: Buffer, b: Buffer): boolean {
  return a.length === b.length && timingSafeEqual(a, b);
}
