import { createDecipheriv, createHmac, hkdfSync, scryptSync } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { MIGRATIONS } from '../../src/database/migrate.ts';
import { DamagedPageError, readSqlcipherFile, type SqlcipherFile } from '../support/sqlcipher-reader.ts';
import { startTestApp, type TestApp } from '../support/test-app.ts';
import { headerValue, KEYS, LAYOUT } from '../support/wodb-spec.ts';

const MASTER_KEY = 'the master key of a test, 32 characters or more';
const PHONES = ['+6283834946034', '+4915112345678'];
const PAGE = LAYOUT.pageBytes;

let server: TestApp;
let verificationId: string;
let messageId: string;
let code: string;
/** The folder's files while the server ran, with all of it still in the WAL, and after its clean stop. */
const running: Record<string, Buffer> = {};
const stopped: Record<string, Buffer> = {};
const metadata = { order: 'order-2026-0001', note: 'n'.repeat(3_000) };

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
  const phone = await server.call('GET', `simulator/messages?to=${PHONES[0]!.slice(1)}`, { asAdmin: true });
  code = /\d{6}/.exec(phone.body.data[0].text)![0];
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

/** As section 2 of `docs/WODB_SPEC.md` says. */
function stretched(salt: Buffer): Buffer {
  return scryptSync(MASTER_KEY, salt, KEYS.bytes, KEYS.scrypt);
}

function open(file: Buffer, wal?: Buffer): SqlcipherFile {
  return readSqlcipherFile(file, stretched(file.subarray(0, 16)), wal);
}

test('a program that knows only the published format and the raw key reads a verification', () => {
  const { header, rows, page } = open(stopped['wotp.wodb']!);
  expect(header).toEqual({
    pageSize: PAGE,
    reservedBytes: Number(headerValue('20')),
    pages: stopped['wotp.wodb']!.length / PAGE,
    isAutoVacuum: true,
    isIncremental: true,
    userVersion: Object.keys(MIGRATIONS).length,
    applicationId: Number(headerValue('68').split(',')[0]),
  });
  const first = page(1);
  expect([...first.subarray(18, 20)].join(', ')).toBe(headerValue('18, 19'));
  expect([...first.subarray(21, 24)].join(', ')).toBe(headerValue('21, 22, 23'));
  expect([44, 56, 64].map((at) => first.readUInt32BE(at))).toEqual(
    ['44', '56', '64'].map((at) => Number(headerValue(at))),
  );

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
    owner_id: verificationId,
    status: 'read',
  });
  expect(rows('key_versions')).toEqual([expect.objectContaining({ version: 1 })]);
});

test('the same is read while the server runs, from the database and its WAL', () => {
  const { rows, pages, page } = open(running['wotp.wodb']!, running['wotp.wodb-wal']!);
  expect(rows('verifications')).toEqual(open(stopped['wotp.wodb']!).rows('verifications'));
  expect(rows('messages')).toEqual(open(stopped['wotp.wodb']!).rows('messages'));
  for (let number = 1; number <= pages; number++) page(number);
});

test('a code is checked and unsealed with the keys that the key version leads to', () => {
  const { rows } = open(stopped['wotp.wodb']!);
  const [version] = rows('key_versions');
  const secret = stretched(Buffer.from(version!.salt as string, 'hex'));
  expect(createHmac('sha256', secret).update(KEYS.keyringCheckText).digest('hex')).toBe(version!.check_value);
  const key = (purpose: string) => Buffer.from(hkdfSync('sha256', secret, '', KEYS.infoOf(purpose, 1), 32));

  const verification = rows('verifications').find(({ id }) => id === verificationId)!;
  const mac = createHmac('sha256', key('otp-code')).update(`${verificationId}:${code}`).digest();
  expect(verification.code_mac).toEqual(mac);

  const sealed = verification.sealed_code as Buffer;
  const decipher = createDecipheriv('aes-256-gcm', key('message-code'), sealed.subarray(0, 12));
  decipher.setAAD(Buffer.from(verificationId)).setAuthTag(sealed.subarray(-16));
  expect(decipher.update(sealed.subarray(12, -16), undefined, 'utf8') + decipher.final('utf8')).toBe(code);
});

test('the HMAC of every page fits after a clean stop', () => {
  const { pages, page } = open(stopped['wotp.wodb']!);
  expect(pages).toBeGreaterThan(40);
  for (let number = 1; number <= pages; number++) expect(page(number).length).toBeGreaterThan(4_000);
});

test('one flipped byte anywhere in a page is found by its HMAC', () => {
  const whole = stopped['wotp.wodb']!;
  const rawKey = stretched(whole.subarray(0, 16));
  const pages = whole.length / PAGE;
  // Page 1 behind its salt, one in the middle and the last one: text, IV and HMAC of each.
  for (const number of [1, Math.ceil(pages / 2), pages]) {
    for (const offset of [16, 2_000, PAGE - 81, PAGE - 80, PAGE - 64, PAGE - 1]) {
      const file = Buffer.from(whole);
      file[(number - 1) * PAGE + offset]! ^= 0x10;
      const readPage = () => readSqlcipherFile(file, rawKey).page(number);
      expect(readPage, `page ${number}, byte ${offset}`).toThrow(new DamagedPageError(number));
    }
  }
});

test('a page that was moved to another place is found by its HMAC', () => {
  const whole = stopped['wotp.wodb']!;
  const file = Buffer.from(whole);
  whole.copy(file, 4 * PAGE, 5 * PAGE, 6 * PAGE);
  expect(() => open(file).page(5)).toThrow(new DamagedPageError(5));
});

test('another key reads nothing', () => {
  const file = stopped['wotp.wodb']!;
  const wrong = Buffer.from(stretched(file.subarray(0, 16)));
  wrong[31]! ^= 1;
  expect(() => readSqlcipherFile(file, wrong)).toThrow(new DamagedPageError(1));
});

test('no file shows a phone, a code, a key or that it is a database', () => {
  const rawKey = stretched(stopped['wotp.wodb']!.subarray(0, 16));
  const secrets = [
    'SQLite format',
    'CREATE TABLE',
    'verifications',
    MASTER_KEY,
    server.key,
    server.adminPassword,
    verificationId,
    metadata.order,
    code,
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
  expect(check).toBe(
    createHmac('sha256', stretched(file.subarray(0, 16)))
      .update(KEYS.fileCheckText)
      .digest('hex'),
  );
});
