import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { makeProject } from '../support/keys.ts';
import { expectProblem } from '../support/problem.ts';
import { type Answer, startTestApp, type TestApp } from '../support/test-app.ts';
import { testClock } from '../support/test-clock.ts';
import { countByStatus, newPhone, QUICK_ADMIN, retryAfterOf } from '../support/verifications.ts';

const DAY_S = 24 * 60 * 60;

let server: TestApp;
let project: Awaited<ReturnType<typeof makeProject>>;
beforeAll(async () => {
  server = await startTestApp({ env: QUICK_ADMIN });
});
afterAll(() => server.stop());
beforeEach(async () => {
  project = await makeProject(server);
});

const setQuota = (quota: number | null, projectId = project.projectId) =>
  server.call('PUT', 'settings', { asAdmin: true, body: { projectId, MONTHLY_QUOTA: quota } });
const send = (body: object = {}): Promise<Answer> =>
  server.call('POST', 'otp/send', { key: project.key, body: { phone: newPhone(), ...body } });
const post = (path: string, body?: object) => server.call('POST', path, { key: project.key, body });
const messagesStored = async () => {
  const rows = server.app.database.reader.selectFrom('messages').select('id');
  return (await rows.where('project_id', '=', project.number).execute()).length;
};
async function reports(): Promise<{ percent: number; quota: number }[]> {
  await server.clock.advance(2_000);
  const rows = await server.app.database.reader
    .selectFrom('events')
    .select('data')
    .where('type', '=', 'project.quota_reached')
    .where('project_id', '=', project.number)
    .orderBy('seq')
    .execute();
  return rows.map(({ data }) => JSON.parse(data!));
}

describe('a project with a monthly quota', () => {
  test('sends so many messages and no more, and is told when the next month begins', async () => {
    await setQuota(3);
    for (let i = 0; i < 3; i++) expect((await send()).status).toBe(201);
    const refused = await send();
    expect(expectProblem(refused, 'QUOTA_EXCEEDED').detail).toContain('MONTHLY_QUOTA');
    // The clock stands at noon of 15 January.
    expect(retryAfterOf(refused, 'QUOTA_EXCEEDED')).toBeGreaterThan(16 * DAY_S);
    expect(retryAfterOf(refused, 'QUOTA_EXCEEDED')).toBeLessThanOrEqual(16.5 * DAY_S);
    expect(refused.headers.get('ratelimit-policy')).toContain('"monthly-quota";q=3');
    expect(await messagesStored()).toBe(3);
    expect((await server.call('POST', 'otp/send', { body: { phone: newPhone() } })).status).toBe(201);
  });

  test('never sends more, however many requests come at the same time', async () => {
    await setQuota(20);
    const answers = await Promise.all(Array.from({ length: 60 }, () => send()));
    expect(countByStatus(answers)).toEqual({ 201: 20, 429: 40 });
    expect(await messagesStored()).toBe(20);
  });

  test('is refused before anything is changed: the code that is pending stays', async () => {
    await setQuota(1);
    const phone = newPhone();
    const { body } = await send({ phone, code: '481516' });
    await server.clock.advance(31_000);
    expectProblem(await send({ phone, code: '999999' }), 'QUOTA_EXCEEDED');
    expectProblem(await post(`otp/${body.data.id}/resend`), 'QUOTA_EXCEEDED');
    expectProblem(await send({ phone }), 'QUOTA_EXCEEDED');
    expect((await post('otp/verify', { id: body.data.id, code: '481516' })).status).toBe(200);
  });

  test('has every kind of message counted', async () => {
    await setQuota(100);
    const phone = newPhone();
    const { body } = await send({ phone, email: 'someone@example.com' });
    await server.clock.advance(31_000);
    await post(`otp/${body.data.id}/resend`);
    await post(`otp/${body.data.id}/next`);
    await post('bulk/send', {
      recipients: [{ phone: newPhone() }, { phone: newPhone() }],
      template: 'Hello',
    });
    await post('bulk/send', { recipients: [{ phone: newPhone() }], template: 'Code {{code}}' });
    const scheduledTime = new Date(server.clock.now() + 60_000).toISOString();
    await post('scheduler/schedule', { phone: newPhone(), scheduledTime });
    await server.clock.advance(70_000);
    const counted = await server.app.database.reader
      .selectFrom('monthly_messages')
      .select('count')
      .where('project_id', '=', project.number)
      .execute();
    expect(await messagesStored()).toBe(7);
    expect(counted.reduce((sum, { count }) => sum + count, 0)).toBe(7);
  });

  test('rejects the recipients of a bulk job that are beyond it, with the reason', async () => {
    await setQuota(2);
    const recipients = Array.from({ length: 4 }, () => ({ phone: newPhone() }));
    const { body } = await post('bulk/send', { recipients, template: 'Code {{code}}' });
    await server.clock.advance(5_000);
    const results = await server.call('GET', `bulk/${body.data.bulkId}/results`, { key: project.key });
    const statuses = results.body.data.map(({ status }: { status: string }) => status).sort();
    expect(statuses).toEqual(['read', 'read', 'rejected', 'rejected']);
    const rejected = results.body.data.filter(({ status }: { status: string }) => status === 'rejected');
    for (const { reason } of rejected) expect(reason).toMatch(/^QUOTA_EXCEEDED: /);
    expect(await messagesStored()).toBe(2);
    const pending = await server.call('GET', 'otp?status=pending', { key: project.key });
    expect(pending.body.data).toHaveLength(2);
  });

  test('fails a schedule that is beyond it, with the reason', async () => {
    await setQuota(1);
    await send();
    const scheduledTime = new Date(server.clock.now() + 60_000).toISOString();
    const { body } = await post('scheduler/schedule', { phone: newPhone(), scheduledTime });
    await server.clock.advance(61_000);
    const { body: schedule } = await server.call('GET', `scheduler/${body.data.id}`, { key: project.key });
    expect(schedule.data).toMatchObject({
      status: 'failed',
      reason: expect.stringMatching(/^QUOTA_EXCEEDED: /),
    });
  });

  test('does not move a code to its next channel beyond it, and the code stays good', async () => {
    await setQuota(1);
    const phone = newPhone();
    await server.call('PUT', 'simulator/faults', { asAdmin: true, body: { to: phone, drop: true } });
    const { body } = await send({ phone, email: 'someone@example.com', code: '481516' });
    await server.clock.advance(40_000);
    expect(await messagesStored()).toBe(1);
    expect((await post('otp/verify', { id: body.data.id, code: '481516' })).status).toBe(200);
  });

  test('reports 80 and 100 percent, once each', async () => {
    await setQuota(5);
    for (let i = 0; i < 3; i++) await send();
    expect(await reports()).toEqual([]);
    await send();
    expect(await reports()).toMatchObject([{ percent: 80, quota: 5, used: 4, month: '2026-01' }]);
    await send();
    await send();
    expect(await reports()).toMatchObject([{ percent: 80 }, { percent: 100, used: 5 }]);
    await setQuota(10);
    for (let i = 0; i < 6; i++) await send();
    expect(await reports()).toHaveLength(2);
  });

  test('may send again when the quota is raised, and counts what was sent before it was set', async () => {
    await send();
    await send();
    await setQuota(2);
    expectProblem(await send(), 'QUOTA_EXCEEDED');
    await setQuota(3);
    expect((await send()).status).toBe(201);
    expectProblem(await send(), 'QUOTA_EXCEEDED');
    await setQuota(1);
    expectProblem(await send(), 'QUOTA_EXCEEDED');
    await setQuota(null);
    expect((await send()).status).toBe(201);
  });

  test('is not reported by messages to the virtual phone that were refused', async () => {
    await setQuota(10);
    const phone = newPhone();
    await send({ phone });
    expect((await send({ phone })).status).toBe(429);
    await setQuota(2);
    expect((await send()).status).toBe(201);
    expectProblem(await send(), 'QUOTA_EXCEEDED');
  });
});

test('a new month begins from nothing, and a restart does not', async () => {
  const clock = testClock(Date.UTC(2026, 0, 31, 23, 50));
  const env = { ...QUICK_ADMIN, MONTHLY_QUOTA: '2' };
  let own = await startTestApp({ env, clock });
  const sendOwn = () => own.call('POST', 'otp/send', { body: { phone: newPhone() } });
  await sendOwn();
  const { dir, key } = own;
  await own.stop({ keepFiles: true });
  own = await startTestApp({ env, clock, dir, key });
  await sendOwn();
  expect(retryAfterOf(await sendOwn(), 'QUOTA_EXCEEDED')).toBeLessThanOrEqual(10 * 60);
  clock.set(Date.UTC(2026, 1, 1));
  expect((await sendOwn()).status).toBe(201);
  await own.stop();
});
