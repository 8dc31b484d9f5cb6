import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { VERSION } from '../../src/lib/version.ts';
import { ENGINE, testOnWodb } from '../support/engine.ts';
import { expectProblem } from '../support/problem.ts';
import { startTestApp, type TestApp } from '../support/test-app.ts';
import { newPhone, QUICK_ADMIN, verificationsOf } from '../support/verifications.ts';

const ROUTES = ['health', 'health/live', 'health/ready', 'health/metrics'];

describe('health, in mock mode', () => {
  let server: TestApp;
  beforeAll(async () => {
    server = await startTestApp({ env: QUICK_ADMIN });
  });
  afterAll(() => server.stop());

  test('is a report for people, probes and v3 clients, not wrapped in data', async () => {
    await verificationsOf(server).jump(90_500);
    const answer = await server.call('GET', 'health', { key: null });
    expect(answer.status).toBe(200);
    // The machine's disk is what it is, and the process that runs all tests may be larger than a server.
    const ownState = expect.stringMatching(/^(healthy|degraded)$/);
    const { memory, disk } = answer.body.checks;
    expect(answer.body).toEqual({
      status: [memory.status, disk.status].includes('degraded') ? 'degraded' : 'healthy',
      timestamp: new Date(server.clock.now()).toISOString(),
      version: VERSION,
      uptime: 90,
      checks: {
        whatsapp: { status: 'healthy', connected: false, mode: 'mock' },
        database: { status: 'healthy', engine: ENGINE, waitingWrites: 0 },
        memory: {
          status: ownState,
          residentBytes: expect.any(Number),
          heapUsed: expect.any(Number),
          heapTotal: expect.any(Number),
        },
        disk: { status: ownState, freeBytes: expect.any(Number) },
        audit: { status: 'healthy' },
      },
    });
  });

  test('live and ready say it in one word', async () => {
    for (const path of ['health/live', 'health/ready']) {
      const answer = await server.call('GET', path, { key: null });
      expect([answer.status, answer.body]).toEqual([200, { status: 'healthy' }]);
    }
  });

  test('metrics are the figures of the process', async () => {
    const { status, body } = await server.call('GET', 'health/metrics', { key: null });
    expect(status).toBe(200);
    expect(body).toMatchObject({
      timestamp: expect.any(String),
      uptime: expect.any(Number),
      memory: { rss: expect.any(Number), heapUsed: expect.any(Number), heapTotal: expect.any(Number) },
      cpu: { user: expect.any(Number), system: expect.any(Number) },
      process: { platform: process.platform, arch: process.arch },
      figures: { waitingWrites: 0, messagesInFlight: 0 },
    });
    expect(body).not.toHaveProperty('data');
  });

  test('metrics show nobody the process id or which Node.js runs', async () => {
    const { text, body } = await server.call('GET', 'health/metrics', { key: null });
    expect(Object.keys(body.process).sort()).toEqual(['arch', 'platform']);
    expect(text).not.toContain(process.version);
  });

  test.each(ROUTES)('%s needs no key, and a wrong one does not matter', async (path) => {
    const credentials: Record<string, string>[] = [
      {},
      { authorization: 'Bearer x' },
      { 'x-master-key': 'wrong' },
    ];
    for (const headers of credentials) {
      expect((await server.call('GET', path, { key: null, headers })).status).toBe(200);
    }
    expect((await server.call('HEAD', path, { key: null })).status).toBe(200);
  });

  test('tells nothing that is not for everybody: no folder, no number, no key', async () => {
    const phone = newPhone();
    await verificationsOf(server).sent({ phone });
    const texts = await Promise.all(
      ROUTES.map(async (path) => (await server.call('GET', path, { key: null })).text),
    );
    for (const secret of [server.dir, server.key, server.adminPassword, phone.slice(1)]) {
      expect(texts.join('\n')).not.toContain(secret);
    }
  });

  test('the v3 view of the WhatsApp link needs a key, any key', async () => {
    const { status, body } = await server.call('GET', 'otp/status');
    expect(status).toBe(200);
    expect(body.data).toEqual({ connected: false, uptime: expect.any(Number), mode: 'mock' });
  });
});

describe('health, while the disk takes no more', () => {
  let server: TestApp;
  beforeAll(async () => {
    server = await startTestApp({ env: QUICK_ADMIN });
  });
  afterAll(() => server.stop());

  const run = (statement: string) =>
    server.app.database.transaction(async (trx) => void (await sql.raw(statement).execute(trx)));

  /** Lets the file grow no more, as a full disk does, and uses up the room that is left in it. */
  async function fillDisk(): Promise<void> {
    await run('pragma max_page_count = 1');
    let answer = await server.call('POST', 'otp/send', { body: { phone: newPhone() } });
    while (answer.status === 201) {
      answer = await server.call('POST', 'otp/send', { body: { phone: newPhone() } });
    }
    for (let row = 0; ; row++) {
      const isRefused = await run(`insert into settings values ('zz${row}', '')`).then(
        () => false,
        () => true,
      );
      if (isRefused) return;
    }
  }

  testOnWodb(
    'is 503 and says what is wrong; reading goes on; with space again all is well by itself',
    async () => {
      const { id } = await verificationsOf(server).sent({ phone: newPhone() });
      await fillDisk();
      const refused = await server.call('POST', 'otp/send', { body: { phone: newPhone() } });
      const problem = expectProblem(refused, 'SERVICE_UNAVAILABLE');
      expect(problem.detail).toContain('full');

      const report = await server.call('GET', 'health', { key: null });
      expect(report.status).toBe(503);
      expect(report.body.status).toBe('unhealthy');
      expect(report.body.checks.database).toEqual({
        status: 'unhealthy',
        engine: 'wodb',
        detail: expect.stringContaining('full'),
        waitingWrites: 0,
      });
      const ready = await server.call('GET', 'health/ready', { key: null });
      expect([ready.status, ready.body]).toEqual([503, { status: 'unhealthy' }]);
      expect((await server.call('GET', 'health/live', { key: null })).status).toBe(200);
      expect((await server.call('GET', `otp/${id}`)).status).toBe(200);

      await run('pragma max_page_count = 1000000');
      const better = await server.call('GET', 'health', { key: null });
      expect([better.status, better.body.checks.database.status]).toEqual([200, 'healthy']);
      expect((await server.call('GET', 'health/ready', { key: null })).status).toBe(200);
      expect((await server.call('POST', 'otp/send', { body: { phone: newPhone() } })).status).toBe(201);
    },
  );
});

describe('health, while the server stops', () => {
  test('is not ready and not healthy, but alive', async () => {
    const server = await startTestApp({ env: QUICK_ADMIN });
    try {
      server.app.beginStop();
      const statuses: Record<string, number> = {};
      for (const path of ROUTES) statuses[path] = (await server.call('GET', path, { key: null })).status;
      expect(statuses).toEqual({
        health: 503,
        'health/live': 200,
        'health/ready': 503,
        'health/metrics': 200,
      });
    } finally {
      await server.stop();
    }
  });
});

describe.each([
  ['without mock mode', { BOT_MOCK_MODE: 'false' }],
  ['in production', { NODE_ENV: 'production', DB_MASTER_KEY: 'f'.repeat(64) }],
])('%s', (_what, env) => {
  let server: TestApp;
  beforeAll(async () => {
    server = await startTestApp({ env: { ...QUICK_ADMIN, ...env } });
  });
  afterAll(() => server.stop());

  test('a missing WhatsApp link is degraded, still 200 and ready', async () => {
    const report = await server.call('GET', 'health', { key: null });
    expect(report.status).toBe(200);
    expect(report.body.status).toBe('degraded');
    expect(report.body.checks.whatsapp).toEqual({
      status: 'degraded',
      connected: false,
      detail: expect.any(String),
    });
    expect((await server.call('GET', 'health/ready', { key: null })).status).toBe(200);
    expect((await server.call('GET', 'otp/status')).body.data).toEqual({
      connected: false,
      uptime: expect.any(Number),
    });
  });

  test('a send is refused before anything is stored, and says that no number is linked', async () => {
    const phone = newPhone();
    for (const channel of ['auto', 'whatsapp']) {
      expectProblem(await server.call('POST', 'otp/send', { body: { phone, channel } }), 'WHATSAPP_OFFLINE');
    }
    const simulator = await server.call('POST', 'otp/send', { body: { phone, channel: 'simulator' } });
    expect(expectProblem(simulator, 'VALIDATION_ERROR').errors?.[0]?.path).toBe('channel');
    const sms = await server.call('POST', 'otp/send', { body: { phone, channel: 'sms' } });
    expectProblem(sms, 'CHANNEL_UNAVAILABLE');
    expect(await verificationsOf(server).messagesTo(phone)).toBe(0);
  });

  test('the virtual phone does not exist: not for a key, not for the administrator, not in the OpenAPI', async () => {
    for (const credentials of [{ key: null }, {}, { asAdmin: true }]) {
      const messages = await server.call('GET', 'simulator/messages', credentials);
      const faults = await server.call('PUT', 'simulator/faults', { body: {}, ...credentials });
      expectProblem(messages, 'RESOURCE_NOT_FOUND');
      expectProblem(faults, 'RESOURCE_NOT_FOUND');
    }
    const openapi = await server.call('GET', '/openapi.json');
    expect(Object.keys(openapi.body.paths).filter((path) => path.includes('simulator'))).toEqual([]);
  });
});
