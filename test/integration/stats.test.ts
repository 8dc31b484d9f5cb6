import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { eventFeed } from '../../src/events/feed.ts';
import { makeKey, makeProject } from '../support/keys.ts';
import { expectProblem } from '../support/problem.ts';
import { startTestApp, type TestApp } from '../support/test-app.ts';
import { MINUTE_MS, newPhone, QUICK_ADMIN, verificationsOf } from '../support/verifications.ts';

const CODE = '481516';

let server: TestApp;
let otp: ReturnType<typeof verificationsOf>;
/** A key of a project in which nothing has happened. */
let key: string;
beforeAll(async () => {
  server = await startTestApp({ env: QUICK_ADMIN });
  otp = verificationsOf(server);
});
afterAll(() => server.stop());
beforeEach(async () => {
  await otp.fault({});
  ({ key } = await makeProject(server));
});

/** The figures, once no transaction of another test on the same server holds back events. */
async function stats(given = key) {
  const feed = eventFeed(server.app.database);
  while ((await feed.heldBackSince()) !== undefined);
  const { status, body } = await server.call('GET', 'stats', { key: given });
  expect(status).toBe(200);
  return body.data;
}

const send = (to = newPhone()) => otp.sent({ phone: to, code: CODE }, { key });

describe('the figures of a project', () => {
  test('are zero where nothing happened, and name every channel', async () => {
    const { channels, ...figures } = await stats();
    expect(figures).toEqual({
      queued: 0,
      sending: 0,
      sentPerMinute: 0,
      deliveredPerMinute: 0,
      verifiedPerMinute: 0,
      oldestQueuedSeconds: 0,
      delivery: { p50Ms: null, p95Ms: null },
    });
    const listed = (await server.call('GET', 'channels', { key })).body.data;
    expect(channels).toEqual(
      listed.map(({ name, state }: { name: string; state: string }) => ({
        name,
        state,
        successRate: null,
        p95Ms: null,
      })),
    );
  });

  test('count what was sent, delivered and verified in the last minute, and how long deliveries took', async () => {
    const sent = [await send(), await send(), await send()];
    await server.clock.advance(5_000);
    await otp.check({ id: sent[0]!.id, code: CODE }, { key });
    const now = await stats();
    expect(now).toMatchObject({ queued: 0, sentPerMinute: 3, deliveredPerMinute: 3, verifiedPerMinute: 1 });
    // The virtual phone reports a delivery after 300 ms.
    expect(now.delivery.p50Ms).toBeGreaterThanOrEqual(300);
    expect(now.delivery.p50Ms).toBeLessThan(5_000);
    expect(now.delivery.p95Ms).toBeGreaterThanOrEqual(now.delivery.p50Ms);
    server.clock.set(server.clock.now() + MINUTE_MS);
    const later = await stats();
    expect(later).toMatchObject({ sentPerMinute: 0, deliveredPerMinute: 0, verifiedPerMinute: 0 });
    expect(later.delivery).toEqual({ p50Ms: null, p95Ms: null });
  });

  test('are as right for somebody who asks for the first time in an hour as for one who asks all the time', async () => {
    await stats();
    server.clock.set(server.clock.now() + 60 * MINUTE_MS);
    await send();
    await server.clock.advance(2_000);
    expect(await stats()).toMatchObject({ sentPerMinute: 1, deliveredPerMinute: 1 });
    await send();
    await server.clock.advance(2_000);
    expect(await stats()).toMatchObject({ sentPerMinute: 2, deliveredPerMinute: 2 });
    const { key: reader } = await makeKey(server, ['analytics:read']);
    expect((await stats(reader)).queued).toBe(0);
  });

  test('say how many messages wait, and since when the oldest does', async () => {
    await otp.fault({ refuse: true });
    await send();
    await server.clock.advance(4_000);
    await send();
    await server.clock.advance(2_000);
    const now = await stats();
    expect(now).toMatchObject({ sentPerMinute: 0 });
    expect(now.queued + now.sending).toBe(2);
    expect(now.oldestQueuedSeconds).toBe(6);
  });

  test('hold nothing of another project', async () => {
    await otp.fault({ refuse: true });
    await send();
    await server.clock.advance(1_000);
    const another = await makeProject(server);
    expect(await stats(another.key)).toMatchObject({ queued: 0, sending: 0, sentPerMinute: 0 });
    const { body } = await server.call('GET', `stats?projectId=${another.projectId}`, { asAdmin: true });
    expect(body.data).toMatchObject({ queued: 0 });
  });

  test('need analytics:read', async () => {
    const { key: given } = await makeKey(server, ['otp:send', 'otp:read', 'logs:read']);
    const answer = await server.call('GET', 'stats', { key: given });
    expectProblem(answer, 'FORBIDDEN');
    expect(answer.body.requiredPermission).toBe('analytics:read');
  });
});
