import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { FastifyInstance, RouteOptions } from 'fastify';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { z } from 'zod';
import { ERROR_CODES, type ErrorCode } from '../../src/errors/codes.ts';
import { ROUTE_ACCESS } from '../../src/http/access.ts';
import { VERSION } from '../../src/version.ts';
import { type Answer, type CallOptions, startTestApp, type TestApp } from '../support/test-app.ts';
import { newPhone, QUICK_ADMIN, verificationsOf } from '../support/verifications.ts';

/** The routes that are promised so far. */
const PROMISED = [
  'POST /api/v1/otp/send',
  'POST /api/v1/otp/verify',
  'POST /api/v1/otp/:id/resend',
  'POST /api/v1/otp/:id/cancel',
  'GET /api/v1/otp/:id',
  'GET /api/v1/otp',
  'GET /api/v1/otp/status',
  'GET /api/v1/keys',
  'POST /api/v1/keys',
  'DELETE /api/v1/keys/:id',
  'POST /api/admin/generate-token',
  'GET /api/v1/bot/opt-outs',
  'DELETE /api/v1/bot/opt-outs/:phone',
  'GET /api/v1/bot/sessions',
  'POST /api/v1/bot/sessions',
  'GET /api/v1/bot/sessions/:id',
  'PATCH /api/v1/bot/sessions/:id',
  'DELETE /api/v1/bot/sessions/:id',
  'GET /api/v1/bot/sessions/:id/qr',
  'POST /api/v1/bot/sessions/:id/pairing-code',
  'POST /api/v1/bot/sessions/:id/restart',
  'POST /api/v1/bot/sessions/:id/pause',
  'POST /api/v1/bot/sessions/:id/resume',
  'POST /api/v1/bot/sessions/:id/logout',
  'POST /api/v1/bot/sessions/:id/import',
  'POST /api/v1/bot/sessions/:id/export',
  'GET /api/v1/simulator/messages',
  'PUT /api/v1/simulator/faults',
  'GET /api/v1/limits/:phone',
  'DELETE /api/v1/limits/:phone',
  'GET /api/v1/database/migrations',
  'POST /api/v1/database/compact',
  'POST /api/v1/database/demo-data',
  'POST /api/v1/database/backups',
  'POST /api/v1/database/verify',
  'GET /api/v1/database/job',
  'GET /api/v1/health',
  'GET /api/v1/health/live',
  'GET /api/v1/health/ready',
  'GET /api/v1/health/metrics',
];

/** The sign-in of our own page. */
const OF_THE_PAGE = ['GET /api/v1/session', 'POST /api/v1/session', 'DELETE /api/v1/session'];

/** What commands call over the control socket. */
const OF_THE_COMMANDS = ['POST /api/v1/migrate/v3'];

/** Pages and documents, which the OpenAPI document leaves out. */
const PAGES = [
  'GET /',
  'GET /assets/*',
  'GET /docs',
  'GET /docs/errors',
  'GET /openapi.json',
  'GET /openapi.yaml',
];

interface Schema {
  type?: string | string[];
  description?: string;
  example?: unknown;
  enum?: unknown[];
  default?: unknown;
  properties?: Record<string, Schema>;
  required?: string[];
  additionalProperties?: boolean | Schema;
  items?: Schema;
  $ref?: string;
}
interface Media {
  [type: string]: { schema: Schema };
}
interface Parameter {
  name: string;
  in: string;
  required?: boolean;
  description?: string;
  schema: Schema;
}
interface Reference {
  $ref: string;
}
interface Operation {
  summary?: string;
  tags?: string[];
  security?: Record<string, string[]>[];
  parameters?: (Parameter | Reference)[];
  requestBody?: { required?: boolean; content: Media };
  responses: Record<
    string,
    { description: string; headers?: Record<string, Reference>; content?: Media | undefined }
  >;
}

let server: TestApp;
let document: { paths: Record<string, Record<string, Operation>> } & Record<string, unknown>;
const served = new Map<string, RouteOptions>();

function collect(message: unknown): void {
  const { fastify } = message as { fastify: FastifyInstance };
  fastify.addHook('onRoute', (route) => {
    for (const method of [route.method].flat()) served.set(`${method} ${route.url}`, route);
  });
}

beforeAll(async () => {
  subscribe('fastify.initialization', collect);
  server = await startTestApp({ env: { ...QUICK_ADMIN, ADDRESS_LIMIT_PER_MINUTE: '100000' } });
  unsubscribe('fastify.initialization', collect);
  document = (await server.call('GET', '/openapi.json', { key: null })).body;
});
afterAll(() => server.stop());

const operations = () =>
  Object.entries(document.paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, operation]) => ({
      route: `${method.toUpperCase()} ${path.replace(/\{(\w+)\}/g, ':$1')}`,
      path,
      operation,
    })),
  );

/** What a reference in the document stands for. */
function resolved<T extends object>(given: T | Reference): T {
  if (!('$ref' in given)) return given;
  const names = given.$ref.replace('#/', '').split('/');
  return names.reduce<unknown>((part, name) => (part as Record<string, unknown>)[name], document) as T;
}

const parametersOf = ({ parameters = [] }: Operation) => parameters.map((parameter) => resolved(parameter));
const operationOf = (route: string) => operations().find((entry) => entry.route === route)!.operation;
const takes = (operation: Operation, place: string, name: string) =>
  parametersOf(operation).some((parameter) => parameter.in === place && parameter.name === name);

/** Whether an operation documents this refusal. */
function documents({ responses }: Operation, code: ErrorCode): boolean {
  return responses[ERROR_CODES[code].status]?.description.includes(`${code}: `) ?? false;
}

describe('the routes', () => {
  test('that are served are those of the table of access, and the other way round', () => {
    const isOfDocs = (route: string) => /^GET \/docs(\/|$)/.test(route) && route !== 'GET /docs/errors';
    const routes = [...served.keys()].filter((route) => !route.startsWith('HEAD ') && !isOfDocs(route));
    expect(routes.sort()).toEqual(Object.keys(ROUTE_ACCESS).sort());
  });

  test('that are served answer HEAD where they answer GET, under the same access', () => {
    for (const route of served.keys()) {
      if (route.startsWith('GET /api/')) expect(served.has(route.replace('GET', 'HEAD')), route).toBe(true);
    }
  });

  test('in the OpenAPI document are those that are promised, of the page and of commands, no more and no less', () => {
    const documented = operations().map(({ route }) => route);
    expect(documented.sort()).toEqual([...PROMISED, ...OF_THE_PAGE, ...OF_THE_COMMANDS].sort());
  });

  test('in the OpenAPI document and the pages are all that is served', () => {
    const expected = [...PROMISED, ...OF_THE_PAGE, ...OF_THE_COMMANDS, ...PAGES].sort();
    const routes = [...served.keys()].filter((route) => !/^(HEAD |GET \/docs\/(?!errors))/.test(route));
    expect(routes.sort()).toEqual(expected);
  });
});

describe('the OpenAPI document', () => {
  test('is 3.1 of this version, and the same in YAML', async () => {
    expect(document).toMatchObject({
      openapi: '3.1.0',
      info: { title: 'WOTP', version: VERSION, description: expect.any(String) },
      servers: [{ url: '/' }],
    });
    const yaml = await server.call('GET', '/openapi.yaml', { key: null });
    expect(yaml.headers.get('content-type')).toMatch(/^application\/yaml/);
    expect(yaml.text).toMatch(/^openapi: 3\.1\.0\n/);
    for (const path of Object.keys(document.paths)) expect(yaml.text).toContain(`\n  ${path}:\n`);
  });

  test('has every reference it makes', () => {
    const text = JSON.stringify(document);
    const references = new Set(
      [...text.matchAll(/"\$ref":"#\/([^"]+)"/g)].map(([, reference]) => reference!),
    );
    expect(references.size).toBeGreaterThan(0);
    for (const reference of references) {
      const found = reference
        .split('/')
        .reduce<unknown>((value, name) => (value as Record<string, unknown>)?.[name], document);
      expect(found, reference).toBeTypeOf('object');
    }
    expect(text).not.toMatch(/"\$ref":"(?!#)/);
  });

  test('says of every operation in one line what it does, and groups it', () => {
    for (const { route, operation } of operations()) {
      expect(operation.summary, route).toMatch(/^[A-Z].{5,}/);
      expect(operation.tags, route).toHaveLength(1);
    }
  });

  test('declares each part of an address that stands for something', () => {
    for (const { route, path, operation } of operations()) {
      const inAddress = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
      const declared = parametersOf(operation).filter((parameter) => parameter.in === 'path');
      expect(declared.map(({ name }) => name).sort(), route).toEqual(inAddress.sort());
      for (const { required } of declared) expect(required).toBe(true);
    }
  });

  test('describes every parameter and every field of a body, and shows what to put in', () => {
    const wordless: string[] = [];
    for (const { route, operation } of operations()) {
      const body = operation.requestBody?.content['application/json']?.schema;
      const fields = [
        ...Object.entries(body?.properties ?? {}),
        ...parametersOf(operation).map(
          ({ name, description, schema }) => [name, { ...schema, description }] as const,
        ),
      ];
      for (const [name, field] of fields) {
        const isShown = field.example !== undefined || field.enum !== undefined;
        if (!field.description && !isShown) wordless.push(`${route} ${name}`);
      }
    }
    expect(wordless).toEqual([]);
  });

  test('has an example for every field that a request must have', () => {
    for (const { route, operation } of operations()) {
      const body = operation.requestBody?.content['application/json']?.schema;
      for (const name of body?.required ?? []) {
        expect(body?.properties?.[name]?.example, `${route} ${name}`).toBeDefined();
      }
    }
  });

  test('closes every body to unknown fields', () => {
    for (const { route, operation } of operations()) {
      const body = operation.requestBody?.content['application/json']?.schema;
      if (body?.properties) expect(body.additionalProperties, route).toBe(false);
    }
  });

  test('asks for no body where none is needed', () => {
    for (const route of [
      'POST /api/admin/generate-token',
      'POST /api/v1/otp/:id/resend',
      'POST /api/v1/otp/:id/cancel',
    ]) {
      const { operation } = operations().find((entry) => entry.route === route)!;
      expect(operation.requestBody?.required ?? false, route).toBe(false);
    }
  });

  test('says of every answer what it is', () => {
    for (const { route, operation } of operations()) {
      const statuses = Object.keys(operation.responses);
      expect(
        statuses.filter((status) => status.startsWith('2')),
        route,
      ).not.toEqual([]);
      for (const [status, { description }] of Object.entries(operation.responses)) {
        expect(description, `${route} ${status}`).toMatch(/.{5,}/);
      }
    }
  });

  test('gives refusals the media type they have', () => {
    for (const { route, operation } of operations()) {
      // Health is no refusal: 503 comes with the same report as 200.
      if (route.startsWith('GET /api/v1/health')) continue;
      for (const [status, { content }] of Object.entries(operation.responses)) {
        if (Number(status) < 400) continue;
        expect(Object.keys(content ?? {}), `${route} ${status}`).toEqual(['application/problem+json']);
      }
    }
  });

  test('tells of bodies that are too large or no JSON wherever a body is read', async () => {
    const withBody = operations().filter(({ operation }) => operation.requestBody);
    expect(withBody.length).toBeGreaterThan(10);
    const headers = { 'content-type': 'text/plain' };
    for (const { route, path, operation } of withBody) {
      expect(documents(operation, 'PAYLOAD_TOO_LARGE'), route).toBe(true);
      expect(documents(operation, 'UNSUPPORTED_MEDIA_TYPE'), route).toBe(true);
      const address = path.replace(/\{\w+\}/, 'any');
      const answer = await server.call(route.split(' ')[0]!, address, { asAdmin: true, body: 'x', headers });
      expect(answer.body.code, route).toBe('UNSUPPORTED_MEDIA_TYPE');
    }
  });

  test('tells of unknown projects wherever one can be named', async () => {
    const inQuery = operations().filter(({ operation }) => takes(operation, 'query', 'projectId'));
    const inBody = operations().filter(
      ({ operation }) => operation.requestBody?.content['application/json']?.schema.properties?.projectId,
    );
    expect(Math.min(inQuery.length, inBody.length)).toBeGreaterThan(5);
    for (const { route, operation } of [...inQuery, ...inBody]) {
      expect(documents(operation, 'RESOURCE_NOT_FOUND'), route).toBe(true);
    }
    for (const { route, path } of inQuery) {
      const address = `${path.replace(/\{\w+\}/, 'any')}?projectId=prj_unknown`;
      const answer = await server.call(route.split(' ')[0]!, address, { asAdmin: true });
      expect([answer.status, answer.body.detail], route).toEqual([404, 'There is no project with this id.']);
    }
  });

  test('names the header Idempotency-Key where it is honoured, and how a repetition is told', () => {
    const honouring = operations().filter(({ operation }) => documents(operation, 'IDEMPOTENCY_MISMATCH'));
    expect(honouring.map(({ route }) => route)).toContain('POST /api/admin/generate-token');
    for (const { route, operation } of operations()) {
      const isHonouring = honouring.some((entry) => entry.route === route);
      expect(takes(operation, 'header', 'Idempotency-Key'), route).toBe(isHonouring);
      expect(documents(operation, 'IDEMPOTENCY_IN_PROGRESS'), route).toBe(isHonouring);
      for (const [status, { headers }] of Object.entries(operation.responses)) {
        const isRepeatable = isHonouring && status.startsWith('2');
        expect('Idempotency-Replayed' in headers!, `${route} ${status}`).toBe(isRepeatable);
      }
    }
    // The page would fill an example in, and each further try would repeat the first.
    const { parameters } = document.components as { parameters: Record<string, object> };
    expect(parameters.IdempotencyKey).not.toHaveProperty('example');
  });

  test('describes each header of an answer, once for all', () => {
    const { headers } = document.components as { headers: Record<string, Schema> };
    for (const header of Object.values(headers)) expect(header.description).toMatch(/.{5,}/);
    for (const { route, operation } of operations()) {
      for (const [status, response] of Object.entries(operation.responses)) {
        const place = `${route} ${status}`;
        for (const header of Object.values(response.headers!)) expect(resolved(header), place).toBeDefined();
        expect(response.headers, place).toHaveProperty('X-Request-Id');
        const isRefusal = response.content?.['application/problem+json'] !== undefined;
        const mayWait = isRefusal && (status === '429' || status === '503');
        expect('Retry-After' in response.headers!, place).toBe(mayWait);
        const isCounted = 'RateLimit' in response.headers!;
        expect('RateLimit-Policy' in response.headers!, place).toBe(isCounted);
        if (status === '429') expect(isCounted, place).toBe(true);
      }
    }
  });

  test('knows that a QR code comes as JSON or as a picture', () => {
    const { content } = operationOf('GET /api/v1/bot/sessions/:id/qr').responses[200]!;
    expect(Object.keys(content!)).toEqual(['application/json', 'image/png', 'image/svg+xml']);
    expect(content!['image/png']!.schema).toEqual({});
  });

  test('says who may call: nobody in particular, the administrator, or a key with a permission', () => {
    for (const { route, operation } of operations()) {
      const access = ROUTE_ACCESS[route];
      const open = access === 'public' || access === 'health';
      const admin = { admin: [] };
      expect(operation.security, route).toEqual(
        open ? [] : access === 'admin' ? [admin] : [{ apiKey: [] }, admin],
      );
    }
    expect(document.components).toMatchObject({
      securitySchemes: {
        apiKey: { type: 'http', scheme: 'bearer' },
        admin: { type: 'apiKey', in: 'header', name: 'X-Master-Key' },
      },
    });
  });

  test('knows the codes of errors that there are, and no others', () => {
    const { schemas } = document.components as { schemas: Record<string, Schema> };
    expect([...(schemas.Problem?.properties?.code?.enum ?? [])].sort()).toEqual(
      Object.keys(ERROR_CODES).sort(),
    );
    const named = new Set(JSON.stringify(document).match(/\b[A-Z]+(?:_[A-Z]+)+(?=: )/g));
    for (const code of named) expect(Object.keys(ERROR_CODES)).toContain(code);
  });

  test('holds nothing of this server: no key, no address, no folder', () => {
    const text = JSON.stringify(document);
    for (const secret of [server.key, server.dir, server.address, server.adminPassword]) {
      expect(text).not.toContain(secret);
    }
  });
});

describe('an answer has the shape that its route declares, and not a field more', () => {
  const HEADERS = ['X-Request-Id', 'RateLimit', 'RateLimit-Policy', 'Retry-After', 'Idempotency-Replayed'];

  /** Makes a call and holds the answer against what its route declares for its status: schema, code and headers. */
  async function call(
    route: string,
    status: number,
    path: string,
    options: CallOptions = {},
  ): Promise<Answer> {
    const answer = await server.call(route.split(' ')[0]!, path, options);
    expect(answer.status, answer.text).toBe(status);
    const responses = served.get(route)?.schema?.response as Record<number, z.ZodType> | undefined;
    const schema = responses?.[status];
    expect(schema, `${route} declares ${status}`).toBeDefined();
    expect(schema?.parse(answer.body)).toEqual(answer.body);
    const { description, headers = {} } = operationOf(route).responses[status]!;
    if (status >= 400) expect(description, route).toContain(`${answer.body.code}: `);
    for (const name of HEADERS) {
      if (answer.headers.has(name)) expect(Object.keys(headers), `${route} ${status}`).toContain(name);
    }
    return answer;
  }

  test('of verifications', async () => {
    const otp = verificationsOf(server);
    const phone = newPhone();
    const body = { phone, code: '482913', message: 'Use {{code}}.', metadata: { order: 7 } };
    const sent = await call('POST /api/v1/otp/send', 201, 'otp/send', { body });
    const { id } = sent.body.data;
    await call('POST /api/v1/otp/send', 429, 'otp/send', { body });
    await call('POST /api/v1/otp/send', 400, 'otp/send', { body: { phone: '1' } });
    await otp.jump(30_000);
    await call('POST /api/v1/otp/send', 200, 'otp/send', { body });
    await otp.jump(60_000);
    await call('POST /api/v1/otp/:id/resend', 200, `otp/${id}/resend`);
    await call('POST /api/v1/otp/:id/resend', 429, `otp/${id}/resend`);
    await otp.deliver();
    await call('POST /api/v1/otp/verify', 422, 'otp/verify', { body: { id, code: '000000' } });
    await call('GET /api/v1/otp/:id', 200, `otp/${id}`);
    await call('POST /api/v1/otp/verify', 200, 'otp/verify', { body: { id, code: '482913' } });
    await call('POST /api/v1/otp/verify', 404, 'otp/verify', { body: { id, code: '482913' } });
    await call('GET /api/v1/otp/:id', 200, `otp/${id}`);
    await call('GET /api/v1/otp/:id', 404, 'otp/ver_01jd3x8zq2e6v9k5m7n0p4r8st');
    await call('GET /api/v1/otp', 200, 'otp?limit=1');
    await call('GET /api/v1/otp', 403, 'otp?phone=%2B19005550123');
    await call('GET /api/v1/otp/status', 200, 'otp/status');

    const canceled = await otp.sent({ phone: newPhone() });
    await call('POST /api/v1/otp/:id/cancel', 200, `otp/${canceled.id}/cancel`);
    const expired = await otp.sent({ phone: newPhone(), code: '482913', message: '{{code}}' });
    await otp.jump(5 * 60_000);
    await call('POST /api/v1/otp/verify', 410, 'otp/verify', { body: { id: expired.id, code: '482913' } });
    await call('POST /api/v1/otp/:id/cancel', 410, `otp/${expired.id}/cancel`);
    await call('GET /api/v1/otp', 200, 'otp?status=expired');
  });

  test('of keys', async () => {
    const body = {
      name: 'shape',
      permissions: ['otp:read'],
      rateLimit: 9,
      expiresAt: new Date(server.clock.now() + 1_000).toISOString(),
    };
    const made = await call('POST /api/v1/keys', 201, 'keys', { body });
    await call('POST /api/v1/keys', 403, 'keys', { body, key: made.body.data.key });
    await call('POST /api/v1/keys', 401, 'keys', { body, key: null });
    await call('POST /api/v1/keys', 400, 'keys', { body: {} });
    await call('GET /api/v1/keys', 200, 'keys');
    await call('DELETE /api/v1/keys/:id', 200, `keys/${made.body.data.id}`);
    await call('DELETE /api/v1/keys/:id', 404, `keys/${made.body.data.id}`);
    const route = 'POST /api/admin/generate-token';
    const repeated = { asAdmin: true, headers: { 'idempotency-key': 'once' } };
    await call(route, 200, '/api/admin/generate-token', repeated);
    const { headers } = await call(route, 200, '/api/admin/generate-token', repeated);
    expect(headers.get('idempotency-replayed')).toBe('true');
    await call(route, 422, '/api/admin/generate-token', { ...repeated, body: {} });
    await call(route, 403, '/api/admin/generate-token');
  });

  test('of the virtual phone, limits and health', async () => {
    const asAdmin = true;
    await verificationsOf(server).sent({ phone: '+6281299999999' });
    await verificationsOf(server).deliver();
    await call('GET /api/v1/simulator/messages', 200, 'simulator/messages?limit=2', { asAdmin });
    await call('GET /api/v1/simulator/messages', 403, 'simulator/messages?to=%2B19005550123', { asAdmin });
    const refused = { to: '+19005550123' };
    await call('PUT /api/v1/simulator/faults', 403, 'simulator/faults', { asAdmin, body: refused });
    const body = { to: '+6281299999999', channel: 'whatsapp', delayMs: 0 };
    await call('PUT /api/v1/simulator/faults', 200, 'simulator/faults', { asAdmin, body });
    await call('GET /api/v1/limits/:phone', 200, 'limits/+6281299999999', { asAdmin });
    await call('GET /api/v1/limits/:phone', 400, 'limits/12', { asAdmin });
    await call('DELETE /api/v1/limits/:phone', 200, 'limits/+6281299999999', { asAdmin });
    await call('POST /api/v1/database/demo-data', 201, 'database/demo-data', { asAdmin, body: { count: 5 } });
    for (const name of ['', '/live', '/ready', '/metrics']) {
      await call(`GET /api/v1/health${name}`, 200, `health${name}`);
    }
  });

  test('of the import from v3', async () => {
    const logs = [{ at: '2025-06-01T08:30:00.000Z', action: 'otp_sent', phone: '+*********6034' }];
    const body = { tokens: [{ hash: '0'.repeat(64) }], logs };
    const route = 'POST /api/v1/migrate/v3';
    await call(route, 200, 'migrate/v3', { asAdmin: true, body });
    await call(route, 400, 'migrate/v3', { asAdmin: true, body: { tokens: ['x'] } });
    await call(route, 403, 'migrate/v3', { body });
  });

  test('of the session', async () => {
    const wrong = { key: null, body: { password: 'wrong' } };
    await call('POST /api/v1/session', 401, 'session', wrong);
    const right = { key: null, body: { password: server.adminPassword } };
    const { headers } = await call('POST /api/v1/session', 200, 'session', right);
    const cookie = headers.getSetCookie()[0]!.split(';')[0]!;
    const signedIn = { key: null, headers: { cookie, origin: server.address } };
    await call('GET /api/v1/session', 200, 'session', signedIn);
    await call('DELETE /api/v1/session', 200, 'session', signedIn);
    await call('GET /api/v1/session', 401, 'session', signedIn);
  });
});

describe('the reference page', () => {
  test('loads all its files from this server', async () => {
    const page = await server.call('GET', '/docs', { key: null });
    expect(page.status).toBe(200);
    expect(page.headers.get('content-type')).toMatch(/^text\/html/);
    const files = [...page.text.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, file]) => file!);
    expect(files.filter((file) => file.endsWith('.js')).length).toBeGreaterThan(0);
    expect(files.filter((file) => file.endsWith('.css')).length).toBeGreaterThan(0);
    for (const file of files) {
      expect(file).toMatch(/^(\.\/|\/)(?!\/)/);
      const answer = await server.call('GET', new URL(file, `${server.address}/docs`).pathname, {
        key: null,
      });
      expect(answer.status, file).toBe(200);
      expect(answer.text.length, file).toBeGreaterThan(0);
    }
  });

  test('has the list of errors beside it, the one of the documentation', async () => {
    const { text } = await server.call('GET', '/docs/errors', { key: null });
    for (const [code, { title }] of Object.entries(ERROR_CODES)) {
      expect(text).toContain(code);
      expect(text).toContain(title);
    }
  });
});
