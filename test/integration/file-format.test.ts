import { createHmac, scryptSync } from 'node:crypto';
import { cpSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { DamagedPageError, readSqlcipherFile, type SqlcipherFile } from '../support/sqlcipher-reader.ts';
import { startTestApp, type TestApp } from '../support/test-app.ts';

const MASTER_KEY = 'the master key of a test, 32 characters or more';
const PHONES = ['+6283834946034', '+4915112345678'];
const PAGE = 4096;

let server: TestApp;
let verificationId: string;
let messageId: string;
/** The folder's files while the server ran, with all of it still in the WAL, and after its clean stop. */
const running: Record<string, Buffer> = {};
const stopped: Record<string, Buffer> = {};
const metadata = { order: 'A-1', note: 'n'.repeat(3_000) };

beforeAll(async () => {
  server = await startTestApp({ env: { DB_MASTER_KEY: MASTER_KEY, RATE_LIMIT_MAX: '1000000000' } });
  for (const phone of PHONES) {
    const sent = await server.call('POST', 'otp/send', { body: { phone, metadata } });
    expect(sent.status).toBe(201);
    verificationId ??= sent.body.data.id;
    messageId ??= sent.body.data.messageId;
  }
  // Enough rows for trees of more than one level.
  const more = Array.from({ length: 60 }, (_, i) => `+62838349461${String(i).padStart(2, '0')}`);
  await Promise.all(more.map((phone) => server.call('POST', 'otp/send', { body: { phone, metadata } })));
  await server.clock.advance(2_000);
  read(running);
  await server.stop({ keepFiles: true });
  read(stopped);
});
afterAll(() => server.stop());

function read(files: Record<string, Buffer>): void {
  for (const name of readdirSync(server.dir)) {
    if (name.startsWith('wotp.wodb') || name === 'wotp.keycheck')
      files[name] = readFileSync(join(server.dir, name));
  }
}

/** As `docs/WODB_SPEC.md` says. */
function rawKeyOf(file: Buffer): Buffer {
  return scryptSync(MASTER_KEY, file.subarray(0, 16), 32, {
    N: 32_768,
    r: 8,
    p: 1,
    maxmem: 64 * 1024 * 1024,
  });
}

function openStopped(file = stopped['wotp.wodb']!): SqlcipherFile {
  return readSqlcipherFile(file, rawKeyOf(file));
}

test('a program that knows only the published format and the raw key reads a verification', () => {
  const { header, rows } = openStopped();
  expect(header).toEqual({
    pageSize: PAGE,
    reservedBytes: 80,
    pages: stopped['wotp.wodb']!.length / PAGE,
    isAutoVacuum: true,
    isIncremental: true,
    userVersion: 1,
    applicationId: 0x574f5450,
  });

  const verifications = rows('verifications');
  expect(verifications).toHaveLength(62);
  expect(verifications.map(({ id }) => id)).toEqual(verifications.map(({ id }) => id).sort());
  expect(verifications.find(({ id }) => id === verificationId)).toMatchObject({
    phone: PHONES[0],
    status: 'pending',
    purpose: 'default',
    metadata: JSON.stringify(metadata),
    code_mac: expect.any(Buffer),
    created_at: expect.any(Number),
  });
  expect(rows('messages').find(({ id }) => id === messageId)).toMatchObject({
    verification_id: verificationId,
    status: 'read',
  });
  expect(rows('key_versions')).toEqual([expect.objectContaining({ version: 1 })]);
});

test('the HMAC of every page fits after a clean stop', () => {
  const { pages, page } = openStopped();
  expect(pages).toBeGreaterThan(40);
  for (let number = 1; number <= pages; number++) expect(page(number).length).toBeGreaterThan(4_000);
});

test('one flipped byte anywhere in a page is found by its HMAC', () => {
  const whole = stopped['wotp.wodb']!;
  const pages = whole.length / PAGE;
  // Page 1 behind its salt, one in the middle and the last one: text, IV and HMAC of each.
  for (const number of [1, Math.ceil(pages / 2), pages]) {
    for (const offset of [16, 2_000, PAGE - 81, PAGE - 80, PAGE - 64, PAGE - 1]) {
      const file = Buffer.from(whole);
      file[(number - 1) * PAGE + offset]! ^= 0x10;
      const open = () => readSqlcipherFile(file, rawKeyOf(whole)).page(number);
      expect(open, `page ${number}, byte ${offset}`).toThrow(new DamagedPageError(number));
    }
  }
});

test('a page that was moved to another place is found by its HMAC', () => {
  const whole = stopped['wotp.wodb']!;
  const file = Buffer.from(whole);
  whole.copy(file, 4 * PAGE, 5 * PAGE, 6 * PAGE);
  expect(() => openStopped(file).page(5)).toThrow(new DamagedPageError(5));
});

test('another key reads nothing', () => {
  const file = stopped['wotp.wodb']!;
  const wrong = Buffer.from(rawKeyOf(file));
  wrong[31]! ^= 1;
  expect(() => readSqlcipherFile(file, wrong)).toThrow(new DamagedPageError(1));
});

test('no file shows a phone, a code, a key or that it is a database', () => {
  const rawKey = rawKeyOf(stopped['wotp.wodb']!);
  const secrets = [
    'SQLite format',
    'CREATE TABLE',
    'verifications',
    MASTER_KEY,
    server.key,
    server.adminPassword,
    verificationId,
    metadata.order,
    ...PHONES.flatMap((phone) => [phone, phone.slice(1), phone.slice(-7)]),
  ];
  expect(running['wotp.wodb-wal']!.length).toBeGreaterThan(100_000);
  for (const [name, bytes] of [...Object.entries(running), ...Object.entries(stopped)]) {
    const text = bytes.toString('latin1');
    for (const secret of secrets) expect(text.includes(secret), `${secret} in ${name}`).toBe(false);
    for (const shown of [rawKey, Buffer.from(rawKey.toString('hex'))])
      expect(bytes.includes(shown)).toBe(false);
  }
});

test('the key check tells the right key from another one, and which file it belongs to', () => {
  const file = stopped['wotp.wodb']!;
  const { salt, check } = JSON.parse(stopped['wotp.keycheck']!.toString('utf8'));
  expect(salt).toBe(file.subarray(0, 16).toString('hex'));
  expect(check).toBe(createHmac('sha256', rawKeyOf(file)).update('WODB key check 1').digest('hex'));
});
