import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { makeKey, makeProject } from '../support/keys.ts';
import { breakTable, holdWrites } from '../support/obstacles.ts';
import { expectProblem } from '../support/problem.ts';
import { startTestApp, type TestApp } from '../support/test-app.ts';
import { countByStatus, DAY_MS, newPhone, QUICK_ADMIN, verificationsOf } from '../support/verifications.ts';

let server: TestApp;
let otp: ReturnType<typeof verificationsOf>;
beforeAll(async () => {
  server = await startTestApp({ env: { ...QUICK_ADMIN, ADDRESS_LIMIT_PER_MINUTE: '100000' } });
  otp = verificationsOf(server);
});
afterAll(() => server.stop());

let keysMade = 0;
const newKey = () => `test-${++keysMade}`;

const send = (body: unknown, idempotencyKey: string, options: { key?: string; asAdmin?: boolean } = {}) =>
  server.call('POST', 'otp/send', { body, headers: { 'idempotency-key': idempotencyKey }, ...options });

const records = async () => {
  const { reader } = server.app.database;
  return reader.selectFrom('idempotency_keys').selectAll().execute();
};

describe('a request that is repeated with its key', () => {
  test('gets the first answer again, marked as replayed, and has no second effect', async () => {
    const key = newKey();
    const phone = newPhone();
    const first = await send({ phone }, key);
    expect(first.status).toBe(201);
    expect(first.headers.get('idempotency-replayed')).toBeNull();
    for (let i = 0; i < 3; i++) {
      const again = await send({ phone }, key);
      expect(again.status).toBe(201);
      expect(again.text).toBe(first.text);
      expect(again.headers.get('idempotency-replayed')).toBe('true');
      expect(again.headers.get('x-request-id')).not.toBe(first.headers.get('x-request-id'));
    }
    expect(await otp.messagesTo(phone)).toBe(1);
    expect(await otp.eventsOf(first.body.data.id)).toEqual(['otp.created', 'message.queued']);
  });

  test('gets it however its JSON is written', async () => {
    const key = newKey();
    const phone = newPhone();
    const body = { phone, purpose: 'login', metadata: { a: { c: [1, { y: 2, x: 3 }], b: null } } };
    const first = await send(body, key);
    const turned = `{ "metadata":{"a":{"b":null,"c":[1,{"x":3,"y":2.0}]}},\n"purpose":"log\\u0069n", "phone":"${phone}"}`;
    const again = await send(turned, key);
    expect(again.text).toBe(first.text);
    expect(again.headers.get('idempotency-replayed')).toBe('true');
  });

  test.each([
    ['another phone', { phone: '+6283834946099' }],
    ['another field', { purpose: 'payment' }],
    ['another order in a list', { metadata: { list: [2, 1] } }],
    ['a number for a text', { metadata: { list: [1, '2'] } }],
    ['null for nothing', { metadata: { list: [1, 2], more: null } }],
  ])('with %s is 422 and has no effect', async (_what, change) => {
    const key = newKey();
    const body = { phone: newPhone(), metadata: { list: [1, 2] } };
    const first = await send(body, key);
    const mismatch = await send({ ...body, ...change }, key);
    expectProblem(mismatch, 'IDEMPOTENCY_MISMATCH');
    expect(mismatch.headers.get('idempotency-replayed')).toBeNull();
    expect((await send(body, key)).text).toBe(first.text);
    expect(await otp.messagesTo(body.phone)).toBe(1);
    expect(await otp.messagesTo('+6283834946099')).toBe(0);
  });

  test('gets the same API key again when it made one, and no second is made', async () => {
    const make = (idempotencyKey: string) =>
      server.call('POST', 'keys', {
        body: { name: 'made once', permissions: ['otp:read'] },
        headers: { 'idempotency-key': idempotencyKey },
      });
    const key = newKey();
    const first = await make(key);
    const again = await make(key);
    expect(again.body.data.key).toBe(first.body.data.key);
    const { data } = (await server.call('GET', 'keys?limit=200')).body;
    expect(data.filter(({ name }: { name: string }) => name === 'made once')).toHaveLength(1);
  });

  test('gets the same v3 token, and a resend is sent once', async () => {
    const headers = { 'idempotency-key': newKey() };
    const token = () => server.call('POST', '/api/admin/generate-token', { asAdmin: true, headers });
    expect((await token()).body.token).toBe((await token()).body.token);

    const phone = newPhone();
    const { id } = await otp.sent({ phone });
    await otp.jump(30_000);
    const resend = () => server.call('POST', `otp/${id}/resend`, { headers: { 'idempotency-key': key } });
    const key = newKey();
    const first = await resend();
    expect(first.status).toBe(200);
    const again = await resend();
    expect(again.text).toBe(first.text);
    expect(again.headers.get('idempotency-replayed')).toBe('true');
    expect(await otp.messagesTo(phone)).toBe(2);
  });

  test('gets the first answer even when the API has moved on meanwhile', async () => {
    const key = newKey();
    const phone = newPhone();
    const first = await send({ phone, code: '482913', message: '{{code}}' }, key);
    await otp.check({ phone, code: '482913' });
    const again = await send({ phone, code: '482913', message: '{{code}}' }, key);
    expect(again.text).toBe(first.text);
    expect(again.body.data.status).toBe('pending');
    expect(await otp.messagesTo(phone)).toBe(1);
  });
});

describe('a request that comes while the first still runs', () => {
  test('is 409 at once; when the first has answered it gets that answer', async () => {
    const key = newKey();
    const phone = newPhone();
    const writes = await holdWrites(server.app.database);
    const first = send({ phone }, key);
    await writes.waiting(1);
    const second = await send({ phone }, key);
    const third = await send({ phone: newPhone() }, key);
    await writes.release();
    expectProblem(second, 'IDEMPOTENCY_IN_PROGRESS');
    expectProblem(third, 'IDEMPOTENCY_IN_PROGRESS');
    expect((await first).status).toBe(201);
    expect((await send({ phone }, key)).text).toBe((await first).text);
    expect(await otp.messagesTo(phone)).toBe(1);
  });

  test('and 50 at once have one effect', async () => {
    const key = newKey();
    const phone = newPhone();
    const answers = await Promise.all(Array.from({ length: 50 }, () => send({ phone }, key)));
    const { 201: made = 0, 409: running = 0 } = countByStatus(answers);
    expect(made).toBeGreaterThanOrEqual(1);
    expect(made + running).toBe(50);
    const ids = answers.filter(({ status }) => status === 201).map(({ body }) => body.data.id);
    expect(new Set(ids).size).toBe(1);
    expect(await otp.messagesTo(phone)).toBe(1);
  });
});

describe('the key', () => {
  test('is the same quoted and bare', async () => {
    const phone = newPhone();
    const first = await send({ phone }, '"quoted-key"');
    const again = await send({ phone }, 'quoted-key');
    expect(again.text).toBe(first.text);
    expect(again.headers.get('idempotency-replayed')).toBe('true');
  });

  test.each([
    ['nothing', ''],
    ['quotes around nothing', '""'],
    ['a space inside', 'a b'],
    ['a quote inside', 'a"b'],
    ['one quote', '"a'],
    ['a backslash', 'a\\b'],
    ['a letter beyond ASCII', 'caf\u00e9'],
    ['256 characters', 'x'.repeat(256)],
  ])('with %s is refused with 400, and nothing is sent', async (_what, key) => {
    const phone = newPhone();
    const problem = expectProblem(await send({ phone }, key), 'VALIDATION_ERROR');
    expect(problem.errors?.[0]?.path).toBe('Idempotency-Key');
    expect(await otp.messagesTo(phone)).toBe(0);
  });

  test.each(['x', 'x'.repeat(255), '8e03978e-40d5-43dd-bc93-6894a57f9324', "!#$%&'()*+,-./:;<=>?@[]^_`{|}~"])(
    'may be %s',
    async (key) => {
      const phone = newPhone();
      const first = await send({ phone }, key);
      expect(first.status).toBe(201);
      expect((await send({ phone }, key)).text).toBe(first.text);
    },
  );

  test('belongs to one API key, one project and one route', async () => {
    const idempotencyKey = newKey();
    const phone = newPhone();
    const first = await send({ phone }, idempotencyKey);
    const { key: sibling } = await makeKey(server, ['*']);
    const { key: stranger } = await makeProject(server);
    for (const options of [{ key: sibling }, { asAdmin: true }]) {
      const answer = await send({ phone: newPhone() }, idempotencyKey, options);
      expect(answer.status).toBe(201);
      expect(answer.headers.get('idempotency-replayed')).toBeNull();
      expect(answer.body.data.id).not.toBe(first.body.data.id);
    }
    const theirs = await send({ phone }, idempotencyKey, { key: stranger });
    expect(theirs.status).toBe(201);
    expect(theirs.body.data.id).not.toBe(first.body.data.id);
    const elsewhere = await server.call('POST', 'keys', {
      body: { name: 'x', permissions: ['otp:read'] },
      headers: { 'idempotency-key': idempotencyKey },
    });
    expect(elsewhere.status).toBe(201);
  });

  test('is kept for 24 hours and not a moment longer', async () => {
    const key = newKey();
    const phone = newPhone();
    const first = await send({ phone }, key);
    await otp.jump(DAY_MS - 1);
    expect((await send({ phone }, key)).text).toBe(first.text);
    await otp.jump(1);
    const later = await send({ phone }, key);
    expect(later.status).toBe(201);
    expect(later.headers.get('idempotency-replayed')).toBeNull();
    expect(later.body.data.id).not.toBe(first.body.data.id);
  });

  test('is forgotten with its sealed answer once its time is over, without anybody asking', async () => {
    await send({ phone: newPhone() }, newKey());
    await otp.jump(DAY_MS);
    await otp.jump(10 * 60_000);
    await server.app.database.transaction(async () => {});
    expect(await records()).toEqual([]);
  });

  test('survives a restart', async () => {
    const first = await startTestApp({ env: QUICK_ADMIN });
    const call = { body: { phone: newPhone() }, headers: { 'idempotency-key': 'k' } };
    const answer = await first.call('POST', 'otp/send', call);
    await first.stop({ keepFiles: true });
    const second = await startTestApp({
      env: QUICK_ADMIN,
      dir: first.dir,
      key: first.key,
      clock: first.clock,
    });
    try {
      const again = await second.call('POST', 'otp/send', call);
      expect(again.text).toBe(answer.text);
      expect(again.headers.get('idempotency-replayed')).toBe('true');
    } finally {
      await second.stop();
    }
  });
});

describe('a refusal is not kept', () => {
  test('of a request that is not valid: once corrected it may be sent with the same key', async () => {
    const key = newKey();
    const phone = newPhone();
    expectProblem(await send({ phone, length: 3 }, key), 'VALIDATION_ERROR');
    expectProblem(await send({ phone: '+99912345' }, key), 'PHONE_INVALID');
    expect((await send({ phone }, key)).status).toBe(201);
  });

  test('by a limit: the same request goes through when the wait is over', async () => {
    const phone = newPhone();
    await otp.sent({ phone });
    const key = newKey();
    expectProblem(await send({ phone }, key), 'RATE_LIMIT_EXCEEDED');
    await otp.jump(30_000);
    const answer = await send({ phone }, key);
    expect(answer.status).toBe(200);
    expect(answer.headers.get('idempotency-replayed')).toBeNull();
  });
});

describe('the record', () => {
  test('and the effect are written together: when one cannot be, neither is', async () => {
    const key = newKey();
    const phone = newPhone();
    const before = (await records()).length;
    const repair = await breakTable(server.app.database, 'insert', 'idempotency_keys', 'no record');
    const failed = await send({ phone }, key);
    await repair();
    expectProblem(failed, 'INTERNAL_ERROR');
    expect(await otp.messagesTo(phone)).toBe(0);
    expect(await records()).toHaveLength(before);
    expect((await otp.limits(phone)).body.data.messagesLastDay).toBe(0);

    const answer = await send({ phone }, key);
    expect(answer.status).toBe(201);
    expect(answer.headers.get('idempotency-replayed')).toBeNull();
    expect(await records()).toHaveLength(before + 1);
  });

  test('holds no code, no phone, no API key and not the key of the request in readable form', async () => {
    const phone = newPhone();
    await send({ phone, code: '482913', message: 'Your code is {{code}}.' }, 'readable-idempotency-key');
    const made = await server.call('POST', 'keys', {
      body: { name: 'sealed', permissions: ['otp:read'] },
      headers: { 'idempotency-key': newKey() },
    });
    const text = (await records())
      .map(
        ({ scope, fingerprint, answer }) =>
          `${scope} ${fingerprint.toString('latin1')} ${answer.toString('latin1')}`,
      )
      .join('\n');
    for (const secret of ['482913', phone.slice(1), made.body.data.key, 'readable-idempotency-key']) {
      expect(text).not.toContain(secret);
    }
  });

  test('is not made where no key was given, and a GET with a key is just a GET', async () => {
    const before = (await records()).length;
    await otp.sent({ phone: newPhone() });
    const read = await server.call('GET', 'otp', { headers: { 'idempotency-key': newKey() } });
    expect(read.status).toBe(200);
    expect(await records()).toHaveLength(before);
  });
});
