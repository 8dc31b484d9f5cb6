import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { makeKey } from '../support/keys.ts';
import { expectProblem } from '../support/problem.ts';
import { type Answer, startTestApp, type TestApp } from '../support/test-app.ts';
import {
  countByStatus,
  newPhone,
  QUICK_ADMIN,
  retryAfterOf,
  verificationsOf,
} from '../support/verifications.ts';

const WINDOW_MS = 60_000;

/** What an answer says of a limit, in the fields of the IETF draft and in v3's. */
function limitOf({ headers }: Answer) {
  const [, policy, quota, window] =
    /^"(\w+)";q=(\d+);w=(\d+)$/.exec(headers.get('ratelimit-policy') ?? '') ?? [];
  const [, name, remaining, seconds] = /^"(\w+)";r=(\d+);t=(\d+)$/.exec(headers.get('ratelimit') ?? '') ?? [];
  expect(name).toBe(policy);
  expect(headers.get('x-ratelimit-limit')).toBe(quota);
  expect(headers.get('x-ratelimit-remaining')).toBe(remaining);
  return {
    policy,
    limit: Number(quota),
    windowSeconds: Number(window),
    remaining: Number(remaining),
    seconds: Number(seconds),
    resetsAt: Number(headers.get('x-ratelimit-reset')) * 1000,
  };
}

const hasNoLimit = ({ headers }: Answer) =>
  ![...headers.keys()].some((name) => name.includes('ratelimit') || name === 'retry-after');

describe('the limit of a key', () => {
  let server: TestApp;
  const env = { ...QUICK_ADMIN, RATE_LIMIT_MAX: '5', RATE_LIMIT_WINDOW_MS: String(WINDOW_MS) };
  beforeAll(async () => {
    server = await startTestApp({ env });
  });
  afterAll(() => server.stop());
  const jump = (ms: number) => verificationsOf(server).jump(ms);

  test('is told with every answer and counts down to 429 with a true Retry-After', async () => {
    const { key } = await makeKey(server, ['otp:read']);
    const resetsAt = server.clock.now() + WINDOW_MS;
    for (let remaining = 4; remaining >= 0; remaining--) {
      const answer = await server.call('GET', 'otp', { key });
      expect(answer.status).toBe(200);
      expect(limitOf(answer)).toEqual({
        policy: 'key',
        limit: 5,
        windowSeconds: 60,
        remaining,
        seconds: 60,
        resetsAt,
      });
      expect(answer.headers.get('retry-after')).toBeNull();
    }
    await jump(20_500);
    const refused = await server.call('GET', 'otp', { key });
    expectProblem(refused, 'RATE_LIMIT_EXCEEDED');
    expect(limitOf(refused)).toMatchObject({ remaining: 0, seconds: 40, resetsAt });
    const seconds = retryAfterOf(refused, 'RATE_LIMIT_EXCEEDED');
    await jump(seconds * 1000 - 1_000);
    expect((await server.call('GET', 'otp', { key })).status).toBe(429);
    await jump(1_000);
    const allowed = await server.call('GET', 'otp', { key });
    expect(allowed.status).toBe(200);
    expect(limitOf(allowed).remaining).toBe(4);
  });

  test('is not passed by 200 requests at once, and what is refused is not done', async () => {
    const { id, key } = await makeKey(server, ['otp:send'], { rateLimit: 50 });
    const phones = Array.from({ length: 200 }, newPhone);
    const answers = await Promise.all(
      phones.map((phone) => server.call('POST', 'otp/send', { key, body: { phone } })),
    );
    expect(countByStatus(answers)).toEqual({ 201: 50, 429: 150 });
    const remaining = answers.map((answer) => limitOf(answer).remaining);
    expect(remaining.filter((left) => left > 0)).toHaveLength(49);
    for (const answer of answers.filter(({ status }) => status === 429)) {
      expectProblem(answer, 'RATE_LIMIT_EXCEEDED');
    }
    const sent = await Promise.all(phones.map((phone) => verificationsOf(server).messagesTo(phone)));
    expect(sent.reduce((sum, count) => sum + count, 0)).toBe(50);
    const { data } = (await server.call('GET', 'keys', { asAdmin: true })).body;
    expect(data.find((listed: { id: string }) => listed.id === id).usageCount).toBe(50);
  });

  test("is the key's own where it has one", async () => {
    const { key } = await makeKey(server, ['otp:read'], { rateLimit: 1_000_000_000 });
    const answers = await Promise.all(Array.from({ length: 20 }, () => server.call('GET', 'otp', { key })));
    expect(countByStatus(answers)).toEqual({ 200: 20 });
    expect(limitOf(answers[0]!).limit).toBe(1_000_000_000);
  });

  test('of one key leaves the others alone', async () => {
    const [one, another] = [await makeKey(server, ['otp:read']), await makeKey(server, ['otp:read'])];
    for (let i = 0; i < 6; i++) await server.call('GET', 'otp', { key: one.key });
    expect((await server.call('GET', 'otp', { key: one.key })).status).toBe(429);
    expect((await server.call('GET', 'otp', { key: another.key })).status).toBe(200);
  });

  test('counts what is refused for another reason as well, also what the key may not do', async () => {
    const { key } = await makeKey(server, ['otp:send']);
    const statuses = [
      await server.call('POST', 'otp/send', { key, body: {} }),
      await server.call('POST', 'otp/send', { key, body: '{' }),
      await server.call('POST', 'otp/ver_x/resend', { key }),
      await server.call('GET', 'otp', { key }),
      await server.call('GET', 'keys', { key }),
      await server.call('POST', 'otp/send', { key, body: {} }),
    ].map(({ status }) => status);
    expect(statuses).toEqual([400, 400, 404, 403, 403, 429]);
  });

  test('does not hold for the administrator, nor for health', async () => {
    for (let i = 0; i < 12; i++) {
      const asAdmin = await server.call('GET', 'otp', { asAdmin: true });
      const health = await server.call('GET', 'health/live');
      expect([asAdmin.status, health.status]).toEqual([200, 200]);
      expect([asAdmin, health].map(hasNoLimit)).toEqual([true, true]);
    }
  });

  test('survives a restart on the same folder', async () => {
    const first = await startTestApp({ env });
    for (let i = 0; i < 5; i++) await first.call('GET', 'otp');
    await first.stop({ keepFiles: true });
    const options = { env, dir: first.dir, key: first.key, clock: first.clock };
    const second = await startTestApp(options);
    try {
      await verificationsOf(second).jump(10_000);
      const refused = await second.call('GET', 'otp');
      expect(retryAfterOf(refused, 'RATE_LIMIT_EXCEEDED')).toBe(50);
      await verificationsOf(second).jump(50_000);
      expect((await second.call('GET', 'otp')).status).toBe(200);
    } finally {
      await second.stop();
    }
  });

  test('is written within a second, so that not even a kill forgets more than that', async () => {
    const { id, key } = await makeKey(server, ['otp:read']);
    for (let i = 0; i < 3; i++) await server.call('GET', 'otp', { key });
    await server.clock.advance(1_000);
    await server.app.database.transaction(async () => {});
    const row = await server.app.database.reader
      .selectFrom('rate_limits')
      .select('count')
      .where('key', '=', `key:${id}`)
      .executeTakeFirst();
    expect(row?.count).toBe(3);
  });
});

describe('the limit of an address', () => {
  let server: TestApp;
  const env = { ...QUICK_ADMIN, ADDRESS_LIMIT_PER_MINUTE: '4', TRUST_PROXY: '1' };
  beforeAll(async () => {
    server = await startTestApp({ env });
  });
  afterAll(() => server.stop());
  const jump = (ms: number) => verificationsOf(server).jump(ms);

  let addresses = 0;
  const newAddress = () => `198.51.100.${++addresses}`;
  const from = (address: string, method = 'GET', path = '/api/v1/nothing', key: string | null = null) =>
    server.call(method, path, { key, headers: { 'x-forwarded-for': address } });

  test('counts down to 429 with a true Retry-After, and ends by itself', async () => {
    const address = newAddress();
    for (let remaining = 3; remaining >= 0; remaining--) {
      const answer = await from(address);
      expect(answer.status).toBe(404);
      expect(limitOf(answer)).toMatchObject({ policy: 'address', limit: 4, windowSeconds: 60, remaining });
    }
    await jump(15_000);
    const refused = await from(address);
    expectProblem(refused, 'RATE_LIMIT_EXCEEDED');
    expect(retryAfterOf(refused, 'RATE_LIMIT_EXCEEDED')).toBe(45);
    await jump(44_999);
    expect((await from(address)).status).toBe(429);
    await jump(1);
    expect((await from(address)).status).toBe(404);
  });

  test('is shared by the reference, unknown addresses, missing keys and wrong keys', async () => {
    const address = newAddress();
    const statuses = [
      await from(address, 'GET', '/docs'),
      await from(address, 'GET', '/openapi.json'),
      await from(address, 'GET', '/api/v1/otp'),
      await from(address, 'GET', '/api/v1/otp', `wotp_${'0'.repeat(64)}`),
      await from(address, 'GET', '/openapi.json'),
      await from(address, 'GET', '/docs'),
      await from(address, 'GET', '/nothing'),
      await from(address, 'PATCH', '/api/v1/keys'),
      await from(address, 'GET', '/api/v1/otp', `wotp_${'1'.repeat(64)}`),
    ].map(({ status }) => status);
    expect(statuses).toEqual([200, 200, 401, 401, 429, 429, 429, 429, 429]);
  });

  test('keeps nobody from signing in: the page has a limit of its own, and passwords and links have that of guesses', async () => {
    const address = newAddress();
    const headers = { 'x-forwarded-for': address };
    const signIn = (body: unknown) => server.call('POST', 'session', { key: null, headers, body });
    for (let i = 0; i < 6; i++) {
      await from(address);
      expect((await signIn('{')).status).toBe(400);
      expect((await signIn({ token: `junk ${i}` })).status).toBe(401);
    }
    expect((await from(address)).status).toBe(429);
    expect((await signIn({ password: server.adminPassword })).status).toBe(200);
    const link = server.app.admin.newSignInToken();
    expect((await signIn({ token: link })).status).toBe(200);
    const statuses: number[] = [];
    for (const path of ['/', '/assets/phone.css', '/', '/assets/phone.css', '/'])
      statuses.push((await from(address, 'GET', path)).status);
    expect(statuses).toEqual([200, 200, 200, 200, 429]);
    for (let i = 0; i < 10; i++) expect((await signIn({ password: `wrong ${i}` })).status).toBe(401);
    expectProblem(await signIn({ password: server.adminPassword }), 'RATE_LIMIT_EXCEEDED');
  });

  test('is not used up by the pages of other sites in a browser at that address, which have one of their own', async () => {
    const address = newAddress();
    const headers = { 'x-forwarded-for': address, 'sec-fetch-site': 'cross-site' };
    const statuses: number[] = [];
    for (const path of ['/', '/docs', '/nothing', '/assets/phone.css', '/'])
      statuses.push((await server.call('GET', path, { key: null, headers })).status);
    expect(statuses).toEqual([200, 200, 404, 200, 429]);
    for (const path of ['/', '/docs']) expect((await from(address, 'GET', path)).status).toBe(200);
  });

  test('lets through exactly as many of 200 at once', async () => {
    const address = newAddress();
    const answers = await Promise.all(Array.from({ length: 200 }, () => from(address)));
    expect(countByStatus(answers)).toEqual({ 404: 4, 429: 196 });
  });

  test('never stands in the way of a good key, of the administrator or of health', async () => {
    const address = newAddress();
    for (let i = 0; i < 6; i++) await from(address);
    expect((await from(address)).status).toBe(429);
    expect((await from(address, 'GET', '/api/v1/otp', server.key)).status).toBe(200);
    const headers = { 'x-forwarded-for': address };
    expect((await server.call('GET', 'otp', { asAdmin: true, headers })).status).toBe(200);
    expect((await from(address, 'GET', '/api/v1/health')).status).toBe(200);
    expect(hasNoLimit(await from(address, 'GET', '/api/v1/health/ready'))).toBe(true);
  });

  test('is one of its own for the health report and its figures: 600 a minute, however many nodes there are', async () => {
    const address = newAddress();
    for (let i = 0; i < 300; i++) {
      await from(address, 'GET', '/api/v1/health/metrics');
      expect(limitOf(await from(address, 'GET', '/api/v1/health'))).toMatchObject({
        policy: 'health',
        limit: 600,
        remaining: 598 - 2 * i,
        windowSeconds: 60,
      });
    }
    for (const path of ['/api/v1/health', '/api/v1/health/metrics']) {
      const refused = await from(address, 'GET', path);
      expectProblem(refused, 'RATE_LIMIT_EXCEEDED');
      expect(limitOf(refused)).toMatchObject({ policy: 'health', remaining: 0 });
    }
    expect((await from(newAddress(), 'GET', '/api/v1/health')).status).toBe(200);
    expect((await from(address)).status).toBe(404);
    await jump(60_000);
    expect((await from(address, 'GET', '/api/v1/health')).status).toBe(200);
  });

  test('never counts the probes: 1,000 from one address', async () => {
    const address = newAddress();
    for (let i = 0; i < 500; i++) {
      for (const probe of ['live', 'ready']) {
        const answer = await from(address, 'GET', `/api/v1/health/${probe}`);
        expect([answer.status, hasNoLimit(answer)]).toEqual([200, true]);
      }
    }
  });

  test('is one for an IPv6 network of 64 bits, and one for an IPv4 address however it is written', async () => {
    for (let i = 0; i < 4; i++) await from(`2001:db8:0:7:${i}:${i}:${i}:1`);
    expect((await from('2001:0DB8::7:ffff:0:0:9')).status).toBe(429);
    expect((await from('2001:db8:0:8::1')).status).toBe(404);
    const address = newAddress();
    for (let i = 0; i < 2; i++) await from(address);
    for (let i = 0; i < 2; i++) await from(`::ffff:${address}`);
    expect((await from(`::FFFF:${address}`)).status).toBe(429);
  });

  test('is not escaped by an address that the client makes up before the one the proxy saw', async () => {
    const address = newAddress();
    const statuses: number[] = [];
    for (let i = 0; i < 6; i++) statuses.push((await from(`203.0.113.${i}, ${address}`)).status);
    expect(statuses).toEqual([404, 404, 404, 404, 429, 429]);
  });
});

describe('the address of a client', () => {
  /** The addresses that the access log names for requests with these forwarding headers. */
  async function addressesSeen(trustProxy: string, forwarded: string[]): Promise<string[]> {
    const server = await startTestApp({ env: { ...QUICK_ADMIN, TRUST_PROXY: trustProxy } });
    try {
      for (const [i, header] of forwarded.entries()) {
        const headers = {
          'x-forwarded-for': header,
          'x-request-id': `request-${i}`,
          forwarded: 'for=6.6.6.6',
        };
        await server.call('GET', '/api/v1/nothing', { headers });
      }
      return forwarded.map((_, i) => {
        const line = server.logLines.find((text) => text.includes(`"request-${i}"`));
        return JSON.parse(line ?? '{}').address;
      });
    } finally {
      await server.stop();
    }
  }

  const CHAIN = ['192.0.2.1', '192.0.2.2, 192.0.2.1', '192.0.2.3,192.0.2.2,192.0.2.1'];

  test('is that of the connection when no proxy is trusted, whatever the headers say', async () => {
    expect(await addressesSeen('0', CHAIN)).toEqual(['127.0.0.1', '127.0.0.1', '127.0.0.1']);
  });

  test('is counted from the right, one hop for each proxy that is trusted', async () => {
    expect(await addressesSeen('1', CHAIN)).toEqual(['192.0.2.1', '192.0.2.1', '192.0.2.1']);
    expect(await addressesSeen('2', CHAIN)).toEqual(['192.0.2.1', '192.0.2.2', '192.0.2.2']);
  });

  test('is shown without the port that a proxy wrote behind it', async () => {
    const written = ['192.0.2.1:4001', '[2001:db8::1]:4001', '2001:db8::1'];
    expect(await addressesSeen('1', written)).toEqual(['192.0.2.1', '2001:db8::1', '2001:db8::1']);
  });
});
