import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { openStream } from '../support/event-stream.ts';
import { makeKey, makeProject } from '../support/keys.ts';
import { expectProblem } from '../support/problem.ts';
import { startTestApp, type TestApp } from '../support/test-app.ts';
import { settle } from '../support/test-clock.ts';
import { MINUTE_MS, newPhone, QUICK_ADMIN, verificationsOf } from '../support/verifications.ts';

const CODE = '481516';

let server: TestApp;
let otp: ReturnType<typeof verificationsOf>;
beforeAll(async () => {
  server = await startTestApp({ env: { ...QUICK_ADMIN, ADDRESS_LIMIT_PER_MINUTE: '100000' } });
  otp = verificationsOf(server);
});
afterAll(() => server.stop());

/** Sends a code and enters it; resolves to the verification's id. */
async function verified(key = server.key): Promise<string> {
  const { id } = await otp.sent({ phone: newPhone(), code: CODE }, { key });
  await otp.check({ id, code: CODE }, { key });
  return id;
}

/** A key of a project of its own, so that nothing of other tests is in its stream. */
const ownProject = async () => (await makeProject(server)).key;

describe('a stream', () => {
  test('is text/event-stream that no proxy keeps, changes or holds back', async () => {
    const { status, headers } = await openStream(server);
    expect(status).toBe(200);
    expect(headers['content-type']).toBe('text/event-stream');
    expect(headers['cache-control']).toBe('no-store, no-transform');
    expect(headers['x-accel-buffering']).toBe('no');
    expect(headers).not.toHaveProperty('content-encoding');
    expect(headers).not.toHaveProperty('content-length');
  });

  test('shows each event as it happens, with the body of a webhook', async () => {
    const key = await ownProject();
    const stream = await openStream(server, { key, query: { types: 'otp.*,message.*' } });
    const sent = await otp.sent({ phone: newPhone(), code: CODE }, { key });
    expect((await stream.types(2)).slice(0, 2)).toEqual(['otp.created', 'message.queued']);
    const [created, queued] = stream.events;
    expect(created).toEqual({
      id: expect.stringMatching(/^\S+$/),
      event: 'otp.created',
      data: {
        type: 'otp.created',
        timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
        data: { id: sent.id },
        event: 'otp.created',
      },
    });
    expect(queued?.data.data).toEqual({ id: sent.id, messageId: sent.messageId, status: 'queued' });
    await otp.check({ id: sent.id, code: CODE }, { key });
    await stream.until(() => stream.events.some(({ event }) => event === 'otp.verified'));
    expect(JSON.stringify(stream.events)).not.toContain(CODE);
  });

  test('begins with what happens from now on, and says where that is before anything happened', async () => {
    const key = await ownProject();
    const earlier = await openStream(server, { key, query: { types: 'otp.verified' } });
    await verified(key);
    await earlier.types(1);
    const stream = await openStream(server, { key });
    await stream.until(() => stream.lastId !== undefined);
    expect(stream.events).toEqual([]);
    stream.destroy();
    const id = await verified(key);
    const again = await openStream(server, {
      key,
      query: { types: 'otp.*' },
      headers: { 'last-event-id': stream.lastId! },
    });
    expect(await again.types(2)).toEqual(['otp.created', 'otp.verified']);
    expect(again.events.map(({ data }) => data.data.id)).toEqual([id, id]);
  });

  test.each([
    ['otp.*', ['otp.created', 'otp.verified']],
    ['otp.verified', ['otp.verified']],
    ['otp.verified,message.queued', ['message.queued', 'otp.verified']],
  ])('has only the types that were asked for: %s', async (types, expected) => {
    const key = await ownProject();
    const stream = await openStream(server, { key, query: { types } });
    await verified(key);
    await server.clock.advance(3_000);
    expect(await stream.types(expected.length)).toEqual(expected);
  });

  test.each(['otp', 'sms.*', 'otp.created,', 'backup.created', 'key.refused'])(
    'is refused for types that a key cannot get: %s',
    async (types) => {
      const answer = await server.call('GET', `events/stream?types=${types}`);
      expectProblem(answer, 'VALIDATION_ERROR');
      expect(answer.body.errors).toMatchObject([{ path: 'types' }]);
    },
  );

  test('is refused for a field that is not known', async () => {
    expectProblem(await server.call('GET', 'events/stream?since=1'), 'VALIDATION_ERROR');
  });

  test('needs logs:read', async () => {
    const { key } = await makeKey(server, ['otp:send', 'otp:verify', 'otp:read']);
    const answer = await server.call('GET', 'events/stream', { key });
    expectProblem(answer, 'FORBIDDEN');
    expect(answer.body.requiredPermission).toBe('logs:read');
    const reader = await makeKey(server, ['logs:read']);
    expect((await openStream(server, { key: reader.key })).status).toBe(200);
  });

  test('has nothing of another project, whichever cursor it begins from', async () => {
    const mine = await ownProject();
    const start = await openStream(server);
    await start.until(() => start.lastId !== undefined);
    await verified();
    const stream = await openStream(server, {
      key: mine,
      query: { lastEventId: start.lastId!, types: 'otp.*,message.*' },
    });
    const id = await verified(mine);
    await stream.types(3);
    expect(new Set(stream.events.map(({ data }) => data.data.id))).toEqual(new Set([id]));
  });

  test('shows the events of the installation to administrators only', async () => {
    const types = 'admin.*,key.created';
    const admin = await openStream(server, { asAdmin: true, query: { types } });
    const key = await openStream(server, { query: { types: '*' } });
    expect(
      (await server.call('POST', 'session', { body: { password: server.adminPassword }, key: null })).status,
    ).toBe(200);
    const { id } = await makeKey(server, ['otp:read']);
    expect(await admin.types(2)).toEqual(['admin.signed_in', 'key.created']);
    await key.until(() => key.events.some(({ event }) => event === 'key.created'));
    expect(key.events.map(({ event }) => event)).toEqual(['key.created']);
    expect(key.events[0]!.data.data).toMatchObject({ keyId: id });
  });

  test('of a project that an administrator names has that project', async () => {
    const { projectId, key } = await makeProject(server);
    const stream = await openStream(server, { asAdmin: true, query: { projectId, types: 'otp.*' } });
    await verified();
    const id = await verified(key);
    await stream.types(2);
    expect(stream.events[0]!.data.data).toEqual({ id });
  });

  test('has a comment every 15 seconds, which moves the cursor on though no event was for it', async () => {
    const stream = await openStream(server, { query: { types: 'bot.*' } });
    await stream.until(() => stream.comments.length === 1);
    const before = stream.lastId;
    await verified();
    await server.clock.advance(15_000);
    await stream.until(() => stream.comments.length >= 2);
    expect(stream.events).toEqual([]);
    expect(stream.lastId).not.toBe(before);
    const count = stream.comments.length;
    await server.clock.advance(30_000);
    await stream.until(() => stream.comments.length >= count + 2);
    expect(stream.comments.length).toBe(count + 2);
  });

  test('answers HEAD with its headers alone, and leaves nothing open', async () => {
    const answer = await server.call('HEAD', 'events/stream');
    expect(answer.status).toBe(200);
    expect(answer.headers.get('content-type')).toMatch(/^text\/event-stream/);
    const { body } = await server.call('GET', 'health/metrics', { key: null });
    expect(body.figures.eventStreams).toBe(0);
  });

  test('is logged once, when its client has gone', async () => {
    const stream = await openStream(server);
    const lines = () => server.logLines.filter((line) => line.includes('/events/stream')).length;
    const before = lines();
    stream.destroy();
    while (lines() === before) await settle();
    expect(lines()).toBe(before + 1);
  });
});

describe('a client that connects again', () => {
  test.each(['header', 'query'])('gets every event that it missed once, in order, by the %s', async (way) => {
    const key = await ownProject();
    const all = await openStream(server, { key, query: { types: 'otp.*' } });
    const first = await openStream(server, { key, query: { types: 'otp.*' } });
    await verified(key);
    await first.types(2);
    first.destroy();
    for (let i = 0; i < 60; i++) await verified(key);
    const again = await openStream(server, {
      key,
      query: { types: 'otp.*', ...(way === 'query' && { lastEventId: first.lastId! }) },
      headers: way === 'header' ? { 'last-event-id': first.lastId! } : {},
    });
    await verified(key);
    await all.types(124);
    await again.types(122);
    expect([...first.events, ...again.events]).toEqual(all.events);
  });

  test('goes on after a restart of the server, without a gap', async () => {
    const before = await startTestApp({ env: QUICK_ADMIN });
    const stream = await openStream(before, { query: { types: 'otp.*' } });
    const ids: string[] = [];
    const send = async (app: TestApp) =>
      ids.push((await verificationsOf(app).sent({ phone: newPhone() })).id);
    await send(before);
    await stream.types(1);
    stream.destroy();
    await send(before);
    await before.stop({ keepFiles: true });
    const { dir, key, clock } = before;
    const after = await startTestApp({ env: QUICK_ADMIN, dir, key, clock });
    onTestFinished(() => after.stop());
    const again = await openStream(after, {
      query: { types: 'otp.*' },
      headers: { 'last-event-id': stream.lastId! },
    });
    await send(after);
    await again.types(2);
    const seen = [...stream.events, ...again.events].map(({ data }) => data.data.id);
    expect(seen).toEqual(ids);
  });

  test('with a cursor whose event is no longer stored gets `reset`, and then what is new', async () => {
    const key = await ownProject();
    const types = { types: 'otp.*,message.*' };
    const first = await openStream(server, { key, query: types });
    const id = await verified(key);
    await first.types(3);
    const { id: oldest } = first.events[0]!;
    await server.app.database.transaction((trx) =>
      trx.deleteFrom('events').where('subject', '=', id).where('type', '=', 'otp.created').execute(),
    );
    const again = await openStream(server, { key, query: types, headers: { 'last-event-id': oldest } });
    await verified(key);
    expect((await again.types(2)).slice(0, 2)).toEqual(['reset', 'otp.created']);
    expect(again.events[0]!.data).toEqual({
      type: 'reset',
      timestamp: expect.any(String),
      data: { reason: 'The events after this id are no longer available.' },
      event: 'reset',
    });
  });

  test.each(['0.0.99999999.1', 'nonsense', '1.2', "' or 1=1"])(
    'with the cursor %j, which is of another database, gets `reset`',
    async (id) => {
      const stream = await openStream(server, { headers: { 'last-event-id': id } });
      expect(await stream.types(1)).toEqual(['reset']);
    },
  );

  test('may not give in the address what cannot be a cursor', async () => {
    expectProblem(await server.call('GET', 'events/stream?lastEventId=nonsense'), 'VALIDATION_ERROR');
  });
});

describe('the end of a stream', () => {
  test('comes within a second when its key is revoked, and others go on', async () => {
    const { id, key } = await makeKey(server, ['logs:read']);
    const stream = await openStream(server, { key });
    const other = await openStream(server, { query: { types: 'otp.*' } });
    expect((await server.call('DELETE', `keys/${id}`)).status).toBe(200);
    await server.clock.advance(1_000);
    while (!stream.isClosed) await settle();
    await verified();
    expect(await other.types(2)).toEqual(['otp.created', 'otp.verified']);
  });

  test('comes within a second of the expiry of its key', async () => {
    const expiresAt = server.clock.now() + 5_000;
    const { key } = await makeKey(server, ['logs:read'], { expiresAt });
    const stream = await openStream(server, { key });
    await server.clock.advance(4_000);
    expect(stream.isClosed).toBe(false);
    await server.clock.advance(2_000);
    while (!stream.isClosed) await settle();
  });

  test('comes with the sign-out of the page that opened it by a ticket', async () => {
    const body = { password: server.adminPassword };
    const signedIn = await server.call('POST', 'session', { body, key: null });
    const [cookie = ''] = signedIn.headers.getSetCookie()[0]!.split(';');
    const ofPage = { cookie, 'x-session-secret': signedIn.body.data.secret, origin: server.address };
    const made = await server.call('POST', 'session/ticket', { key: null, headers: ofPage });
    const stream = await openStream(server, {
      key: null,
      query: { ticket: made.body.data.ticket, types: 'otp.*' },
      headers: { cookie },
    });
    expect(stream.status).toBe(200);
    await verified();
    await stream.types(2);
    await server.call('DELETE', 'session', { key: null, headers: ofPage });
    await server.clock.advance(1_000);
    while (!stream.isClosed) await settle();
  });

  test('comes with the end of the page’s session, which reading a stream does not put off', async () => {
    const body = { password: server.adminPassword };
    const signedIn = await server.call('POST', 'session', { body, key: null });
    const [cookie = ''] = signedIn.headers.getSetCookie()[0]!.split(';');
    const ofPage = { cookie, 'x-session-secret': signedIn.body.data.secret };
    const stream = await openStream(server, { key: null, headers: ofPage });
    server.clock.set(server.clock.now() + 29 * MINUTE_MS);
    await server.clock.advance(1_000);
    expect(stream.isClosed).toBe(false);
    server.clock.set(server.clock.now() + 2 * MINUTE_MS);
    await server.clock.advance(1_000);
    while (!stream.isClosed) await settle();
  });
});
