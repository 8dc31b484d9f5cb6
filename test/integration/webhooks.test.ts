import { Webhook as StandardWebhook } from 'standardwebhooks';
import { Webhook as SvixWebhook } from 'svix';
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { EVENT_DATA } from '../../src/events/data.ts';
import { makeKey, makeProject } from '../support/keys.ts';
import { breakTable } from '../support/obstacles.ts';
import { expectProblem } from '../support/problem.ts';
import { answering, type ProviderStandIn, silence } from '../support/provider-stand-in.ts';
import { startTestApp, type TestApp } from '../support/test-app.ts';
import { testClock } from '../support/test-clock.ts';
import { DAY_MS, newPhone, verificationsOf } from '../support/verifications.ts';
import { startReceiver, TO_THIS_MACHINE, verified, webhooksOf } from '../support/webhook-receiver.ts';

let server: TestApp;
let receiver: ProviderStandIn;
let webhooks: ReturnType<typeof webhooksOf>;
let otp: ReturnType<typeof verificationsOf>;

async function start(env: Record<string, string> = {}): Promise<void> {
  server = await startTestApp({ env: { ...TO_THIS_MACHINE, ...env }, clock: testClock(Date.now()) });
  webhooks = webhooksOf(server);
  otp = verificationsOf(server);
}

beforeEach(async () => {
  receiver = await startReceiver();
});
afterEach(async () => {
  await server.stop();
  await receiver.stop();
});

const typesOf = (received: readonly { body: string }[]) => received.map(({ body }) => JSON.parse(body).type);
const idsOf = (received: ProviderStandIn['received']) => received.map(({ headers }) => headers['webhook-id']);

describe('the events of a verification', () => {
  beforeEach(() => start());

  test('reach an endpoint in order, signed, with the fields that the catalogue promises and never the code', async () => {
    const { secret } = await webhooks.create(`${receiver.origin}/hooks?a=b`);
    const { id, messageId } = await otp.sent({ phone: newPhone(), code: '482913' });
    await webhooks.until('the message is read', () => typesOf(receiver.received).includes('message.read'));
    await otp.check({ id, code: '482913' });
    await webhooks.until('it is verified', () => typesOf(receiver.received).includes('otp.verified'));
    expect(typesOf(receiver.received)).toEqual([
      'otp.created',
      'message.queued',
      'message.sent',
      'message.delivered',
      'message.read',
      'otp.verified',
    ]);
    expect(new Set(idsOf(receiver.received)).size).toBe(6);
    for (const request of receiver.received) {
      expect(request).toMatchObject({ method: 'POST', path: '/hooks?a=b' });
      expect(request.headers).toMatchObject({
        'content-type': 'application/json',
        'user-agent': 'WOTP/4',
        'webhook-id': expect.stringMatching(/^evt_[0-9a-z]{26}$/),
      });
      const payload = verified(secret, request, server.clock.now());
      expect(verified(secret, request, server.clock.now(), SvixWebhook)).toEqual(payload);
      const { type, timestamp, data, event } = payload;
      expect(event).toBe(type);
      expect(Math.abs(Date.parse(timestamp) - server.clock.now())).toBeLessThan(60_000);
      expect(EVENT_DATA[type]?.parse(data)).toEqual(data);
      expect(data).toMatchObject(type.startsWith('otp.') ? { id } : { id, messageId });
      expect(request.body).not.toContain('482913');
    }
  });

  test.each([
    ['standardwebhooks', StandardWebhook],
    ['svix', SvixWebhook],
  ])(
    'verify with %s, also after a rotation; not when the body was changed, the timestamp is old, or the secret is another',
    async (_, library) => {
      const { id, secret } = await webhooks.create(receiver.origin, { events: ['otp.created'] });
      const { secret: newer } = (await webhooks.call('POST', `/${id}/rotate-secret`)).body.data;
      const other = await webhooks.create(receiver.origin, { events: ['key.created'] });
      await otp.sent({ phone: newPhone() });
      await webhooks.until('it came', () => receiver.received.length === 1);
      const [request] = receiver.received;
      const now = server.clock.now();
      for (const good of [secret, newer])
        expect(verified(good, request!, now, library)).toMatchObject({ type: 'otp.created' });
      expect(() => verified(secret, { ...request!, body: `${request!.body} ` }, now, library)).toThrow(
        'No matching',
      );
      expect(() => verified(secret, request!, now + 6 * 60_000, library)).toThrow('too old');
      expect(() => verified(other.secret, request!, now, library)).toThrow('No matching');
    },
  );

  test('come only as far as an endpoint wants them, and only from its creation on', async () => {
    await otp.sent({ phone: newPhone() });
    await server.clock.advance(5_000);
    await webhooks.create(receiver.origin, { events: ['otp.*', 'message.sent'] });
    const { id } = await otp.sent({ phone: newPhone() });
    await webhooks.until('it was sent', () => typesOf(receiver.received).includes('message.sent'));
    await server.clock.advance(5_000);
    expect(receiver.received.map(({ body }) => JSON.parse(body).data.id)).toEqual([id, id]);
    expect(typesOf(receiver.received)).toEqual(['otp.created', 'message.sent']);
  });

  test('carry the headers that an endpoint asks for, whose values are never shown', async () => {
    const { id } = await webhooks.create(receiver.origin, {
      events: ['otp.created'],
      headers: { Authorization: 'Bearer s3cret-of-mine' },
    });
    await otp.sent({ phone: newPhone() });
    await webhooks.until('it came', () => receiver.received.length === 1);
    expect(receiver.received[0]!.headers.authorization).toBe('Bearer s3cret-of-mine');
    expect(await webhooks.read(id)).toMatchObject({ headerNames: ['authorization'] });
    expect(server.logLines.join('')).not.toContain('s3cret-of-mine');
    const rows = await server.app.database.reader.selectFrom('webhook_endpoints').selectAll().execute();
    expect(JSON.stringify(rows)).not.toContain(Buffer.from('s3cret-of-mine').toString('base64').slice(0, 12));
  });

  test('go to several endpoints under the same id, each signed with its own secret', async () => {
    const first = await webhooks.create(`${receiver.origin}/1`, { events: ['otp.created'] });
    const second = await webhooks.create(`${receiver.origin}/2`, { events: ['otp.created'] });
    await otp.sent({ phone: newPhone() });
    await webhooks.until('both got it', () => receiver.received.length === 2);
    expect(new Set(idsOf(receiver.received)).size).toBe(1);
    for (const [path, { secret }] of [
      ['/1', first],
      ['/2', second],
    ] as const) {
      const request = receiver.received.find((each) => each.path === path)!;
      expect(verified(secret, request, server.clock.now())).toMatchObject({ type: 'otp.created' });
    }
  });
});

describe('an endpoint that fails', () => {
  test('gets the same event under the same id by the schedule, with a new timestamp, until the schedule ends', async () => {
    await start({ WEBHOOK_RETRY_SECONDS: '0,10,100' });
    const { id, secret } = await webhooks.create(receiver.origin, { events: ['otp.created'] });
    receiver.always(answering(500, 'out of\u0000 order\u202e'));
    await otp.sent({ phone: newPhone() });
    await webhooks.until('the first attempt', () => receiver.received.length === 1);
    await server.clock.advance(9_000);
    expect(receiver.received).toHaveLength(1);
    await webhooks.until('the second attempt', () => receiver.received.length === 2);
    await otp.jump(96_000);
    await server.clock.advance(2_000);
    expect(receiver.received).toHaveLength(2);
    await webhooks.until('the third attempt', () => receiver.received.length === 3);
    await webhooks.until('it failed', async () => (await webhooks.deliveries(id))[0].status === 'failed');
    await otp.jump(198_000);
    await server.clock.advance(2_000);
    expect(receiver.received).toHaveLength(3);
    expect(new Set(idsOf(receiver.received)).size).toBe(1);
    expect(new Set(receiver.received.map(({ headers }) => headers['webhook-timestamp'])).size).toBe(3);
    verified(secret, receiver.received[2]!, server.clock.now() - 200_000);
    const [delivery] = await webhooks.deliveries(id);
    expect(delivery).toMatchObject({ type: 'otp.created', status: 'failed', nextAttemptAt: null });
    expect(delivery.attempts).toHaveLength(3);
    for (const attempt of delivery.attempts) {
      expect(attempt).toMatchObject({ status: 500, durationMs: expect.any(Number), body: 'out of  order ' });
    }
  });

  test('holds back the later events of the same verification, and of no other', async () => {
    await start({ WEBHOOK_RETRY_SECONDS: '0,30,30' });
    await webhooks.create(receiver.origin, { events: ['otp.created', 'message.*'] });
    const phone = newPhone();
    receiver.next(answering(500, ''), answering(500, ''));
    const first = await otp.sent({ phone });
    await webhooks.until('the first attempt', () => receiver.received.length === 1);
    const second = await otp.sent({ phone: newPhone() });
    const of = (id: string) => receiver.received.filter(({ body }) => JSON.parse(body).data.id === id);
    await server.clock.advance(25_000);
    // One of them failed at the second event as well, as the answers were given to whoever came.
    expect(of(first.id)).toHaveLength(1);
    await webhooks.until('all arrived', () => of(first.id).length >= 5 && of(second.id).length >= 5, 500);
    for (const { id } of [first, second]) {
      expect([...new Set(typesOf(of(id)))]).toEqual([
        'otp.created',
        'message.queued',
        'message.sent',
        'message.delivered',
        'message.read',
      ]);
    }
  });

  test('is waited for 15 seconds, and no redirect of it is followed', async () => {
    await start({ WEBHOOK_RETRY_SECONDS: '0,1,1' });
    const { id } = await webhooks.create(receiver.origin, { events: ['otp.created'] });
    receiver.next(silence, answering(302, '', { location: `${receiver.origin}/elsewhere` }));
    await otp.sent({ phone: newPhone() });
    await webhooks.until('the first attempt', () => receiver.received.length === 1);
    await server.clock.advance(14_000);
    expect((await webhooks.deliveries(id))[0].attempts).toEqual([]);
    await webhooks.until(
      'it is delivered',
      async () => (await webhooks.deliveries(id))[0].status === 'delivered',
    );
    const [{ attempts }] = await webhooks.deliveries(id);
    expect(attempts.map(({ status }: { status: number }) => status)).toEqual([null, 302, 200]);
    expect(attempts[0]).toMatchObject({ durationMs: 15_000, error: expect.stringContaining('15 seconds') });
    expect(receiver.received.map(({ path }) => path)).toEqual(['/', '/', '/']);
  });

  test('says with Retry-After when it wants to be asked again, a day at most', async () => {
    await start({ WEBHOOK_RETRY_SECONDS: '0,5,5' });
    const { id } = await webhooks.create(receiver.origin, { events: ['otp.created'] });
    receiver.next(
      answering(429, '', { 'retry-after': '600' }),
      answering(503, '', { 'retry-after': '999999' }),
    );
    await otp.sent({ phone: newPhone() });
    const nextIn = async () => {
      const { nextAttemptAt } = (await webhooks.deliveries(id))[0];
      return nextAttemptAt === null ? 0 : Date.parse(nextAttemptAt) - server.clock.now();
    };
    await webhooks.until(
      'the first attempt',
      async () => (await webhooks.deliveries(id))[0]?.attempts.length === 1,
    );
    expect(await nextIn()).toBeGreaterThan(590_000);
    await otp.jump(600_000);
    await webhooks.until(
      'the second attempt',
      async () => (await webhooks.deliveries(id))[0].attempts.length === 2,
    );
    expect(await nextIn()).toBeGreaterThan(DAY_MS - 60_000);
    expect(await nextIn()).toBeLessThanOrEqual(DAY_MS);
  });

  test('may answer at length: 64 kB are read and one is kept', async () => {
    await start();
    const { id } = await webhooks.create(receiver.origin, { events: ['otp.created'] });
    receiver.next((response) => {
      response.writeHead(200);
      const more = () => {
        while (!response.destroyed && response.write('x'.repeat(10_000)));
      };
      response.on('drain', more);
      more();
    });
    await otp.sent({ phone: newPhone() });
    await webhooks.until(
      'it is delivered',
      async () => (await webhooks.deliveries(id))[0]?.status === 'delivered',
    );
    expect((await webhooks.deliveries(id))[0].attempts).toMatchObject([
      { status: 200, body: 'x'.repeat(1024) },
    ]);
  });

  test('that is dead delays no other', async () => {
    await start();
    const dead = await startReceiver();
    onTestFinished(() => dead.stop());
    dead.always(silence);
    for (let n = 0; n < 3; n++) await webhooks.create(`${dead.origin}/${n}`);
    await webhooks.create(receiver.origin, { events: ['otp.created'] });
    const sentAt = server.clock.now();
    await Promise.all(Array.from({ length: 60 }, () => otp.sent({ phone: newPhone() })));
    await webhooks.until('the healthy one got all', () => receiver.received.length === 60);
    expect(server.clock.now() - sentAt).toBeLessThan(2_000);
    await dead.stop();
  });
});

describe('an endpoint is disabled', () => {
  test('when it answers 410, with an event and a line in the health report', async () => {
    await start();
    const watcher = await webhooks.create(`${receiver.origin}/watcher`, { events: ['webhook.disabled'] });
    const { id } = await webhooks.create(`${receiver.origin}/gone`, { events: ['otp.created'] });
    receiver.next(answering(410, 'gone'));
    await otp.sent({ phone: newPhone() });
    await webhooks.until('the watcher knows', () =>
      receiver.received.some(({ path }) => path === '/watcher'),
    );
    expect(await webhooks.read(id)).toMatchObject({ enabled: false, disabledReason: 'gone' });
    expect((await webhooks.deliveries(id))[0]).toMatchObject({
      status: 'failed',
      attempts: [{ status: 410 }],
    });
    const told = receiver.received.find(({ path }) => path === '/watcher')!;
    expect(verified(watcher.secret, told, server.clock.now())).toMatchObject({
      type: 'webhook.disabled',
      data: { webhookId: id, reason: 'gone' },
    });
    const { body } = await server.call('GET', 'health', { key: null });
    expect(body.checks.webhooks).toMatchObject({ status: 'degraded', disabled: 1, endpoints: 2 });
    expect(body.checks.webhooks.detail).toContain(id);
    await otp.sent({ phone: newPhone() });
    await server.clock.advance(5_000);
    expect(receiver.received.filter(({ path }) => path === '/gone')).toHaveLength(1);
    await webhooks.call('PATCH', `/${id}`, { enabled: true });
    expect((await server.call('GET', 'health', { key: null })).body.checks.webhooks.status).toBe('healthy');
  });

  test('when every attempt of five days failed, and not before; what waits for it fails', async () => {
    await start({ WEBHOOK_RETRY_SECONDS: Array(20).fill('86400').join(',').replace('86400', '0') });
    const { id } = await webhooks.create(receiver.origin, { events: ['otp.created'] });
    receiver.always(answering(500, ''));
    await otp.sent({ phone: newPhone() });
    await webhooks.until('the first attempt', () => receiver.received.length === 1);
    const attempts = async () => (await webhooks.deliveries(id))[0].attempts.length;
    for (let day = 1; day <= 4; day++) {
      await otp.jump(1.1 * DAY_MS);
      await webhooks.until(`attempt ${day + 1}`, async () => (await attempts()) === day + 1);
      expect(await webhooks.read(id)).toMatchObject({ enabled: true, failingSince: expect.any(String) });
    }
    await otp.sent({ phone: newPhone() });
    await otp.jump(1.1 * DAY_MS);
    await webhooks.until('it is disabled', async () => !(await webhooks.read(id)).enabled);
    expect(await webhooks.read(id)).toMatchObject({ disabledReason: 'failing' });
    await webhooks.until('nothing waits', async () =>
      (await webhooks.deliveries(id)).every(({ status }: { status: string }) => status === 'failed'),
    );
    const { body } = await webhooks.call('POST', `/${id}/test`);
    expect(body).toMatchObject({ status: 409, code: 'CONFLICT' });
  });

  test('not when one attempt in five days succeeded', async () => {
    await start({ WEBHOOK_RETRY_SECONDS: '0' });
    const { id } = await webhooks.create(receiver.origin, { events: ['otp.created'] });
    for (const status of [500, 200, 500, 500]) {
      receiver.next(answering(status, ''));
      const before = receiver.received.length;
      await otp.sent({ phone: newPhone() });
      await webhooks.until(`the answer ${status}`, () => receiver.received.length === before + 1);
      await server.clock.advance(1_000);
      await otp.jump(3 * DAY_MS);
    }
    expect(await webhooks.read(id)).toMatchObject({ enabled: true });
  });
});

describe('deliveries', () => {
  test('are sent again one by one, and all that failed or were never tried since a time', async () => {
    await start({ WEBHOOK_RETRY_SECONDS: '0' });
    const before = await otp.sent({ phone: newPhone() });
    await server.clock.advance(120_000);
    const since = new Date(server.clock.now()).toISOString();
    const missed = await otp.sent({ phone: newPhone() });
    await server.clock.advance(1_000);
    const { id } = await webhooks.create(receiver.origin, { events: ['otp.created'] });
    receiver.next(answering(500, ''));
    const failed = await otp.sent({ phone: newPhone() });
    await webhooks.until('it failed', async () => (await webhooks.deliveries(id))[0]?.status === 'failed');
    const good = await otp.sent({ phone: newPhone() });
    await webhooks.until('two came', () => receiver.received.length === 2);

    const [delivery] = await webhooks.deliveries(id, '&status=failed');
    expect((await webhooks.call('POST', `/deliveries/${delivery.id}/retry`)).status).toBe(202);
    await webhooks.until('it came again', () => receiver.received.length === 3);
    expect(idsOf(receiver.received)[2]).toBe(delivery.eventId);
    await webhooks.until(
      'all is delivered',
      async () => (await webhooks.deliveries(id, '&status=pending')).length === 0,
    );

    const answer = await webhooks.call('POST', `/${id}/recover`, { since });
    expect(answer).toMatchObject({ status: 202, body: { data: { recovering: true } } });
    await webhooks.until('it is over', async () => !(await webhooks.read(id)).recovering);
    await webhooks.until('the missed one came', () => receiver.received.length === 4);
    await server.clock.advance(5_000);
    const got = receiver.received.map(({ body }) => JSON.parse(body).data.id);
    expect(got).toEqual([failed.id, good.id, failed.id, missed.id]);
    expect(got).not.toContain(before.id);
    expect((await webhooks.deliveries(id)).map(({ status }: { status: string }) => status)).toEqual(
      Array(3).fill('delivered'),
    );
  });

  test('are made once, also while they cannot be stored', async () => {
    await start();
    const { id } = await webhooks.create(receiver.origin, { events: ['otp.created', 'message.*'] });
    const mend = await breakTable(server.app.database, 'insert', 'webhook_deliveries', 'no deliveries today');
    await otp.sent({ phone: newPhone() });
    await server.clock.advance(3_000);
    await mend();
    await webhooks.until('all came', () => receiver.received.length === 5);
    await server.clock.advance(2_000);
    expect(new Set(idsOf(receiver.received)).size).toBe(5);
    expect(receiver.received).toHaveLength(5);
    for (const delivery of await webhooks.deliveries(id))
      expect(delivery).toMatchObject({ status: 'delivered', attempts: [{ status: 200 }] });
  });

  test('are listed in pages, newest first, with a cursor', async () => {
    await start();
    const { id } = await webhooks.create(receiver.origin, { events: ['otp.created'] });
    const sent: string[] = [];
    for (let n = 0; n < 5; n++) {
      sent.push((await otp.sent({ phone: newPhone() })).id);
      await server.clock.advance(10);
    }
    await webhooks.until('all came', () => receiver.received.length === 5);
    const seen: string[] = [];
    for (let cursor = ''; ; ) {
      const { body } = await webhooks.call('GET', `/${id}/deliveries?limit=2${cursor}`);
      seen.push(...body.data.map(({ eventId }: { eventId: string }) => eventId));
      if (body.page.next === null) break;
      cursor = `&cursor=${body.page.next}`;
    }
    expect(seen).toHaveLength(5);
    expect(seen).toEqual([...seen].sort().reverse());
  });

  test('are deleted when they are old, and with their endpoint', async () => {
    await start({ RETENTION_DAYS_WEBHOOKS: '3' });
    const kept = await webhooks.create(receiver.origin, { events: ['otp.created'] });
    const removed = await webhooks.create(receiver.origin, { events: ['otp.created'] });
    await otp.sent({ phone: newPhone() });
    await webhooks.until('both got it', () => receiver.received.length === 2);
    await server.clock.advance(1_000);
    await webhooks.call('DELETE', `/${removed.id}`);
    expectProblem(await webhooks.call('GET', `/${removed.id}`), 'RESOURCE_NOT_FOUND');
    const rows = async () =>
      (await server.app.database.reader.selectFrom('webhook_deliveries').select('endpoint_id').execute()).map(
        ({ endpoint_id }) => endpoint_id,
      );
    await otp.jump(11 * 60_000);
    const endpointIds = async () =>
      (await server.app.database.reader.selectFrom('webhook_endpoints').select('id').execute()).map(
        ({ id }) => id,
      );
    await webhooks.until('the other is gone', async () => (await endpointIds()).length === 1);
    expect(await endpointIds()).toEqual([kept.id]);
    expect(await rows()).toEqual([kept.id]);
    await otp.jump(3 * DAY_MS);
    await webhooks.until('the kept one is gone', async () => (await rows()).length === 0);
  });
});

describe('a secret that is rotated', () => {
  test('signs together with the one before for 24 hours, and then alone', async () => {
    await start();
    const { id, secret: older } = await webhooks.create(receiver.origin, { events: ['otp.created'] });
    const answer = await webhooks.call('POST', `/${id}/rotate-secret`);
    const { secret: newer, previousSecretUntil } = answer.body.data;
    expect(Date.parse(previousSecretUntil) - server.clock.now()).toBe(DAY_MS);
    await otp.sent({ phone: newPhone() });
    await webhooks.until('it came', () => receiver.received.length === 1);
    for (const secret of [older, newer]) verified(secret, receiver.received[0]!, server.clock.now());
    await otp.jump(DAY_MS);
    await otp.sent({ phone: newPhone() });
    await webhooks.until('the next came', () => receiver.received.length === 2);
    verified(newer, receiver.received[1]!, server.clock.now());
    expect(() => verified(older, receiver.received[1]!, server.clock.now())).toThrow('No matching');
    expect(await webhooks.read(id)).toMatchObject({ previousSecretUntil: null });
  });
});

describe('a test event', () => {
  test('is signed and delivered like any other', async () => {
    await start();
    const { id, secret } = await webhooks.create(receiver.origin, { events: ['key.revoked'] });
    const { status, body } = await webhooks.call('POST', `/${id}/test`);
    expect(status).toBe(202);
    await webhooks.until('it came', () => receiver.received.length === 1);
    expect(idsOf(receiver.received)).toEqual([body.data.eventId]);
    expect(verified(secret, receiver.received[0]!, server.clock.now())).toMatchObject({
      type: 'webhook.test',
      data: { webhookId: id },
    });
  });
});

describe('the endpoint of WEBHOOK_URL', () => {
  test('gets every event of the default project as v3 sent it, while WEBHOOK_ENABLED', async () => {
    await start({ WEBHOOK_ENABLED: 'true', WEBHOOK_URL: `${receiver.origin}/v3` });
    const phone = newPhone();
    const { messageId } = await otp.sent({ phone });
    await webhooks.until('it was delivered', () => typesOf(receiver.received).includes('message.delivered'));
    const delivered = receiver.received.find(({ body }) => JSON.parse(body).type === 'message.delivered')!;
    expect(JSON.parse(delivered.body)).toMatchObject({
      event: 'message.delivered',
      timestamp: expect.stringMatching(/^\d{4}-/),
      data: { messageId, phone, status: 'delivered' },
    });
    const [endpoint] = (await webhooks.call('GET', '')).body.data;
    expect(endpoint).toMatchObject({ url: `${receiver.origin}/v3`, events: ['*'], enabled: true });
    const { dir, key, adminPassword } = server;
    await server.stop({ keepFiles: true });
    server = await startTestApp({
      env: TO_THIS_MACHINE,
      clock: testClock(Date.now()),
      dir,
      key,
      adminPassword,
    });
    expect((await webhooksOf(server).read(endpoint.id)).enabled).toBe(false);
  });
});

describe('the routes', () => {
  test('are open to keys with webhooks:manage only, of the same project', async () => {
    await start();
    const { id } = await webhooks.create(receiver.origin);
    const { key } = await makeKey(server, ['otp:send']);
    const refused = await server.call('GET', 'webhooks', { key });
    expect(refused.body).toMatchObject({ status: 403, requiredPermission: 'webhooks:manage' });
    expect((await server.call('GET', 'webhooks', { key: null })).status).toBe(401);
    const managing = await makeKey(server, ['webhooks:manage']);
    expect((await server.call('GET', `webhooks/${id}`, { key: managing.key })).status).toBe(200);
    const { projectId } = await makeProject(server);
    const inOther = `?projectId=${projectId}`;
    for (const [method, path] of [
      ['GET', ''],
      ['PATCH', ''],
      ['DELETE', ''],
      ['GET', '/deliveries'],
      ['POST', '/test'],
      ['POST', '/rotate-secret'],
    ] as const) {
      const inBody = method === 'PATCH' || method === 'POST';
      const body = inBody ? { projectId } : undefined;
      const answer = await webhooks.call(method, `/${id}${path}${inBody ? '' : inOther}`, body);
      const unknown = await webhooks.call(
        method,
        `/whk_01jd3x8zq2e6v9k5m7n0p4r8st${path}${inBody ? '' : inOther}`,
        body,
      );
      expectProblem(answer, 'RESOURCE_NOT_FOUND');
      expect({ ...answer.body, requestId: '' }).toEqual({ ...unknown.body, requestId: '' });
    }
    await otp.sent({ phone: newPhone() });
    await webhooks.until('it came', () => receiver.received.length > 0);
    const [delivery] = await webhooks.deliveries(id);
    const body = { projectId };
    expectProblem(
      await webhooks.call('POST', `/deliveries/${delivery.id}/retry`, body),
      'RESOURCE_NOT_FOUND',
    );
  });

  test.each([
    [{ events: [] }, 'events'],
    [{ events: ['otp.nothing'] }, 'events.0'],
    [{ events: ['backup.created'] }, 'events.0'],
    [{ headers: { Host: 'a' } }, 'headers'],
    [{ headers: { 'webhook-id': 'a' } }, 'headers'],
    [{ headers: { 'x-a': 'b\r\nc: d' } }, 'headers'],
    [{ secret: 'whsec_a' }, 'secret'],
  ])('refuse %j', async (wrong, path) => {
    await start();
    const answer = await webhooks.call('POST', '', { url: receiver.origin, events: ['*'], ...wrong });
    expectProblem(answer, 'VALIDATION_ERROR');
    expect(answer.body.errors[0].path).toBe(path);
  });

  test('repeat the answer to one Idempotency-Key, with the same secret', async () => {
    await start();
    const options = {
      asAdmin: true,
      body: { url: receiver.origin, events: ['*'] },
      headers: { 'idempotency-key': 'once' },
    };
    const first = await server.call('POST', 'webhooks', options);
    const again = await server.call('POST', 'webhooks', options);
    expect(again.headers.get('idempotency-replayed')).toBe('true');
    expect(again.body).toEqual(first.body);
    expect((await webhooks.call('GET', '')).body.data).toHaveLength(1);
  });

  test('record who changed what, and never the secret', async () => {
    await start();
    const { id, secret } = await webhooks.create(receiver.origin);
    await webhooks.call('PATCH', `/${id}`, { description: 'orders' });
    await webhooks.call('POST', `/${id}/rotate-secret`);
    await webhooks.call('DELETE', `/${id}`);
    const rows = await server.app.database.reader
      .selectFrom('events')
      .select('data')
      .where('type', '=', 'webhook.operated')
      .orderBy('seq')
      .execute();
    expect(rows.map(({ data }) => JSON.parse(data!))).toEqual(
      ['created', 'changed', 'secret rotated', 'deleted'].map((action) => ({
        webhookId: id,
        action,
        actor: 'admin',
      })),
    );
    expect(server.logLines.join('')).not.toContain(secret);
  });
});
