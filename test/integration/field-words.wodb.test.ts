import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type OpenApi, operationsOf, type Schema, startDocumentedApp } from '../support/openapi.ts';
import { expectProblem } from '../support/problem.ts';
import type { TestApp } from '../support/test-app.ts';

let server: TestApp;
let document: OpenApi;
beforeAll(async () => {
  ({ server, document } = await startDocumentedApp());
});
afterAll(() => server.stop());

const refusal = async (method: string, path: string, body?: unknown) =>
  expectProblem(await server.call(method, path, { body, asAdmin: true }), 'VALIDATION_ERROR');

describe('a refused field is named in a sentence with what is allowed, which is the detail', () => {
  const phone = '+6283834946034';

  test.each<[unknown, string]>([
    [{}, 'The field `phone` is required and must be a string.'],
    [{ phone: 1 }, 'The value of `phone` must be a string.'],
    [{ phone, length: 5 }, 'The value of `length` must be a whole number from 6 to 10.'],
    [{ phone, length: '6' }, 'The value of `length` must be a whole number from 6 to 10.'],
    [{ phone, alphabet: 'emoji' }, 'The value of `alphabet` must be one of numeric, alphanumeric.'],
    [{ phone, message: '' }, 'The value of `message` must be a string of 1 to 4096 characters.'],
    [
      { phone, email: 'x' },
      'Unknown field `email`. Allowed: phone, purpose, code, length, alphabet, message, channel, expiryMinutes, clientIp, metadata, projectId.',
    ],
    [{ phone, channel: 'pigeon' }, 'The value of `channel` must be one of auto, whatsapp, simulator.'],
    [{ phone, code: '12' }, 'The value of `code` must be 4 to 10 ASCII letters or digits.'],
    [{ phone, clientIp: 'home' }, 'The value of `clientIp` must be an IPv4 or IPv6 address.'],
    [{ phone, metadata: 7 }, 'The value of `metadata` must be an object.'],
    [[], 'The body must be an object.'],
    ['null', 'The body must be an object.'],
    [
      { phone, expiryMinutes: 11 },
      'The value of `expiryMinutes` must be at most 10 (OTP_MAX_EXPIRY_MINUTES).',
    ],
  ])('POST otp/send with %j', async (body, detail) => {
    expect((await refusal('POST', 'otp/send', body)).detail).toBe(detail);
  });

  test.each([
    ['limit=0', 'The value of `limit` must be a whole number from 1 to 200.'],
    ['limit=ten', 'The value of `limit` must be a whole number from 1 to 200.'],
    ['status=lost', /^The value of `status` must be one of pending, verified, /],
    ['from=yesterday', /^The value of `from` must be a time in RFC 3339, such as 2026-/],
    ['cursor=x', 'The value of `cursor` must be a `page.next` of this list.'],
    ['limit=1&limit=2', 'The query parameter `limit` must be given only once.'],
    ['sort=asc', /^Unknown field `sort`\. Allowed: limit, cursor, /],
  ])('GET otp?%s', async (query, detail) => {
    expect((await refusal('GET', `otp?${query}`)).detail).toMatch(detail);
  });

  test.each([
    ['otp/verify', { code: '482913' }, 'Give either `id` or `phone`.'],
    ['otp/verify', { id: 'x', phone, code: '482913' }, 'Give either `id` or `phone`.'],
    ['session', {}, 'Give either `token` or `password`.'],
    ['bot/sessions', { proxy: 'ftp://10.0.0.1' }, /^The value of `proxy` must be written as http:\/\/, /],
    ['bot/sessions', { proxy: 'http://10.0.0.1/x' }, /^The address in `proxy` ends with its port\. /],
    ['bot/sessions', { proxy: 'http://me:100%@10.0.0.1' }, /^Percent-encode .* in `proxy` has of these: /],
  ])('POST %s with %j', async (path, body, detail) => {
    expect((await refusal('POST', path, body)).detail).toMatch(detail);
  });

  test('of an item of an array', async () => {
    const body = { name: 'x', permissions: ['otp:send', 'otp:fly'] };
    const { errors = [] } = await refusal('POST', 'keys', body);
    expect(errors).toEqual([
      {
        path: 'permissions.1',
        message: expect.stringMatching(/^The value of `permissions\.1` must be one of otp:send, /),
      },
    ]);
  });

  test('of each field that is wrong', async () => {
    const { errors = [] } = await refusal('POST', 'keys', { permissions: [], rateLimit: 0 });
    expect(errors.map(({ path }) => path)).toEqual(['name', 'permissions', 'rateLimit']);
  });
});

describe('no field of any route is refused in the words of a library', () => {
  const WRONG = [
    null,
    true,
    1.5,
    -1,
    1e300,
    '',
    ' ',
    'x'.repeat(70_000),
    [],
    [[]],
    [{}],
    {},
    { x: { y: [] } },
  ];

  const schemaOf = (schema: Schema | undefined): Schema => {
    const name = schema?.$ref?.split('/').at(-1);
    return name
      ? (document.components as { schemas: Record<string, Schema> }).schemas[name]!
      : (schema ?? {});
  };

  test('in a body', async () => {
    let refusals = 0;
    for (const { route, path, operation } of operationsOf(document)) {
      const [method = ''] = route.split(' ');
      const body = schemaOf(operation.requestBody?.content['application/json']?.schema);
      const example = (body.example ?? {}) as Record<string, unknown>;
      const address = path.replace(/\{\w+\}/g, 'x');
      for (const name of Object.keys(body.properties ?? {})) {
        const given = WRONG.map((value) => ({ ...example, [name]: value }));
        const answers = await Promise.all(
          given.map((wrong) => server.call(method, address, { body: wrong, asAdmin: true })),
        );
        for (const answer of answers) {
          if (answer.status !== 400) continue;
          expectProblem(answer, answer.body.code);
          refusals++;
        }
      }
    }
    expect(refusals).toBeGreaterThan(300);
  }, 60_000);

  test('in a query', async () => {
    let refusals = 0;
    for (const { route, path, operation } of operationsOf(document)) {
      if (!route.startsWith('GET ')) continue;
      for (const parameter of operation.parameters ?? []) {
        if (!('in' in parameter) || parameter.in !== 'query') continue;
        for (const value of ['', ' ', '-1', 'x'.repeat(5_000), '[]']) {
          const query = new URLSearchParams({ [parameter.name]: value });
          const answer = await server.call('GET', `${path.replace(/\{\w+\}/g, 'x')}?${query}`, {
            asAdmin: true,
          });
          if (answer.status !== 400) continue;
          expectProblem(answer, answer.body.code);
          refusals++;
        }
      }
    }
    expect(refusals).toBeGreaterThan(30);
  });
});
