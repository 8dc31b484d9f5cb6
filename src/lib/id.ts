import { fromString, TypeID } from 'typeid-js';
import { pooledRandomBytes } from './random.ts';

/** What an id names; the prefix is part of the id. */
export type IdPrefix = 'prj' | 'key' | 'ver' | 'msg' | 'evt';

const SEQUENCE_MAX = 0xfff;
let latestTime = 0;
let sequence = 0;

/**
 * A new TypeID: the prefix and a UUIDv7 (RFC 9562) in base 32. Ids sort by `now` (Unix ms), and those of one
 * millisecond by the order in which they were made.
 */
export function newId(prefix: IdPrefix, now: number): string {
  const bytes = pooledRandomBytes(16);
  sequence = now === latestTime ? Math.min(sequence + 1, SEQUENCE_MAX) : 0;
  latestTime = now;
  bytes.writeUIntBE(now, 0, 6);
  bytes.writeUInt16BE(0x7000 | sequence, 6);
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  return TypeID.fromUUIDBytes(prefix, bytes).toString();
}

/** The smallest id of a kind that can have been made at `time` (Unix ms): a bound for queries by age. */
export function firstIdAt(prefix: IdPrefix, time: number): string {
  const bytes = Buffer.alloc(16);
  bytes.writeUIntBE(Math.max(0, Math.floor(time)), 0, 6);
  return TypeID.fromUUIDBytes(prefix, bytes).toString();
}

/** Whether `value` has the form of an id of this kind. */
export function isId(prefix: IdPrefix, value: string): boolean {
  try {
    fromString(value, prefix);
    return true;
  } catch {
    return false;
  }
}
