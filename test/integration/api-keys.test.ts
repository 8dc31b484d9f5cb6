import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Access, isForAdmin, isOpen } from '../../src/http/access.ts';
import { PERMISSIONS, type Permission } from '../../src/http/permissions.ts';
import { ENGINE } from '../support/engine.ts';
import { makeKey, makeProject } from '../support/keys.ts';
import { expectProblem, withoutRequest } from '../support/problem.ts';
import { ROUTE_ACCESS } from '../support/routes.ts';
import { startTestApp, type TestApp } from '../support/test-app.ts';
import { newPhone, QUICK_ADMIN } from '../support/verifications.ts';

let server: TestApp;
let other: Awaited<ReturnType<typeof makeProject>>;
beforeAll(async () => {
  server = await startTestApp({ env: { ...QUICK_ADMIN, ADDRESS_LIMIT_PER_MINUTE: '100000' } });
  other = await makeProject(server);
});
afterAll(() => server.stop());

const UNKNOWN_KEY = `wotp_${'0'.repeat(64)}`;

describe('making a key', () => {
  const create = (body: object, key?: string) => server.call('POST', 'keys', { body, key });

  test('shows it once: the list has a preview, and the database a hash', async () => {
    const body = {
      name: 'checkout',
      permissions: ['otp:send', 'otp:verify', 'analytics:read'],
      rateLimit: 1000,
    };
    const made = await create(body);
    expect(made.status).toBe(201);
    expect(made.body).toEqual({
      success: true,
      data: {
        ...body,
        id: expect.stringMatching(/^key_[0-9a-z]{26}$/),
        key: expect.stringMatching(/^wotp_[0-9a-f]{64}$/),
        expiresAt: null,
      },
    });
    const { id, key } = made.body.data;

    const list = await server.call('GET', 'keys');
    expect(list.body.data.find((listed: { id: string }) => listed.id === id)).toEqual({
      id,
      name: 'checkout',
      keyPreview: `wotp_...${key.slice(-8)}`,
      permissions: body.permissions,
      rateLimit: 1000,
      usageCount: 0,
      lastUsed: null,
      expiresAt: null,
      createdAt: new Date(server.clock.now()).toISOString(),
      parentId: expect.stringMatching(/^key_/),
    });
    expect(list.text).not.toContain(key);
    const rows = await server.app.database.reader.selectFrom('api_keys').selectAll().execute();
    expect(JSON.stringify(rows)).not.toContain(key.slice(5, -8));
    const events = await server.app.database.reader.selectFrom('events').selectAll().execute();
    expect(JSON.stringify(events)).not.toContain(key.slice(-8));
    if (ENGINE === 'wodb') expect(readFileSync(server.app.config.database.path).includes(key)).toBe(false);
  });

  test('takes its end with any offset', async () => {
    const { body } = await create({
      name: 'until noon',
      permissions: ['otp:read'],
      expiresAt: '2099-01-31T12:00:00+07:00',
    });
    expect(body.data.expiresAt).toBe('2099-01-31T05:00:00.000Z');
  });

  test('makes a different one each time, whatever the name', async () => {
    const made = await Promise.all(
      Array.from({ length: 20 }, () => create({ name: 'same', permissions: ['otp:read'] })),
    );
    expect(new Set(made.map(({ body }) => body.data.key)).size).toBe(20);
    expect(new Set(made.map(({ body }) => body.data.id)).size).toBe(20);
  });

  test('gives no permission that the maker lacks, and says which one', async () => {
    const { key } = await makeKey(server, ['keys:manage', 'otp:send']);
    for (const [permissions, lacking] of [
      [['otp:send', 'otp:read'], 'otp:read'],
      [['*'], '*'],
      [['otp:send', '*'], '*'],
    ] as const) {
      const refused = await create({ name: 'more', permissions }, key);
      expect(expectProblem(refused, 'FORBIDDEN').requiredPermission).toBe(lacking);
    }
    expect((await create({ name: 'as much', permissions: ['otp:send', 'keys:manage'] }, key)).status).toBe(
      201,
    );
    const list = await server.call('GET', 'keys?limit=200');
    expect(list.body.data.map(({ name }: { name: string }) => name)).not.toContain('more');
  });

  test('is recorded with who made it', async () => {
    const { id: maker, key } = await makeKey(server, ['*']);
    const { id } = (await create({ name: 'recorded', permissions: ['otp:read'] }, key)).body.data;
    await server.call('DELETE', `keys/${id}`, { asAdmin: true });
    const events = await server.app.database.reader
      .selectFrom('events')
      .select(['type', 'data'])
      .where('data', 'like', `%${id}%`)
      .orderBy('seq')
      .execute();
    expect(events.map(({ type, data }) => ({ type, ...JSON.parse(data!) }))).toEqual([
      { type: 'key.created', keyId: id, actor: maker },
      { type: 'key.revoked', keyId: id, actor: 'admin' },
    ]);
  });
});

describe('a key that another key creates', () => {
  const HOUR_MS = 3_600_000;
  const body = { name: 'child', permissions: ['otp:read'] };
  const create = (more: object, key: string) =>
    server.call('POST', 'keys', { body: { ...body, ...more }, key });
  const iso = (at: number) => new Date(at).toISOString();
  const works = async (key: string) => (await server.call('GET', 'otp?limit=1', { key })).status;

  test('cannot outlive it or do more requests: that is a 403 which names the bound, and makes nothing', async () => {
    const expiresAt = server.clock.now() + HOUR_MS;
    const parent = await makeKey(server, ['*'], { rateLimit: 50, expiresAt });
    for (const [more, path, bound] of [
      [{ expiresAt: iso(expiresAt + 1) }, 'expiresAt', iso(expiresAt)],
      [{ rateLimit: 51 }, 'rateLimit', '50'],
      [{ rateLimit: 1_000_000_000 }, 'rateLimit', '50'],
    ] as const) {
      const refused = expectProblem(await create({ ...more, name: 'too much' }, parent.key), 'FORBIDDEN');
      expect(refused.errors).toEqual([{ path, message: expect.stringContaining(bound) }]);
    }
    const list = await server.call('GET', 'keys?limit=200');
    expect(list.body.data.map(({ name }: { name: string }) => name)).not.toContain('too much');
    const most = await create({ expiresAt: iso(expiresAt), rateLimit: 50 }, parent.key);
    expect(most.body.data).toMatchObject({ expiresAt: iso(expiresAt), rateLimit: 50 });
  });

  test('has its end and its limit where they are left out', async () => {
    const expiresAt = server.clock.now() + HOUR_MS;
    const parent = await makeKey(server, ['*'], { rateLimit: 50, expiresAt });
    const { key, ...child } = (await create({}, parent.key)).body.data;
    expect(child).toMatchObject({ rateLimit: 50, expiresAt: iso(expiresAt) });
    expect((await server.call('GET', 'otp?limit=1', { key })).headers.get('x-ratelimit-limit')).toBe('50');
    server.clock.set(expiresAt);
    expect(await works(key)).toBe(401);
  });

  test("of one without a limit of its own has no more than the server's", async () => {
    const parent = await makeKey(server, ['*']);
    expectProblem(await create({ rateLimit: 10_001 }, parent.key), 'FORBIDDEN');
    expect((await create({ rateLimit: 10_000 }, parent.key)).status).toBe(201);
    expect((await create({}, parent.key)).body.data).toMatchObject({ rateLimit: null, expiresAt: null });
  });

  test("of one without an end may have one, and the administrator's keys are not bounded", async () => {
    const parent = await makeKey(server, ['*'], { rateLimit: 5 });
    const expiresAt = iso(server.clock.now() + HOUR_MS);
    expect((await create({ expiresAt }, parent.key)).body.data).toMatchObject({ expiresAt, rateLimit: 5 });
    const made = await server.call('POST', 'keys', {
      body: { ...body, rateLimit: 1_000_000_000 },
      asAdmin: true,
    });
    expect(made.body.data).toMatchObject({ rateLimit: 1_000_000_000, expiresAt: null });
  });

  test('does no more together with its family than the first of them may, and is told so', async () => {
    const root = await makeKey(server, ['*'], { rateLimit: 8 });
    const children: { key: string }[] = [];
    for (let i = 0; i < 2; i++) {
      const child = (await create({ permissions: ['*'] }, root.key)).body.data;
      children.push(child, (await create({}, child.key)).body.data);
    }
    // Four requests made the keys, so four are left to all of them.
    const statuses: number[] = [];
    for (const { key } of [...children, ...children]) statuses.push(await works(key));
    expect(statuses).toEqual([200, 200, 200, 200, 429, 429, 429, 429]);
    expect(await works(root.key)).toBe(429);
    const refused = await server.call('GET', 'otp?limit=1', { key: children[1]!.key });
    expect(refused.headers.get('ratelimit')).toMatch(/^"key";r=0;t=\d+$/);
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
  });

  test('ends with it, as do those that it created, and each is recorded', async () => {
    const parent = await makeKey(server, ['*']);
    const child = (await create({ permissions: ['*'] }, parent.key)).body.data;
    const grandchild = (await create({}, child.key)).body.data;
    const other = await makeKey(server, ['*']);
    for (const { key } of [child, grandchild, other]) expect(await works(key)).toBe(200);
    const listed = (await server.call('GET', 'keys?limit=200')).body.data;
    const parentOf = (id: string) => listed.find((entry: { id: string }) => entry.id === id).parentId;
    expect([child, grandchild, other].map(({ id }) => parentOf(id))).toEqual([parent.id, child.id, null]);

    expect((await server.call('DELETE', `keys/${parent.id}`, { asAdmin: true })).status).toBe(200);
    for (const { key } of [parent, child, grandchild]) expect(await works(key)).toBe(401);
    expect(await works(other.key)).toBe(200);
    const events = await server.app.database.reader
      .selectFrom('events')
      .select('data')
      .where('type', '=', 'key.revoked')
      .orderBy('seq')
      .execute();
    expect(events.slice(-3).map(({ data }) => JSON.parse(data!))).toEqual([
      { keyId: parent.id, actor: 'admin' },
      { keyId: child.id, actor: 'admin', with: parent.id },
      { keyId: grandchild.id, actor: 'admin', with: parent.id },
    ]);
  });

  test('is not created by one that is being revoked at the same moment and then outlives it', async () => {
    for (let round = 0; round < 10; round++) {
      const parent = await makeKey(server, ['*']);
      const [revoked, ...made] = await Promise.all([
        server.call('DELETE', `keys/${parent.id}`, { asAdmin: true }),
        ...Array.from({ length: 5 }, () => create({}, parent.key)),
      ]);
      expect(revoked!.status).toBe(200);
      for (const { status, body } of made) {
        expect([201, 401]).toContain(status);
        if (status === 201) expect(await works(body.data.key)).toBe(401);
      }
    }
  });
});

describe('the list of keys', () => {
  test('has the newest first and comes in pages that leave nothing out and repeat nothing', async () => {
    const { number: projectId, key } = await makeProject(server);
    for (let i = 0; i < 6; i++) await makeKey(server, ['otp:read'], { projectId });
    const ids: string[] = [];
    for (let cursor = ''; ; ) {
      const page = await server.call('GET', `keys?limit=3${cursor}`, { key });
      ids.push(...page.body.data.map(({ id }: { id: string }) => id));
      if (page.body.page.next === null) break;
      cursor = `&cursor=${page.body.page.next}`;
    }
    expect(ids).toHaveLength(7);
    expect(ids).toEqual([...new Set(ids)].sort().reverse());
  });

  test('counts every request of a key and tells the last one', async () => {
    const { id, key } = await makeKey(server, ['otp:read']);
    await Promise.all(Array.from({ length: 50 }, () => server.call('GET', 'otp', { key })));
    await server.clock.advance(1_000);
    await Promise.all(Array.from({ length: 50 }, () => server.call('GET', 'otp', { key })));
    const lastUsed = new Date(server.clock.now()).toISOString();
    for (const wait of [0, 1_000]) {
      await server.clock.advance(wait);
      const list = await server.call('GET', 'keys?limit=200');
      const listed = list.body.data.find((entry: { id: string }) => entry.id === id);
      expect(listed).toMatchObject({ usageCount: 100, lastUsed });
    }
  });
});

describe('a key that is no good', () => {
  const useless = async (key: string) => {
    const answer = await server.call('GET', 'otp', { key });
    expectProblem(answer, 'UNAUTHORIZED');
    expect(answer.headers.get('www-authenticate')).toMatch(/^Bearer/);
    if (key.length > 10) expect(answer.text).not.toContain(key);
    return withoutRequest(answer);
  };

  test('is refused in the same words, whether it is unknown, expired or revoked', async () => {
    const expiring = await makeKey(server, ['*'], { expiresAt: server.clock.now() + 60_000 });
    const revoked = await makeKey(server, ['*']);
    expect((await server.call('GET', 'otp', { key: expiring.key })).status).toBe(200);
    await server.call('DELETE', `keys/${revoked.id}`);
    await server.clock.advance(60_000);

    const unknown = await useless(UNKNOWN_KEY);
    for (const key of [expiring.key, revoked.key, server.key.replace('wotp_', 'otp_')]) {
      expect(await useless(key), key.slice(0, 80)).toEqual(unknown);
    }
  });

  test('is refused with how to write one where it cannot be a key, whatever it is', async () => {
    const notAKey = await useless('paste the API key here');
    expect(notAKey.body.detail).toContain('Write it as `Authorization: Bearer wotp_…`');
    for (const key of [
      server.key.toUpperCase(),
      server.key.slice(0, -1),
      `${server.key}0`,
      server.key.replace('wotp_', ''),
      `${server.key}, ${server.key}`,
      'x',
      '__proto__',
      "' or 1=1 --",
      'x'.repeat(10_000),
    ]) {
      expect(await useless(key), key.slice(0, 80)).toEqual(notAKey);
    }
  });

  test.each(['Basic d290cDp4', 'wotp_x', 'Bearer', 'Token x', ''])(
    'is refused also as "Authorization: %s"',
    async (authorization) => {
      const answer = await server.call('GET', 'otp', { key: null, headers: { authorization } });
      expect(expectProblem(answer, 'UNAUTHORIZED').detail).toContain('`Authorization: Bearer wotp_…`');
    },
  );

  test('is refused with how to write it where `Bearer` was left out', async () => {
    const headers = { authorization: server.key };
    const { detail } = expectProblem(await server.call('GET', 'otp', { key: null, headers }), 'UNAUTHORIZED');
    expect(detail).toContain('Write it as `Authorization: Bearer wotp_…`');
  });

  test('is not taken from the address or the body', async () => {
    const path = `otp?access_token=${server.key}&api_key=${server.key}`;
    expectProblem(await server.call('GET', path, { key: null }), 'UNAUTHORIZED');
    const body = { phone: newPhone(), key: server.key, apiKey: server.key };
    expectProblem(await server.call('POST', 'otp/send', { key: null, body }), 'UNAUTHORIZED');
  });

  test('works until its very end and not a moment longer', async () => {
    const { key } = await makeKey(server, ['otp:read'], { expiresAt: server.clock.now() + 10_000 });
    await server.clock.advance(9_999);
    expect((await server.call('GET', 'otp', { key })).status).toBe(200);
    await server.clock.advance(1);
    expectProblem(await server.call('GET', 'otp', { key }), 'UNAUTHORIZED');
  });
});

describe('revoking', () => {
  test('refuses the next request, however often the key was used a moment before', async () => {
    const { id, key } = await makeKey(server, ['*']);
    await Promise.all(Array.from({ length: 20 }, () => server.call('GET', 'otp', { key })));
    const revoked = await server.call('DELETE', `keys/${id}`);
    expect(revoked.status).toBe(200);
    expect(revoked.body).toEqual({ success: true, data: { id } });
    expectProblem(await server.call('GET', 'otp', { key }), 'UNAUTHORIZED');
    const list = await server.call('GET', 'keys?limit=200');
    expect(list.body.data.map((listed: { id: string }) => listed.id)).not.toContain(id);
  });

  test('holds for every request that begins after its answer, also under load', async () => {
    const { id, key } = await makeKey(server, ['*']);
    let answered = false;
    const late: Promise<number>[] = [];
    const load = Array.from({ length: 8 }, async () => {
      while (!answered) await server.call('GET', 'otp?limit=1', { key });
      late.push(server.call('GET', 'otp?limit=1', { key }).then(({ status }) => status));
    });
    await server.call('DELETE', `keys/${id}`, { asAdmin: true });
    answered = true;
    await Promise.all(load);
    expect(await Promise.all(late)).toEqual(Array(8).fill(401));
  });

  test('of a key that is gone or never was is 404', async () => {
    const { id } = await makeKey(server, ['otp:read']);
    await server.call('DELETE', `keys/${id}`);
    const gone = await server.call('DELETE', `keys/${id}`);
    const never = await server.call('DELETE', 'keys/key_01jd3x8zq2e6v9k5m7n0p4r8st');
    expectProblem(gone, 'RESOURCE_NOT_FOUND');
    expect(withoutRequest(gone)).toEqual(withoutRequest(never));
  });
});

describe('v3', () => {
  test('POST /api/admin/generate-token gives a token at the top of the answer that sends and verifies', async () => {
    const made = await server.call('POST', '/api/admin/generate-token', { asAdmin: true });
    expect(made.status).toBe(200);
    expect(made.body).toEqual({
      success: true,
      token: expect.stringMatching(/^otp_[0-9a-f]{64}$/),
      message: expect.any(String),
    });
    const key = made.body.token;
    const phone = '6283834946034';
    const body = { phone, message: 'Your verification code is 123456', code: '123456', expiryMinutes: 5 };
    const sent = await server.call('POST', 'otp/send', { key, body });
    expect(sent.status).toBe(201);
    expect(sent.body.data).toMatchObject({ phone: '+6283834946034', messageId: expect.any(String) });
    const checked = await server.call('POST', 'otp/verify', { key, body: { phone, code: '123456' } });
    expect(checked.body.data).toMatchObject({ valid: true });
    expect((await server.call('GET', 'otp/status', { key })).status).toBe(200);
    expect(expectProblem(await server.call('GET', 'otp', { key }), 'FORBIDDEN').requiredPermission).toBe(
      'otp:read',
    );
    const list = await server.call('GET', 'keys');
    expect(list.body.data[0].keyPreview).toBe(`otp_...${key.slice(-8)}`);
  });

  test('the token is not given to a key, not even to one that may do everything', async () => {
    const refused = await server.call('POST', '/api/admin/generate-token');
    expect(expectProblem(refused, 'FORBIDDEN').requiredPermission).toBe('admin');
    expect(refused.text).not.toContain('otp_');
  });
});

describe('every route asks for its permission', () => {
  const routes = Object.entries(ROUTE_ACCESS).map(([route, access]) => {
    const [method = '', pattern = ''] = route.split(' ');
    const path = pattern
      .replace(':id', 'ver_01jd3x8zq2e6v9k5m7n0p4r8st')
      .replace(':phone', '%2B6283834946034')
      .replace('*', 'phone.css');
    return { route, method, path, access };
  });
  const isPermission = (access: Access): access is Permission => PERMISSIONS.includes(access as Permission);
  const guarded = routes.filter(({ access }) => !isOpen(access));
  const permitted = guarded.filter(({ access }) => isPermission(access));
  const adminOnly = guarded.filter(({ access }) => isForAdmin(access));

  test.each(guarded)('$route without a key, or with an unknown one, is 401', async ({ method, path }) => {
    for (const key of [null, UNKNOWN_KEY]) {
      expectProblem(await server.call(method, path, { key }), 'UNAUTHORIZED');
    }
  });

  test.each(permitted)(
    '$route with every permission but $access is 403 and names it',
    async ({ method, path, access }) => {
      const { key } = await makeKey(
        server,
        PERMISSIONS.filter((permission) => permission !== access),
      );
      const refused = await server.call(method, path, { key });
      expect(expectProblem(refused, 'FORBIDDEN').requiredPermission).toBe(access);
    },
  );

  test.each(permitted)(
    '$route with $access alone, or with *, is let through',
    async ({ method, path, access }) => {
      for (const permission of [access as Permission, '*' as const]) {
        const { key } = await makeKey(server, [permission]);
        const { status } = await server.call(method, path, { key });
        expect([200, 400, 404]).toContain(status);
      }
    },
  );

  test.each(adminOnly)(
    '$route is closed to a key with *, and open to the password',
    async ({ method, path }) => {
      const refused = await server.call(method, path);
      const { requiredPermission, detail } = expectProblem(refused, 'FORBIDDEN');
      expect(requiredPermission).toBe('admin');
      expect(detail).toMatch(/^Only the administrator may do this\. .*X-Master-Key/);
      expect((await server.call(method, path, { asAdmin: true })).status).not.toBe(403);
    },
  );

  test('a refusal is recorded with the key, what it lacks and where it came from', async () => {
    const { id, key } = await makeKey(server, ['otp:read']);
    await server.call('GET', 'keys', { key });
    await server.call('GET', 'limits/+6283834946034', { key });
    const events = await server.app.database.reader
      .selectFrom('events')
      .select(['type', 'data'])
      .where('type', '=', 'key.refused')
      .where('data', 'like', `%${id}%`)
      .orderBy('seq')
      .execute();
    expect(events.map(({ data }) => JSON.parse(data!))).toEqual([
      { keyId: id, permission: 'keys:manage', address: '127.0.0.1', actor: id },
      { keyId: id, permission: 'admin', address: '127.0.0.1', actor: id },
    ]);
  });

  test('a refusal is told before anything in the body is looked at', async () => {
    const { key } = await makeKey(server, ['otp:read']);
    const answers = [
      await server.call('POST', 'otp/send', { key, body: '{"not json' }),
      await server.call('POST', 'keys', { key, body: { permissions: 7 } }),
    ];
    for (const answer of answers) expectProblem(answer, 'FORBIDDEN');
  });
});

describe("another project's things", () => {
  const body = () => ({ phone: newPhone(), code: '482913', message: '{{code}}' });

  test('a verification answers exactly like one that never was', async () => {
    const theirs = (await server.call('POST', 'otp/send', { key: other.key, body: body() })).body.data.id;
    const nobodys = 'ver_01jd3x8zq2e6v9k5m7n0p4r8st';
    const calls = (id: string) => [
      server.call('GET', `otp/${id}`),
      server.call('POST', `otp/${id}/resend`),
      server.call('POST', `otp/${id}/cancel`),
      server.call('POST', 'otp/verify', { body: { id, code: '482913' } }),
      server.call('POST', 'otp/verify', { body: { id, code: '000000' } }),
    ];
    const forTheirs = await Promise.all(calls(theirs));
    const forNobodys = await Promise.all(calls(nobodys));
    expect(forTheirs.map(withoutRequest)).toEqual(forNobodys.map(withoutRequest));
    expect(forTheirs.map(({ status }) => status)).toEqual([404, 404, 404, 404, 404]);
    const still = await server.call('GET', `otp/${theirs}`, { key: other.key });
    expect(still.body.data).toMatchObject({ status: 'pending', attemptsRemaining: 5 });
  });

  test('a phone number with a code of theirs has none with us, and our limits are our own', async () => {
    const wanted = body();
    await server.call('POST', 'otp/send', { key: other.key, body: wanted });
    const check = { phone: wanted.phone, code: '482913' };
    expectProblem(await server.call('POST', 'otp/verify', { body: check }), 'OTP_NOT_FOUND');
    expect((await server.call('POST', 'otp/send', { body: wanted })).status).toBe(201);
    expect((await server.call('POST', 'otp/verify', { key: other.key, body: check })).status).toBe(200);
    const list = await server.call('GET', `otp?phone=${encodeURIComponent(wanted.phone)}`);
    expect(list.body.data).toHaveLength(1);
    expect(list.body.data[0].status).toBe('pending');
  });

  test('a key answers exactly like one that never was, and goes on working', async () => {
    const theirs = await server.call('DELETE', `keys/${other.keyId}`);
    const nobodys = await server.call('DELETE', 'keys/key_01jd3x8zq2e6v9k5m7n0p4r8st');
    expect(withoutRequest(theirs)).toEqual(withoutRequest(nobodys));
    expect((await server.call('GET', 'otp', { key: other.key })).status).toBe(200);
    expect((await server.call('GET', 'keys?limit=200')).text).not.toContain(other.keyId);
  });

  test('cannot be reached by naming the project: it answers like one that does not exist', async () => {
    const nobodys = 'prj_01jd3x8zq2e6v9k5m7n0p4r8st';
    const calls = (projectId: string) => [
      server.call('GET', `otp?projectId=${projectId}`),
      server.call('GET', `keys?projectId=${projectId}`),
      server.call('DELETE', `keys/${other.keyId}?projectId=${projectId}`),
      server.call('POST', 'otp/send', { body: { ...body(), projectId } }),
      server.call('POST', 'otp/verify', { body: { phone: '+6283834946034', code: '123456', projectId } }),
      server.call('POST', 'keys', { body: { name: 'x', permissions: ['*'], projectId } }),
    ];
    const forTheirs = await Promise.all(calls(other.projectId));
    const forNobodys = await Promise.all(calls(nobodys));
    for (const answer of forTheirs) expectProblem(answer, 'RESOURCE_NOT_FOUND');
    expect(forTheirs.map(withoutRequest)).toEqual(forNobodys.map(withoutRequest));
  });

  test('are open to the administrator who names the project, and closed again when the name is wrong', async () => {
    const { projectId } = other;
    const sent = await server.call('POST', 'otp/send', { asAdmin: true, body: { ...body(), projectId } });
    expect(sent.status).toBe(201);
    const { id } = sent.body.data;
    expectProblem(await server.call('GET', `otp/${id}`, { asAdmin: true }), 'RESOURCE_NOT_FOUND');
    expect((await server.call('GET', `otp/${id}?projectId=${projectId}`, { asAdmin: true })).status).toBe(
      200,
    );
    expect((await server.call('GET', `otp/${id}`, { key: other.key })).status).toBe(200);
    const nowhere = await server.call('GET', 'otp?projectId=prj_nowhere', { asAdmin: true });
    expectProblem(nowhere, 'RESOURCE_NOT_FOUND');
  });

  test('a key may name its own project', async () => {
    const path = `otp?projectId=${other.projectId}`;
    expect((await server.call('GET', path, { key: other.key })).status).toBe(200);
  });
});
