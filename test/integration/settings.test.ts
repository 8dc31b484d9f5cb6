import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { makeProject } from '../support/keys.ts';
import { expectProblem } from '../support/problem.ts';
import { type Answer, startTestApp, type TestApp } from '../support/test-app.ts';
import { newPhone, QUICK_ADMIN } from '../support/verifications.ts';

let server: TestApp;
beforeAll(async () => {
  server = await startTestApp({
    env: { ...QUICK_ADMIN, OTP_EXPIRY_MINUTES: '4', BRAND_NAME: 'Environment' },
  });
});
afterAll(() => server.stop());

const asAdmin = { asAdmin: true };
const put = (body: object) => server.call('PUT', 'settings', { ...asAdmin, body });
const list = (query = '') => server.call('GET', `settings${query}`, asAdmin);
const one = async (key: string, projectId?: string) => {
  const { body } = await list(projectId === undefined ? '' : `?projectId=${projectId}`);
  return body.data.find((setting: { key: string }) => setting.key === key);
};
const history = async (query = '') => (await server.call('GET', `settings/history${query}`, asAdmin)).body;
const messagesOf = (answer: Answer) => answer.body.errors.map(({ message }: { message: string }) => message);
const codeLength = async (key: string) => {
  const { body } = await server.call('POST', 'otp/send', { key, body: { phone: newPhone() } });
  const row = server.app.database.reader.selectFrom('verifications').select('code_length');
  return (await row.where('id', '=', body.data.id).executeTakeFirstOrThrow()).code_length;
};
afterEach(() => put({ OTP_LENGTH: null, OTP_EXPIRY_MINUTES: null, OTP_MAX_ATTEMPTS: null, CHANNELS: null }));

describe('the settings', () => {
  test('are listed with what is in force, the default, and where it comes from', async () => {
    const { status, body } = await list();
    expect(status).toBe(200);
    expect(body.data.length).toBeGreaterThan(80);
    expect(await one('OTP_LENGTH')).toMatchObject({
      value: 6,
      default: 6,
      setBy: 'default',
      live: true,
      secret: false,
      updatedAt: null,
      updatedBy: null,
    });
    expect(await one('OTP_EXPIRY_MINUTES')).toMatchObject({ value: 4, default: 5, setBy: 'environment' });
    expect(await one('COUNTRIES_DENIED')).toMatchObject({ value: [], setBy: 'default' });
    expect(await one('PORT')).toMatchObject({ value: 0, setBy: 'environment', live: false });
  });

  test('show no secret', async () => {
    const { text } = await list();
    expect(text).not.toContain(server.adminPassword);
    expect(text).not.toContain(QUICK_ADMIN.MASTER_PASSWORD);
    expect(await one('MASTER_PASSWORD')).toMatchObject({ value: '***', default: null, secret: true });
    expect(await one('SMTP_URL')).toMatchObject({ value: null, secret: true });
  });

  test('are for administrators only', async () => {
    for (const [method, path] of [
      ['GET', 'settings'],
      ['PUT', 'settings'],
      ['GET', 'settings/history'],
    ] as const) {
      const body = method === 'PUT' ? { OTP_LENGTH: 8 } : undefined;
      expectProblem(await server.call(method, path, { body }), 'FORBIDDEN');
    }
    expectProblem(await list('?projectId=prj_01jd3x8zq2e6v9k5m7n0p4r8st'), 'RESOURCE_NOT_FOUND');
  });
});

describe('in force is', () => {
  test("the project's value, else the environment's, else the installation's, else the default", async () => {
    const project = await makeProject(server);
    expect((await put({ OTP_LENGTH: 7, OTP_EXPIRY_MINUTES: 3 })).status).toBe(200);
    expect(await one('OTP_LENGTH')).toMatchObject({ value: 7, setBy: 'installation', updatedBy: 'admin' });
    expect(await one('OTP_LENGTH', project.projectId)).toMatchObject({ value: 7, setBy: 'installation' });
    expect(await one('OTP_EXPIRY_MINUTES')).toMatchObject({ value: 4, setBy: 'environment' });

    const changed = await put({ projectId: project.projectId, OTP_LENGTH: 8, OTP_EXPIRY_MINUTES: '2' });
    expect(changed.body.data).toMatchObject([
      {
        key: 'OTP_LENGTH',
        value: 8,
        setBy: 'project',
        updatedAt: new Date(server.clock.now()).toISOString(),
      },
      { key: 'OTP_EXPIRY_MINUTES', value: 2, setBy: 'project' },
    ]);
    expect(await one('OTP_LENGTH')).toMatchObject({ value: 7, setBy: 'installation' });

    await put({ projectId: project.projectId, OTP_LENGTH: null });
    expect(await one('OTP_LENGTH', project.projectId)).toMatchObject({ value: 7, setBy: 'installation' });
    await put({ OTP_LENGTH: null });
    expect(await one('OTP_LENGTH', project.projectId)).toMatchObject({ value: 6, setBy: 'default' });
  });

  test('what was set, with the very next request, for its project alone', async () => {
    const project = await makeProject(server);
    expect([await codeLength(server.key), await codeLength(project.key)]).toEqual([6, 6]);
    await put({ projectId: project.projectId, OTP_LENGTH: 9 });
    expect([await codeLength(server.key), await codeLength(project.key)]).toEqual([6, 9]);
    await put({ OTP_LENGTH: 7 });
    expect([await codeLength(server.key), await codeLength(project.key)]).toEqual([7, 9]);
  });

  test('what was set before a restart', async () => {
    const before = await startTestApp({ env: QUICK_ADMIN });
    const body = { OTP_LENGTH: 8, OTP_RESEND_SECONDS: 5 };
    await before.call('PUT', 'settings', { asAdmin: true, body });
    await before.stop({ keepFiles: true });
    const { dir, clock } = before;
    const after = await startTestApp({ env: QUICK_ADMIN, dir, clock, adminPassword: before.adminPassword });
    const { body: settings } = await after.call('GET', 'settings', { asAdmin: true });
    expect(settings.data).toContainEqual(
      expect.objectContaining({ key: 'OTP_LENGTH', value: 8, setBy: 'installation' }),
    );
    // As everything that is less strict than recommended, it is named at the start.
    expect(after.logLines.join('\n')).toContain('OTP_RESEND_SECONDS is 5: ');
    await after.stop();
  });
});

describe('a wrong value', () => {
  test('changes nothing and says what was given and what is allowed, in the words of the start', async () => {
    const wrong = await put({ OTP_LENGTH: 3, OTP_RESEND_SECONDS: 60, DEFAULT_REGION: 'Mars' });
    expectProblem(wrong, 'VALIDATION_ERROR');
    expect(messagesOf(wrong)).toEqual([
      'OTP_LENGTH: given "3"; allowed: a whole number from 6 to 10.',
      'DEFAULT_REGION: given "Mars"; allowed: a two-letter country code such as US or ID.',
    ]);
    expect(await one('OTP_RESEND_SECONDS')).toMatchObject({ value: 30, setBy: 'default' });
  });

  test('is one that others rule out', async () => {
    const project = await makeProject(server);
    expect(messagesOf(await put({ projectId: project.projectId, OTP_EXPIRY_MINUTES: 30 }))).toEqual([
      'OTP_EXPIRY_MINUTES: given "30"; allowed: no more than OTP_MAX_EXPIRY_MINUTES, which is 10.',
    ]);
    expect(
      messagesOf(await put({ projectId: project.projectId, SMTP_FROM: 'no-reply@example.com' }))[0],
    ).toMatch(/SMTP_FROM needs it\.$/);
    await put({ OTP_MAX_ATTEMPTS: 4 });
    expect(messagesOf(await put({ projectId: project.projectId, OTP_MAX_ATTEMPTS: 5 }))).toEqual([
      'OTP_MAX_ATTEMPTS: given "5"; allowed: no more than the installation\'s, which is 4.',
    ]);
    expect((await put({ projectId: project.projectId, OTP_MAX_ATTEMPTS: 4 })).status).toBe(200);
    await put({ OTP_MAX_ATTEMPTS: 2 });
    expect(await one('OTP_MAX_ATTEMPTS', project.projectId)).toMatchObject({ value: 2 });
  });

  test('is a name that is not a setting, or not one that can be set here', async () => {
    const project = await makeProject(server);
    expect(messagesOf(await put({ OTP_LENGHT: 8 }))).toEqual([
      'There is no setting OTP_LENGHT. The nearest name is OTP_LENGTH.',
    ]);
    for (const key of ['PORT', 'MASTER_PASSWORD', 'PHONE_LIMIT_PER_DAY', 'OTP_MAX_EXPIRY_MINUTES']) {
      expect(messagesOf(await put({ [key]: '7' }))).toEqual([
        `${key} is set in the environment only. Set it there and restart the server.`,
      ]);
    }
    expect(messagesOf(await put({ projectId: project.projectId, BOT_SEND_RATE: 2 }))).toEqual([
      'BOT_SEND_RATE holds for the whole installation. Leave `projectId` out to set it.',
    ]);
  });

  test('repeats no secret and no control character', async () => {
    const { text } = await put({ BRAND_NAME: 'a\u001b[31mb\nc' });
    expect(text).not.toContain('\\u001b');
    expect((await put({ SMTP_URL: 'smtp://user:hunter2-hunter2@example.com' })).text).not.toContain(
      'hunter2',
    );
  });
});

describe('values', () => {
  test('may be JSON or text, and an empty list is one', async () => {
    const project = await makeProject(server);
    await put({ projectId: project.projectId, COUNTRIES_ALLOWED: ['id', 'US'], CHANNELS: 'email, sms' });
    expect(await one('COUNTRIES_ALLOWED', project.projectId)).toMatchObject({ value: ['ID', 'US'] });
    expect(await one('CHANNELS', project.projectId)).toMatchObject({ value: ['email', 'sms'] });
    await put({ projectId: project.projectId, COUNTRIES_ALLOWED: [] });
    expect(await one('COUNTRIES_ALLOWED', project.projectId)).toMatchObject({ value: [], setBy: 'project' });
    await put({ projectId: project.projectId, COUNTRIES_ALLOWED: '' });
    expect(await one('COUNTRIES_ALLOWED', project.projectId)).toMatchObject({ value: [], setBy: 'default' });
    expectProblem(await put({ projectId: project.projectId, OTP_LENGTH: { $gt: 1 } }), 'VALIDATION_ERROR');
  });
});

test('every change is in the history, and an event for its project', async () => {
  const project = await makeProject(server);
  await put({ projectId: project.projectId, OTP_LENGTH: 8 });
  await put({ projectId: project.projectId, OTP_LENGTH: 8 });
  await put({ projectId: project.projectId, OTP_LENGTH: null });
  const { data } = await history(`?projectId=${project.projectId}`);
  expect(data).toMatchObject([
    { key: 'OTP_LENGTH', from: '8', to: null, by: 'admin' },
    { key: 'OTP_LENGTH', from: null, to: '8', by: 'admin' },
  ]);
  const first = await history(`?projectId=${project.projectId}&limit=1`);
  expect(first.page.next).toBe(data[0].id);
  const second = await history(`?projectId=${project.projectId}&limit=1&cursor=${first.page.next}`);
  expect(second).toMatchObject({ data: [data[1]], page: { next: null } });

  await put({ OTP_LENGTH: 7 });
  const rows = await server.app.database.reader
    .selectFrom('events')
    .select(['project_id', 'data'])
    .where('type', '=', 'settings.changed')
    .orderBy('seq', 'desc')
    .limit(2)
    .execute();
  expect(rows.map(({ project_id, data }) => [project_id, JSON.parse(data!)])).toEqual([
    [null, { changes: [{ key: 'OTP_LENGTH', from: null, to: '7' }], actor: 'admin' }],
    [project.number, { changes: [{ key: 'OTP_LENGTH', from: '8', to: null }], actor: 'admin' }],
  ]);
});
