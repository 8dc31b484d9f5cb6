import { describe, expect, onTestFinished, test } from 'vitest';
import type { Schema } from '../../src/database/schema.ts';
import { startTestApp, type TestApp } from '../support/test-app.ts';
import { settle } from '../support/test-clock.ts';
import { DAY_MS, MINUTE_MS, newPhone, QUICK_ADMIN, verificationsOf } from '../support/verifications.ts';

const HOUR_MS = 60 * MINUTE_MS;

async function start(env: Record<string, string> = {}): Promise<TestApp> {
  const server = await startTestApp({ env: { ...QUICK_ADMIN, ...env } });
  onTestFinished(() => server.stop());
  return server;
}

/** How many rows each table has. */
async function counts(server: TestApp): Promise<Record<string, number>> {
  const tables = [
    'verifications',
    'messages',
    'simulator_messages',
    'events',
    'idempotency_keys',
    'whatsapp_chats',
  ] as const;
  const entries = tables.map(async (table: keyof Schema) => {
    const { count } = await server.app.database.reader
      .selectFrom(table)
      .select((eb) => eb.fn.countAll<number>().as('count'))
      .executeTakeFirstOrThrow();
    return [table, count] as const;
  });
  return Object.fromEntries(await Promise.all(entries));
}

/** A chat that a linked number has with somebody, as of now. */
async function writtenTo(server: TestApp): Promise<void> {
  const chat = { phone: newPhone(), session_id: 'ses_1', last_wrote_at: server.clock.now() };
  await server.app.database.transaction((trx) => trx.insertInto('whatsapp_chats').values(chat).execute());
}

/** Puts the clock forward and lets the deletion that is due run to its end. */
async function pass(server: TestApp, ms: number): Promise<void> {
  server.clock.set(server.clock.now() + ms);
  for (let turn = 0; turn < 40; turn++) await server.clock.advance(20);
}

describe('retention', () => {
  test('deletes verifications after 30 days with their messages and what the virtual phone holds', async () => {
    const server = await start();
    const { send, sent, deliver } = verificationsOf(server);
    const old = newPhone();
    await sent({ phone: old });
    await deliver();
    await server.clock.advance(31_000);
    expect((await send({ phone: old })).status).toBe(200);
    await deliver();
    expect(await counts(server)).toMatchObject({ verifications: 1, messages: 2, simulator_messages: 2 });

    await pass(server, 15 * DAY_MS);
    const { id } = await sent({ phone: newPhone() });
    await deliver();
    await pass(server, 15 * DAY_MS + HOUR_MS);

    expect(await counts(server)).toMatchObject({ verifications: 1, messages: 1, simulator_messages: 1 });
    expect((await server.call('GET', `otp/${id}`)).status).toBe(200);
    expect((await server.call('GET', 'otp')).body.data).toHaveLength(1);
    expect((await server.call('GET', 'simulator/messages', { asAdmin: true })).body.data).toHaveLength(1);
  });

  test('deletes events after 90 days, but for the newest, whose number must not come again', async () => {
    const server = await start();
    await verificationsOf(server).sent({ phone: newPhone() });
    await pass(server, HOUR_MS);
    await pass(server, 89 * DAY_MS);
    const kept = (await counts(server)).events!;
    expect(kept).toBeGreaterThan(2);
    await pass(server, DAY_MS + HOUR_MS);
    expect(await counts(server)).toMatchObject({ verifications: 0, events: 1 });
  });

  test('forgets after 180 days whom nobody wrote to over WhatsApp', async () => {
    const server = await start();
    await writtenTo(server);
    await pass(server, 179 * DAY_MS);
    expect((await counts(server)).whatsapp_chats).toBe(1);
    await pass(server, DAY_MS + HOUR_MS);
    expect((await counts(server)).whatsapp_chats).toBe(0);
  });

  test('keeps for ever what it is told to keep for ever', async () => {
    const server = await start({
      RETENTION_DAYS_VERIFICATIONS: '0',
      RETENTION_DAYS_EVENTS: '0',
      RETENTION_DAYS_CONTACTS: '0',
    });
    await verificationsOf(server).sent({ phone: newPhone() });
    await writtenTo(server);
    await pass(server, DAY_MS);
    const before = await counts(server);
    await pass(server, 5_000 * DAY_MS);
    expect(await counts(server)).toEqual(before);
  });

  test('of one day keeps for 25 hours what limits and guesses are counted from', async () => {
    const server = await start({ RETENTION_DAYS_VERIFICATIONS: '1' });
    const { sent, limits } = verificationsOf(server);
    const phone = newPhone();
    await sent({ phone });
    await pass(server, 24 * HOUR_MS - 1 * MINUTE_MS);
    expect((await limits(phone)).body.data.messagesLastDay).toBe(1);
    await pass(server, 50 * MINUTE_MS);
    expect(await counts(server)).toMatchObject({ verifications: 1, messages: 1 });
    await pass(server, 30 * MINUTE_MS);
    expect(await counts(server)).toMatchObject({ verifications: 0, messages: 0 });
  });

  test('never deletes a verification that is pending, however old', async () => {
    const server = await start();
    await verificationsOf(server).sent({ phone: newPhone() });
    server.clock.set(server.clock.now() + 40 * DAY_MS);
    const { database, otp } = server.app;
    const forgotten = await database.transaction((trx) =>
      otp.forgetEnded(trx, { except: [] }, server.clock.now(), 100),
    );
    expect(forgotten).toEqual({ count: 0, messageIds: [] });
    expect(await counts(server)).toMatchObject({ verifications: 1, messages: 1 });
  });

  test('deletes in portions, so that a send in between is not kept waiting', async () => {
    const server = await start({ RATE_LIMIT_MAX: '1000000' });
    const { send, sent } = verificationsOf(server);
    await Promise.all(Array.from({ length: 250 }, () => sent({ phone: newPhone() })));
    server.clock.set(server.clock.now() + 31 * DAY_MS);
    const seen: number[] = [];
    for (let turn = 0; turn < 60; turn++) {
      await server.clock.advance(20);
      const { verifications } = await counts(server);
      if (verifications !== seen.at(-1)) seen.push(verifications!);
      if (seen.length === 2) expect((await send({ phone: newPhone() })).status).toBe(201);
    }
    const steps = seen.slice(1).map((count, i) => seen[i]! - count);
    expect(Math.max(...steps)).toBeLessThanOrEqual(50);
    expect(await counts(server)).toMatchObject({ verifications: expect.any(Number) });
    expect(seen.at(-1)).toBeLessThan(20);
  });

  test('forgets the answers of idempotency keys after a day, however many there are', async () => {
    const server = await start({ RATE_LIMIT_MAX: '1000000' });
    const { sent } = verificationsOf(server);
    await sent({ phone: newPhone() });
    const { database } = server.app;
    const answers = Array.from({ length: 1_000 }, (_, i) => ({
      scope: `scope ${i}`,
      fingerprint: Buffer.alloc(32),
      status: 201,
      answer: Buffer.alloc(60),
      key_version: 1,
      created_at: server.clock.now() - i,
    }));
    await database.transaction((trx) => trx.insertInto('idempotency_keys').values(answers).execute());
    const left = async () =>
      (await database.reader.selectFrom('idempotency_keys').select('scope').execute()).length;
    await pass(server, DAY_MS - HOUR_MS);
    expect(await left()).toBe(1_000);
    await pass(server, HOUR_MS + 11 * MINUTE_MS);
    expect(await left()).toBe(0);
  });

  test('is cut short by a stop, and goes on at the next start', async () => {
    const server = await startTestApp({ env: { ...QUICK_ADMIN, RATE_LIMIT_MAX: '1000000' } });
    const { sent } = verificationsOf(server);
    await Promise.all(Array.from({ length: 120 }, () => sent({ phone: newPhone() })));
    server.clock.set(server.clock.now() + 31 * DAY_MS);
    await server.clock.advance(0);
    await settle();
    // It now waits between two portions, on a clock that stands still.
    await server.stop({ keepFiles: true });
    const { dir, key, clock } = server;
    const again = await startTestApp({ dir, key, clock, env: QUICK_ADMIN });
    onTestFinished(() => again.stop());
    const { verifications } = await counts(again);
    expect(verifications).toBeGreaterThan(0);
    await pass(again, 11 * MINUTE_MS);
    expect(await counts(again)).toMatchObject({ verifications: 0, messages: 0 });
  });
});
