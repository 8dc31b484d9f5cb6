import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { migratedTables } from '../../src/database/reference.ts';
import { newId } from '../../src/lib/id.ts';
import { KEPT, KINDS } from '../../src/projects/contents.ts';
import { expectProblem } from '../support/problem.ts';
import { settledEvents } from '../support/settled-events.ts';
import { startTestApp, type TestApp } from '../support/test-app.ts';
import { newPhone, QUICK_ADMIN } from '../support/verifications.ts';

let server: TestApp;
beforeAll(async () => {
  server = await startTestApp({ env: QUICK_ADMIN });
});
afterAll(() => server.stop());

const admin = (method: string, path: string, body?: object) =>
  server.call(method, path, { asAdmin: true, body });
async function created(name = 'Checkout') {
  const { body } = await admin('POST', 'projects', { name });
  const { id } = body.data;
  const key = await admin('POST', 'keys', { projectId: id, name: 'all', permissions: ['*'] });
  const row = server.app.database.reader.selectFrom('projects').select('number').where('id', '=', id);
  return { id, key: key.body.data.key as string, number: (await row.executeTakeFirstOrThrow()).number };
}
const rowsOf = async (table: string, column: string, value: unknown) => {
  const { rows } = await sql`select 1 from ${sql.table(table)} where ${sql.ref(column)} = ${value}`.execute(
    server.app.database.reader,
  );
  return rows.length;
};
async function erased(number: number): Promise<void> {
  for (let i = 0; i < 100 && (await rowsOf('projects', 'number', number)) > 0; i++) {
    await server.clock.advance(1_000);
  }
  expect(await rowsOf('projects', 'number', number)).toBe(0);
}

/** Something of every kind in a project, and some of it ended. */
async function fill({ id, key, number }: { id: string; key: string; number: number }) {
  const call = (method: string, path: string, body?: object) => server.call(method, path, { key, body });
  const phone = newPhone();
  await call('POST', 'otp/send', { phone, clientIp: '203.0.113.7' });
  await call('POST', 'templates', { code: 'own', name: 'Own', content: 'Code {{code}}', language: 'en' });
  await call('POST', 'webhooks', { url: 'https://example.com/hook', events: ['*'] });
  await call('POST', 'bulk/send', { recipients: [{ phone: newPhone() }], template: 'Hello' });
  const scheduledTime = new Date(server.clock.now() + 3_600_000).toISOString();
  await call('POST', 'scheduler/schedule', { phone: newPhone(), scheduledTime });
  await admin('POST', 'opt-outs', { phone: newPhone(), projectId: id });
  await admin('POST', 'test-numbers', { phone: newPhone(), code: '481516', projectId: id });
  await admin('PUT', 'settings', { projectId: id, OTP_LENGTH: 8, MONTHLY_QUOTA: 100 });
  await call('POST', 'otp/send', { phone: newPhone() });
  const { database, clock } = server.app;
  // As it was linked before mock mode was on.
  const session = {
    id: newId('ses', clock.now()),
    project_id: number,
    key_version: 1,
    state: 'new',
    lease_until: 0,
    lease: 0,
  };
  await database.transaction(async (trx) => {
    await trx
      .insertInto('whatsapp_sessions')
      .values({ ...session, created_at: clock.now() })
      .execute();
  });
  await server.clock.advance(3_000);
  await settledEvents(server);
  // What is counted for the analytics.
  await call('GET', 'analytics/dashboard');
  await server.clock.advance(6_000);
}

describe('projects', () => {
  test('are created, listed, read and renamed by administrators', async () => {
    const { status, body } = await admin('POST', 'projects', { name: ' Shop ' });
    expect(status).toBe(201);
    expect(body.data).toEqual({
      id: expect.stringMatching(/^prj_[0-9a-z]{26}$/),
      name: 'Shop',
      isDefault: false,
      createdAt: new Date(server.clock.now()).toISOString(),
    });
    const { id } = body.data;
    const list = await admin('GET', 'projects?limit=1');
    expect(list.body).toMatchObject({ data: [{ isDefault: true }], page: { next: list.body.data[0].id } });
    expect((await admin('GET', `projects?cursor=${list.body.page.next}`)).body.data).toContainEqual(
      body.data,
    );
    expect((await admin('GET', `projects/${id}`)).body.data).toEqual(body.data);
    expect((await admin('PATCH', `projects/${id}`, { name: 'Store' })).body.data).toMatchObject({
      id,
      name: 'Store',
    });
    expect((await admin('GET', `projects/${id}`)).body.data.name).toBe('Store');
    for (const name of ['', ' ', 'x'.repeat(101)]) {
      expectProblem(await admin('POST', 'projects', { name }), 'VALIDATION_ERROR');
    }
  });

  test('are not for keys', async () => {
    const { id } = await created();
    for (const [method, path] of [
      ['GET', 'projects'],
      ['GET', `projects/${id}`],
      ['DELETE', `projects/${id}?erase=true`],
    ] as const) {
      expectProblem(await server.call(method, path), 'FORBIDDEN');
    }
  });

  test('that do not exist are 404, in every route that names one', async () => {
    const id = 'prj_01jd3x8zq2e6v9k5m7n0p4r8st';
    expectProblem(await admin('GET', `projects/${id}`), 'RESOURCE_NOT_FOUND');
    expectProblem(await admin('PATCH', `projects/${id}`, { name: 'x' }), 'RESOURCE_NOT_FOUND');
    expectProblem(await admin('DELETE', `projects/${id}?erase=true`), 'RESOURCE_NOT_FOUND');
    expectProblem(await admin('GET', `keys?projectId=${id}`), 'RESOURCE_NOT_FOUND');
  });
});

describe('a project that is deleted', () => {
  test('goes when it is empty, and never the default one', async () => {
    const { body } = await admin('POST', 'projects', { name: 'Empty' });
    const { id } = body.data;
    expect((await admin('DELETE', `projects/${id}`)).body).toEqual({ success: true, data: { id } });
    expectProblem(await admin('GET', `projects/${id}`), 'RESOURCE_NOT_FOUND');
    expectProblem(await admin('DELETE', `projects/${server.app.defaultProjectId}?erase=true`), 'CONFLICT');
  });

  test('stays when something is in it, and the answer says what', async () => {
    const project = await created();
    await fill(project);
    const refused = expectProblem(await admin('DELETE', `projects/${project.id}`), 'CONFLICT');
    for (const what of [
      'API keys',
      'verifications',
      'templates',
      'webhook endpoints',
      'schedules',
      'bulk jobs',
    ])
      expect(refused.detail).toContain(what);
    expect(refused.detail).toContain('?erase=true');
    expect((await server.call('GET', 'otp', { key: project.key })).status).toBe(200);
  });

  test('takes all of its data with it, its keys at once, and nothing of another', async () => {
    const [project, other] = [await created('Gone'), await created('Stays')];
    await fill(project);
    await fill(other);
    const countsOf = async (number: number) => {
      const tables = [...KINDS.map(({ table }) => table), 'whatsapp_sessions'];
      return Promise.all(tables.map(async (table) => [table, await rowsOf(table, 'project_id', number)]));
    };
    const before = await countsOf(other.number);
    for (const [table, count] of [...before, ...(await countsOf(project.number))]) {
      expect([table, count]).toEqual([table, expect.any(Number)]);
      expect(count, `rows of ${table}`).toBeGreaterThan(0);
    }
    const bulks = await server.app.database.reader
      .selectFrom('bulks')
      .select('id')
      .where('project_id', '=', project.number)
      .execute();

    expect((await admin('DELETE', `projects/${project.id}?erase=true`)).status).toBe(200);
    expectProblem(await server.call('GET', 'otp', { key: project.key }), 'UNAUTHORIZED');
    expectProblem(await admin('GET', `keys?projectId=${project.id}`), 'RESOURCE_NOT_FOUND');
    await erased(project.number);
    for (const [table, count] of await countsOf(project.number)) expect([table, count]).toEqual([table, 0]);
    expect(await rowsOf('bulk_recipients', 'bulk_id', bulks[0]!.id)).toBe(0);
    const seldom = (rows: unknown[][]) =>
      rows.filter(([table]) => table !== 'events' && table !== 'simulator_messages');
    expect(seldom(await countsOf(other.number))).toEqual(seldom(before));
    expect(
      (await server.call('POST', 'otp/send', { key: other.key, body: { phone: newPhone() } })).status,
    ).toBe(201);
  });

  test('never gives its number to another', async () => {
    const first = await created();
    await admin('DELETE', `projects/${first.id}?erase=true`);
    await erased(first.number);
    expect((await created()).number).toBeGreaterThan(first.number);
  });
});

test('every table whose rows carry a project is erased with it, or says why not', async () => {
  const tables = (await migratedTables())
    .filter(({ columns }) => columns.some(({ name }) => name === 'project_id'))
    .map(({ name }) => name);
  const known = [...KINDS.map(({ table }) => table), ...Object.keys(KEPT)];
  expect(tables.sort()).toEqual(known.sort());
});

test('every table that names a row of such a table is erased with it', async () => {
  const children = KINDS.flatMap(({ children = [] }) => children.map(({ table }) => table as string));
  const others = ['whatsapp_auth', 'whatsapp_chats', 'whatsapp_commands', 'whatsapp_senders'];
  const named = (await migratedTables()).filter(
    ({ columns }) =>
      !columns.some((column) => column.name === 'project_id') &&
      columns.some(({ references }) => KINDS.some(({ table }) => table === references?.table)),
  );
  expect(
    named
      .map(({ name }) => name)
      .filter((name) => !others.includes(name))
      .sort(),
  ).toEqual(children.sort());
});
