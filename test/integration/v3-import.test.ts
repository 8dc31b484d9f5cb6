import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DEFAULT_PROJECT } from '../../src/database/project.ts';
import { makeProject } from '../support/keys.ts';
import { expectProblem } from '../support/problem.ts';
import { startTestApp, type TestApp } from '../support/test-app.ts';
import { v3Token } from '../support/v3-database.ts';
import { newPhone, QUICK_ADMIN, verificationsOf } from '../support/verifications.ts';

let server: TestApp;
let otp: ReturnType<typeof verificationsOf>;
beforeAll(async () => {
  server = await startTestApp({ env: QUICK_ADMIN });
  otp = verificationsOf(server);
});
afterAll(() => server.stop());

const AT = Date.UTC(2025, 5, 1, 8, 30);
const iso = (time: number) => new Date(time).toISOString();
const SENT = { at: iso(AT), action: 'otp_sent', phone: '+*********6034' };

const take = (body: object, headers = {}) =>
  server.call('POST', 'migrate/v3', { body, headers, asAdmin: true });

/** Takes one new token in and resolves to it. */
async function imported(): Promise<{ token: string; hash: string; id: string }> {
  const { token, entry } = v3Token(AT);
  const { body } = await take({ tokens: [{ hash: entry.hash, createdAt: iso(AT) }] });
  expect(body.data).toEqual({ tokens: 1, logs: 0, skipped: 0 });
  return { token, hash: entry.hash, id: (await keyOf(entry.hash))!.id };
}

const keyOf = (hash: string) =>
  server.app.database.reader.selectFrom('api_keys').selectAll().where('hash', '=', hash).executeTakeFirst();

const eventsOf = async (type: string) => {
  const rows = await server.app.database.reader
    .selectFrom('events')
    .selectAll()
    .where('type', '=', type)
    .orderBy('seq')
    .execute();
  return rows.map((row) => ({ ...row, data: JSON.parse(row.data!) }));
};

describe('a token of v3 that was brought along', () => {
  test('is refused before and works at once after, as it did with v3', async () => {
    const { token, entry } = v3Token(AT);
    const phone = newPhone().slice(1);
    const body = { phone, message: 'Your verification code is 123456', code: '123456', expiryMinutes: 5 };
    expectProblem(await otp.send(body, { key: token }), 'UNAUTHORIZED');

    expect((await take({ tokens: [{ hash: entry.hash }] })).body.data.tokens).toBe(1);
    const sent = await otp.send(body, { key: token });
    expect([sent.status, sent.body.data.phone]).toEqual([201, `+${phone}`]);
    expect((await otp.check({ phone, code: '123456' }, { key: token })).body.data.valid).toBe(true);
    expect((await server.call('GET', 'otp/status', { key: token })).status).toBe(200);
    const more = await server.call('GET', 'otp', { key: token });
    expect(expectProblem(more, 'FORBIDDEN').requiredPermission).toBe('otp:read');
  });

  test('stands in the list of keys with its age, below what was made after it', async () => {
    const { hash, id } = await imported();
    const { body } = await server.call('GET', 'keys?limit=200');
    expect(body.data.find((key: { id: string }) => key.id === id)).toEqual({
      id: expect.stringMatching(/^key_[0-9a-z]{26}$/),
      name: `v3 token ${hash.slice(0, 8)}…`,
      keyPreview: 'otp_...',
      permissions: ['otp:send', 'otp:verify'],
      rateLimit: null,
      usageCount: 0,
      lastUsed: null,
      expiresAt: null,
      createdAt: iso(AT),
      parentId: null,
    });
    const times = body.data.map((key: { createdAt: string }) => key.createdAt);
    expect(times).toEqual([...times].sort().reverse());
  });

  test('may do what the administrator says: all that a token of v3 could, for example', async () => {
    const { token, entry } = v3Token(AT);
    const permissions = ['otp:send', 'otp:verify', 'bulk:send', 'templates:read', 'scheduler:write'];
    await take({ tokens: [{ hash: entry.hash }], permissions });
    const template = 'Hello {{name}}, your code is {{code}}';
    const recipients = [{ phone: newPhone().slice(1), code: '123456', name: 'Ayu' }];
    const bulk = await server.call('POST', 'bulk/send', { key: token, body: { recipients, template } });
    expect([bulk.status, bulk.body.data.status, bulk.body.data.total]).toEqual([202, 'processing', 1]);
    const scheduledTime = iso(server.clock.now() + 60_000);
    const body = { phone: newPhone().slice(1), message: 'Code 123456', code: '123456', scheduledTime };
    expect((await server.call('POST', 'scheduler/schedule', { key: token, body })).status).toBe(201);
    expect((await server.call('GET', 'templates', { key: token })).status).toBe(200);
    expectProblem(await server.call('GET', 'scheduler/list', { key: token }), 'FORBIDDEN');
    expectProblem(await take({ tokens: [], permissions: ['root'] }), 'VALIDATION_ERROR');
  });

  test('can be revoked, and another run does not bring it back', async () => {
    const { token, hash, id } = await imported();
    expect((await server.call('GET', 'otp/status', { key: token })).status).toBe(200);
    expect((await server.call('DELETE', `keys/${id}`)).status).toBe(200);
    expectProblem(await server.call('GET', 'otp/status', { key: token }), 'UNAUTHORIZED');

    expect((await take({ tokens: [{ hash }] })).body.data).toEqual({ tokens: 0, logs: 0, skipped: 1 });
    expectProblem(await server.call('GET', 'otp/status', { key: token }), 'UNAUTHORIZED');
  });

  test('is recorded once, with who brought it', async () => {
    const { hash, id } = await imported();
    await take({ tokens: [{ hash }, { hash }] });
    const recorded = (await eventsOf('key.imported')).filter(({ data }) => data.keyId === id);
    expect(recorded.map(({ data }) => data)).toEqual([{ keyId: id, actor: 'admin' }]);
  });

  test('counts as made now when v3 did not say when, or said a time to come', async () => {
    for (const createdAt of [undefined, iso(server.clock.now() + 60_000)]) {
      const { entry } = v3Token(AT);
      await take({ tokens: [{ hash: entry.hash, createdAt }] });
      expect((await keyOf(entry.hash))?.created_at).toBe(server.clock.now());
    }
  });

  test('goes to the project that the administrator names, and to no other', async () => {
    const { projectId, key } = await makeProject(server);
    const { token, entry } = v3Token(AT);
    await take({ tokens: [{ hash: entry.hash }], projectId });
    const { id } = (await otp.send({ phone: newPhone() }, { key: token })).body.data;
    expect((await otp.read(id, { key })).status).toBe(200);
    expectProblem(await otp.read(id), 'RESOURCE_NOT_FOUND');
  });
});

describe("a line of v3's log", () => {
  test('becomes an event of its own time, with the beginning of the hash that names its key', async () => {
    const { hash } = await imported();
    const token = hash.slice(0, 8);
    const log = { ...SENT, at: iso(AT + 5_000), token };
    const odd = { at: iso(AT + 6_000), action: 'cleanup done' };
    expect((await take({ logs: [log, odd] })).body.data).toEqual({ tokens: 0, logs: 2, skipped: 0 });

    expect((await eventsOf('v3.otp_sent')).find(({ at }) => at === AT + 5_000)).toMatchObject({
      project_id: DEFAULT_PROJECT,
      subject: null,
      message_id: null,
      data: { action: 'otp_sent', token, phone: '+*********6034' },
    });
    expect(await eventsOf('v3.logged')).toMatchObject([{ at: AT + 6_000, data: { action: 'cleanup done' } }]);
  });

  test('is taken once, and equal lines as often as v3 had them', async () => {
    const at = iso(AT + 10_000);
    const logs = [0, 1, 2].map((repeat) => ({ ...SENT, at, repeat }));
    expect((await take({ logs })).body.data).toEqual({ tokens: 0, logs: 3, skipped: 0 });
    expect((await take({ logs })).body.data).toEqual({ tokens: 0, logs: 0, skipped: 3 });
    const again = [...logs, { ...SENT, at, repeat: 3 }];
    expect((await take({ logs: again })).body.data).toEqual({ tokens: 0, logs: 1, skipped: 3 });
  });

  test('is taken by each project it is given to', async () => {
    const { projectId } = await makeProject(server);
    const logs = [{ ...SENT, at: iso(AT + 20_000) }];
    for (const body of [{ logs }, { logs, projectId }]) expect((await take(body)).body.data.logs).toBe(1);
    expect((await take({ logs, projectId })).body.data.skipped).toBe(1);
  });

  test('from the future is left', async () => {
    const logs = [{ ...SENT, at: iso(server.clock.now() + 1) }];
    expect((await take({ logs })).body.data).toEqual({ tokens: 0, logs: 0, skipped: 1 });
  });

  test.each([
    ['phone', { phone: '+6283834946034' }],
    ['phone', { phone: '6283834946034' }],
    ['action', { action: 'sent 481516' }],
    ['action', { action: 'a\nb' }],
    ['message', { message: 'Your code is 481516' }],
    ['code', { code: '481516' }],
    ['token', { token: `otp_${'0'.repeat(64)}` }],
  ])('that shows what it should not is refused: %s of %j', async (field, wrong) => {
    const refused = expectProblem(await take({ logs: [{ ...SENT, ...wrong }] }), 'VALIDATION_ERROR');
    expect(refused.errors?.[0]?.path).toBe(`logs.0.${field}`);
  });
});

describe('a portion', () => {
  test('that is wrong in one entry changes nothing', async () => {
    const before = await eventsOf('v3.otp_sent');
    const { token, entry } = v3Token(AT);
    const logs = [{ ...SENT, at: iso(AT + 30_000) }, { action: 'otp_sent' }];
    expectProblem(await take({ tokens: [{ hash: entry.hash }], logs }), 'VALIDATION_ERROR');
    expectProblem(await server.call('GET', 'otp/status', { key: token }), 'UNAUTHORIZED');
    expect(await eventsOf('v3.otp_sent')).toEqual(before);
  });

  test('has at most 100 entries of a kind', async () => {
    const tokens = Array.from({ length: 101 }, () => ({ hash: v3Token(AT).entry.hash }));
    expectProblem(await take({ tokens }), 'VALIDATION_ERROR');
    expect((await take({ tokens: tokens.slice(1) })).body.data.tokens).toBe(100);
  });

  test('may be empty', async () => {
    expect((await take({})).body.data).toEqual({ tokens: 0, logs: 0, skipped: 0 });
  });

  test('is answered the same again under its Idempotency-Key', async () => {
    const { entry } = v3Token(AT);
    const answers = [];
    for (let i = 0; i < 2; i++) {
      answers.push(await take({ tokens: [{ hash: entry.hash }] }, { 'idempotency-key': 'portion-1' }));
    }
    expect(answers.map(({ body }) => body.data.tokens)).toEqual([1, 1]);
    expect(answers[1]?.headers.get('idempotency-replayed')).toBe('true');
  });

  test('is taken once when it comes twice at the same time', async () => {
    const tokens = Array.from({ length: 20 }, () => ({ hash: v3Token(AT).entry.hash }));
    const answers = await Promise.all([1, 2, 3].map(() => take({ tokens })));
    const taken = answers.map(({ body }) => body.data.tokens);
    expect(taken.sort()).toEqual([0, 0, 20]);
  });
});
