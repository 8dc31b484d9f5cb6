import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openPostgres } from '../../src/database/postgres/open.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { sharedClock } from '../../src/lib/shared-clock.ts';
import { LEASE_MS } from '../../src/messages/service.ts';
import { makeKey } from '../support/keys.ts';
import { createPostgres } from '../support/postgres.ts';
import { expectProblem } from '../support/problem.ts';
import { requestText, sendPacket } from '../support/raw-http.ts';
import { type Answer, startTestApp, type TestApp } from '../support/test-app.ts';
import { testClock } from '../support/test-clock.ts';
import {
  countByStatus,
  expectOneEventPerChange,
  newPhone,
  QUICK_ADMIN,
  verificationsOf,
} from '../support/verifications.ts';

let a: TestApp;
let b: TestApp;
/** The calls of tests that do not care which node takes them. */
let otp: ReturnType<typeof verificationsOf>;

beforeAll(async () => {
  const clock = testClock();
  a = await startTestApp({ env: QUICK_ADMIN, clock });
  const { key, adminPassword } = a;
  b = await startTestApp({ env: QUICK_ADMIN, clock, sharing: a, key, adminPassword });
  otp = verificationsOf(a);
});
afterAll(async () => {
  await b.stop();
  await a.stop();
});

/** Calls both nodes in turn, all at once. */
function onBoth<T>(count: number, call: (node: TestApp, i: number) => Promise<T>): Promise<T[]> {
  return Promise.all(Array.from({ length: count }, (_, i) => call(i % 2 === 0 ? a : b, i)));
}

describe('over two nodes', () => {
  test('what one has accepted the other knows, and verifies', async () => {
    const phone = newPhone();
    const { id } = await otp.sent({ phone, code: '482913' });
    expect((await b.call('GET', `otp/${id}`)).body.data.status).toBe('pending');
    await otp.deliver();
    expect(await verificationsOf(b).inbox(phone)).toHaveLength(1);
    expect((await verificationsOf(b).check({ id, code: '482913' })).status).toBe(200);
    expect((await otp.check({ id, code: '482913' })).status).toBe(404);
  });

  test('a code verifies once, however many requests come to both at once', async () => {
    for (let round = 0; round < 5; round++) {
      const { id } = await otp.sent({ phone: newPhone(), code: '482913' });
      const answers = await onBoth(20, (node) => verificationsOf(node).check({ id, code: '482913' }));
      expect(countByStatus(answers)).toEqual({ 200: 1, 404: 19 });
    }
  });

  test('parallel guesses cost an attempt each, and the right one among them counts', async () => {
    const { id } = await otp.sent({ phone: newPhone(), code: '482913' });
    const answers = await onBoth(20, (node, i) =>
      verificationsOf(node).check({ id, code: String(100_000 + i) }),
    );
    expect(countByStatus(answers)).toEqual({ 422: 5, 429: 15 });
    expectProblem(await otp.check({ id, code: '482913' }), 'OTP_ATTEMPTS_EXCEEDED');
  });

  test('sends to one phone at once make one verification with one message', async () => {
    const phone = newPhone();
    const answers = await onBoth(20, (node) => verificationsOf(node).send({ phone }));
    expect(countByStatus(answers)).toEqual({ 201: 1, 429: 19 });
    expect(await otp.messagesTo(phone)).toBe(1);
  });

  test('one Idempotency-Key has one effect', async () => {
    const phone = newPhone();
    const headers = { 'idempotency-key': 'over-two-nodes' };
    const answers = await onBoth(20, (node) => node.call('POST', 'otp/send', { body: { phone }, headers }));
    const { 201: made = 0, 409: running = 0 } = countByStatus(answers);
    expect(made).toBeGreaterThanOrEqual(1);
    expect(made + running).toBe(20);
    const ids = answers.filter(({ status }) => status === 201).map(({ body }) => body.data.id);
    expect(new Set(ids).size).toBe(1);
    expect((await b.call('POST', 'otp/send', { body: { phone }, headers })).body.data.id).toBe(ids[0]);
    expect(await otp.messagesTo(phone)).toBe(1);
  });

  test('a revoked key stops on the other node at once', async () => {
    const { id, key } = await makeKey(a, ['otp:read']);
    expect((await b.call('GET', 'otp', { key })).status).toBe(200);
    expect((await a.call('DELETE', `keys/${id}`, { asAdmin: true })).status).toBe(200);
    expectProblem(await b.call('GET', 'otp', { key }), 'UNAUTHORIZED');
  });

  test("a key's limit lets exactly as many requests through as it says", async () => {
    const { key } = await makeKey(a, ['otp:read'], { rateLimit: 10 });
    const answers = await onBoth(40, (node) => node.call('GET', 'otp?limit=1', { key }));
    expect(countByStatus(answers)).toEqual({ 200: 10, 429: 30 });
    for (const node of [a, b]) {
      const refused = await node.call('GET', 'otp', { key });
      expect(Number(refused.headers.get('retry-after'))).toBe(3_600);
    }
  });

  test('requests of a key one after another, to either node, count down together', async () => {
    const { key } = await makeKey(a, ['otp:read'], { rateLimit: 4 });
    const left: (string | null)[] = [];
    for (const node of [a, b, b, a, b]) {
      left.push((await node.call('GET', 'otp?limit=1', { key })).headers.get('x-ratelimit-remaining'));
    }
    expect(left).toEqual(['3', '2', '1', '0', '0']);
    await otp.jump(3_600_000);
    expect((await b.call('GET', 'otp?limit=1', { key })).headers.get('x-ratelimit-remaining')).toBe('3');
  });

  test('wrong passwords are counted together', async () => {
    const wrong = (node: TestApp, i: number) =>
      node.call('GET', 'keys', { key: null, headers: { 'x-master-key': `wrong ${i}` } });
    const answers = await onBoth(30, wrong);
    expect(countByStatus(answers)).toEqual({ 401: 10, 429: 20 });
    await otp.jump(15 * 60_000);
  });

  test('a thousand guesses in a few packets to both, the right one in each, are ten guesses', async () => {
    const packets = Array.from({ length: 11 }, (_, packet) =>
      Array.from({ length: 95 }, (_, i) => {
        const password = i === 60 ? QUICK_ADMIN.MASTER_PASSWORD : `wrong ${packet} ${i}`;
        return requestText('GET /api/v1/keys', [`X-Master-Key: ${password}`]);
      }),
    );
    const statuses = (await onBoth(11, (node, i) => sendPacket(node.address, packets[i]!))).flat();
    const { 401: wrong = 0, 429: refused = 0 } = countByStatus(statuses.map((status) => ({ status })));
    expect(wrong).toBeLessThanOrEqual(10);
    expect(wrong + refused).toBe(1_045);
    for (const node of [a, b]) {
      expectProblem(await node.call('GET', 'keys', { asAdmin: true }), 'RATE_LIMIT_EXCEEDED');
    }
    await otp.jump(15 * 60_000);
    expect((await b.call('GET', 'keys', { asAdmin: true })).status).toBe(200);
  });

  test('a ticket is used once, on whichever of them', async () => {
    const body = { password: QUICK_ADMIN.MASTER_PASSWORD };
    const signedIn = await a.call('POST', 'session', { key: null, body });
    const cookie = signedIn.headers.get('set-cookie')!.split(';')[0]!;
    const made = await a.call('POST', 'session/ticket', {
      key: null,
      headers: { cookie, 'x-session-secret': signedIn.body.data.secret, origin: a.address },
    });
    const answers = await onBoth(10, (node) =>
      node.call('GET', `keys?ticket=${made.body.data.ticket}`, { key: null, headers: { cookie } }),
    );
    expect(countByStatus(answers)).toEqual({ 200: 1, 401: 9 });
  });

  test('a page that signed in on one is signed in on the other, until it signs out on either', async () => {
    const signedIn = await a.call('POST', 'session', {
      key: null,
      body: { password: QUICK_ADMIN.MASTER_PASSWORD },
    });
    const headers = {
      cookie: signedIn.headers.get('set-cookie')!.split(';')[0]!,
      'x-session-secret': signedIn.body.data.secret,
    };
    const session = (node: TestApp, method: string) =>
      node.call(method, 'session', { key: null, headers: { ...headers, origin: node.address } });
    expect((await session(b, 'GET')).status).toBe(200);
    expect((await session(b, 'DELETE')).status).toBe(200);
    expect((await session(a, 'GET')).status).toBe(401);
  });

  test('each message is claimed by one of them, and has one event for each change', async () => {
    const phones = Array.from({ length: 60 }, newPhone);
    await Promise.all(phones.map((phone, i) => verificationsOf(i % 2 === 0 ? a : b).sent({ phone })));
    await otp.deliver();
    const rows = await a.app.database.reader
      .selectFrom('messages')
      .select(['address', 'status', 'claim', 'attempts'])
      .where('address', 'in', phones)
      .execute();
    expect(rows).toHaveLength(60);
    for (const row of rows) expect(row).toMatchObject({ status: 'read', claim: 1, attempts: 1 });
    await expectOneEventPerChange(a);
  });

  test('claims made at the same time are of different messages', async () => {
    await Promise.all(Array.from({ length: 60 }, () => otp.sent({ phone: newPhone() })));
    const claimed = await onBoth(20, (node) => node.app.messages.claimDue('simulator', 10));
    const ids = claimed.flat().map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    for (const portion of claimed) expect(portion.length).toBeLessThanOrEqual(10);
    await otp.jump(LEASE_MS);
    await otp.deliver();
  });

  test('claims that a dead node has left are free when their lease is over, and not before', async () => {
    const phone = newPhone();
    const { id, messageId } = await otp.sent({ phone, expiryMinutes: 10 });
    // What a node does that dies while it sends: it claims, and is never heard of again.
    const claimed = await b.app.messages.claimDue('simulator', 10);
    expect(claimed.map((message) => message.id)).toEqual([messageId]);
    await otp.jump(LEASE_MS - 1_000);
    expect((await otp.read(id)).body.data.messageStatus).toBe('sending');
    await a.clock.advance(4_000);
    expect(await otp.inbox(phone)).toHaveLength(1);
    expect((await otp.read(id)).body.data.messageStatus).toBe('read');
    // What the dead one reports late changes nothing.
    await b.app.messages.markTryFailed(claimed[0]!, 'permanent', 'late');
    expect((await otp.read(id)).body.data.messageStatus).toBe('read');
  });

  test('a claim that both take back at once is queued once, and not canceled', async () => {
    const phone = newPhone();
    await otp.sent({ phone, expiryMinutes: 10 });
    const [claimed] = await a.app.messages.claimDue('simulator', 10);
    const leaseOver = a.clock.now() + LEASE_MS;
    await onBoth(6, (node) => node.app.messages.recoverClaims(leaseOver));
    const row = await a.app.database.reader
      .selectFrom('messages')
      .select(['status', 'attempts'])
      .where('id', '=', claimed!.id)
      .executeTakeFirstOrThrow();
    expect(row).toEqual({ status: 'queued', attempts: 0 });
    await otp.deliver();
    expect(await otp.inbox(phone)).toHaveLength(1);
  });

  test('a message that one claims while the other cancels its verification loses its code all the same', async () => {
    const { id, messageId } = await otp.sent({ phone: newPhone() });
    const { database } = a.app;
    let canceled: Promise<Answer> | undefined;
    await database.transaction(async (trx) => {
      await trx
        .updateTable('messages')
        .set({ status: 'sending', claim: 1 })
        .where('id', '=', messageId)
        .execute();
      canceled = verificationsOf(b).cancel(id);
      // The other waits for the row that is claimed here.
      const waiting = sql<{ pid: number }>`select pid from pg_locks join pg_stat_activity using (pid)
        where not granted and datname = current_database()`;
      await expect.poll(async () => (await waiting.execute(trx)).rows.length).toBe(1);
    });
    expect((await canceled)?.body.data).toMatchObject({ status: 'canceled', messageStatus: 'sending' });
    const row = await database.reader
      .selectFrom('verifications')
      .select('sealed_code')
      .where('id', '=', id)
      .executeTakeFirstOrThrow();
    expect(row).toEqual({ sealed_code: null });
    expect(await a.app.messages.liveText(messageId)).toBeUndefined();
  });

  test('of two messages of one verification that fail at once, the second ends the verification', async () => {
    for (let round = 0; round < 5; round++) {
      const phone = newPhone();
      const { id } = await otp.sent({ phone, expiryMinutes: 10 });
      a.clock.set(a.clock.now() + 30_000);
      expect((await otp.resend(id)).status).toBe(200);
      const claimed = await a.app.messages.claimDue('simulator', 10);
      expect(claimed).toHaveLength(2);
      await Promise.all(
        claimed.map((message, i) => {
          const { app } = i === 0 ? a : b;
          return app.messages.markTryFailed(message, 'permanent', 'no');
        }),
      );
      expect((await otp.read(id)).body.data.status).toBe('failed');
    }
  });
});

describe('two nodes that start together on an empty database', () => {
  test('make one project, one set of keys, one password and one API key', async () => {
    const first = await createPostgres({ empty: true });
    const env = { DATABASE_URL: first.url };
    const clock = testClock();
    const nodes = await Promise.all([1, 2, 3].map(() => startTestApp({ env, clock })));
    expect(nodes.filter(({ key }) => key !== '')).toHaveLength(1);
    expect(nodes.filter(({ adminPassword }) => adminPassword !== '')).toHaveLength(1);
    expect(new Set(nodes.map(({ app }) => app.defaultProjectId)).size).toBe(1);
    const { key, adminPassword } = nodes.find((node) => node.key !== '')!;
    const sent = await nodes[0]!.call('POST', 'otp/send', {
      body: { phone: newPhone(), code: '482913' },
      key,
    });
    for (const [node, status] of [
      [nodes[1]!, 200],
      [nodes[2]!, 404],
    ] as const) {
      const body = { id: sent.body.data.id, code: '482913' };
      expect((await node.call('POST', 'otp/verify', { body, key })).status).toBe(status);
    }
    // A password is right on all of them, and a changed one is wrong on all of them at once.
    const asAdmin = (node: TestApp) =>
      node.call('GET', 'keys', { key: null, headers: { 'x-master-key': adminPassword } });
    for (const node of nodes) expect((await asAdmin(node)).status).toBe(200);
    await nodes[0]!.app.admin.setPassword('another password for all');
    for (const node of nodes) expect((await asAdmin(node)).status).toBe(401);
    await Promise.all(nodes.map((node) => node.stop()));
    await first.drop();
  });
});

describe('the time of nodes whose own clocks differ', () => {
  test("is the database's, and does not go back when a clock is put right", async () => {
    const postgres = await createPostgres();
    const database = await openPostgres({ url: postgres.url, poolSize: 2 });
    const own = systemClock();
    let aheadMs = 0;
    const skewed = { ...own, now: () => own.now() + aheadMs };
    for (aheadMs of [-3_600_000, 0, 7_200_000]) {
      const clock = await sharedClock(skewed, database.sharedTime!);
      expect(Math.abs(clock.now() - (await database.sharedTime!()))).toBeLessThan(1_000);
    }

    const fast = await sharedClock(skewed, database.sharedTime!);
    aheadMs += 60_000;
    const before = fast.now();
    await fast.adjust();
    expect(fast.now()).toBeGreaterThanOrEqual(before);
    expect(fast.now()).toBeLessThan(before + 1_000);
    await database.close();
    await postgres.drop();
  });
});
