import { randomBytes } from 'node:crypto';
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { tempFolder } from '../../test/support/temp-folder.ts';
import { V3_KEY, v3Encrypted, v3Token, writeV3Database } from '../../test/support/v3-database.ts';
import { MASTER_KEY, openDatabase } from '../../test/support/wodb.ts';
import { readV3Database, V3FileError } from './old-database.ts';

const AT = Date.UTC(2025, 5, 1, 8, 30);
const token = v3Token(AT);
const LOG = { tokenHash: token.entry.hash, action: 'otp_sent', timestamp: AT + 1_000 };

/** Reads a v3 database with this content. */
function read(content: { tokens: unknown[]; logs: unknown[] }) {
  const path = join(tempFolder(), 'database.wodb');
  writeV3Database(path, content);
  return readV3Database(path, V3_KEY);
}

/** The refusal of a file with these bytes. */
function refusal(bytes: Buffer, key = V3_KEY): string {
  const path = join(tempFolder(), 'database.wodb');
  writeFileSync(path, bytes);
  return refusalOf(path, key);
}

function refusalOf(path: string, key = V3_KEY): string {
  let refused: unknown;
  try {
    readV3Database(path, key);
  } catch (error) {
    refused = error;
  }
  expect(refused).toBeInstanceOf(V3FileError);
  const { message } = refused as V3FileError;
  expect(message).toContain(path);
  expect(message).not.toContain(key);
  return message.replaceAll(path, 'FILE');
}

describe("v3's database", () => {
  test('is read as v3 wrote it, and not a byte of the file changes', () => {
    const path = join(tempFolder(), 'database.wodb');
    writeV3Database(path, { tokens: [token.entry], logs: [LOG] });
    chmodSync(path, 0o400);
    const before = readFileSync(path);
    expect(readV3Database(path, V3_KEY)).toEqual({
      tokens: [{ hash: token.entry.hash, createdAt: AT }],
      logs: [
        {
          at: AT + 1_000,
          action: 'otp_sent',
          token: token.entry.hash.slice(0, 8),
          phone: undefined,
          repeat: 0,
        },
      ],
      unreadable: 0,
    });
    expect(readFileSync(path)).toEqual(before);
  });

  test('may be empty, written with spaces, or begin with its log', () => {
    const none = { tokens: [], logs: [], unreadable: 0 };
    expect(read({ tokens: [], logs: [] })).toEqual(none);
    for (const text of ['{"logs":[],"tokens":[]}', '{\n  "tokens": [],\n  "logs": []\n}\n']) {
      const path = join(tempFolder(), 'database.wodb');
      writeFileSync(path, v3Encrypted(text));
      expect(readV3Database(path, V3_KEY)).toEqual(none);
    }
  });

  test('opens with any key that v3 took, short or not in ASCII', () => {
    for (const key of ['x', 'Schlüssel für Größe und Maß ✓', ' spaces count ']) {
      const path = join(tempFolder(), 'database.wodb');
      writeV3Database(path, { tokens: [token.entry], logs: [] }, key);
      expect(readV3Database(path, key).tokens).toHaveLength(1);
    }
  });

  test('gives a token whatever its time is, and no token without a hash', () => {
    const { hash } = token.entry;
    const times = [undefined, null, '1', -1, 1.5, 1e300];
    const garbage = [
      null,
      7,
      'otp_x',
      [],
      {},
      { hash: 7 },
      { hash: hash.toUpperCase() },
      { hash: `${hash}0` },
    ];
    const { tokens, unreadable } = read({
      tokens: [...times.map((created_at) => ({ hash, created_at })), ...garbage],
      logs: [],
    });
    expect(tokens).toEqual(times.map(() => ({ hash, createdAt: undefined })));
    expect(unreadable).toBe(garbage.length);
  });

  test('takes times as numbers and in ISO 8601', () => {
    const { hash } = token.entry;
    const time = '2025-06-01T12:00:00.000Z';
    const { tokens, logs } = read({
      tokens: [{ hash, created_at: time }],
      logs: [{ action: 'x', timestamp: time }],
    });
    expect([tokens[0]!.createdAt, logs[0]!.at]).toEqual([Date.parse(time), Date.parse(time)]);
  });

  test('gives no log line without a time or an action', () => {
    const garbage = [null, 'x', {}, { action: 'otp_sent' }, { timestamp: AT }, { action: '', timestamp: AT }];
    const { logs, unreadable } = read({
      tokens: [],
      logs: [...garbage, { action: 'otp_sent', timestamp: '1' }, { action: 'x', timestamp: AT }],
    });
    expect(logs).toMatchObject([{ action: 'x', token: undefined }]);
    expect(unreadable).toBe(garbage.length + 1);
  });

  test('gives equal log lines numbers, counted after masking', () => {
    const { logs } = read({
      tokens: [],
      logs: [
        { ...LOG, phone: '6283834946034' },
        { ...LOG, phone: '6281234946034' },
        { ...LOG, phone: '6283834946034' },
        LOG,
      ],
    });
    expect(logs.map(({ phone, repeat }) => [phone, repeat])).toEqual([
      ['+*********6034', 0],
      ['+*********6034', 1],
      ['+*********6034', 2],
      [undefined, 0],
    ]);
  });
});

describe('nothing is readable that should not be', () => {
  test.each([
    ['6283834946034', '+*********6034'],
    ['+62 838-3494-6034', '+*********6034'],
    ['6283834946034@s.whatsapp.net', '+*********6034'],
    [6283834946034, '+*********6034'],
    ['123456', undefined],
    ['1'.repeat(40), undefined],
    [{ number: '6283834946034' }, undefined],
    [null, undefined],
  ])('the phone %j becomes %s', (phone, masked) => {
    expect(read({ tokens: [], logs: [{ ...LOG, phone }] }).logs[0]?.phone).toBe(masked);
  });

  test.each([
    ['otp_sent', 'otp_sent'],
    ['template.updated', 'template.updated'],
    ['Sent 481516 to 6283834946034', 'Sent *** to ***'],
    ['code:aB3dE6 48-15', 'code:*** ***-***'],
    ['٤٨١٥ ④', '*** ***'],
    ['a\u001b[31m\nb', 'a [*** b'],
  ])('the action %j becomes %j', (action, masked) => {
    expect(read({ tokens: [], logs: [{ ...LOG, action }] }).logs[0]?.action).toBe(masked);
  });

  test('an action is kept to its first 100 characters, which masking does not make more', () => {
    const actions = ['x'.repeat(500), '1 '.repeat(100)];
    const { logs } = read({ tokens: [], logs: actions.map((action) => ({ ...LOG, action })) });
    expect(logs.map(({ action }) => action)).toEqual(['x'.repeat(100), '*** '.repeat(25).trim()]);
  });

  test('a field other than these is dropped, whatever it holds', () => {
    const secrets = { code: '481516', message: 'Your code is 481516', to: '6283834946034', __proto__: null };
    const { logs } = read({ tokens: [], logs: [{ ...LOG, ...secrets }] });
    expect(Object.keys(logs[0]!).sort()).toEqual(['action', 'at', 'phone', 'repeat', 'token']);
    expect(JSON.stringify(logs)).not.toContain('481516');
  });
});

describe('each thing that can be wrong has a sentence of its own', () => {
  const whole = v3Encrypted(
    JSON.stringify({ tokens: [token.entry], logs: Array.from({ length: 50 }, () => LOG) }),
  );

  test('no file, a folder, a file that may not be read', () => {
    const dir = tempFolder();
    expect(refusalOf(join(dir, 'nothing'))).toMatch(/^There is no file FILE\. Give /);
    mkdirSync(join(dir, 'folder'));
    expect(refusalOf(join(dir, 'folder'))).toMatch(/^FILE is a folder\. Give /);
    if (process.getuid?.() === 0) return;
    writeFileSync(join(dir, 'closed'), whole, { mode: 0o000 });
    expect(refusalOf(join(dir, 'closed'))).toMatch(/^FILE may not be read by this user\. Give /);
  });

  test('an empty file', () => {
    expect(refusal(Buffer.alloc(0))).toMatch(/^FILE is empty\. Copy /);
  });

  test('a wrong key', () => {
    const sentence = /^FILE does not open with this key\. Give the DB_MASTER_KEY that v3 ran with/;
    expect(refusal(whole, 'v3-secret2')).toMatch(sentence);
    // Once in 256 times a wrong key gives sound padding, as this text has it.
    expect(refusal(v3Encrypted('what a wrong key makes of it'))).toMatch(sentence);
  });

  test('a file that is cut off, wherever the cut is', () => {
    for (const length of [1, 16, 17, 31, whole.length - 1]) {
      expect(refusal(whole.subarray(0, length)), `${length}`).toMatch(
        /^FILE is cut off, or not v3's database: /,
      );
    }
    for (const length of [32, 1_024, whole.length - 16]) {
      expect(refusal(whole.subarray(0, length)), `${length}`).toMatch(
        /^FILE opens with this key, but it is cut off or damaged further on\. Copy /,
      );
    }
  });

  test('a file that is damaged', () => {
    const bytes = Buffer.from(whole);
    bytes[1_000]! ^= 1;
    expect(refusal(bytes)).toMatch(
      /^FILE opens with this key, but it is cut off or damaged further on\. Copy /,
    );
  });

  test.each(['{"tokens":[]}', '{"tokens":{},"logs":[]}', '{}', '{"users":[1]}'])(
    "another program's content: %s",
    (json) => {
      expect(refusal(v3Encrypted(json))).toMatch(
        /^FILE opens with this key, but does not contain v3's two lists/,
      );
    },
  );

  test('a plain SQLite file', () => {
    expect(refusal(Buffer.concat([Buffer.from('SQLite format 3\0'), Buffer.alloc(4_080)]))).toMatch(
      /^FILE is a plain SQLite file, not v3's database\. Give /,
    );
  });

  test('a database of WOTP 4', async () => {
    const dir = tempFolder();
    await (await openDatabase(dir)).close();
    for (const key of [V3_KEY, MASTER_KEY]) {
      expect(refusalOf(join(dir, 'wotp.wodb'), key)).toMatch(
        /^FILE seems to be a database of WOTP 4: .*Give /,
      );
    }
  });

  test('something else of the right length', () => {
    expect(refusal(randomBytes(1_024 + 16))).toMatch(/^FILE does not open with this key\. /);
  });
});
