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
    [{}, 'The field `phone` is required: give `phone`, `email` or both.'],
    [{ phone: 1 }, 'The value of `phone` must be a string.'],
    [{ phone, length: 5 }, 'The value of `length` must be a whole number from 6 to 10.'],
    [{ phone, length: '6' }, 'The value of `length` must be a whole number from 6 to 10.'],
    [{ phone, alphabet: 'emoji' }, 'The value of `alphabet` must be one of numeric, alphanumeric.'],
    [{ phone, message: '' }, 'The value of `message` must be a string of 1 to 4096 characters.'],
    [
      { phone, mail: 'x' },
      'Unknown field `mail`. Allowed: phone, email, purpose, code, length, alphabet, message, template, variables, locale, channel, channels, expiryMinutes, clientIp, metadata, projectId.',
    ],
    [
      { phone, channel: 'pigeon' },
      'The value of `channel` must be one of auto, whatsapp, cloud_api, email, sms, http, simulator.',
    ],
    [{ phone, code: '12' }, 'The value of `code` must be 4 to 10 ASCII letters or digits.'],
    [{ phone, clientIp: 'home' }, 'The value of `clientIp` must be an IPv4 or IPv6 address.'],
    [{ phone, metadata: 7 }, 'The value of `metadata` must be an object.'],
    [[], 'The body must be an object.'],
    ['null', 'The body must be an object.'],
    [
      { phone, expiryMinutes: 11 },
      'The value of `expiryMinutes` must be a whole number from 1 to 10 (OTP_MAX_EXPIRY_MINUTES).',
    ],
    [
      { phone, expiryMinutes: 99 },
      'The value of `expiryMinutes` must be a whole number from 1 to 10 (OTP_MAX_EXPIRY_MINUTES).',
    ],
    [
      { phone, expiryMinutes: 0 },
      'The value of `expiryMinutes` must be a whole number of minutes, 1 or more.',
    ],
    [
      { phone, expiryMinutes: 1e300 },
      'The value of `expiryMinutes` must be a whole number of minutes, 1 or more.',
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
    ['otp/verify', { code: '482913' }, 'Give either `id`, `phone` or `email`.'],
    ['otp/verify', { id: 'x', phone, code: '482913' }, 'Give either `id`, `phone` or `email`.'],
    ['session', {}, 'Give either `token` or `password`.'],
    ['bot/sessions', { proxy: 'ftp://10.0.0.1' }, /^The value of `proxy` must be written as http:\/\/, /],
    ['bot/sessions', { proxy: 'http://10.0.0.1/x' }, /^The address in `proxy` ends with its port\. /],
    [
      'bot/sessions',
      { proxy: 'http://me:100%@10.0.0.1' },
      /^In the name and password of `proxy`, write % as %25, /,
    ],
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

  test('of an array whose items are from a list', async () => {
    const { detail } = await refusal('POST', 'keys', { name: 'x', permissions: [] });
    expect(detail).toMatch(
      /^The value of `permissions` must be an array of \S+ to \S+ items, each one of otp:send, /,
    );
  });

  test('once, however many rules its value breaks', async () => {
    const { errors = [] } = await refusal('POST', 'otp/send', { phone, length: 1e300 });
    expect(errors.map(({ path }) => path)).toEqual(['length']);
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
