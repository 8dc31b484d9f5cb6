import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { expectProblem } from '../support/problem.ts';
import { requestText, sendPacket } from '../support/raw-http.ts';
import { startTestApp, type TestApp } from '../support/test-app.ts';
import { countByStatus, newPhone, retryAfterOf, verificationsOf } from '../support/verifications.ts';

const PASSWORD = 'a password only tests know';
const SIGN_IN_WINDOW_MS = 15 * 60_000;

describe('the admin password in X-Master-Key', () => {
  let server: TestApp;
  beforeAll(async () => {
    // One proxy is trusted, so that a test can be several clients.
    const env = { MASTER_PASSWORD: PASSWORD, TRUST_PROXY: '1', ADDRESS_LIMIT_PER_MINUTE: '100000' };
    server = await startTestApp({ env });
  });
  afterAll(() => server.stop());

  const jump = (ms: number) => verificationsOf(server).jump(ms);
  let clients = 0;
  let address = '';
  beforeEach(() => {
    clients += 1;
    address = `198.51.100.${clients}`;
  });

  const call = (password: string, from = address) =>
    server.call('GET', 'simulator/messages', {
      key: null,
      headers: { 'x-master-key': password, 'x-forwarded-for': from },
    });

  test('opens the admin routes and those of keys, for the default project', async () => {
    expect((await call(PASSWORD)).status).toBe(200);
    const sent = await server.call('POST', 'otp/send', { asAdmin: true, body: { phone: newPhone() } });
    expect(sent.status).toBe(201);
    const read = await server.call('GET', `otp/${sent.body.data.id}`);
    expect(read.status).toBe(200);
  });

  test.each(['', 'wrong', `${PASSWORD} `.trimEnd().slice(0, -1), `${PASSWORD}x`, PASSWORD.toUpperCase()])(
    'is refused when it is %j',
    async (password) => {
      const refused = await call(password);
      expectProblem(refused, 'UNAUTHORIZED');
      expect(refused.text).not.toContain(PASSWORD);
    },
  );

  test('is not forgiven by a right API key beside it', async () => {
    const refused = await server.call('GET', 'otp', {
      headers: { 'x-master-key': 'wrong', 'x-forwarded-for': address },
    });
    expectProblem(refused, 'UNAUTHORIZED');
  });

  test('has ten wrong tries in 15 minutes; then even the right one waits, as long as Retry-After says', async () => {
    for (let i = 0; i < 10; i++) expectProblem(await call(`wrong ${i}`), 'UNAUTHORIZED');
    const locked = await call('wrong 10');
    expectProblem(locked, 'RATE_LIMIT_EXCEEDED');
    expect(retryAfterOf(locked, 'RATE_LIMIT_EXCEEDED')).toBe(SIGN_IN_WINDOW_MS / 1000);
    expectProblem(await call(PASSWORD), 'RATE_LIMIT_EXCEEDED');

    await jump(60_000);
    const seconds = retryAfterOf(await call(PASSWORD), 'RATE_LIMIT_EXCEEDED');
    expect(seconds).toBe(SIGN_IN_WINDOW_MS / 1000 - 60);
    await jump(seconds * 1000 - 1);
    expectProblem(await call(PASSWORD), 'RATE_LIMIT_EXCEEDED');
    await jump(1);
    expect((await call(PASSWORD)).status).toBe(200);
  });

  test('has ten wrong tries also when 50 come at once', async () => {
    const answers = await Promise.all(Array.from({ length: 50 }, (_, i) => call(`wrong ${i}`)));
    expect(countByStatus(answers)).toEqual({ 401: 10, 429: 40 });
  });

  test('has ten wrong tries also when a thousand come in a few packets, and the right one behind them is refused', async () => {
    const request = (password: string) =>
      requestText('GET /api/v1/keys', [`X-Master-Key: ${password}`, `X-Forwarded-For: ${address}`]);
    const packets = Array.from({ length: 11 }, (_, packet) =>
      Array.from({ length: 95 }, (_, i) => request(i === 60 ? PASSWORD : `wrong ${packet} ${i}`)),
    );
    const statuses = (await Promise.all(packets.map((packet) => sendPacket(server.address, packet)))).flat();
    expect(countByStatus(statuses.map((status) => ({ status })))).toEqual({ 401: 10, 429: 1_035 });
    expectProblem(await call(PASSWORD), 'RATE_LIMIT_EXCEEDED');
  });

  test('is right for everybody who sends it at once, though only one try is left', async () => {
    for (let i = 0; i < 9; i++) await call(`wrong ${i}`);
    const answers = await Promise.all(Array.from({ length: 40 }, () => call(PASSWORD)));
    expect(countByStatus(answers)).toEqual({ 200: 40 });
    expectProblem(await call('wrong 9'), 'UNAUTHORIZED');
    expectProblem(await call(PASSWORD), 'RATE_LIMIT_EXCEEDED');
  });

  test('is limited for each address apart, and right ones cost nothing', async () => {
    for (let i = 0; i < 12; i++) await call(`wrong ${i}`);
    expect((await call(PASSWORD)).status).toBe(429);
    const elsewhere = await Promise.all(Array.from({ length: 40 }, () => call(PASSWORD, '198.51.100.200')));
    expect(countByStatus(elsewhere)).toEqual({ 200: 40 });
    for (let i = 0; i < 9; i++) await call(`wrong ${i}`, '198.51.100.200');
    expect((await call(PASSWORD, '198.51.100.200')).status).toBe(200);
  });

  test('counts an IPv6 network of 64 bits as one address, and an IPv4 one in IPv6 as IPv4', async () => {
    for (let i = 0; i < 10; i++) await call(`wrong ${i}`, `2001:db8:1:2:${i}::1`);
    expect((await call(PASSWORD, '2001:db8:1:2:ffff::9')).status).toBe(429);
    expect((await call(PASSWORD, '2001:db8:1:3::1')).status).toBe(200);
    for (let i = 0; i < 5; i++) await call(`wrong ${i}`, '203.0.113.9');
    for (let i = 0; i < 5; i++) await call(`wrong ${i}`, '::ffff:203.0.113.9');
    expect((await call(PASSWORD, '203.0.113.9')).status).toBe(429);
  });

  test('counts an address as one whatever port a proxy writes behind it, and all that are none as one', async () => {
    for (let i = 0; i < 10; i++) await call(`wrong ${i}`, `203.0.113.77:${4_000 + i}`);
    expect((await call(PASSWORD, '203.0.113.77:5000')).status).toBe(429);
    expect((await call(PASSWORD, '203.0.113.77')).status).toBe(429);
    for (let i = 0; i < 10; i++) await call(`wrong ${i}`, `[2001:db8:7:7::1]:${4_000 + i}`);
    expect((await call(PASSWORD, '2001:db8:7:7::2')).status).toBe(429);
    for (let i = 0; i < 10; i++) await call(`wrong ${i}`, `_hidden${i}`);
    expect((await call(PASSWORD, '_another')).status).toBe(429);
  });

  test('shares its tries with the sign-in of the page, but for the link', async () => {
    const signIn = (body: object) =>
      server.call('POST', 'session', { key: null, body, headers: { 'x-forwarded-for': address } });
    for (let i = 0; i < 6; i++) await call(`wrong ${i}`);
    for (let i = 0; i < 3; i++) expectProblem(await signIn({ token: `wrong${i}` }), 'UNAUTHORIZED');
    for (let i = 0; i < 4; i++) expectProblem(await signIn({ password: `wrong ${i}` }), 'UNAUTHORIZED');
    expectProblem(await signIn({ password: PASSWORD }), 'RATE_LIMIT_EXCEEDED');
    expectProblem(await call(PASSWORD), 'RATE_LIMIT_EXCEEDED');
    expect((await signIn({ token: server.app.admin.newSignInToken() })).status).toBe(200);
  });

  test('is recorded when it was wrong, with the address and without what was tried', async () => {
    await call('tried and wrong');
    const events = await server.app.database.reader
      .selectFrom('events')
      .select(['type', 'data'])
      .where('data', 'like', `%${address}%`)
      .execute();
    expect(events).toEqual([
      { type: 'admin.sign_in_failed', data: JSON.stringify({ address, actor: 'nobody' }) },
    ]);
  });

  test('is asked for by a route with its own name', async () => {
    const refused = await server.call('GET', `limits/${newPhone()}`);
    expect(expectProblem(refused, 'FORBIDDEN').requiredPermission).toBe('admin');
  });
});

describe('a password beyond ASCII', () => {
  const password = 'Пароль от всех дверей';
  let server: TestApp;
  beforeAll(async () => {
    server = await startTestApp({ env: { MASTER_PASSWORD: password } });
  });
  afterAll(() => server.stop());

  test('opens in X-Master-Key, as the bytes that curl and browsers put there, and at the sign-in', async () => {
    const bytes = Buffer.from(password, 'utf8').toString('latin1');
    const asHeader = await server.call('GET', 'limits/+6283834946034', {
      key: null,
      headers: { 'x-master-key': bytes },
    });
    expect(asHeader.status).toBe(200);
    const signIn = await server.call('POST', 'session', { key: null, body: { password } });
    expect(signIn.status).toBe(200);
  });
});

describe('the password of the first run', () => {
  const servers: TestApp[] = [];
  afterEach(async () => {
    for (const server of servers.splice(0)) await server.stop();
  });
  const start = async (options: Parameters<typeof startTestApp>[0] = {}) => {
    const server = await startTestApp(options);
    servers.push(server);
    return server;
  };

  test('is long, is kept as a slow hash only, and works; twenty right ones at once all pass', async () => {
    const server = await start();
    expect(server.adminPassword).toMatch(/^[a-km-np-z2-9]{24}$/);
    const settings = await server.app.database.reader.selectFrom('settings').selectAll().execute();
    expect(JSON.stringify(settings)).not.toContain(server.adminPassword);
    expect(settings.find(({ key }) => key === 'admin_password_hash')?.value).toMatch(/^scrypt\$/);

    const call = () => server.call('GET', 'limits/+6283834946034', { asAdmin: true });
    const answers = await Promise.all(Array.from({ length: 20 }, call));
    expect(countByStatus(answers)).toEqual({ 200: 20 });
  });

  test('and the first key are made once: a second start on the same folder makes neither', async () => {
    const first = await start();
    const { adminPassword, key, dir } = first;
    await servers.pop()?.stop({ keepFiles: true });
    const second = await start({ dir, adminPassword, key });
    expect(await second.app.firstRun()).toBeUndefined();
    expect((await second.call('GET', 'keys')).body.data).toHaveLength(1);
    expect((await second.call('GET', 'limits/+6283834946034', { asAdmin: true })).status).toBe(200);
  });
});

test('ten wrong passwords lock out across a restart too', async () => {
  const env = { MASTER_PASSWORD: PASSWORD };
  const first = await startTestApp({ env });
  for (let i = 0; i < 10; i++) {
    await first.call('GET', 'keys', { key: null, headers: { 'x-master-key': `wrong ${i}` } });
  }
  await first.stop({ keepFiles: true });
  const second = await startTestApp({ env, dir: first.dir, clock: first.clock });
  try {
    expectProblem(await second.call('GET', 'keys', { asAdmin: true }), 'RATE_LIMIT_EXCEEDED');
  } finally {
    await second.stop();
  }
});
