import { hash } from 'node:crypto';
import { pooledRandomBytes } from './random.ts';

/** What an id names; the prefix is part of the id. */
export type IdPrefix =
  | 'prj'
  | 'key'
  | 'ver'
  | 'msg'
  | 'ses'
  | 'tpl'
  | 'sch'
  | 'blk'
  | 'evt'
  | 'whk'
  | 'dlv'
  | 'tst';

/** TypeID's base 32 (Crockford's, in lower case): its order is that of the bytes. */
const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz';
const ALPHABET_CODES = Buffer.from(ALPHABET, 'latin1');
const UUID_BYTES = 16;
const SUFFIX_LENGTH = 26;
/** Where a suffix is put together: one string in place of a chain of 26. */
const digits = Buffer.alloc(SUFFIX_LENGTH);
const SUFFIX_FORM = /^[0-7][0-9a-hjkmnp-tv-z]{25}$/;
const SEQUENCE_MAX = 0xfff;

let latestTime = 0;
let sequence = 0;

/**
 * A new TypeID (version 0.3): the prefix and a UUIDv7 (RFC 9562) in base 32. Ids sort by `now` (Unix ms), and those of
 * one millisecond by the order in which they were made. It is written out here because several are made for every
 * request, and the library that makes them checks each one again.
 */
export function newId(prefix: IdPrefix, now: number): string {
  const bytes = pooledRandomBytes(UUID_BYTES);
  sequence = now === latestTime ? Math.min(sequence + 1, SEQUENCE_MAX) : 0;
  latestTime = now;
  bytes.writeUIntBE(now, 0, 6);
  bytes[6] = 0x70 | (sequence >> 8);
  bytes[7] = sequence & 0xff;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  return `${prefix}_${encode(bytes)}`;
}

/**
 * The TypeID of something that is always the same: its time (Unix ms) and, in place of random bits, 74 bits of the
 * SHA-256 of `content`. Who takes the same thing in twice gives it the same id.
 */
export function idOfContent(prefix: IdPrefix, time: number, content: string): string {
  const bytes = hash('sha256', content, 'buffer').subarray(0, 16);
  bytes.writeUIntBE(time, 0, 6);
  bytes[6] = 0x70 | (bytes[6]! & 0x0f);
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  return `${prefix}_${encode(bytes)}`;
}

/** The smallest id of a kind that can have been made at `time` (Unix ms): a bound for queries by age. */
export function firstIdAt(prefix: IdPrefix, time: number): string {
  const bytes = Buffer.alloc(16);
  bytes.writeUIntBE(Math.max(0, Math.floor(time)), 0, 6);
  return `${prefix}_${encode(bytes)}`;
}

/** When an id of this kind was made (Unix ms). Throws when it is not an id of this kind. */
export function timeOfId(prefix: IdPrefix, id: string): number {
  if (!isId(prefix, id)) throw new Error(`${id} is not an id of the kind ${prefix}.`);
  let time = 0;
  // The first ten digits are the 48 bits of the time.
  for (let at = prefix.length + 1; at < prefix.length + 11; at++)
    time = time * 32 + ALPHABET.indexOf(id[at]!);
  return time;
}

/** Whether `value` has the form of an id of this kind. */
export function isId(prefix: IdPrefix, value: string): boolean {
  return value.startsWith(`${prefix}_`) && SUFFIX_FORM.test(value.slice(prefix.length + 1));
}

/** The 16 bytes (a UUIDv7) of an id. Throws when it is not an id of this kind. */
export function bytesOfId(prefix: IdPrefix, id: string): Buffer {
  if (!isId(prefix, id)) throw new Error(`${id} is not an id of the kind ${prefix}.`);
  let value = 0n;
  for (const digit of id.slice(prefix.length + 1)) value = (value << 5n) | BigInt(ALPHABET.indexOf(digit));
  return Buffer.from(value.toString(16).padStart(32, '0'), 'hex');
}

/** The id of a kind with these 16 bytes: the inverse of `bytesOfId`. */
export function idFromBytes(prefix: IdPrefix, bytes: Buffer): string {
  return `${prefix}_${encode(bytes)}`;
}

/** 128 bits as 26 digits of 5 bits, the first of which holds 3. */
function encode(bytes: Buffer): string {
  let bits = 0;
  let held = 2;
  let at = 0;
  for (let i = 0; i < UUID_BYTES; i++) {
    bits = (bits << 8) | bytes[i]!;
    held += 8;
    while (held >= 5) {
      held -= 5;
      digits[at++] = ALPHABET_CODES[(bits >>> held) & 31]!;
    }
    bits &= (1 << held) - 1;
  }
  return digits.toString('latin1');
}
