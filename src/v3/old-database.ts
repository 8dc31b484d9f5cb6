import { BLOCK_BYTES, decipherOf, keyFrom, opensWith } from '../database/wodb/v3-file.ts';
import { readBounded } from '../lib/bounded-file.ts';
import { ExpectedError } from '../lib/expected-error.ts';

/** What cannot be read as v3's database; the message says why and what to do. Nothing was changed. */
export class V3FileError extends ExpectedError {
  constructor(message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
  }
}

/** A token of v3, of which only the hash was kept. */
interface V3Token {
  /** SHA-256 of the whole `otp_…` token, hex. */
  hash: string;
  /** Unix ms; undefined when v3's file does not say. */
  createdAt: number | undefined;
}

/** A line of v3's log, with nothing in it that should not be read. */
interface V3Log {
  /** Unix ms. */
  at: number;
  /** v3's word for what happened; a word with a digit in it (a code, a number) has become `***`. */
  action: string;
  /** The beginning of the hash of the token it was done with, which is in the name of its key, too. */
  token: string | undefined;
  /** Masked but for the last four digits. */
  phone: string | undefined;
  /** 0 for the first of equal lines, 1 for the second …: what tells them apart. */
  repeat: number;
}

/** What v3 kept. */
export interface V3Database {
  tokens: V3Token[];
  logs: V3Log[];
  /** Entries that are no token with a hash, or no log line with a time and an action. */
  unreadable: number;
}

/** Entries that are taken in one transaction: few enough to hold nobody up. */
export const V3_BATCH_MAX = 100;

/** v3 held all of it in memory, and wrote the whole file anew for every line of its log. */
const FILE_MAX_BYTES = 256 * 1024 * 1024;
const WODB_PAGE_BYTES = 4096;
const ISO_FORM = /^\d{4}-\d{2}-\d{2}(T|$)/;
const HASH_FORM = /^[0-9a-f]{64}$/;
/** The last moment of the year 9999, Unix ms. */
const TIME_MAX = 253_402_300_799_999;
const ACTION_MAX_LENGTH = 100;
/** v3 took phones of 10 to 15 digits, and its chat commands shorter ones. */
const PHONE_DIGITS = { min: 8, max: 15 };
const PHONE_DIGITS_SHOWN = 4;
const HASH_DIGITS_SHOWN = 8;

/**
 * Reads v3's database: a 16-byte IV, then AES-256-CBC over JSON, under scrypt (Node's default cost) of v3's
 * `DB_MASTER_KEY`. The file is only read.
 * @throws V3FileError when it is missing, empty, cut off, damaged, another program's, or the key is wrong
 */
export function readV3Database(path: string, masterKey: string): V3Database {
  const file = contentOf(path);
  refuseForeign(path, file);
  const { tokens, logs } = listsIn(path, decrypted(path, file, masterKey));
  const readTokens = tokens.map(tokenOf).filter((token) => token !== undefined);
  const readLogs = withRepeats(logs.map(logOf).filter((log) => log !== undefined));
  const unreadable = tokens.length - readTokens.length + (logs.length - readLogs.length);
  return { tokens: readTokens, logs: readLogs, unreadable };
}

/** As much of a token's hash as its owner needs to know it by. */
export function shownV3Hash(hash: string): string {
  return hash.slice(0, HASH_DIGITS_SHOWN);
}

function contentOf(path: string): Buffer {
  try {
    return readBounded(path, FILE_MAX_BYTES);
  } catch (error) {
    switch ((error as NodeJS.ErrnoException).code) {
      case 'ENOENT':
        throw new V3FileError(
          `There is no file ${path}. Give the path of v3's database: database.wodb, or what DB_PATH names in v3's settings.`,
          error,
        );
      case 'EFBIG':
        throw new V3FileError(
          `${path} is larger than v3 can have written it (${FILE_MAX_BYTES / 1024 ** 2} MB). Give the path of v3's database.wodb.`,
          error,
        );
      case 'EISDIR':
        throw new V3FileError(`${path} is a folder. Give the path of the file database.wodb in it.`, error);
      case 'EACCES':
        throw new V3FileError(
          `${path} cannot be read by this user. Give this user a copy of it, or change its permissions.`,
          error,
        );
    }
    throw error;
  }
}

/** Refuses what can be told without a key. */
function refuseForeign(path: string, file: Buffer): void {
  if (file.length === 0) {
    throw new V3FileError(
      `${path} is empty. Copy v3's database again, with v3 stopped; if v3's own file is empty, there is nothing to import.`,
    );
  }
  if (file.subarray(0, 15).toString('latin1') === 'SQLite format 3') {
    throw new V3FileError(`${path} is a plain SQLite file, not v3's database. Give v3's database.wodb.`);
  }
  if (file.length < 2 * BLOCK_BYTES || file.length % BLOCK_BYTES !== 0) {
    throw new V3FileError(
      `${path} is cut off, or not v3's database: ${file.length} bytes are not an IV and whole blocks of ${BLOCK_BYTES}. Copy v3's database.wodb again, with v3 stopped.`,
    );
  }
}

function decrypted(path: string, file: Buffer, masterKey: string): string {
  const key = keyFrom(masterKey);
  if (!opensWith(file, key)) {
    throw new V3FileError(
      file.length % WODB_PAGE_BYTES === 0
        ? `${path} seems to be a database of WOTP 4: it consists of whole pages of ${WODB_PAGE_BYTES} bytes and does not open as v3's with this key. Give v3's database.wodb; if this is it, the key is wrong.`
        : `${path} does not open with this key. Give the DB_MASTER_KEY that v3 ran with (docs/UPGRADE.md says where to find it); if it is the right one, the file is not v3's database.`,
    );
  }
  try {
    const whole = decipherOf(file, key);
    const text = Buffer.concat([whole.update(file.subarray(BLOCK_BYTES)), whole.final()]);
    return new TextDecoder('utf-8', { fatal: true }).decode(text);
  } catch (error) {
    throw damaged(path, error);
  }
}

function listsIn(path: string, json: string): { tokens: unknown[]; logs: unknown[] } {
  let content: { tokens?: unknown; logs?: unknown };
  try {
    content = Object(JSON.parse(json));
  } catch (error) {
    throw damaged(path, error);
  }
  const { tokens, logs } = content;
  if (Array.isArray(tokens) && Array.isArray(logs)) return { tokens, logs };
  throw new V3FileError(
    `${path} opens with this key, but does not contain v3's two lists, tokens and logs. Give v3's database.wodb.`,
  );
}

function damaged(path: string, cause: unknown): V3FileError {
  return new V3FileError(
    `${path} opens with this key, but it is cut off or damaged further on. Copy v3's database.wodb again, with v3 stopped.`,
    cause,
  );
}

function tokenOf(entry: unknown): V3Token | undefined {
  const { hash, created_at } = Object(entry) as Record<string, unknown>;
  return isHash(hash) ? { hash, createdAt: timeOf(created_at) } : undefined;
}

/** Only what is named here is taken: any other field may hold a text, and so a code. */
function logOf(entry: unknown): Omit<V3Log, 'repeat'> | undefined {
  const { timestamp, action, tokenHash, phone } = Object(entry) as Record<string, unknown>;
  const shownAction = typeof action === 'string' ? maskedAction(action) : '';
  const at = timeOf(timestamp);
  if (at === undefined || shownAction === '') return undefined;
  return {
    at,
    action: shownAction,
    token: isHash(tokenHash) ? shownV3Hash(tokenHash) : undefined,
    phone: maskedPhone(phone),
  };
}

function withRepeats(logs: Omit<V3Log, 'repeat'>[]): V3Log[] {
  const seen = new Map<string, number>();
  return logs.map((log) => {
    const content = JSON.stringify([log.at, log.action, log.token, log.phone]);
    const repeat = seen.get(content) ?? 0;
    seen.set(content, repeat + 1);
    return { ...log, repeat };
  });
}

function isHash(value: unknown): value is string {
  return typeof value === 'string' && HASH_FORM.test(value);
}

/** A time in Unix ms, however it was written: as that number, or in ISO 8601. */
function timeOf(value: unknown): number | undefined {
  const time = typeof value === 'string' && ISO_FORM.test(value) ? Date.parse(value) : value;
  return Number.isSafeInteger(time) && (time as number) > 0 && (time as number) <= TIME_MAX
    ? (time as number)
    : undefined;
}

function maskedAction(action: string): string {
  return action
    .slice(0, ACTION_MAX_LENGTH)
    .replace(/\p{Cc}/gu, ' ')
    .replace(/[\p{L}\p{N}]+/gu, (word) => (/\p{N}/u.test(word) ? '***' : word))
    .slice(0, ACTION_MAX_LENGTH)
    .toWellFormed()
    .trim();
}

/** v3 wrote phones as digits, or as WhatsApp's address (`…@s.whatsapp.net`). */
function maskedPhone(phone: unknown): string | undefined {
  if (typeof phone !== 'string' && typeof phone !== 'number') return undefined;
  const digits = String(phone).split('@', 1)[0]!.replace(/\D/g, '');
  if (digits.length < PHONE_DIGITS.min || digits.length > PHONE_DIGITS.max) return undefined;
  return `+${'*'.repeat(digits.length - PHONE_DIGITS_SHOWN)}${digits.slice(-PHONE_DIGITS_SHOWN)}`;
}
