import { brotliCompressSync, gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { breakTable } from '../support/obstacles.ts';
import { expectProblem } from '../support/problem.ts';
import { openRaw, requestText, sendRaw } from '../support/raw-http.ts';
import { startTestApp, type TestApp } from '../support/test-app.ts';
import { newPhone, QUICK_ADMIN } from '../support/verifications.ts';

let server: TestApp;
beforeAll(async () => {
  server = await startTestApp({ env: { ...QUICK_ADMIN, ADDRESS_LIMIT_PER_MINUTE: '100000' } });
});
afterAll(() => server.stop());

const authorization = () => `Authorization: Bearer ${server.key}`;
const JSON_TYPE = 'Content-Type: application/json';

describe('an address that does not exist', () => {
  test.each([
    ['GET', '/api/v1/nothing'],
    ['POST', '/api/v1/otp/send/now'],
    ['DELETE', '/api/v2/otp/send'],
    ['GET', '/nothing'],
    ['GET', '/api'],
    ['GET', '/API/V1/HEALTH'],
    ['PUT', '/assets2/x.js'],
  ])('%s %s is a problem document with 404, without a key and with one', async (method, path) => {
    for (const key of [null, server.key]) {
      const answer = await server.call(method, path, { key });
      expectProblem(answer, 'RESOURCE_NOT_FOUND');
      expect(answer.headers.get('allow')).toBeNull();
    }
  });

  const BROWSER = 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8';

  test.each(['/nothing', '/docs/nothing', '/assets/nothing.js', '/API/x', '/%61', '/apis'])(
    'opened in a browser (%s) is a page that leads on, with 404 and the headers of every page',
    async (path) => {
      const answer = await server.call('GET', path, { key: null, headers: { accept: BROWSER } });
      expect(answer.status).toBe(404);
      expect(answer.headers.get('content-type')).toBe('text/html; charset=utf-8');
      expect(answer.headers.get('vary')).toBe('accept');
      expect(answer.headers.get('content-security-policy')).toContain("default-src 'self'");
      expect(answer.text).toContain('<h1>Page not found</h1>');
      for (const [, link] of answer.text.matchAll(/href="([^"]+)"/g)) {
        if (link!.startsWith('#')) expect(answer.text).toContain(`id="${link!.slice(1)}"`);
        else expect((await server.call('GET', link!, { key: null })).status, link).toBe(200);
      }
    },
  );

  test.each([
    ['GET', '/api/v1/nothing', BROWSER],
    ['GET', '/api', BROWSER],
    ['POST', '/nothing', BROWSER],
    ['GET', '/nothing', '*/*'],
    ['GET', '/nothing', 'application/json, text/html;q=0.9'],
  ])('is a problem document for whoever wants no page: %s %s, %s', async (method, path, accept) => {
    const answer = await server.call(method, path, { key: null, headers: { accept } });
    expectProblem(answer, 'RESOURCE_NOT_FOUND');
  });

  test('a doubled slash is another address', async () => {
    const answer = await sendRaw(server.address, requestText('GET //api/v1/health', []));
    expectProblem(answer, 'RESOURCE_NOT_FOUND');
  });

  test.each(['/assets/nothing.js', '/docs/static/nothing.js', '/docs/nothing', '/assets/'])(
    'a file that does not exist (%s) is 404 too, not "method not allowed"',
    async (path) => {
      const answer = await server.call('GET', path, { key: null });
      expectProblem(answer, 'RESOURCE_NOT_FOUND');
      expect(answer.headers.get('allow')).toBeNull();
    },
  );

  test.each([
    '/assets/../index.html',
    '/assets/%2e%2e/index.html',
    '/assets/..%2f..%2fpackage.json',
    '/assets/....//x',
    '/assets/%00',
  ])(
    'no way of writing it (%s) leads out of the folder of files, and none is an error of ours',
    async (path) => {
      const answer = await sendRaw(server.address, requestText(`GET ${path}`, []));
      expect(answer.status).toBeGreaterThanOrEqual(400);
      expect(answer.status).toBeLessThan(500);
      const problem = expectProblem(answer, answer.body.code);
      expect(problem.detail).not.toContain('body');
      expect(answer.text).not.toContain('doctype');
    },
  );
});

describe('a wrong method', () => {
  test.each([
    ['GET', '/api/v1/keys/key_x', ['DELETE']],
    ['PUT', '/api/v1/otp/send', ['POST']],
    ['DELETE', '/api/v1/otp', ['GET', 'HEAD']],
    ['PATCH', '/api/v1/keys', ['GET', 'HEAD', 'POST']],
    ['POST', '/api/v1/health', ['GET', 'HEAD']],
    ['POST', '/api/v1/limits/+6283834946034', ['DELETE', 'GET', 'HEAD']],
    ['GET', '/api/admin/generate-token', ['POST']],
    ['POST', '/', ['GET', 'HEAD']],
    ['POST', '/openapi.json', ['GET', 'HEAD']],
    ['OPTIONS', '/api/v1/otp/send', ['POST']],
    ['GET', '/api/v1/otp/send', ['POST']],
    ['GET', '/api/v1/otp/verify?code=1', ['POST']],
    ['POST', '/api/v1/otp/status', ['GET', 'HEAD']],
    ['POST', '/docs', ['GET', 'HEAD']],
    ['POST', '/docs/', ['GET', 'HEAD']],
  ])('%s %s is 405 and names the right ones in Allow', async (method, path, allow) => {
    const answer = await server.call(method, path, { key: null });
    expectProblem(answer, 'METHOD_NOT_ALLOWED');
    expect(answer.headers.get('allow')?.split(', ').sort()).toEqual([...allow].sort());
  });

  test.each(['GET', 'HEAD'])(
    '%s of an address that only POST knows is 405 with and without a key, though it has the form of one with an id',
    async (method) => {
      for (const key of [null, server.key]) {
        const answer = await server.call(method, 'otp/send', { key });
        expect(answer.status).toBe(405);
        expect(answer.headers.get('allow')).toBe('POST');
      }
    },
  );

  test.each(['TRACE', 'PROPFIND', 'MKCALENDAR'])(
    '%s, which HTTP knows and we do not, is 405',
    async (method) => {
      const answer = await sendRaw(server.address, requestText(`${method} /api/v1/otp/send`, []));
      expectProblem(answer, 'METHOD_NOT_ALLOWED');
      expect(answer.headers.get('allow')).toBe('POST');
    },
  );
});

describe('a body that cannot be read', () => {
  const send = (body: string, headers: Record<string, string> = {}) =>
    server.call('POST', 'otp/send', { body, headers });

  test.each([
    '{"phone":',
    '{phone:1}',
    "{'phone':'+6283834946034'}",
    'phone=+6283834946034',
    '{"phone":"+6283834946034"} extra',
    '{"phone":"+6283834946034",}',
    '{"phone":NaN}',
    '\u0000',
  ])('%j is no JSON: 400', async (body) => {
    const problem = expectProblem(await send(body), 'VALIDATION_ERROR');
    expect(problem.detail).toBe('The body is not valid JSON.');
  });

  test('an empty body with the content type of JSON is 400 and says so', async () => {
    const answer = await server.call('POST', 'otp/send', { headers: { 'content-type': 'application/json' } });
    expect(expectProblem(answer, 'VALIDATION_ERROR').detail).toContain('empty');
  });

  test('an empty body with the content type of JSON is taken where none is needed, as v3 took it', async () => {
    const headers = { 'content-type': 'application/json' };
    const made = await server.call('POST', '/api/admin/generate-token', { asAdmin: true, headers });
    expect(made.status).toBe(200);
  });

  test('no body at all is 400 where one is needed', async () => {
    expectProblem(await server.call('POST', 'otp/send'), 'VALIDATION_ERROR');
  });

  test.each([
    'text/plain',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
    'text/xml',
    ';;;',
  ])('the content type %s is 415, whatever the body is', async (type) => {
    expectProblem(
      await send('{"phone":"+6283834946034"}', { 'content-type': type }),
      'UNSUPPORTED_MEDIA_TYPE',
    );
  });

  test.each(['utf-16', 'UTF-16LE', 'iso-8859-1', '"us-ascii"', ''])(
    'the charset %s is 415, whatever the bytes are',
    async (charset) => {
      const type = `application/json; charset=${charset}`;
      const answer = await send('{"phone":"+6283834946034"}', { 'content-type': type });
      expect(expectProblem(answer, 'UNSUPPORTED_MEDIA_TYPE').detail).toContain('UTF-8');
    },
  );

  test.each([
    'application/json;charset=utf-8',
    'application/json; charset="UTF-8"',
    'application/json; charset=utf8',
  ])('the content type %s is read', async (type) => {
    const problem = expectProblem(await send('{}', { 'content-type': type }), 'VALIDATION_ERROR');
    expect(problem.detail).toContain('`phone` is required');
  });

  const body = '{"phone":"+6283834946034"}';
  test.each([
    ['gzip', gzipSync(body)],
    ['gzip', Buffer.from(body)],
    ['GZIP', Buffer.from(body)],
    ['br', brotliCompressSync(body)],
    ['deflate', Buffer.from(body)],
    ['identity, gzip', Buffer.from(body)],
    ['x', Buffer.from(body)],
  ])(
    'a body in the coding %s is 415 with the one that is taken, also when it is plain',
    async (coding, bytes) => {
      const headers = { 'content-type': 'application/json', 'content-encoding': coding };
      for (const given of [{ ...headers, authorization: `Bearer ${server.key}` }, headers]) {
        const path = 'authorization' in given ? '/api/v1/otp/send' : '/api/v1/session';
        const url = new URL(path, server.address);
        const answer = await fetch(url, { method: 'POST', headers: given, body: new Uint8Array(bytes) });
        const text = await answer.text();
        const { status, headers: got } = answer;
        const problem = expectProblem(
          { status, headers: got, text, body: JSON.parse(text) },
          'UNSUPPORTED_MEDIA_TYPE',
        );
        expect(problem.detail).toContain('Content-Encoding');
        expect(got.get('accept-encoding')).toBe('identity');
      }
    },
  );

  test('a body in the coding identity is read', async () => {
    const headers = { 'content-encoding': 'identity' };
    const answer = await server.call('POST', 'otp/send', { body: { phone: newPhone() }, headers });
    expect(answer.status).toBe(201);
  });

  const asText = (bytes: string) =>
    Buffer.concat([
      Buffer.from(`{"phone":"${newPhone()}","message":"{{code}} `),
      Buffer.from(bytes, 'latin1'),
      Buffer.from('"}'),
    ]);
  test.each([
    ['Latin-1', 'caf\xe9'],
    ['a byte that UTF-8 never has', '\xff'],
    ['a character that is cut off', '\xe2\x82'],
    ['an encoded surrogate', '\xed\xa0\x80'],
    ['an overlong form', '\xc0\xaf'],
  ])('bytes that are not UTF-8 are 400, and nothing is sent: %s', async (_what, bytes) => {
    const answer = await sendRaw(
      server.address,
      requestText('POST /api/v1/otp/send', [
        authorization(),
        JSON_TYPE,
        `Content-Length: ${asText(bytes).length}`,
      ]),
      asText(bytes),
    );
    expect(expectProblem(answer, 'VALIDATION_ERROR').detail).toBe('The body is not valid UTF-8.');
  });

  test('half a surrogate pair, written out in JSON, is 400 and names the field', async () => {
    const half = `${String.fromCharCode(92)}ud83d`;
    const given = (text: string) => `{"phone":"${newPhone()}","metadata":{"a":["${text}"]}}`;
    const problem = expectProblem(await send(given(half)), 'VALIDATION_ERROR');
    expect(problem.errors).toEqual([
      { path: 'metadata.a.0', message: expect.stringContaining('metadata.a.0') },
    ]);
    const whole = await send(given(`${half}${String.fromCharCode(92)}ude00`));
    expect(whole.status).toBe(201);
  });

  test('a byte order mark before the body is no part of it', async () => {
    const answer = await send(`\ufeff{"phone":"${newPhone()}"}`);
    expect(answer.status).toBe(201);
  });

  test('a body of 2 MB is 413, told by its length before it has arrived', async () => {
    const connection = await openRaw(server.address);
    connection.write(
      requestText('POST /api/v1/otp/send', [authorization(), JSON_TYPE, 'Content-Length: 2097152']),
    );
    expectProblem(await connection.answer(), 'PAYLOAD_TOO_LARGE');
    connection.destroy();
  });

  test.each([
    ['otp/send', 1],
    ['bot/sessions/ses_01jd3x8zq2e6v9k5m7n0p4r8st/import', 64],
    ['nothing', 1],
  ])('a body that is too large for %s is told the %i MB that it may have', async (path, megabytes) => {
    const headers = [`X-Master-Key: ${server.adminPassword}`, JSON_TYPE, 'Content-Length: 73400320'];
    const connection = await openRaw(server.address);
    connection.write(requestText(`POST /api/v1/${path}`, headers));
    const { detail } = expectProblem(await connection.answer(), 'PAYLOAD_TOO_LARGE');
    expect(detail).toBe(`The body is larger than ${megabytes} MB.`);
    connection.destroy();
  });

  test('a body of 2 MB that comes in pieces without a length is 413 as well', async () => {
    const connection = await openRaw(server.address);
    connection.write(
      requestText('POST /api/v1/otp/send', [authorization(), JSON_TYPE, 'Transfer-Encoding: chunked']),
    );
    const piece = ' '.repeat(65_536);
    for (let i = 0; i < 32; i++) connection.write(`10000\r\n${piece}\r\n`);
    expectProblem(await connection.answer(), 'PAYLOAD_TOO_LARGE');
    connection.destroy();
  });

  test('a body of just under 1 MB is read', async () => {
    const body = `{"phone":"+6283834946034","filler":"${'x'.repeat(1_048_576 - 40)}"}`;
    const problem = expectProblem(await send(body), 'VALIDATION_ERROR');
    expect(problem.errors).toEqual([{ path: 'filler', message: expect.any(String) }]);
  });

  test('a refusal of 1,900 unknown fields stays small', async () => {
    const body = `{${Array.from({ length: 1_900 }, (_, i) => `"k${i}":1`).join(',')}}`;
    const answer = await send(body);
    expectProblem(answer, 'VALIDATION_ERROR');
    expect(answer.body.errors).toHaveLength(20);
  });

  test('400,000 levels of JSON are refused and are no error of ours, with an Idempotency-Key too', async () => {
    const body = '['.repeat(400_000) + ']'.repeat(400_000);
    const headers = { 'idempotency-key': 'deep' };
    expectProblem(await server.call('POST', 'otp/send', { body, headers }), 'VALIDATION_ERROR');
    expectProblem(
      await server.call('POST', '/api/admin/generate-token', { body, headers, asAdmin: true }),
      'VALIDATION_ERROR',
    );
  });
});

describe('what is no HTTP', () => {
  test.each([
    ['another protocol', 'HELLO\r\n\r\n'],
    ['a method that does not exist', 'FETCH / HTTP/1.1\r\nHost: localhost\r\n\r\n'],
    ['a header without a colon', 'GET / HTTP/1.1\r\nHost: localhost\r\nnonsense\r\n\r\n'],
    ['a header name with a space', 'GET / HTTP/1.1\r\nHost: localhost\r\nx y: 1\r\n\r\n'],
    ['a control character in a header', 'GET / HTTP/1.1\r\nHost: localhost\r\nx: \u0001\r\n\r\n'],
    ['two lengths', 'POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx'],
    [
      'a length and pieces',
      'POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    ],
    ['a request without Host', 'GET /api/v1/health HTTP/1.1\r\nConnection: close\r\n\r\n'],
  ])('%s is answered with a problem document and 400', async (_what, bytes) => {
    const answer = await sendRaw(server.address, bytes);
    expectProblem(answer, 'VALIDATION_ERROR');
    expect(answer.headers.get('cache-control')).toBe('no-store');
  });

  test('an expectation that nobody can meet is answered with a problem document', async () => {
    const answer = await sendRaw(
      server.address,
      requestText('POST /api/v1/otp/send', [authorization(), JSON_TYPE, 'Expect: miracles'], '{}'),
    );
    expect(answer.status).toBeGreaterThanOrEqual(400);
    expect(answer.status).toBeLessThan(500);
    expectProblem(answer, answer.body.code);
  });

  test('a tunnel is refused with the methods there are', async () => {
    const answer = await sendRaw(
      server.address,
      'CONNECT example.com:443 HTTP/1.1\r\nHost: example.com\r\n\r\n',
    );
    expectProblem(answer, 'METHOD_NOT_ALLOWED');
    expect(answer.headers.get('allow')).toContain('POST');
  });

  test('headers over 16 kB are 431', async () => {
    const answer = await sendRaw(server.address, requestText('GET /', [`X-Filler: ${'x'.repeat(17_000)}`]));
    expectProblem(answer, 'HEADERS_TOO_LARGE');
    expect(answer.headers.get('connection')).toBe('close');
  });

  test('headers of just under 16 kB are read', async () => {
    const filler = [`X-Filler: ${'x'.repeat(15_000)}`];
    const answer = await sendRaw(server.address, requestText('GET /api/v1/health/live', filler));
    expect(answer.status).toBe(200);
  });

  test.each(['/api/v1/otp/%zz', '/api/v1/otp/%', '/%c3%28', '/api/v1/limits/%E0%A4%A', '/assets/%'])(
    'the badly encoded address %s is 400',
    async (path) => {
      const answer = await sendRaw(server.address, requestText(`GET ${path}`, [authorization()]));
      expectProblem(answer, 'VALIDATION_ERROR');
    },
  );

  test('an id of 3,000 characters is no id: 404 like any other address that leads nowhere', async () => {
    const answer = await server.call('GET', `otp/${'a'.repeat(3_000)}`);
    expectProblem(answer, 'RESOURCE_NOT_FOUND');
  });

  test.each([
    ['Range', 'bytes=999999999-'],
    ['Range', 'lines=1-2'],
    ['If-Match', '"another"'],
    ['If-Unmodified-Since', 'Thu, 01 Jan 1970 00:00:00 GMT'],
    ['If-Modified-Since', 'yesterday'],
  ])('%s: %s on a file gives no error of ours', async (name, value) => {
    const answer = await server.call('GET', '/assets/phone.css', { key: null, headers: { [name]: value } });
    expect(answer.status).toBeLessThan(500);
    if (answer.status >= 400) expectProblem(answer, answer.body.code);
  });
});

describe('what arrives too slowly', () => {
  test('headers and body each have 15 seconds', () => {
    const { headersTimeout, requestTimeout } = server.app.server.server;
    expect({ headersTimeout, requestTimeout }).toEqual({ headersTimeout: 15_000, requestTimeout: 15_000 });
  });

  test('a quiet connection has 75 seconds, longer than load balancers keep theirs, and says so', async () => {
    expect(server.app.server.server.keepAliveTimeout).toBe(75_000);
    const answer = await sendRaw(server.address, requestText('GET /api/v1/health/live', []));
    expect(answer.headers.get('connection')).toBe('keep-alive');
    expect(answer.headers.get('keep-alive')).toBe('timeout=75');
  });

  test('a quiet connection has as long as KEEP_ALIVE_SECONDS says, then it is closed', async () => {
    const brief = await startTestApp({ env: { ...QUICK_ADMIN, KEEP_ALIVE_SECONDS: '1' } });
    try {
      const connection = await openRaw(brief.address);
      connection.write(requestText('GET /api/v1/health/live', []));
      expect((await connection.answer()).headers.get('keep-alive')).toBe('timeout=1');
      expect(await connection.closed()).toMatch(/^HTTP\/1\.1 200/);
    } finally {
      await brief.stop();
    }
  });

  test('headers or a body that do not come to their end in time are 408', async () => {
    const slow = await startTestApp({ env: QUICK_ADMIN });
    try {
      // The same limits, only shorter: Node looks for what is overdue once a second.
      slow.app.server.server.headersTimeout = 50;
      slow.app.server.server.requestTimeout = 50;
      const headers = await openRaw(slow.address);
      headers.write('GET /api/v1/health HTTP/1.1\r\nHost: localhost\r\nX-Slow: ');
      const body = await openRaw(slow.address);
      body.write(requestText('POST /api/v1/session', [JSON_TYPE, 'Content-Length: 100']));
      body.write('{"password":');
      const answers = [await headers.answer(), await body.answer()];
      for (const answer of answers) {
        expectProblem(answer, 'REQUEST_TIMEOUT');
        expect(answer.headers.get('connection')).toBe('close');
      }
      await Promise.all([headers.closed(), body.closed()]);
    } finally {
      await slow.stop();
    }
  });
});

describe('an error of ours', () => {
  test('is one generic 500 whose cause stands in the log alone, under the request id', async () => {
    const repair = await breakTable(server.app.database, 'insert', 'verifications', 'inner words');
    const phone = newPhone();
    const failed = await server.call('POST', 'otp/send', { body: { phone } });
    const problem = expectProblem(failed, 'INTERNAL_ERROR');
    expect(problem.detail).toBe('Something went wrong on our side. Give the request id to the operator.');
    expect(failed.text).not.toContain('inner words');

    const logged = server.logLines.filter((line) => line.includes(problem.requestId));
    expect(logged.some((line) => line.includes('inner words'))).toBe(true);
    expect(logged.join('')).not.toContain(phone);

    await repair();
    expect((await server.call('POST', 'otp/send', { body: { phone } })).status).toBe(201);
  });
});

test('what is damaged inside is an error of ours, not of the caller, though it is JSON that cannot be read', async () => {
  const sent = await server.call('POST', 'otp/send', { body: { phone: newPhone(), metadata: { a: 1 } } });
  const { id } = sent.body.data;
  await server.app.database.transaction(async (trx) => {
    await trx.updateTable('verifications').set({ metadata: '{"a":' }).where('id', '=', id).execute();
  });
  const problem = expectProblem(await server.call('GET', `otp/${id}`), 'INTERNAL_ERROR');
  expect(
    server.logLines.some((line) => line.includes(problem.requestId) && line.includes('"level":50')),
  ).toBe(true);
});

describe('the request id', () => {
  const idFor = async (given: string) => {
    const answer = await server.call('GET', 'nothing', { headers: { 'x-request-id': given } });
    return expectProblem(answer, 'RESOURCE_NOT_FOUND').requestId;
  };

  test.each(['a', 'order-17_b.2', 'A'.repeat(64)])('a sane one is kept: %s', async (id) => {
    expect(await idFor(id)).toBe(id);
    const success = await server.call('GET', 'health/live', { headers: { 'x-request-id': id } });
    expect(success.headers.get('x-request-id')).toBe(id);
  });

  test.each(['A'.repeat(65), 'two words', '<b>', '"', '{"a":1}', '\t', 'a,b', 'é', '../x', ''])(
    'another (%j) is replaced by a new one',
    async (id) => {
      expect(await idFor(id)).toMatch(/^[0-9a-f]{8}-[0-9a-f-]{27}$/);
    },
  );

  test('two of them are replaced by a new one', async () => {
    const answer = await sendRaw(
      server.address,
      requestText('GET /api/v1/nothing', ['X-Request-Id: one', 'X-Request-Id: two']),
    );
    expect(expectProblem(answer, 'RESOURCE_NOT_FOUND').requestId).toMatch(/^[0-9a-f]{8}-/);
  });

  test('requests without one get different ones', async () => {
    const answers = await Promise.all(Array.from({ length: 5 }, () => server.call('GET', 'health/live')));
    expect(new Set(answers.map(({ headers }) => headers.get('x-request-id'))).size).toBe(5);
  });
});
