import { createDecipheriv, createHmac, pbkdf2Sync, timingSafeEqual } from 'node:crypto';
import { KEYS, LAYOUT, WAL } from './wodb-spec.ts';

/*
 * Reads an SQLCipher 4 file from what is published about it and nothing else: no SQLite, no code of the product. Its
 * numbers are those of `docs/WODB_SPEC.md`, so what it reads another program can read as well.
 */

const PAGE_BYTES = LAYOUT.pageBytes;
const USABLE_BYTES = LAYOUT.usableBytes;

const PAGE_KINDS = { interiorIndex: 2, interiorTable: 5, leafIndex: 10, leafTable: 13 };

/** A value of a row as SQLite stores it. */
type Value = null | number | bigint | string | Buffer;

/** A page whose HMAC does not fit its bytes: it was changed, or the key is another one. */
export class DamagedPageError extends Error {
  constructor(page: number) {
    super(`The HMAC of page ${page} does not fit.`);
    this.name = 'DamagedPageError';
  }
}

interface Header {
  pageSize: number;
  reservedBytes: number;
  pages: number;
  isAutoVacuum: boolean;
  isIncremental: boolean;
  userVersion: number;
  applicationId: number;
}

/** A database file that is read page by page. */
export interface SqlcipherFile {
  header: Header;
  pages: number;
  /** A page as SQLite sees it. Throws DamagedPageError. */
  page(number: number): Buffer;
  /** The rows of a table, as objects by the names of its columns. */
  rows(table: string): Record<string, Value>[];
}

/** Reads a whole file, and the changes in its WAL if there is one, with its raw key (32 bytes). */
export function readSqlcipherFile(
  file: Buffer,
  rawKey: Buffer,
  wal: Buffer = Buffer.alloc(0),
): SqlcipherFile {
  const changed = pagesInWal(wal);
  const pages = changed.pages ?? file.length / PAGE_BYTES;
  const hmacSalt = file.subarray(0, KEYS.saltBytes).map((byte) => byte ^ KEYS.hmacSaltMask);
  const hmacKey = pbkdf2Sync(rawKey, hmacSalt, KEYS.hmacIterations, KEYS.bytes, 'sha512');

  function page(number: number): Buffer {
    const start = (number - 1) * PAGE_BYTES;
    const stored = changed.byNumber.get(number) ?? file.subarray(start, start + PAGE_BYTES);
    // The salt stands where page 1 would say "SQLite format 3"; it is neither encrypted nor covered by the HMAC.
    const ciphertext = stored.subarray(number === 1 ? KEYS.saltBytes : 0, LAYOUT.iv.from);
    const iv = stored.subarray(LAYOUT.iv.from, LAYOUT.iv.to);
    const expected = stored.subarray(LAYOUT.hmac.from, LAYOUT.hmac.to);
    const pageNumber = Buffer.alloc(4);
    pageNumber.writeUInt32LE(number);
    const actual = createHmac('sha512', hmacKey).update(ciphertext).update(iv).update(pageNumber).digest();
    if (expected.length !== actual.length || !timingSafeEqual(expected, actual))
      throw new DamagedPageError(number);

    const decipher = createDecipheriv('aes-256-cbc', rawKey, iv).setAutoPadding(false);
    const plain = Buffer.concat([decipher.update(ciphertext), decipher.final()]);
    return number === 1 ? Buffer.concat([LAYOUT.plainHeader, plain]) : plain;
  }

  const first = page(1);
  const header: Header = {
    pageSize: first.readUInt16BE(16),
    reservedBytes: first[20]!,
    pages: first.readUInt32BE(28),
    isAutoVacuum: first.readUInt32BE(52) > 0,
    isIncremental: first.readUInt32BE(64) > 0,
    userVersion: first.readUInt32BE(60),
    applicationId: first.readUInt32BE(68),
  };

  function rows(table: string): Record<string, Value>[] {
    const schema = [...records(page, 1)].map(({ values: [type, name, , root, sql] }) => ({
      type,
      name,
      root,
      sql,
    }));
    const entry = schema.find(({ type, name }) => type === 'table' && name === table);
    if (!entry) throw new Error(`There is no table ${table}.`);
    const columns = columnsOf(entry.sql as string);
    return [...records(page, Number(entry.root))].map(({ rowid, values }) =>
      Object.fromEntries(
        columns.map(({ name, isRowid }, i) => [name, isRowid ? rowid : (values[i] ?? null)]),
      ),
    );
  }

  return { header, pages, page, rows };
}

/** The latest committed content of each page in a WAL, still encrypted, and the size of the database in pages. */
function pagesInWal(wal: Buffer): { byNumber: Map<number, Buffer>; pages: number | undefined } {
  const byNumber = new Map<number, Buffer>();
  let pages: number | undefined;
  if (wal.length < WAL.headerBytes) return { byNumber, pages };
  // The magic number's last bit says in which order the checksum takes its words.
  const isBigEndian = (wal.readUInt32BE(0) & 1) === 1;
  let sum = walChecksum(wal.subarray(0, 24), [0, 0], isBigEndian);
  let uncommitted: [number, Buffer][] = [];
  for (let at = WAL.headerBytes; at + WAL.frameHeaderBytes + PAGE_BYTES <= wal.length; ) {
    const header = wal.subarray(at, at + WAL.frameHeaderBytes);
    const content = wal.subarray(at + WAL.frameHeaderBytes, at + WAL.frameHeaderBytes + PAGE_BYTES);
    sum = walChecksum(content, walChecksum(header.subarray(0, 8), sum, isBigEndian), isBigEndian);
    const isOfThisWal = header.subarray(8, 16).equals(wal.subarray(16, 24));
    if (!isOfThisWal || header.readUInt32BE(16) !== sum[0] || header.readUInt32BE(20) !== sum[1]) break;
    uncommitted.push([header.readUInt32BE(0), content]);
    const pagesAfterCommit = header.readUInt32BE(4);
    if (pagesAfterCommit > 0) {
      for (const [number, bytes] of uncommitted) byNumber.set(number, bytes);
      uncommitted = [];
      pages = pagesAfterCommit;
    }
    at += WAL.frameHeaderBytes + PAGE_BYTES;
  }
  return { byNumber, pages };
}

/** The checksum of a WAL's headers and pages, going on from the one before. */
export function walChecksum(bytes: Buffer, [a, b]: [number, number], isBigEndian: boolean): [number, number] {
  const word = (at: number) => (isBigEndian ? bytes.readUInt32BE(at) : bytes.readUInt32LE(at));
  let [first, second] = [a, b];
  for (let at = 0; at < bytes.length; at += 8) {
    first = (first + word(at) + second) >>> 0;
    second = (second + word(at + 4) + first) >>> 0;
  }
  return [first, second];
}

interface Column {
  name: string;
  /** An integer primary key is not stored among the values: it is the number the row is kept under. */
  isRowid: boolean;
}

/**
 * The columns in the order of a row's values. In a table WITHOUT ROWID the primary key is stored first; ours declare
 * it first, too.
 */
function columnsOf(createTable: string): Column[] {
  const definitions: string[] = [''];
  let depth = 0;
  for (const [token] of createTable.slice(createTable.indexOf('(') + 1).matchAll(/"[^"]*"|'[^']*'|\w+|\S/g)) {
    if (token === '(') depth += 1;
    if (token === ')') depth -= 1;
    if (depth < 0) break;
    if (token === ',' && depth === 0) definitions.push('');
    else definitions[definitions.length - 1] += `${token} `;
  }
  return definitions.map((definition) => ({
    name: definition.split(' ')[0]!.replaceAll('"', ''),
    isRowid: /^\S+ integer .*primary key/.test(definition) && !/without rowid$/.test(createTable),
  }));
}

interface Entry {
  rowid: Value;
  values: Value[];
}

/** Every record of a b-tree in its order, be it a table's (by rowid) or an index' (as tables WITHOUT ROWID are). */
function* records(page: (number: number) => Buffer, root: number): Generator<Entry> {
  const content = page(root);
  const start = root === 1 ? 100 : 0;
  const kind = content[start]!;
  const isInterior = kind === PAGE_KINDS.interiorIndex || kind === PAGE_KINDS.interiorTable;
  if (!Object.values(PAGE_KINDS).includes(kind))
    throw new Error(`Page ${root} is of the unknown kind ${kind}.`);

  const cells = content.readUInt16BE(start + 3);
  const pointers = start + (isInterior ? 12 : 8);
  for (let i = 0; i < cells; i++) {
    let at = content.readUInt16BE(pointers + 2 * i);
    if (isInterior) {
      yield* records(page, content.readUInt32BE(at));
      at += 4;
    }
    // In a table's tree the records stand in the leaves only, in an index' in every page.
    if (kind !== PAGE_KINDS.interiorTable) yield entryAt(page, content, at, kind === PAGE_KINDS.leafTable);
  }
  if (isInterior) yield* records(page, content.readUInt32BE(start + 8));
}

/** The record of a cell, with what overflows into pages of its own. */
function entryAt(page: (number: number) => Buffer, content: Buffer, cell: number, isTable: boolean): Entry {
  const size = varint(content, cell);
  const bytes = Number(size.value);
  const rowid = isTable ? varint(content, size.end) : undefined;
  const at = rowid?.end ?? size.end;

  const localMax = isTable ? USABLE_BYTES - 35 : Math.floor(((USABLE_BYTES - 12) * 64) / 255) - 23;
  const localMin = Math.floor(((USABLE_BYTES - 12) * 32) / 255) - 23;
  const spread = localMin + ((bytes - localMin) % (USABLE_BYTES - 4));
  const local = bytes <= localMax ? bytes : spread <= localMax ? spread : localMin;
  const parts = [content.subarray(at, at + local)];
  let left = bytes - local;
  let next = left > 0 ? content.readUInt32BE(at + local) : 0;
  while (left > 0) {
    const overflow = page(next);
    const part = overflow.subarray(4, 4 + Math.min(left, USABLE_BYTES - 4));
    parts.push(part);
    left -= part.length;
    next = overflow.readUInt32BE(0);
  }
  return { rowid: rowid ? Number(rowid.value) : null, values: recordValues(Buffer.concat(parts)) };
}

/** The values of a record: a header of serial types, then the values themselves. */
function recordValues(record: Buffer): Value[] {
  const headerBytes = varint(record, 0);
  const values: Value[] = [];
  let header = headerBytes.end;
  let body = Number(headerBytes.value);
  while (header < Number(headerBytes.value)) {
    const type = varint(record, header);
    header = type.end;
    const [value, bytes] = valueAt(record, body, Number(type.value));
    values.push(value);
    body += bytes;
  }
  return values;
}

function valueAt(record: Buffer, at: number, type: number): [Value, number] {
  if (type === 0) return [null, 0];
  if (type <= 4) return [record.readIntBE(at, type), type];
  if (type === 5) return [record.readIntBE(at, 6), 6];
  if (type === 6) return [record.readBigInt64BE(at), 8];
  if (type === 7) return [record.readDoubleBE(at), 8];
  if (type <= 9) return [type - 8, 0];
  const bytes = Math.floor((type - 12) / 2);
  const value = record.subarray(at, at + bytes);
  return [type % 2 === 0 ? value : value.toString('utf8'), bytes];
}

/** SQLite's varint: seven bits a byte, big end first, at most nine bytes of which the ninth gives all its bits. */
function varint(bytes: Buffer, start: number): { value: bigint; end: number } {
  let value = 0n;
  for (let i = 0; i < 9; i++) {
    const byte = bytes[start + i]!;
    if (i === 8) return { value: (value << 8n) | BigInt(byte), end: start + 9 };
    value = (value << 7n) | BigInt(byte & 0x7f);
    if (byte < 0x80) return { value, end: start + i + 1 };
  }
  throw new Error('unreachable');
}
