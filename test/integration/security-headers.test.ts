import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { expectProblem } from '../support/problem.ts';
import { requestText, sendRaw } from '../support/raw-http.ts';
import { type Answer, startTestApp, type TestApp } from '../support/test-app.ts';
import { newPhone, QUICK_ADMIN } from '../support/verifications.ts';

/** The directives of a Content-Security-Policy by their names. */
function policyOf(answer: Answer): Record<string, string> {
  const directives = (answer.headers.get('content-security-policy') ?? '').split(';');
  return Object.fromEntries(
    directives.map((directive) => {
      const [name = '', ...values] = directive.trim().split(/\s+/);
      return [name, values.join(' ')];
    }),
  );
}

/** Holds one answer to what rule 71 asks of every one. */
function expectSafeHeaders(answer: Answer): void {
  const policy = policyOf(answer);
  expect(policy).toMatchObject({ 'object-src': "'none'", 'base-uri': "'none'", 'frame-ancestors': "'none'" });
  expect(policy['default-src']).toMatch(/^'(self|none)'$/);
  expect(answer.headers.get('content-security-policy')).not.toMatch(/unsafe-(inline|eval)|\*|https?:/);
  expect(Object.fromEntries(answer.headers)).toMatchObject({
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'no-referrer',
    'cross-origin-opener-policy': 'same-origin',
    'cross-origin-resource-policy': 'same-origin',
  });
  expect(answer.headers.get('x-powered-by')).toBeNull();
  expect(answer.headers.get('server')).toBeNull();
}

describe('the security headers', () => {
  let server: TestApp;
  beforeAll(async () => {
    const env = { ...QUICK_ADMIN, ADDRESS_LIMIT_PER_MINUTE: '60', PUBLIC_URL: 'https://verify.example.com' };
    server = await startTestApp({ env });
  });
  afterAll(() => server.stop());

  const ask = (method: string, path: string, options = {}) => server.call(method, path, options);
  const raw = (firstLine: string, headers: string[] = [], body = '') =>
    sendRaw(server.address, requestText(firstLine, headers, body));

  const ANSWERS: [string, number, () => Promise<Answer>][] = [
    ['the page', 200, () => ask('GET', '/', { key: null })],
    ['a script', 200, () => ask('GET', '/assets/phone.js', { key: null })],
    ['a style sheet', 200, () => ask('GET', '/assets/phone.css', { key: null })],
    ['a drawing', 200, () => ask('GET', '/assets/logo.svg', { key: null })],
    ['the reference', 200, () => ask('GET', '/docs', { key: null })],
    ['a file of the reference', 200, () => ask('GET', '/assets/reference.css', { key: null })],
    ['the list of errors', 200, () => ask('GET', '/docs/errors', { key: null })],
    ['the OpenAPI document', 200, () => ask('GET', '/openapi.json', { key: null })],
    ['the OpenAPI document in YAML', 200, () => ask('GET', '/openapi.yaml', { key: null })],
    ['health', 200, () => ask('GET', 'health', { key: null })],
    ['a list', 200, () => ask('GET', 'otp')],
    ['a send', 201, () => ask('POST', 'otp/send', { body: { phone: newPhone() } })],
    ['a HEAD', 200, () => ask('HEAD', 'otp')],
    ['bad input', 400, () => ask('POST', 'otp/send', { body: {} })],
    ['broken JSON', 400, () => ask('POST', 'otp/send', { body: '{' })],
    ['a missing key', 401, () => ask('GET', 'otp', { key: null })],
    ['a missing permission', 403, () => ask('GET', `limits/${newPhone()}`)],
    ['an unknown id', 404, () => ask('GET', 'otp/ver_01jd3x8zq2e6v9k5m7n0p4r8st')],
    ['an unknown address', 404, () => ask('GET', '/nothing', { key: null })],
    ['a wrong method', 405, () => ask('PUT', 'otp/send')],
    [
      'a wrong content type',
      415,
      () => ask('POST', 'otp/send', { body: 'x', headers: { 'content-type': 'a/b' } }),
    ],
    ['a wrong code', 404, () => ask('POST', 'otp/verify', { body: { phone: newPhone(), code: '000000' } })],
    ['a badly encoded address', 400, () => raw('GET /api/v1/otp/%zz')],
    ['an id that is too long', 404, () => raw(`GET /api/v1/otp/${'a'.repeat(500)}`)],
    ['no HTTP at all', 400, () => sendRaw(server.address, 'HELLO\r\n\r\n')],
    [
      'a request without Host',
      400,
      () => sendRaw(server.address, 'GET / HTTP/1.1\r\nConnection: close\r\n\r\n'),
    ],
    ['headers that are too large', 431, () => raw('GET /', [`X-Filler: ${'x'.repeat(17_000)}`])],
    [
      'a body that is too large',
      413,
      () =>
        raw('POST /api/v1/otp/send', [
          `Authorization: Bearer ${server.key}`,
          'Content-Type: application/json',
          'Content-Length: 2000000',
        ]),
    ],
  ];

  test.each(ANSWERS)('stand on %s (%i), with a request id and HSTS', async (_what, status, request) => {
    const answer = await request();
    expect(answer.status).toBe(status);
    expectSafeHeaders(answer);
    expect(answer.headers.get('x-request-id')).toMatch(/^[A-Za-z0-9._-]{1,64}$/);
    expect(answer.headers.get('strict-transport-security')).toMatch(/^max-age=\d{8}/);
  });

  test('forbid caches to keep anything of the API, refusals included', async () => {
    for (const answer of [
      await ask('GET', 'otp'),
      await ask('GET', 'keys', { key: null }),
      await ask('GET', 'nothing'),
      await ask('GET', '/api/nothing'),
      await ask('POST', '/api/admin/generate-token', { asAdmin: true }),
      await ask('GET', 'health'),
      await raw('GET /api/v1/%zz'),
      await raw('GET /%61pi/v1/keys', [`X-Master-Key: ${server.adminPassword}`]),
      await raw('GET http://localhost/api/v1/health'),
    ]) {
      expect(answer.headers.get('cache-control')).toBe('no-store');
    }
  });

  test('are not loosened for the reference page, whose scripts all come from here', async () => {
    const page = await server.call('GET', '/docs', { asAdmin: true });
    expect(page.text).not.toMatch(/<script(?![^>]*\bsrc=)|<style|\s(style|on\w+)="/i);
    expect(page.text).not.toMatch(/(src|href)="(https?:)?\/\//);
  });

  test('say the type of every file, so that nosniff stops none', async () => {
    const types = await Promise.all(
      ['/assets/phone.js', '/assets/phone.css', '/assets/logo.svg'].map(async (path) => {
        const { headers } = await server.call('GET', path, { asAdmin: true });
        return headers.get('content-type');
      }),
    );
    expect(types).toEqual([
      expect.stringMatching(/^(text|application)\/javascript/),
      expect.stringMatching(/^text\/css/),
      'image/svg+xml',
    ]);
  });

  // The last one: it uses up what this address may ask for.
  test('stand on a limit that is reached (429)', async () => {
    let answer = await ask('GET', '/nothing', { key: null });
    while (answer.status === 404) answer = await ask('GET', '/nothing', { key: null });
    expect(answer.status).toBe(429);
    expectSafeHeaders(answer);
    expect(answer.headers.get('strict-transport-security')).toMatch(/^max-age=/);
  });
});

test('HSTS is not sent while the public address is not https', async () => {
  const server = await startTestApp({ env: QUICK_ADMIN });
  try {
    const { headers } = await server.call('GET', '/', { key: null });
    expect(headers.get('strict-transport-security')).toBeNull();
  } finally {
    await server.stop();
  }
});

const corsHeaders = ({ headers }: Answer) =>
  [...headers].filter(([name]) => name.startsWith('access-control-')).map(([name]) => name);

const preflight = (server: TestApp, origin: string) =>
  server.call('OPTIONS', 'otp/send', {
    key: null,
    headers: {
      origin,
      'access-control-request-method': 'POST',
      'access-control-request-headers': 'authorization,content-type,idempotency-key',
    },
  });

describe('CORS, when nothing is configured', () => {
  let server: TestApp;
  beforeAll(async () => {
    server = await startTestApp({ env: QUICK_ADMIN });
  });
  afterAll(() => server.stop());

  test('is off: no answer lets another site read it, and no question before a request is granted', async () => {
    for (const origin of ['https://app.example.com', 'null', server.address]) {
      const answers = [
        await preflight(server, origin),
        await server.call('GET', 'otp', { headers: { origin } }),
        await server.call('GET', 'nothing', { key: null, headers: { origin } }),
      ];
      expect(answers.flatMap(corsHeaders)).toEqual([]);
      expect(answers[0]?.status).toBe(405);
    }
  });
});

describe('CORS, when origins are listed', () => {
  const LISTED = 'https://app.example.com';
  let server: TestApp;
  beforeAll(async () => {
    const env = { ...QUICK_ADMIN, CORS_ORIGINS: `${LISTED},http://localhost:5173` };
    server = await startTestApp({ env });
  });
  afterAll(() => server.stop());

  test('grants the question before a request to a listed origin, for the headers the API takes', async () => {
    const answer = await preflight(server, LISTED);
    expect(answer.status).toBe(204);
    expect(answer.headers.get('access-control-allow-origin')).toBe(LISTED);
    expect(answer.headers.get('access-control-allow-methods')).toMatch(/POST/);
    const allowed = answer.headers.get('access-control-allow-headers')?.toLowerCase();
    for (const name of ['authorization', 'content-type', 'idempotency-key']) expect(allowed).toContain(name);
    expectSafeHeaders(answer);
  });

  test('lets a listed origin read answers and refusals, and the headers it needs', async () => {
    for (const answer of [
      await server.call('GET', 'otp', { headers: { origin: LISTED } }),
      await server.call('GET', 'otp', { key: null, headers: { origin: LISTED } }),
      await server.call('POST', 'otp/send', { body: '{', headers: { origin: LISTED } }),
      await server.call('GET', 'nothing', { headers: { origin: LISTED } }),
    ]) {
      expect(answer.headers.get('access-control-allow-origin')).toBe(LISTED);
      expect(answer.headers.get('vary')).toMatch(/origin/i);
      const exposed = answer.headers.get('access-control-expose-headers')?.toLowerCase();
      for (const name of ['retry-after', 'x-request-id', 'ratelimit']) expect(exposed).toContain(name);
    }
  });

  test('never allows cookies to be sent from another site', async () => {
    const answers = [
      await preflight(server, LISTED),
      await server.call('GET', 'otp', { headers: { origin: LISTED } }),
    ];
    expect(answers.flatMap(corsHeaders)).not.toContain('access-control-allow-credentials');
  });

  test.each([
    'https://evil.example',
    'null',
    'https://app.example.com.evil.example',
    'http://app.example.com',
    'https://app.example.com:444',
    'https://APP.example.com.',
    '*',
  ])('answers %s without a word of it', async (origin) => {
    for (const answer of [
      await preflight(server, origin),
      await server.call('GET', 'otp', { headers: { origin } }),
    ]) {
      expect(answer.headers.get('access-control-allow-origin')).toBeNull();
    }
  });

  test.each([
    ['without an origin and a method', {}],
    ['without an origin', { 'access-control-request-method': 'POST' }],
    ['without a method', { origin: LISTED }],
  ])('leaves an OPTIONS %s a wrong method', async (_what, headers) => {
    const answer = await server.call('OPTIONS', 'otp/send', { key: null, headers });
    expectProblem(answer, 'METHOD_NOT_ALLOWED');
    expect(answer.headers.get('allow')).toBe('POST');
    expectSafeHeaders(answer);
    const unknown = await server.call('OPTIONS', '/nothing', { key: null, headers });
    expectProblem(unknown, 'RESOURCE_NOT_FOUND');
  });

  test('leaves a wrong method and an unknown address what they are', async () => {
    expect((await server.call('PUT', 'otp/send')).status).toBe(405);
    expect((await server.call('GET', '/nothing')).status).toBe(404);
  });
});
