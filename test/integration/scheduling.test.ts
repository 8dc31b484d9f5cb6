import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { makeKey, makeProject } from '../support/keys.ts';
import { expectProblem } from '../support/problem.ts';
import { schedulesOf } from '../support/schedules.ts';
import { startTestApp, type TestApp } from '../support/test-app.ts';
import { DAY_MS, MINUTE_MS, newPhone, QUICK_ADMIN, verificationsOf } from '../support/verifications.ts';

let server: TestApp;
let otp: ReturnType<typeof verificationsOf>;
let schedules: ReturnType<typeof schedulesOf>;
beforeAll(async () => {
  server = await startTestApp({ env: QUICK_ADMIN });
  otp = verificationsOf(server);
  schedules = schedulesOf(server);
});
afterAll(() => server.stop());

describe('a schedule', () => {
  test('takes the body of v3, and sends its code at its time', async () => {
    const phone = newPhone();
    const answer = await schedules.schedule({
      phone: phone.slice(1),
      message: 'Your verification code is 123456',
      code: '123456',
      scheduledTime: schedules.timeIn(10 * MINUTE_MS),
      expiryMinutes: 3,
      maxAttempts: 2,
    });
    expect(answer.status).toBe(201);
    const { id } = answer.body.data;
    expect(answer.body.data).toMatchObject({
      id: expect.stringMatching(/^sch_/),
      phone,
      scheduledTime: schedules.timeIn(10 * MINUTE_MS),
      status: 'pending',
      attempts: 0,
      maxAttempts: 2,
      verificationId: null,
    });
    await server.clock.advance(10 * MINUTE_MS - 1);
    expect(await otp.messagesTo(phone)).toBe(0);
    await server.clock.advance(1);
    const fired = await schedules.stateOf(id);
    expect(fired).toMatchObject({ status: 'fired', attempts: 1, nextAttemptAt: null, reason: null });
    expect((await otp.read(fired.verificationId)).body.data).toMatchObject({
      phone,
      expiresAt: schedules.timeIn(3 * MINUTE_MS),
    });
    await otp.deliver();
    expect((await otp.inbox(phone)).map(({ text }) => text)).toEqual(['Your verification code is 123456']);
    expect((await otp.check({ phone, code: '123456' })).body.data.id).toBe(fired.verificationId);
  });

  test('takes the body of a send, whose code is created when it fires and lives from then on', async () => {
    const phone = newPhone();
    const { id } = await schedules.scheduled(30 * MINUTE_MS, {
      phone,
      email: 'ayu@example.com',
      purpose: 'login',
      length: 8,
      channels: ['sms', 'email'],
      metadata: { userId: 'u_42' },
    });
    expect((await schedules.stateOf(id)).metadata).toEqual({ userId: 'u_42' });
    await otp.jump(30 * MINUTE_MS);
    const { verificationId, metadata } = await schedules.stateOf(id);
    expect(metadata).toBeNull();
    const { body } = await otp.read(verificationId);
    expect(body.data).toMatchObject({
      purpose: 'login',
      route: ['sms', 'email'],
      createdAt: schedules.timeIn(0),
      expiresAt: schedules.timeIn(5 * MINUTE_MS),
      metadata: { userId: 'u_42' },
    });
    await otp.deliver();
    const [code] = /\d{8}/.exec((await otp.inbox(phone))[0]!.text)!;
    expect((await otp.check({ id: verificationId, code })).status).toBe(200);
  });

  test('says what its template says when it fires, with the values that it was given', async () => {
    const phone = newPhone();
    const template = { code: 'later', name: 'Later', content: 'Halo {{name}}: {{code}}', language: 'id' };
    const made = await server.call('POST', 'templates', { body: template });
    expect(made.status).toBe(201);
    const body = { phone, template: 'later', variables: { name: 'Ayu' }, locale: 'id' };
    const { id } = await schedules.scheduled(MINUTE_MS, body);
    const scheduledTime = schedules.timeIn(MINUTE_MS);
    const { body: missing } = await schedules.schedule({ ...body, template: 'none', scheduledTime });
    expect(missing.code).toBe('TEMPLATE_NOT_FOUND');
    const unfilled = await schedules.schedule({ ...body, variables: {}, scheduledTime });
    expectProblem(unfilled, 'VALIDATION_ERROR');
    const change = { content: 'Hai {{name}}, kode {{code}}' };
    expect((await server.call('PUT', `templates/${made.body.data.id}`, { body: change })).status).toBe(200);
    await otp.jump(MINUTE_MS);
    await otp.deliver();
    expect((await otp.inbox(phone))[0]!.text).toMatch(/^Hai Ayu, kode \d{6}/);
    expect((await schedules.stateOf(id)).status).toBe('fired');
    const other = await schedules.scheduled(MINUTE_MS, {
      phone: newPhone(),
      template: 'later',
      variables: { name: 'Ayu' },
    });
    expect((await schedules.change(other.id, { message: 'Kode {{code}}' })).status).toBe(200);
    const back = await schedules.change(other.id, { template: 'later', variables: { name: 'Budi' } });
    expect(back.status).toBe(200);
  });

  test('for an e-mail address proves that address', async () => {
    const { id, ...answer } = await schedules.scheduled(1_000, { email: 'Budi@Example.COM' });
    expect(answer).toMatchObject({ email: 'Budi@example.com' });
    expect(answer).not.toHaveProperty('phone');
    await server.clock.advance(1_000);
    const { verificationId } = await schedules.stateOf(id);
    expect((await otp.read(verificationId)).body.data).toMatchObject({ email: 'Budi@example.com' });
  });

  test('may be for any time up to a year ahead, with any offset', async () => {
    const at = (ms: number) => schedules.schedule({ phone: newPhone(), scheduledTime: schedules.timeIn(ms) });
    expect((await at(1)).status).toBe(201);
    expect((await at(365 * DAY_MS)).status).toBe(201);
    const inJakarta = schedules.timeIn(DAY_MS + 7 * 60 * MINUTE_MS).replace('Z', '+07:00');
    const answer = await schedules.schedule({ phone: newPhone(), scheduledTime: inJakarta });
    expect(answer.body.data.scheduledTime).toBe(schedules.timeIn(DAY_MS));
  });

  test.each([
    ['a time in the past', () => ({ scheduledTime: schedules.timeIn(-1) }), 'scheduledTime'],
    ['the present moment', () => ({ scheduledTime: schedules.timeIn(0) }), 'scheduledTime'],
    [
      'a time more than a year ahead',
      () => ({ scheduledTime: schedules.timeIn(367 * DAY_MS) }),
      'scheduledTime',
    ],
    ['a time without an offset', () => ({ scheduledTime: '2027-01-01T10:00:00' }), 'scheduledTime'],
    ['a day that is not in the calendar', () => ({ scheduledTime: '2026-02-30T10:00:00Z' }), 'scheduledTime'],
    ['no time', () => ({ scheduledTime: undefined }), 'scheduledTime'],
    ['no attempts', () => ({ maxAttempts: 0 }), 'maxAttempts'],
    ['six attempts', () => ({ maxAttempts: 6 }), 'maxAttempts'],
    ['an unknown field', () => ({ when: 'later' }), 'when'],
    ['no address', () => ({ phone: undefined }), 'phone'],
    ['a text without a code', () => ({ message: 'Hello!' }), 'message'],
    ['a code of another length', () => ({ code: '482913', length: 8 }), 'length'],
    ['a life that is not allowed', () => ({ expiryMinutes: 11 }), 'expiryMinutes'],
    ['a channel that does not exist', () => ({ channel: 'pigeon' }), 'channel'],
    ['metadata that is too large', () => ({ metadata: { note: 'x'.repeat(5_000) } }), 'metadata'],
  ])('with %s is a 400 that names the field', async (_what, change, path) => {
    const body = { phone: newPhone(), scheduledTime: schedules.timeIn(MINUTE_MS), ...change() };
    const { errors } = expectProblem(await schedules.schedule(body), 'VALIDATION_ERROR');
    expect(errors?.map((each) => each.path)).toContain(path);
  });

  test('to a number that a send refuses is refused for the same reason', async () => {
    const scheduledTime = schedules.timeIn(MINUTE_MS);
    expectProblem(await schedules.schedule({ phone: '12', scheduledTime }), 'PHONE_INVALID');
    const premium = await schedules.schedule({ phone: '+19005550123', scheduledTime });
    expect([premium.status, premium.body.code]).toEqual([403, 'PHONE_NOT_ALLOWED']);
    expectProblem(await schedules.schedule({ email: 'a@b', scheduledTime }), 'EMAIL_INVALID');
    const phone = newPhone();
    await server.call('POST', 'opt-outs', { asAdmin: true, body: { phone } });
    expectProblem(await schedules.schedule({ phone, scheduledTime }), 'PHONE_OPTED_OUT');
  });

  test('is not refused for limits, which count when it is sent', async () => {
    const phone = newPhone();
    await otp.sent({ phone });
    expect((await otp.send({ phone })).status).toBe(429);
    await schedules.scheduled(MINUTE_MS, { phone });
  });

  test('that is repeated with its Idempotency-Key is made once', async () => {
    const body = { phone: newPhone(), scheduledTime: schedules.timeIn(MINUTE_MS) };
    const headers = { 'idempotency-key': 'schedule-1' };
    const first = await schedules.schedule(body, { headers });
    const again = await schedules.schedule(body, { headers });
    expect(again.text).toBe(first.text);
    expect(again.headers.get('idempotency-replayed')).toBe('true');
    const other = await schedules.schedule({ ...body, maxAttempts: 1 }, { headers });
    expectProblem(other, 'IDEMPOTENCY_MISMATCH');
    await otp.jump(MINUTE_MS);
    expect(await otp.messagesTo(body.phone)).toBe(1);
  });
});

describe('a code in a schedule', () => {
  const CODE = 'QX7PL9';

  /** Every value of the row of a schedule, and of its events and kept answers, as text. */
  async function stored(id: string): Promise<string> {
    const { reader } = server.app.database;
    const rows = [
      await reader.selectFrom('schedules').selectAll().where('id', '=', id).execute(),
      await reader.selectFrom('events').selectAll().where('subject', '=', id).execute(),
      await reader.selectFrom('idempotency_keys').selectAll().execute(),
    ].flat();
    const asText = (value: unknown) =>
      value instanceof Uint8Array ? Buffer.from(value).toString('latin1') : value;
    return JSON.stringify(rows.map((row) => Object.values(row).map(asText)));
  }

  test('is in no answer and stored sealed, and its text too', async () => {
    const body = {
      phone: newPhone(),
      code: CODE,
      message: `Kode rahasia ${CODE}`,
      metadata: { userId: 'u_secret' },
    };
    const scheduledTime = schedules.timeIn(MINUTE_MS);
    const headers = { 'idempotency-key': 'with a code'.replaceAll(' ', '-') };
    const made = await schedules.schedule({ ...body, scheduledTime }, { headers });
    const { id } = made.body.data;
    const answers = [
      made,
      await schedules.read(id),
      await schedules.list(),
      await schedules.change(id, { scheduledTime: schedules.timeIn(2 * MINUTE_MS) }),
    ];
    for (const { text } of answers) {
      expect(text).toContain(id);
      expect(text).not.toContain(CODE);
      expect(text).not.toContain('rahasia');
    }
    const values = await stored(id);
    expect(values).toContain(id);
    for (const secret of [CODE, 'rahasia', 'u_secret']) expect(values).not.toContain(secret);
    expect(server.logLines.join('\n')).not.toContain(CODE);
  });

  test('is wiped with the end of the schedule', async () => {
    const sealedOf = async (id: string) => {
      const query = server.app.database.reader.selectFrom('schedules').select('sealed_request');
      return (await query.where('id', '=', id).executeTakeFirstOrThrow()).sealed_request;
    };
    const fired = await schedules.scheduled(MINUTE_MS, { phone: newPhone(), code: CODE });
    const canceled = await schedules.scheduled(MINUTE_MS, { phone: newPhone(), code: CODE });
    expect(await sealedOf(fired.id)).not.toBeNull();
    await schedules.cancel(canceled.id);
    await otp.jump(MINUTE_MS);
    expect((await schedules.stateOf(fired.id)).status).toBe('fired');
    expect(await sealedOf(fired.id)).toBeNull();
    expect(await sealedOf(canceled.id)).toBeNull();
  });
});

describe('a change', () => {
  test('of the time moves it, and keeps everything else', async () => {
    const phone = newPhone();
    const { id } = await schedules.scheduled(MINUTE_MS, {
      phone,
      code: '482913',
      purpose: 'login',
      maxAttempts: 5,
    });
    const changed = await schedules.change(id, { scheduledTime: schedules.timeIn(5 * MINUTE_MS) });
    expect(changed.status).toBe(200);
    expect(changed.body.data).toMatchObject({
      id,
      phone,
      purpose: 'login',
      maxAttempts: 5,
      scheduledTime: schedules.timeIn(5 * MINUTE_MS),
    });
    await otp.jump(2 * MINUTE_MS);
    expect(await otp.messagesTo(phone)).toBe(0);
    await schedules.change(id, { scheduledTime: schedules.timeIn(1_000) });
    await server.clock.advance(1_000);
    const { verificationId } = await schedules.stateOf(id);
    expect((await otp.check({ id: verificationId, code: '482913' })).body.data.purpose).toBe('login');
  });

  test('of the send takes the place of what was stored', async () => {
    const [before, after] = [newPhone(), newPhone()];
    const { id } = await schedules.scheduled(MINUTE_MS, { phone: before, code: '482913', channels: ['sms'] });
    const changed = await schedules.change(id, { phone: after, length: 10, channel: 'whatsapp' });
    expect(changed.body.data).toMatchObject({ phone: after });
    await otp.jump(MINUTE_MS);
    await otp.deliver();
    expect(await otp.messagesTo(before)).toBe(0);
    expect((await otp.inbox(after))[0]!.text).toMatch(/\d{10}/);
    const { verificationId } = await schedules.stateOf(id);
    expect((await otp.read(verificationId)).body.data.route).toEqual(['whatsapp']);
    const other = await schedules.scheduled(MINUTE_MS, { phone: newPhone(), length: 10 });
    expect((await schedules.change(other.id, { code: '482913' })).status).toBe(200);
  });

  test('is checked as a whole, and refused without changing anything', async () => {
    const { id } = await schedules.scheduled(MINUTE_MS, { phone: newPhone(), code: '482913' });
    const before = await schedules.stateOf(id);
    expectProblem(await schedules.change(id, { scheduledTime: schedules.timeIn(-1) }), 'VALIDATION_ERROR');
    expectProblem(await schedules.change(id, { message: 'Another one: 111111' }), 'VALIDATION_ERROR');
    expectProblem(await schedules.change(id, { phone: '12' }), 'PHONE_INVALID');
    expectProblem(await schedules.change(id, { maxAttempts: 9 }), 'VALIDATION_ERROR');
    expectProblem(await schedules.change(id, { status: 'fired' }), 'VALIDATION_ERROR');
    expect(await schedules.stateOf(id)).toEqual(before);
  });

  test('is a 409 once it has ended, and a 404 for an id that does not exist', async () => {
    const { id } = await schedules.scheduled(1_000, { phone: newPhone() });
    await server.clock.advance(1_000);
    const time = { scheduledTime: schedules.timeIn(MINUTE_MS) };
    expect(expectProblem(await schedules.change(id, time), 'CONFLICT').detail).toContain('fired');
    expectProblem(await schedules.change('sch_01jd3x8zq2e6v9k5m7n0p4r8st', time), 'RESOURCE_NOT_FOUND');
  });
});

describe('a cancellation', () => {
  test('means that nothing is sent; twice is the same as once', async () => {
    const phone = newPhone();
    const { id } = await schedules.scheduled(MINUTE_MS, { phone });
    const canceled = await schedules.cancel(id);
    expect([canceled.status, canceled.body]).toEqual([200, { success: true, data: { id } }]);
    expect((await schedules.cancel(id)).status).toBe(200);
    await otp.jump(2 * MINUTE_MS);
    expect(await otp.messagesTo(phone)).toBe(0);
    expect(await schedules.stateOf(id)).toMatchObject({
      status: 'canceled',
      attempts: 0,
      nextAttemptAt: null,
    });
    expect((await schedules.eventsOf(id)).map(({ type }) => type)).toEqual([
      'schedule.created',
      'schedule.canceled',
    ]);
  });

  test('is a 409 once it has fired, and a 404 for an id that does not exist', async () => {
    const { id } = await schedules.scheduled(1_000, { phone: newPhone() });
    await server.clock.advance(1_000);
    expectProblem(await schedules.cancel(id), 'CONFLICT');
    expectProblem(await schedules.cancel('sch_01jd3x8zq2e6v9k5m7n0p4r8st'), 'RESOURCE_NOT_FOUND');
    expectProblem(await schedules.read('nothing'), 'RESOURCE_NOT_FOUND');
  });
});

describe('the list', () => {
  test('has each once, newest first, page by page, while others are added', async () => {
    const { key } = await makeProject(server);
    const add = async () => (await schedules.scheduled(MINUTE_MS, { phone: newPhone() }, { key })).id;
    const ids: string[] = [];
    for (let i = 0; i < 7; i++) ids.unshift(await add());
    const seen: string[] = [];
    for (let cursor: string | null = ''; cursor !== null; ) {
      const { body } = await schedules.list(`?limit=3${cursor && `&cursor=${cursor}`}`, { key });
      seen.push(...body.data.map(({ id }: { id: string }) => id));
      cursor = body.page.next;
      await add();
    }
    expect(seen).toEqual(ids);
  });

  test('can be narrowed to one state', async () => {
    const { key } = await makeProject(server);
    const make = async (ms: number) => (await schedules.scheduled(ms, { phone: newPhone() }, { key })).id;
    const [pending, canceled, fired] = [await make(DAY_MS), await make(DAY_MS), await make(1_000)];
    await schedules.cancel(canceled, { key });
    await server.clock.advance(1_000);
    const idsOf = async (status: string) =>
      (await schedules.list(`?status=${status}`, { key })).body.data.map(({ id }: { id: string }) => id);
    expect(await idsOf('pending')).toEqual([pending]);
    expect(await idsOf('canceled')).toEqual([canceled]);
    expect(await idsOf('fired')).toEqual([fired]);
    expect(await idsOf('failed')).toEqual([]);
    expectProblem(await schedules.list('?status=gone', { key }), 'VALIDATION_ERROR');
    expectProblem(await schedules.list('?cursor=ver_1', { key }), 'VALIDATION_ERROR');
  });
});

describe('schedules belong to their project', () => {
  test('and another one sees, changes and cancels none of them', async () => {
    const { key } = await makeProject(server);
    const { id } = await schedules.scheduled(MINUTE_MS, { phone: newPhone() });
    expectProblem(await schedules.read(id, { key }), 'RESOURCE_NOT_FOUND');
    expectProblem(await schedules.change(id, { maxAttempts: 1 }, { key }), 'RESOURCE_NOT_FOUND');
    expectProblem(await schedules.cancel(id, { key }), 'RESOURCE_NOT_FOUND');
    expect((await schedules.list('', { key })).body.data).toEqual([]);
    expect((await schedules.stateOf(id)).status).toBe('pending');
  });

  test('and are sent as it, also when an administrator has scheduled them', async () => {
    const { projectId, key, number } = await makeProject(server);
    const { id } = await schedules.scheduled(
      1_000,
      { phone: newPhone(), projectId },
      { asAdmin: true, key: null },
    );
    await server.clock.advance(1_000);
    const { verificationId } = (await schedules.read(id, { key })).body.data;
    const row = await server.app.database.reader
      .selectFrom('verifications')
      .select('project_id')
      .where('id', '=', verificationId)
      .executeTakeFirstOrThrow();
    expect(row.project_id).toBe(number);
  });

  test('and reading them takes another permission than writing', async () => {
    const { key: reader } = await makeKey(server, ['scheduler:read']);
    const { key: writer } = await makeKey(server, ['scheduler:write']);
    const { id } = await schedules.scheduled(MINUTE_MS, { phone: newPhone() }, { key: writer });
    for (const refused of [
      await schedules.read(id, { key: writer }),
      await schedules.list('', { key: writer }),
      await schedules.change(id, { maxAttempts: 1 }, { key: reader }),
      await schedules.cancel(id, { key: reader }),
    ]) {
      expectProblem(refused, 'FORBIDDEN');
    }
    expect((await schedules.read(id, { key: reader })).status).toBe(200);
  });
});
