import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openStream, type StreamClient } from '../support/event-stream.ts';
import { makeProject } from '../support/keys.ts';
import { startTestApp, type TestApp } from '../support/test-app.ts';
import { note, operationsOf, seededRandom, type Tenant } from '../support/two-projects.ts';
import { QUICK_ADMIN } from '../support/verifications.ts';

/** `ISOLATION_SECONDS=60 ISOLATION_SEED=7 npx vitest run project-isolation` runs longer, and with other operations. */
const SECONDS = Number(process.env.ISOLATION_SECONDS ?? 4);
const SEED = Number(process.env.ISOLATION_SEED ?? 20_261_201);
const AT_ONCE = 8;

let server: TestApp;
let receiver: Server;
const tenants: Tenant[] = [];
beforeAll(async () => {
  const env = { ...QUICK_ADMIN, WEBHOOK_ALLOWED_ADDRESSES: '127.0.0.1', SENDS_PER_PREFIX: '0' };
  server = await startTestApp({ env });
  receiver = createServer(async (request, response) => {
    const tenant = tenants.find(({ hook }) => hook.endsWith(request.url!))!;
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    note(tenant, Buffer.concat(chunks).toString('utf8'));
    response.end();
  });
  await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve));
  const { port } = receiver.address() as AddressInfo;
  for (const mark of ['ownedbyalpha', 'ownedbybravo']) {
    const { projectId, number, key } = await makeProject(server);
    const hook = `http://127.0.0.1:${port}/${mark}`;
    const tenant: Tenant = { mark, projectId, number, key, hook, seen: new Set(), texts: [] };
    tenants.push(tenant);
    for (const [path, body] of [
      ['webhooks', { url: hook, events: ['*'], description: mark }],
      ['templates', { code: 'shared', name: mark, content: `${mark} {{code}}`, language: 'en' }],
    ] as const) {
      note(tenant, (await server.call('POST', path, { key, body })).text);
    }
  }
});
afterAll(async () => {
  await server.stop();
  receiver.close();
});

const rowsOf = async (table: 'verifications' | 'messages' | 'bulks' | 'schedules', number: number) =>
  (
    await server.app.database.reader.selectFrom(table).select('id').where('project_id', '=', number).execute()
  ).map(({ id }) => id);

test('two projects under load never see anything of each other', {
  timeout: 60_000 + SECONDS * 10_000,
}, async () => {
  const [alpha, bravo] = tenants as [Tenant, Tenant];
  const random = seededRandom(SEED);
  const operations = operationsOf(server, random);
  const streams: StreamClient[] = [];
  for (const { key } of tenants) streams.push(await openStream(server, { key }));
  for (const tenant of tenants) await operations.all(tenant);

  const endsAt = performance.now() + SECONDS * 1_000;
  let rounds = 0;
  while (performance.now() < endsAt || rounds < operations.strangers) {
    const round = Array.from({ length: AT_ONCE }, (_, i) => operations.random(i % 2 === 0 ? alpha : bravo));
    const moving = server.clock.advance(1_000);
    await Promise.all([...round, moving]);
    const [stranger, tenant] = rounds % 2 === 0 ? [alpha, bravo] : [bravo, alpha];
    const { request, theirs, never } = await operations.asStranger(stranger, tenant);
    expect(theirs, request).toEqual(never);
    expect([400, 404], request).toContain(theirs.status);
    rounds += 1;
  }
  await server.clock.advance(30_000);
  streams.forEach(({ events }, i) => {
    expect(events.length).toBeGreaterThan(20);
    note(tenants[i]!, JSON.stringify(events));
  });

  const common = [...alpha.seen].filter((id) => bravo.seen.has(id));
  expect(common).toEqual([]);
  for (const [tenant, other] of [
    [alpha, bravo],
    [bravo, alpha],
  ] as const) {
    expect(tenant.texts.filter((text) => text.includes(other.mark))).toEqual([]);
    expect(tenant.texts.filter((text) => text.includes(other.projectId))).toEqual([]);
    for (const table of ['verifications', 'messages', 'bulks', 'schedules'] as const) {
      const theirs = await rowsOf(table, other.number);
      expect(theirs.length, table).toBeGreaterThan(0);
      expect(
        theirs.filter((id) => tenant.seen.has(id)),
        table,
      ).toEqual([]);
    }
    const { body } = await server.call('GET', 'stats', { key: tenant.key });
    const since = server.clock.now() - 60_000;
    const events = server.app.database.reader.selectFrom('events').select('type').where('at', '>', since);
    const own = await events.where('project_id', '=', tenant.number).execute();
    const sent = own.filter(({ type }) => type === 'message.sent').length;
    expect(body.data.sentPerMinute).toBeLessThanOrEqual(sent);
  }
});
