import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { type FakeWhatsApp, startFakeWhatsApp } from '../support/fake-whatsapp/server.ts';
import { makeProject } from '../support/keys.ts';
import { expectProblem } from '../support/problem.ts';
import { startTestApp, type TestApp } from '../support/test-app.ts';
import { newPhone, QUICK_ADMIN } from '../support/verifications.ts';
import { eventually } from '../support/whatsapp-sessions.ts';

const OWN = '+4915100000001';

let whatsapp: FakeWhatsApp;
let server: TestApp;
beforeAll(async () => {
  whatsapp = await startFakeWhatsApp();
  server = await startTestApp({
    env: { ...QUICK_ADMIN, BOT_MOCK_MODE: 'false', BOT_SOCKET_URL: whatsapp.url },
  });
});
afterAll(async () => {
  await server.stop();
  await whatsapp.stop();
});

const call = (method: string, path: string, body?: unknown, headers?: Record<string, string>) =>
  server.call(method, `bot/sessions${path}`, { asAdmin: true, body, headers });

/** A session that shows a QR code. */
async function newSession(body: object = {}): Promise<string> {
  const { status, body: answer } = await call('POST', '', body);
  expect(status).toBe(201);
  await eventually(async () => (await call('GET', `/${answer.data.id}/qr`)).status === 200);
  return answer.data.id;
}

async function isOpen(id: string): Promise<void> {
  await eventually(async () => (await call('GET', `/${id}`)).body.data.state === 'open');
}

/** A session linked to the phone with this number. */
async function linkedSession(number: string): Promise<string> {
  const id = await newSession();
  await whatsapp.phone(number).scanQr((await call('GET', `/${id}/qr`)).body.data.qr);
  await isOpen(id);
  onTestFinished(async () => void (await call('DELETE', `/${id}`)));
  return id;
}

describe('a session over the API', () => {
  test('is made, shows its QR code as JSON, PNG and SVG, is linked, and makes the server whole', async () => {
    expect((await server.call('GET', 'health')).body.checks.whatsapp).toMatchObject({ status: 'degraded' });
    const id = await newSession({ name: 'Support' });
    const shown = await call('GET', `/${id}/qr`);
    expect(shown.body.data).toEqual({
      qr: expect.stringContaining('https://wa.me/settings/linked_devices#'),
      expiresAt: new Date(server.clock.now() + 60_000).toISOString(),
    });
    const png = await call('GET', `/${id}/qr`, undefined, { accept: 'image/png' });
    expect([png.headers.get('content-type'), png.text.slice(1, 4)]).toEqual(['image/png', 'PNG']);
    const svg = await call('GET', `/${id}/qr`, undefined, { accept: 'image/svg+xml' });
    expect([svg.headers.get('content-type'), svg.text.slice(0, 4)]).toEqual(['image/svg+xml', '<svg']);
    const either = await call('GET', `/${id}/qr`, undefined, { accept: 'application/json, image/png;q=0.1' });
    expect(either.body.data).toEqual(shown.body.data);

    await whatsapp.phone(OWN).scanQr(shown.body.data.qr);
    await isOpen(id);
    expect((await call('GET', `/${id}`)).body.data).toEqual({
      id,
      name: 'Support',
      state: 'open',
      phone: OWN,
      reason: null,
      nextAttemptAt: null,
      warning: null,
      proxy: null,
      linkedAt: expect.any(String),
      phoneSeenAt: expect.any(String),
      pairingCode: null,
      health: {
        score: 100,
        reasons: [],
        newChats: 'open',
        newChatsReason: null,
        newChatsStoppedUntil: null,
        leftToday: 50,
        inFlight: 0,
      },
      createdAt: expect.any(String),
    });
    expectProblem(await call('GET', `/${id}/qr`), 'RESOURCE_NOT_FOUND');
    expect((await server.call('GET', 'health')).body.checks.whatsapp).toEqual({
      status: 'healthy',
      connected: true,
    });
    expect((await server.call('GET', 'otp/status')).body.data).toMatchObject({ connected: true });

    expect((await call('DELETE', `/${id}`)).body).toEqual({ success: true, data: { id } });
    expect((await call('GET', '')).body).toEqual({ success: true, data: [], page: { next: null } });
    await eventually(() => whatsapp.phone(OWN).linked.length === 0);
    expect((await server.call('GET', 'otp/status')).body.data).toMatchObject({ connected: false });
  });

  test('is linked by a pairing code', async () => {
    const { body } = await call('POST', '', { link: false });
    const { id } = body.data;
    const wrong = await call('POST', `/${id}/pairing-code`, { phone: '12' });
    expectProblem(wrong, 'PHONE_INVALID');
    const { body: answer } = await call('POST', `/${id}/pairing-code`, { phone: '+49 151 0000 0001' });
    expect(answer.data).toEqual({
      code: expect.stringMatching(/^[0-9A-Z]{8}$/),
      expiresAt: expect.any(String),
    });
    await whatsapp.until(() => whatsapp.phone(OWN).codeRequested);
    await whatsapp.phone(OWN).enterCode(answer.data.code);
    await isOpen(id);
    await call('DELETE', `/${id}`);
  });

  test('is paused, resumed, restarted and logged out; what does not fit is a conflict', async () => {
    const id = await linkedSession(OWN);
    expectProblem(await call('POST', `/${id}/resume`), 'CONFLICT');
    expectProblem(await call('POST', `/${id}/pairing-code`, { phone: OWN }), 'CONFLICT');
    expect((await call('POST', `/${id}/pause`)).body.data).toMatchObject({ state: 'paused', phone: OWN });
    await call('POST', `/${id}/resume`);
    await isOpen(id);
    const logins = whatsapp.linked(OWN).logins;
    await call('POST', `/${id}/restart`);
    await eventually(() => whatsapp.linked(OWN).logins === logins + 1);
    await isOpen(id);
    expect((await call('POST', `/${id}/logout`)).body.data).toMatchObject({
      state: 'logged_out',
      reason: expect.stringContaining('Link a phone'),
      health: null,
    });
    await eventually(() => whatsapp.phone(OWN).linked.length === 0);
  });

  test('can be renamed, and shows its proxy without the password', async () => {
    const { body } = await call('POST', '', { link: false });
    const { id } = body.data;
    const changed = await call('PATCH', `/${id}`, {
      name: 'Second',
      proxy: 'socks5://me:a-secret-password@127.0.0.1:1080',
    });
    expect(changed.body.data).toMatchObject({ name: 'Second', proxy: 'socks5://me:***@127.0.0.1:1080' });
    expect((await call('PATCH', `/${id}`, { proxy: null })).body.data).toMatchObject({
      name: 'Second',
      proxy: null,
    });
    for (const proxy of ['127.0.0.1:1080', 'ftp://127.0.0.1', 'http://', 'http://me:100%@127.0.0.1:1']) {
      const refused = expectProblem(await call('PATCH', `/${id}`, { proxy }), 'VALIDATION_ERROR');
      expect(refused.errors?.[0]).toMatchObject({
        path: 'proxy',
        message: expect.stringMatching(/http|%25/),
      });
      expectProblem(await call('POST', '', { proxy }), 'VALIDATION_ERROR');
    }
    await call('DELETE', `/${id}`);
  });

  test('moves with its credentials: exported here, imported there, nobody scans again', async () => {
    const id = await linkedSession(OWN);
    await call('POST', `/${id}/pause`);
    const { files } = (await call('POST', `/${id}/export`)).body.data;
    expect(Object.keys(files)).toContain('creds.json');
    expect(Object.keys(files).filter((name) => name.startsWith('pre-key-')).length).toBeGreaterThan(800);

    const { body } = await call('POST', '', { link: false });
    const other = body.data.id;
    // While it is linked here, a second link of the number would send twice what it may.
    const refused = expectProblem(await call('POST', `/${other}/import`, { files }), 'CONFLICT');
    expect(refused.detail).toContain(`${OWN} is linked in the session ${id} already`);
    await call('POST', `/${id}/logout`);
    const imported = await call('POST', `/${other}/import`, { files });
    expect([imported.status, imported.body.data.phone]).toEqual([200, OWN]);
    await isOpen(other);
    const again = await call('POST', `/${other}/export`);
    expect(again.body.data.files['pre-key-1.json']).toEqual(files['pre-key-1.json']);
    expectProblem(await call('POST', `/${other}/import`, { files }), 'CONFLICT');
    await call('DELETE', `/${other}`);
  });

  test.each([
    ['nothing', {}],
    ['no credentials', { 'pre-key-1.json': '{}' }],
    ['damaged credentials', { 'creds.json': '{"me":' }],
    ['credentials of no phone', { 'creds.json': '{}' }],
    [
      'an object for bytes',
      { 'creds.json': '{"me":{"id":"49151@s.whatsapp.net"},"account":{},"routingInfo":{}}' },
    ],
    [
      'bytes that only claim a length',
      {
        'creds.json':
          '{"me":{"id":"49151@s.whatsapp.net"},"account":{},"routingInfo":{"type":"Buffer","data":{"length":5e8}}}',
      },
    ],
    ['credentials of a group', { 'creds.json': '{"me":{"id":"49151@g.us"},"account":{}}' }],
  ])('takes over %s from nobody', async (_what, files) => {
    const { body } = await call('POST', '', { link: false });
    const refused = await call('POST', `/${body.data.id}/import`, { files });
    expect(expectProblem(refused, 'VALIDATION_ERROR').errors?.[0]?.path).toBe('files.creds.json');
    expect((await call('GET', `/${body.data.id}`)).body.data.state).toBe('new');
    await call('DELETE', `/${body.data.id}`);
  });

  test('is nobody’s but the administrator’s, and unknown to another project', async () => {
    const { body } = await call('POST', '', { link: false });
    const { id } = body.data;
    for (const [method, path] of [
      ['GET', ''],
      ['POST', ''],
      ['GET', `/${id}`],
      ['GET', `/${id}/qr`],
      ['POST', `/${id}/export`],
      ['DELETE', `/${id}`],
    ] as const) {
      const withKey = await server.call(method, `bot/sessions${path}`);
      expect(withKey.status, `${method} ${path}`).toBe(403);
      expect((await server.call(method, `bot/sessions${path}`, { key: null })).status).toBe(401);
    }
    const { projectId } = await makeProject(server);
    expect((await call('GET', `?projectId=${projectId}`)).body.data).toEqual([]);
    for (const [method, path] of [
      ['GET', `/${id}?projectId=${projectId}`],
      ['GET', `/${id}/qr?projectId=${projectId}`],
      ['DELETE', `/${id}?projectId=${projectId}`],
      ['POST', `/${id}/restart?projectId=${projectId}`],
      ['GET', '/ses_unknown'],
    ] as const) {
      expectProblem(await call(method, path), 'RESOURCE_NOT_FOUND');
    }
    await call('DELETE', `/${id}`);
  });

  test('leaves who did what with it in the events, and no secret', async () => {
    const id = await newSession();
    await call('POST', `/${id}/pause`);
    await call('DELETE', `/${id}`);
    const rows = await server.app.database.reader
      .selectFrom('events')
      .select('data')
      .where('type', '=', 'bot.operated')
      .orderBy('seq')
      .execute();
    const actions = rows.map(({ data }) => JSON.parse(data!)).filter(({ sessionId }) => sessionId === id);
    expect(actions).toEqual(
      ['created', 'pause', 'removed'].map((action) => ({ sessionId: id, action, actor: expect.any(String) })),
    );
  });
});

describe('a send', () => {
  test('is refused while no number is linked', async () => {
    const refused = await server.call('POST', 'otp/send', { body: { phone: newPhone() } });
    expectProblem(refused, 'WHATSAPP_OFFLINE');
  });
});

describe('in mock mode', () => {
  test('sessions can be listed and imported, but nothing connects', async () => {
    const mock = await startTestApp({ env: QUICK_ADMIN });
    onTestFinished(() => mock.stop());
    const ask = (method: string, path: string, body?: unknown) =>
      mock.call(method, `bot/sessions${path}`, { asAdmin: true, body });
    expect((await ask('GET', '')).body.data).toEqual([]);
    expect(expectProblem(await ask('POST', '', {}), 'CONFLICT').detail).toContain('BOT_MOCK_MODE=false');
    const { body } = await ask('POST', '', { link: false });
    expectProblem(await ask('POST', `/${body.data.id}/restart`), 'CONFLICT');
    expectProblem(await ask('POST', `/${body.data.id}/pairing-code`, { phone: OWN }), 'CONFLICT');
  });
});
