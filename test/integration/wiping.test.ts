import type { KeyObject } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { sql } from 'kysely';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Keyring, openKeyring } from '../../src/database/keyring.ts';
import { unseal } from '../../src/lib/seal.ts';
import { startTestApp, type TestApp } from '../support/test-app.ts';
import { MINUTE_MS, newPhone, QUICK_ADMIN, verificationsOf } from '../support/verifications.ts';

let server: TestApp;
let otp: ReturnType<typeof verificationsOf>;
let keys: KeyObject[];
/** The text and headers of every answer but what the virtual phone shows. */
const answers: string[] = [];

beforeAll(async () => {
  server = await startTestApp({ env: QUICK_ADMIN });
  const { call } = server;
  server.call = async (method, path, options) => {
    const answer = await call(method, path, options);
    if (!path.startsWith('simulator/messages')) {
      answers.push(`${answer.text}\n${JSON.stringify([...answer.headers])}`);
    }
    return answer;
  };
  otp = verificationsOf(server);
  const masterKey =
    server.app.config.security.masterKey ?? readFileSync(join(server.dir, 'master.key'), 'utf8').trim();
  const keyring: Keyring = await openKeyring(server.app.database, masterKey, server.clock);
  keys = (['otp-code', 'message-code', 'message-text', 'idempotency'] as const).map((purpose) =>
    keyring.key(purpose),
  );
});
afterAll(() => server.stop());

let codesMade = 0;
/** A code that stands for nothing else in the database. */
function newCode(): string {
  codesMade += 1;
  return `Zq7Xk${String(codesMade).padStart(3, '0')}`;
}

/** What a sealed value holds, for whichever key and whichever text of its row open it. */
function opened(sealed: Buffer, row: Record<string, unknown>): string[] {
  const contexts = Object.values(row).filter((value) => typeof value === 'string');
  return keys.flatMap((key) =>
    contexts.flatMap((context) => {
      try {
        return [unseal(key, sealed, context)];
      } catch {
        return [];
      }
    }),
  );
}

/** Everything the database holds, table by table, with what is sealed in it opened. */
async function everythingStored(): Promise<Map<string, string>> {
  const { reader } = server.app.database;
  const tables = await reader.introspection.getTables({ withInternalKyselyTables: true });
  const stored = new Map<string, string>();
  for (const { name } of tables) {
    const { rows } = await sql<Record<string, unknown>>`select * from ${sql.table(name)}`.execute(reader);
    const cells = rows.flatMap((row) =>
      Object.values(row).flatMap((value) =>
        Buffer.isBuffer(value) ? [value.toString('latin1'), ...opened(value, row)] : [String(value)],
      ),
    );
    stored.set(name, cells.join('\n'));
  }
  return stored;
}

/** The places that hold a code, in whatever case of its letters. */
async function placesOf(code: string): Promise<string[]> {
  const wanted = code.toLowerCase();
  const holds = (text: string) => text.toLowerCase().includes(wanted);
  const stored = await everythingStored();
  const places = [...stored].filter(([, text]) => holds(text)).map(([table]) => `table ${table}`);
  if (server.logLines.some(holds)) places.push('log');
  if (answers.some(holds)) places.push('an answer');
  return places;
}

beforeEach(() => {
  answers.length = 0;
});

const ENDS: [string, (sent: { id: string; phone: string; code: string }) => Promise<unknown>][] = [
  ['verified', ({ id, code }) => otp.check({ id, code })],
  ['canceled', ({ id }) => otp.cancel(id)],
  [
    'superseded',
    async ({ phone }) => {
      await otp.jump(60_000);
      return otp.sent({ phone, code: '123456' });
    },
  ],
  ['expired', () => otp.jump(10 * MINUTE_MS)],
  [
    'spent',
    async ({ id }) => {
      for (let guess = 0; guess < 5; guess++) await otp.check({ id, code: '0000' });
    },
  ],
  [
    'failed',
    async ({ id, phone }) => {
      // Both messages fail: the first has not arrived either.
      await otp.fault({ to: phone, notOnWhatsApp: true });
      await otp.deliver();
      expect((await otp.read(id)).body.data.status).toBe('failed');
    },
  ],
];

describe('the code of a verification', () => {
  test('that is pending is sealed with it, and nowhere else', async () => {
    const code = newCode();
    const phone = newPhone();
    const headers = { 'idempotency-key': `send-${code.length}-pending` };
    const body = { phone, code, message: 'Your code: {{code}}' };
    const { data } = (await server.call('POST', 'otp/send', { body, headers })).body;
    await otp.deliver();
    await otp.read(data.id);
    await server.call('GET', 'otp');
    expect(await placesOf(code)).toEqual(['table verifications']);
    const sealed = await server.app.database.reader
      .selectFrom('verifications')
      .select('sealed_code')
      .where('id', '=', data.id)
      .executeTakeFirstOrThrow();
    expect(sealed.sealed_code!.toString('latin1')).not.toContain(code);
    expect(opened(sealed.sealed_code!, { id: data.id })).toEqual([code]);
  });

  test.each(ENDS)('that is %s is nowhere', async (how, end) => {
    const code = newCode();
    const phone = newPhone();
    const headers = { 'idempotency-key': `send-${how}` };
    if (how === 'failed') await otp.fault({ to: phone, refuse: true });
    const body = { phone, code, message: `Your code: ${code} ({{code}})`, expiryMinutes: 10 };
    const { data } = (await server.call('POST', 'otp/send', { body, headers })).body;
    await otp.deliver();
    expect(await placesOf(code)).toContain('table verifications');
    if (how !== 'failed') {
      await otp.jump(30_000);
      expect((await otp.resend(data.id)).status).toBe(200);
      await otp.deliver();
    }

    await end({ id: data.id, phone, code });
    await otp.deliver();
    await otp.read(data.id);
    await server.call('GET', 'otp');
    expect(
      (await server.call('POST', 'otp/send', { body, headers })).headers.get('idempotency-replayed'),
    ).toBe('true');
    expect(await placesOf(code)).toEqual([]);
    const shown = (await otp.inbox(phone))
      .map(({ text }) => text)
      .filter((text) => text.startsWith('Your code: '));
    expect(shown).toEqual(Array(how === 'failed' ? 0 : 2).fill('Your code: •••••• (••••••)'));
  });

  test('that WOTP made is nowhere either', async () => {
    const phone = newPhone();
    const { id } = await otp.sent({ phone, length: 10, alphabet: 'alphanumeric', message: '{{code}}' });
    await otp.deliver();
    const code = (await otp.inbox(phone))[0]!.text;
    expect(await placesOf(code)).toEqual(['table verifications']);
    await otp.check({ id, code: 'wrong' });
    await otp.check({ id, code });
    expect(await placesOf(code)).toEqual([]);
    expect((await otp.inbox(phone))[0]!.text).toBe('••••••');
  });

  test('that the text of a v3 client held is nowhere either', async () => {
    const phone = newPhone();
    const code = '90817263';
    const { id } = await otp.sent({ phone, message: `Your verification code is ${code}. ${code}!` });
    await otp.deliver();
    expect((await otp.inbox(phone))[0]!.text).toBe(`Your verification code is ${code}. ${code}!`);
    await otp.cancel(id);
    expect(await placesOf(code)).toEqual([]);
    expect((await otp.inbox(phone))[0]!.text).toBe('Your verification code is ••••••. ••••••!');
  });

  test('that the text repeats in other case is nowhere either', async () => {
    const code = newCode();
    const phone = newPhone();
    const { id } = await otp.sent({ phone, code, message: `${code}, that is ${code.toUpperCase()}` });
    await otp.deliver();
    await otp.cancel(id);
    expect(await placesOf(code)).toEqual([]);
  });

  test('of a message that a channel holds when the verification ends is nowhere either', async () => {
    const code = newCode();
    const phone = newPhone();
    await otp.fault({ to: phone, delayMs: 5_000 });
    const { id } = await otp.sent({ phone, code });
    await server.clock.advance(1_000);
    expect((await otp.read(id)).body.data.messageStatus).toBe('sending');
    await otp.cancel(id);
    await server.clock.advance(10_000);
    expect(await placesOf(code)).toEqual([]);
  });

  test('of a message that still waits when the verification ends is nowhere either', async () => {
    const code = newCode();
    const phone = newPhone();
    await otp.fault({ to: phone, refuse: true });
    const { id } = await otp.sent({ phone, code });
    expect((await otp.cancel(id)).body.data.messageStatus).toBe('canceled');
    expect(await placesOf(code)).toEqual([]);
  });

  test('that was refused with its request is nowhere', async () => {
    const code = newCode();
    const phone = newPhone();
    await otp.sent({ phone, code: '123456' });
    await otp.send({ phone, code });
    await otp.send({ phone: newPhone(), code, message: 'not in here' });
    await otp.send({ phone: '12345', code });
    await otp.send({ phone: newPhone(), code, channel: 'email' });
    expect(await placesOf(code)).toEqual([]);
  });
});

test('a wrong guess is kept nowhere', async () => {
  const { id } = await otp.sent({ phone: newPhone(), code: '123456' });
  const guess = newCode();
  await otp.check({ id, code: guess });
  await otp.check({ id, code: `${guess}!` });
  expect(await placesOf(guess)).toEqual([]);
});

test('no log line holds a whole phone number', async () => {
  const phone = newPhone();
  const { id } = await otp.sent({ phone });
  await otp.limits(phone);
  await server.call('GET', `otp?phone=${encodeURIComponent(phone)}`);
  await otp.fault({ to: phone, notOnWhatsApp: true });
  await server.clock.advance(30_000);
  await otp.resend(id);
  await otp.deliver();
  expect(server.logLines.length).toBeGreaterThan(0);
  expect(server.logLines.filter((line) => line.includes(phone.slice(1)))).toEqual([]);
});
