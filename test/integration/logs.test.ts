import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { makeKey, makeProject } from '../support/keys.ts';
import { expectProblem } from '../support/problem.ts';
import { settledEvents } from '../support/settled-events.ts';
import { startTestApp, type TestApp } from '../support/test-app.ts';
import { MINUTE_MS, newPhone, QUICK_ADMIN, verificationsOf } from '../support/verifications.ts';

let server: TestApp;
let otp: ReturnType<typeof verificationsOf>;
beforeAll(async () => {
  server = await startTestApp({ env: QUICK_ADMIN });
  otp = verificationsOf(server);
});
afterAll(() => server.stop());

interface Entry {
  id: string;
  at: string;
  type: string;
  actor: string | null;
  subject: string | null;
  data: Record<string, unknown>;
}

const asAdmin = { asAdmin: true };
const pathOf = (query: Record<string, string | number>) => `logs?${new URLSearchParams(query as never)}`;
const logs = async (query: Record<string, string | number> = {}, as: object = asAdmin): Promise<Entry[]> => {
  const { status, body } = await server.call('GET', pathOf(query), as);
  expect(status).toBe(200);
  return body.data;
};
/** All pages of a list. */
async function everything(query: Record<string, string | number>, as: object = asAdmin): Promise<Entry[]> {
  const found: Entry[] = [];
  for (let cursor: string | null | undefined; cursor !== null; ) {
    const { body } = await server.call('GET', pathOf({ ...query, ...(cursor && { cursor }) }), as);
    found.push(...body.data);
    cursor = body.page.next;
  }
  return found;
}
const newest = async (type: string) => (await logs({ type, limit: 1 }))[0]!;
const call = (method: string, path: string, body?: unknown) =>
  server.call(method, path, { asAdmin: true, ...(body !== undefined && { body }) });

describe('an administrative act', () => {
  test('says who, what, from where, and what was there before and after', async () => {
    const { body } = await call('POST', 'templates', {
      code: 'audit_one',
      name: 'One',
      content: 'Your code is {{code}}',
      language: 'en',
    });
    await call('PUT', `templates/${body.data.id}`, { name: 'Two' });
    expect(await newest('template.changed')).toEqual({
      id: expect.stringMatching(/^evt_/),
      at: new Date(server.clock.now()).toISOString(),
      type: 'template.changed',
      actor: 'admin',
      subject: 'audit_one',
      data: {
        template: 'audit_one',
        version: 1,
        before: { name: 'One' },
        after: { name: 'Two' },
        address: '127.0.0.1',
      },
    });
    await call('DELETE', `templates/${body.data.id}`);
    expect((await newest('template.deleted')).data).toMatchObject({
      before: { name: 'Two', content: 'Your code is {{code}}' },
    });
  });

  test('of a key says what it may do, and never the key', async () => {
    const { id } = await makeKey(server, ['keys:manage', 'otp:send']);
    const { key: manager, id: managerId } = await makeKey(server, ['keys:manage', 'otp:send']);
    const made = await server.call('POST', 'keys', {
      key: manager,
      body: { name: 'checkout', permissions: ['otp:send'], rateLimit: 100 },
    });
    expect(await newest('key.created')).toMatchObject({
      actor: managerId,
      subject: made.body.data.id,
      data: {
        after: { name: 'checkout', permissions: ['otp:send'], rateLimit: 100, parentId: managerId },
        address: '127.0.0.1',
      },
    });
    await call('DELETE', `keys/${id}`);
    expect(await newest('key.revoked')).toMatchObject({ actor: 'admin', data: { before: { name: 'test' } } });
    expect(JSON.stringify(await logs({ type: 'key.*' }))).not.toContain(made.body.data.key);
  });

  test('of a webhook endpoint shows where it leads, and neither its secret nor its path', async () => {
    const { body } = await call('POST', 'webhooks', {
      url: 'https://hooks.example.com/services/very-secret',
      events: ['otp.*'],
      headers: { 'x-token': 'another-secret' },
    });
    await call('PATCH', `webhooks/${body.data.id}`, { events: ['message.failed'], enabled: false });
    expect((await newest('webhook.operated')).data).toMatchObject({
      action: 'changed',
      before: { events: ['otp.*'], enabled: true },
      after: { events: ['message.failed'], enabled: false },
    });
    const shown = JSON.stringify(await logs({ subject: body.data.id }));
    expect(shown).toContain('https://hooks.example.com');
    for (const secret of ['very-secret', 'another-secret', body.data.secret])
      expect(shown).not.toContain(secret);
    await call('DELETE', `webhooks/${body.data.id}`);
  });

  test.each([
    ['limits.cleared', (phone: string) => call('DELETE', `limits/${encodeURIComponent(phone)}`)],
    ['number.opted_out', (phone: string) => call('POST', 'opt-outs', { phone })],
    [
      'number.opted_in',
      async (phone: string) => {
        await call('POST', 'opt-outs', { phone });
        await call('DELETE', `opt-outs/${encodeURIComponent(phone)}`);
      },
    ],
    ['database.seeded', () => call('POST', 'database/demo-data', { count: 1 })],
  ])('%s is recorded, with the phone masked', async (type, doIt) => {
    const phone = newPhone();
    await doIt(phone);
    const entry = await newest(type);
    expect(entry).toMatchObject({ actor: 'admin', data: { address: '127.0.0.1' } });
    expect(JSON.stringify(entry)).not.toContain(phone);
  });

  test('that was refused is recorded: a permission that is missing, a wrong password', async () => {
    const { key, id } = await makeKey(server, ['otp:send']);
    await server.call('GET', 'templates', { key });
    expect(await newest('key.refused')).toMatchObject({
      actor: id,
      subject: id,
      data: { permission: 'templates:read', address: '127.0.0.1' },
    });
    await server.call('POST', 'session', { key: null, body: { password: 'not the password' } });
    expect(await newest('admin.sign_in_failed')).toMatchObject({
      actor: 'nobody',
      data: { address: '127.0.0.1' },
    });
  });

  test('of a bulk job is recorded with the job', async () => {
    const body = { recipients: [{ phone: newPhone() }], template: 'Hello, this is a text without a code.' };
    const { body: made } = await server.call('POST', 'bulk/send', { body });
    await server.call('POST', `bulk/${made.data.bulkId}/pause`);
    await server.call('POST', `bulk/${made.data.bulkId}/cancel`);
    await server.call('GET', `bulk/${made.data.bulkId}/results`, { headers: { accept: 'text/csv' } });
    const actions = (await logs({ subject: made.data.bulkId, type: 'bulk.operated' })).map(
      ({ data }) => data.action,
    );
    expect(actions).toEqual(['results exported', 'canceled', 'paused', 'started']);
  });
});

describe('the list', () => {
  test('shows events and acts together, newest first, and each once', async () => {
    const { id } = await otp.sent({ phone: newPhone() });
    await call('POST', 'opt-outs', { phone: newPhone() });
    await otp.cancel(id);
    const types = (await logs({ limit: 4 })).map(({ type }) => type);
    expect(types).toEqual(['message.canceled', 'otp.canceled', 'number.opted_out', 'message.queued']);
    const all = await everything({ limit: 7 });
    expect(new Set(all.map(({ id }) => id)).size).toBe(all.length);
    const { count } = await server.app.database.reader
      .selectFrom('events')
      .select((eb) => eb.fn.countAll<number>().as('count'))
      .executeTakeFirstOrThrow();
    expect(all).toHaveLength(Number(count));
  });

  test('can be narrowed by type, subject, actor and time', async () => {
    const from = new Date(server.clock.now() + 5 * MINUTE_MS).toISOString();
    await otp.jump(10 * MINUTE_MS);
    const sent = await otp.sent({ phone: newPhone() });
    const { id: made } = await makeKey(server, ['otp:send']);
    await otp.jump(10 * MINUTE_MS);
    const to = new Date(server.clock.now() - 5 * MINUTE_MS).toISOString();
    await otp.sent({ phone: newPhone() });

    const ofSubject = await everything({ subject: sent.id });
    expect(ofSubject.map(({ type }) => type)).toContain('otp.created');
    expect(ofSubject.every(({ subject }) => subject === sent.id)).toBe(true);
    expect((await everything({ subject: sent.messageId })).map(({ type }) => type)).toContain(
      'message.queued',
    );
    expect((await everything({ from, to, type: 'otp.created' })).map(({ subject }) => subject)).toEqual([
      sent.id,
    ]);
    expect((await everything({ from, to, type: 'key.*' })).map(({ subject }) => subject)).toEqual([made]);
    const byTest = await everything({ actor: 'test', type: 'key.created,template.*' });
    expect(byTest.length).toBeGreaterThan(0);
    expect(byTest.every(({ actor, type }) => actor === 'test' && type === 'key.created')).toBe(true);
    expect(await everything({ actor: 'nobody at all' })).toEqual([]);
  });

  test('of a phone has its verifications, messages, what it wrote and acts about it, in any spelling', async () => {
    const phone = newPhone();
    const { id } = await otp.sent({ phone });
    await otp.deliver();
    await call('POST', 'simulator/reply', { from: phone, text: 'thank you' });
    await call('DELETE', `limits/${encodeURIComponent(phone)}`);
    await otp.sent({ phone: newPhone() });
    for (const spelling of [phone, phone.slice(1), `+62 ${phone.slice(3)}`]) {
      const entries = await everything({ phone: spelling });
      const types = entries.map(({ type }) => type);
      expect(types).toEqual(
        expect.arrayContaining(['otp.created', 'message.queued', 'message.received', 'limits.cleared']),
      );
      const ofOthers = entries.filter(({ type, subject }) => type === 'otp.created' && subject !== id);
      expect(ofOthers).toEqual([]);
      expect(JSON.stringify(entries)).not.toContain(phone);
    }
    expect(await everything({ phone: newPhone() })).toEqual([]);
  });

  test('of a key has what its project did, and nothing of the installation or of another project', async () => {
    const { key } = await makeKey(server, ['logs:read']);
    const other = await makeProject(server);
    await otp.sent({ phone: newPhone() }, { key: other.key });
    const own = await everything({}, { key });
    expect(own.some(({ type }) => type === 'otp.created')).toBe(true);
    expect(own.some(({ type }) => type.startsWith('admin.'))).toBe(false);
    const theirs = await everything({}, { key: other.key });
    expect(theirs.map(({ type }) => type)).toContain('otp.created');
    const ids = new Set(own.map(({ id }) => id));
    expect(theirs.filter(({ id }) => ids.has(id))).toEqual([]);
    expect(await everything({ subject: other.keyId }, { key })).toEqual([]);
    expect((await logs({ subject: other.keyId, projectId: other.projectId })).length).toBeGreaterThan(0);
    expectProblem(await server.call('GET', 'logs?type=admin.*', { key }), 'VALIDATION_ERROR');
    expect((await logs({ type: 'admin.*' })).length).toBeGreaterThan(0);
    const blind = await makeKey(server, ['otp:send']);
    expectProblem(await server.call('GET', 'logs', { key: blind.key }), 'FORBIDDEN');
  });

  test.each([
    ['a type that does not exist', 'type=otp.unknown', /type/],
    ['a cursor of another list', 'cursor=evt_01jd3x8zq2e6v9k5m7n0p4r8st', /cursor/],
    ['a time that is none', 'from=yesterday', /from/],
    ['an unknown filter', 'who=admin', /who/],
  ])('refuses %s', async (_what, query, named) => {
    const refused = await server.call('GET', `logs?${query}`, asAdmin);
    expectProblem(refused, 'VALIDATION_ERROR');
    expect(refused.text).toMatch(named);
  });

  test('is what v3 showed, with the names of v3', async () => {
    const { status, body } = await server.call('GET', '/api/admin/logs', asAdmin);
    expect(status).toBe(200);
    expect(body.data).toHaveLength((await logs({ limit: 100 })).length);
    expect(body.data[0]).toMatchObject({ action: expect.any(String), timestamp: expect.any(String) });
    expectProblem(await server.call('GET', '/api/admin/logs'), 'FORBIDDEN');
  });
});

describe('following', () => {
  const follow = async (query: Record<string, string>) => {
    await settledEvents(server);
    return (await server.call('GET', `logs/follow?${new URLSearchParams(query)}`, asAdmin)).body.data;
  };

  test('gives what is new, oldest first and once', async () => {
    const start = await follow({});
    expect(start).toMatchObject({ entries: [], more: false });
    const { id } = await otp.sent({ phone: newPhone() });
    await call('POST', 'templates', {
      code: 'followed',
      name: 'F',
      content: 'Code {{code}}',
      language: 'en',
    });
    const news = await follow({ after: start.next });
    expect(news.entries.map(({ type }: Entry) => type)).toEqual([
      'otp.created',
      'message.queued',
      'template.created',
    ]);
    expect(news.entries.at(-1)).toEqual(await newest('template.created'));
    expect(await follow({ after: news.next })).toMatchObject({ entries: [], next: news.next });
    const only = await follow({ after: start.next, subject: id });
    expect(only.entries.map(({ type }: Entry) => type)).toEqual(['otp.created', 'message.queued']);
    expect((await follow({ after: start.next, type: 'template.*', actor: 'admin' })).entries).toHaveLength(1);
  });

  test('can be narrowed to a phone', async () => {
    const { next } = await follow({});
    const phone = newPhone();
    await otp.sent({ phone });
    await otp.sent({ phone: newPhone() });
    await call('POST', 'opt-outs', { phone });
    const { entries } = await follow({ after: next, phone });
    expect(entries.map(({ type }: Entry) => type)).toEqual([
      'otp.created',
      'message.queued',
      'number.opted_out',
    ]);
  });
});

describe('verifying', () => {
  const verify = async (query = '') => (await server.call('GET', `logs/verify${query}`, asAdmin)).body.data;

  test('says that nothing was changed, and where the chain ends', async () => {
    const found = await verify();
    expect(found).toMatchObject({ ok: true, waiting: 0, head: expect.stringMatching(/^\d+:[0-9a-f]{64}$/) });
    const { count } = await server.app.database.reader
      .selectFrom('audit_log')
      .select((eb) => eb.fn.countAll<number>().as('count'))
      .executeTakeFirstOrThrow();
    expect(found.checked).toBe(Number(count));
    expect(await verify(`?head=${found.head}`)).toMatchObject({ ok: true });
    const [position] = found.head.split(':');
    expect(await verify(`?head=${position}:${'00'.repeat(32)}`)).toMatchObject({ ok: false });
  });

  test('is for administrators', async () => {
    expectProblem(await server.call('GET', 'logs/verify'), 'FORBIDDEN');
  });

  test('names the first line that is not right', async () => {
    const { database } = server.app;
    const { position, data } = await database.reader
      .selectFrom('audit_log')
      .select(['position', 'data'])
      .where('position', '=', 3)
      .executeTakeFirstOrThrow();
    const set = (to: string) =>
      database.transaction((trx) =>
        trx.updateTable('audit_log').set({ data: to }).where('position', '=', position).execute(),
      );
    await set(data.replace('{', '{ '));
    expect(await verify()).toMatchObject({
      ok: false,
      checked: 2,
      firstBad: { position: 3, problem: 'changed', detail: expect.stringMatching(/^Line 3 .* was changed/) },
    });
    await set(data);
    expect(await verify()).toMatchObject({ ok: true });
  });
});
