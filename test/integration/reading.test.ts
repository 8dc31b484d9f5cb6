import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { makeKey, makeProject } from '../support/keys.ts';
import { startTestApp, type TestApp } from '../support/test-app.ts';
import { MINUTE_MS, newPhone, QUICK_ADMIN, verificationsOf } from '../support/verifications.ts';

const CODE = '481516';

let server: TestApp;
let otp: ReturnType<typeof verificationsOf>;
beforeAll(async () => {
  server = await startTestApp({ env: QUICK_ADMIN });
  otp = verificationsOf(server);
});
afterAll(() => server.stop());

const nowIso = (ms = 0) => new Date(server.clock.now() + ms).toISOString();

async function list(query: Record<string, string> = {}, key = server.key) {
  return server.call('GET', `otp?${new URLSearchParams(query)}`, { key });
}

const idsOf = async (query: Record<string, string>, key = server.key): Promise<string[]> =>
  (await list(query, key)).body.data.map(({ id }: { id: string }) => id);

describe('one verification', () => {
  test('is shown with all its fields and the timeline of all its messages, oldest first', async () => {
    const createdAt = nowIso();
    const sent = await otp.sent({
      phone: newPhone(),
      purpose: 'login',
      code: CODE,
      metadata: { userId: 'u_42' },
    });
    await server.clock.advance(30_000);
    const resent = (await otp.resend(sent.id)).body.data;
    await otp.deliver();
    await otp.check({ id: sent.id, code: '000000' });
    const { status, body, text } = await otp.read(sent.id);
    expect(status).toBe(200);
    expect(body).toEqual({
      success: true,
      data: {
        id: sent.id,
        messageId: resent.messageId,
        phone: sent.phone,
        purpose: 'login',
        channel: 'simulator',
        plays: 'whatsapp',
        route: ['whatsapp'],
        nextAt: null,
        status: 'pending',
        messageStatus: 'read',
        createdAt,
        expiresAt: sent.expiresAt,
        resendAt: resent.resendAt,
        attemptsRemaining: 4,
        verifiedAt: null,
        reason: null,
        metadata: { userId: 'u_42' },
        timeline: expect.any(Array),
      },
    });
    const { timeline } = body.data;
    const states = ['queued', 'sending', 'sent', 'delivered', 'read'];
    const entry = (messageId: string) => (state: string) => ({
      at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      messageId,
      channel: 'simulator',
      plays: 'whatsapp',
      status: state,
      reason: null,
    });
    expect(timeline).toEqual([...states.map(entry(sent.messageId)), ...states.map(entry(resent.messageId))]);
    const times = timeline.map(({ at }: { at: string }) => at);
    expect(times).toEqual([...times].sort());
    expect(times[0]).toBe(createdAt);
    expect(text).not.toContain(CODE);
  });

  test('tells what happened in the order in which it happened, whichever message it happened to', async () => {
    const phone = newPhone();
    await otp.fault({ to: phone, refuse: true });
    const { id } = await otp.sent({ phone });
    await server.clock.advance(30_000);
    await otp.resend(id);
    await otp.fault({ to: phone });
    await server.clock.advance(5_000);
    const { timeline } = (await otp.read(id)).body.data;
    const times = timeline.map(({ at }: { at: string }) => at);
    expect(times).toEqual([...times].sort());
    expect(timeline.at(0).messageId).not.toBe(timeline.at(-1).messageId);
  });

  test('tells when it was verified', async () => {
    const { id } = await otp.sent({ phone: newPhone(), code: CODE });
    await otp.jump(5_000);
    await otp.check({ id, code: CODE });
    const verifiedAt = nowIso();
    await otp.jump(5_000);
    expect((await otp.read(id)).body.data).toMatchObject({ status: 'verified', verifiedAt, reason: null });
  });

  test('once over, says when the phone may be sent to again', async () => {
    const { id } = await otp.sent({ phone: newPhone(), code: CODE });
    await otp.cancel(id);
    expect((await otp.read(id)).body.data.resendAt).toBe(nowIso(30_000));
    await otp.jump(40_000);
    expect((await otp.read(id)).body.data.resendAt).toBe(nowIso());
  });

  test('of another project is as unknown as one that does not exist', async () => {
    const another = await makeProject(server);
    const foreign = await otp.sent({ phone: newPhone() }, { key: another.key });
    const own = await otp.sent({ phone: newPhone() });
    const seen = new Set<string>();
    for (const id of [foreign.id, 'ver_01jd3x8zq2e6v9k5m7n0p4r8st', 'nonsense', own.messageId]) {
      const { status, body } = await otp.read(id);
      seen.add(JSON.stringify({ status, body: { ...body, requestId: '' } }));
    }
    expect([...seen]).toHaveLength(1);
    expect(JSON.parse([...seen][0]!)).toMatchObject({ status: 404, body: { code: 'RESOURCE_NOT_FOUND' } });
    for (const change of [otp.resend(foreign.id), otp.cancel(foreign.id)]) {
      expect((await change).body.code).toBe('OTP_NOT_FOUND');
    }
    expect((await otp.read(foreign.id, { key: another.key })).body.data.status).toBe('pending');
  });
});

describe('the list of verifications', () => {
  let another: { projectId: string; key: string };
  const phone = newPhone();
  const ids: string[] = [];
  let beganAt: number;

  beforeAll(async () => {
    another = await makeProject(server);
    const as = { key: another.key };
    beganAt = server.clock.now();
    // One in each state, each a minute after the one before.
    for (const purpose of ['verified', 'canceled', 'expired', 'spent', 'pending']) {
      const { id } = await otp.sent(
        { phone: purpose === 'pending' ? phone : newPhone(), purpose, code: CODE, expiryMinutes: 10 },
        as,
      );
      ids.push(id);
      if (purpose === 'verified') await otp.check({ id, code: CODE }, as);
      if (purpose === 'canceled') await otp.cancel(id, as);
      if (purpose === 'spent') for (let i = 0; i < 5; i++) await otp.check({ id, code: '000000' }, as);
      await otp.jump(purpose === 'expired' ? 11 * MINUTE_MS : MINUTE_MS);
    }
  });

  test('is newest first, with all fields but the timeline', async () => {
    const { status, body } = await list({}, another.key);
    expect(status).toBe(200);
    expect(body.page).toEqual({ next: null });
    expect(body.data.map(({ id }: { id: string }) => id)).toEqual([...ids].reverse());
    const one = (await otp.read(ids[0]!, { key: another.key })).body.data;
    const { timeline: _not, ...fields } = one;
    expect(body.data.at(-1)).toEqual(fields);
  });

  test.each([
    ['verified', 'verified'],
    ['canceled', 'canceled'],
    ['expired', 'expired'],
    ['max_attempts_reached', 'spent'],
    ['pending', 'pending'],
  ])('may be narrowed to a state: %s', async (status, purpose) => {
    const { body } = await list({ status }, another.key);
    expect(body.data.map((found: { purpose: string }) => found.purpose)).toEqual([purpose]);
  });

  test('counts one as expired from the moment of its expiry', async () => {
    const { id } = await otp.sent({ phone: newPhone(), purpose: 'due', expiryMinutes: 1 });
    const inState = async (status: string) => (await idsOf({ purpose: 'due', status })).includes(id);
    expect([await inState('pending'), await inState('expired')]).toEqual([true, false]);
    server.clock.set(server.clock.now() + MINUTE_MS);
    expect([await inState('pending'), await inState('expired')]).toEqual([false, true]);
    await otp.jump(2_000);
    expect([await inState('pending'), await inState('expired')]).toEqual([false, true]);
  });

  test('may be narrowed to a phone in any spelling, and to a purpose', async () => {
    const spelling = `00 ${phone.slice(1, 3)} ${phone.slice(3, 6)}-${phone.slice(6)}`;
    expect(await idsOf({ phone: spelling }, another.key)).toEqual([ids[4]]);
    expect(await idsOf({ phone, purpose: 'verified' }, another.key)).toEqual([]);
    expect(await idsOf({ purpose: 'verified' }, another.key)).toEqual([ids[0]]);
  });

  test('may be narrowed to a time: from including, to excluding', async () => {
    const at = (minutes: number) => new Date(beganAt + minutes * MINUTE_MS).toISOString();
    expect(await idsOf({ from: at(1), to: at(2) }, another.key)).toEqual([ids[1]]);
    expect(await idsOf({ from: at(1) }, another.key)).toEqual([...ids].reverse().slice(0, 4));
    expect(await idsOf({ to: at(1) }, another.key)).toEqual([ids[0]]);
    expect(await idsOf({ from: at(2), to: at(1) }, another.key)).toEqual([]);
  });

  test.each(['+', '%2B'])('in any offset, written with %s in the address', async (plus) => {
    const at = (minutes: number) =>
      new Date(beganAt + minutes * MINUTE_MS + 7 * 60 * MINUTE_MS).toISOString().replace('Z', `${plus}07:00`);
    const { status, body } = await server.call('GET', `otp?from=${at(1)}&to=${at(2)}`, { key: another.key });
    expect(status).toBe(200);
    expect(body.data.map(({ id }: { id: string }) => id)).toEqual([ids[1]]);
  });

  test.each([1, 2, 3, 5, 200])('in pages of %i holds each once, in the same order', async (limit) => {
    const seen: string[] = [];
    let cursor: string | null = null;
    for (let page = 0; page < 10; page++) {
      const query = { limit: String(limit), ...(cursor === null ? {} : { cursor }) };
      const { body } = await list(query, another.key);
      expect(body.data.length).toBeLessThanOrEqual(limit);
      seen.push(...body.data.map(({ id }: { id: string }) => id));
      cursor = body.page.next;
      if (cursor === null) break;
    }
    expect(cursor).toBeNull();
    expect(seen).toEqual([...ids].reverse());
  });

  test('goes on after the page before, whatever has been added since', async () => {
    const { key } = await makeProject(server);
    const sent: string[] = [];
    for (let i = 0; i < 4; i++) sent.unshift((await otp.sent({ phone: newPhone() }, { key })).id);
    const first = (await list({ limit: '2' }, key)).body;
    await otp.sent({ phone: newPhone() }, { key });
    const second = (await list({ limit: '2', cursor: first.page.next }, key)).body;
    const seen = [...first.data, ...second.data].map(({ id }: { id: string }) => id);
    expect(seen).toEqual(sent);
    expect(second.page.next).toBeNull();
  });

  test('holds no other project, nor does a cursor of one open it', async () => {
    const mine = await makeProject(server);
    const { id } = await otp.sent({ phone: newPhone() }, { key: mine.key });
    expect(await idsOf({ cursor: id, limit: '200' }, another.key)).not.toContain(id);
    expect(await idsOf({ limit: '200' }, another.key)).toEqual([...ids].reverse());
    expect(await idsOf({ phone }, mine.key)).toEqual([]);
  });

  test.each([
    ['limit', { limit: '0' }],
    ['limit', { limit: '201' }],
    ['limit', { limit: 'all' }],
    ['status', { status: 'sent' }],
    ['purpose', { purpose: 'log in' }],
    ['from', { from: 'yesterday' }],
    ['to', { to: '2026-01-15' }],
    ['cursor', { cursor: '' }],
    ['cursor', { cursor: 'nonsense' }],
    ['cursor', { cursor: "' or 1=1 --" }],
    ['sort', { sort: 'phone' }],
  ])('is refused with a wrong %s: %o', async (path, query) => {
    const { status, body } = await list(query);
    expect({ status, code: body.code }).toEqual({ status: 400, code: 'VALIDATION_ERROR' });
    expect(body.errors.map((problem: { path: string }) => problem.path)).toContain(path);
  });

  test('is refused for a phone that cannot exist', async () => {
    expect((await list({ phone: '12345' })).body.code).toBe('PHONE_INVALID');
  });

  test('needs otp:read', async () => {
    const { key } = await makeKey(server, ['otp:send', 'otp:verify']);
    const { status, body } = await list({}, key);
    expect({ status, needs: body.requiredPermission }).toEqual({ status: 403, needs: 'otp:read' });
    expect((await otp.read(ids[0]!, { key })).status).toBe(403);
  });
});
