import { readFileSync } from 'node:fs';
import { createConfig, lintFromString } from '@redocly/openapi-core';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { ERROR_CODES, type ErrorCode } from '../../src/errors/codes.ts';
import { PROMISED_TYPES } from '../../src/events/data.ts';
import { isForAdmin, isOpen } from '../../src/http/access.ts';
import { routesPage } from '../../src/http/routes-page.ts';
import { VERSION } from '../../src/lib/version.ts';
import {
  type OpenApi,
  type Operation,
  operationOf,
  operationsOf,
  type Reference,
  type Schema,
  type ServedRoutes,
  startDocumentedApp,
} from '../support/openapi.ts';
import { ROUTE_ACCESS } from '../support/routes.ts';
import { startTestApp, type TestApp } from '../support/test-app.ts';
import { QUICK_ADMIN } from '../support/verifications.ts';
import { MASTER_KEY } from '../support/wodb.ts';

/** The routes that are promised so far. */
const PROMISED = [
  'POST /api/v1/otp/send',
  'POST /api/v1/otp/verify',
  'POST /api/v1/otp/:id/resend',
  'POST /api/v1/otp/:id/cancel',
  'GET /api/v1/otp/:id',
  'GET /api/v1/otp',
  'GET /api/v1/otp/status',
  'POST /api/v1/scheduler/schedule',
  'GET /api/v1/scheduler/list',
  'GET /api/v1/scheduler/:id',
  'PUT /api/v1/scheduler/:id',
  'DELETE /api/v1/scheduler/cancel/:id',
  'GET /api/v1/keys',
  'POST /api/v1/keys',
  'DELETE /api/v1/keys/:id',
  'POST /api/admin/generate-token',
  'GET /api/v1/opt-outs',
  'POST /api/v1/opt-outs',
  'DELETE /api/v1/opt-outs/:phone',
  'GET /api/v1/bot/opt-outs',
  'POST /api/v1/bot/opt-outs',
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
  'GET /api/v1/channels/cloud-api/webhook',
  'POST /api/v1/channels/cloud-api/webhook',
  'POST /api/v1/channels/email/bounce',
  'POST /api/v1/channels/http/:provider/callback',
  'GET /api/v1/simulator/messages',
  'PUT /api/v1/simulator/faults',
  'POST /api/v1/simulator/reply',
  'GET /api/v1/limits/:phone',
  'DELETE /api/v1/limits/:phone',
  'POST /api/v1/otp/:id/next',
  'GET /api/v1/test-numbers',
  'POST /api/v1/test-numbers',
  'DELETE /api/v1/test-numbers/:id',
  'GET /api/v1/events/stream',
  'GET /api/v1/logs',
  'GET /api/v1/logs/follow',
  'GET /api/v1/logs/verify',
  'GET /api/admin/logs',
  'GET /api/v1/stats',
  'POST /api/v1/bulk/send',
  'GET /api/v1/bulk',
  'GET /api/v1/bulk/status/:bulkId',
  'GET /api/v1/bulk/:id/results',
  'POST /api/v1/bulk/:id/pause',
  'POST /api/v1/bulk/:id/resume',
  'POST /api/v1/bulk/:id/cancel',
  'GET /api/v1/channels',
  'GET /api/v1/projects',
  'POST /api/v1/projects',
  'GET /api/v1/projects/:id',
  'PATCH /api/v1/projects/:id',
  'DELETE /api/v1/projects/:id',
  'GET /api/v1/settings',
  'PUT /api/v1/settings',
  'GET /api/v1/settings/history',
  'GET /api/v1/templates',
  'POST /api/v1/templates',
  'POST /api/v1/templates/lint',
  'GET /api/v1/templates/:id',
  'PUT /api/v1/templates/:id',
  'DELETE /api/v1/templates/:id',
  'GET /api/v1/templates/:id/versions',
  'POST /api/v1/templates/:id/restore',
  'POST /api/v1/templates/:id/preview',
  'GET /api/v1/channels/:name',
  'GET /api/v1/analytics/dashboard',
  'GET /api/v1/analytics/success-rate',
  'GET /api/v1/analytics/delivery-time',
  'GET /api/v1/analytics/top-phones',
  'GET /api/v1/analytics/conversion',
  'POST /api/v1/analytics/rebuild',
  'GET /api/v1/webhooks',
  'POST /api/v1/webhooks',
  'GET /api/v1/webhooks/:id',
  'PATCH /api/v1/webhooks/:id',
  'DELETE /api/v1/webhooks/:id',
  'POST /api/v1/webhooks/:id/test',
  'POST /api/v1/webhooks/:id/rotate-secret',
  'POST /api/v1/webhooks/:id/recover',
  'GET /api/v1/webhooks/:id/deliveries',
  'POST /api/v1/webhooks/deliveries/:id/retry',
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
const OF_THE_PAGE = [
  'GET /api/v1/session',
  'POST /api/v1/session',
  'DELETE /api/v1/session',
  'POST /api/v1/session/ticket',
];

/** What commands call over the control socket. */
const OF_THE_COMMANDS = ['POST /api/v1/migrate/v3'];

/** Pages and documents, which the OpenAPI document leaves out. */
const PAGES = [
  'GET /',
  'GET /assets/*',
  'GET /docs',
  'GET /docs/',
  'GET /docs/errors',
  'GET /metrics',
  'GET /openapi.json',
  'GET /openapi.yaml',
];

let server: TestApp;
let document: OpenApi;
let served: ServedRoutes;
beforeAll(async () => {
  ({ server, document, served } = await startDocumentedApp());
});
afterAll(() => server.stop());

const operations = () => operationsOf(document);

/** What a reference in the document stands for. */
function resolved<T extends object>(given: T | Reference): T {
  if (!('$ref' in given)) return given;
  const names = given.$ref.replace('#/', '').split('/');
  return names.reduce<unknown>((part, name) => (part as Record<string, unknown>)[name], document) as T;
}

const bodyOf = ({ requestBody }: Operation) => {
  const schema = requestBody?.content['application/json']?.schema;
  return schema && resolved<Schema>(schema as Schema & Reference);
};
const parametersOf = ({ parameters = [] }: Operation) => parameters.map((parameter) => resolved(parameter));
const takes = (operation: Operation, place: string, name: string) =>
  parametersOf(operation).some((parameter) => parameter.in === place && parameter.name === name);

/** Whether an operation documents this refusal. */
function documents({ responses }: Operation, code: ErrorCode): boolean {
  return responses[ERROR_CODES[code].status]?.description.includes(`${code}: `) ?? false;
}

describe('the routes', () => {
  test('that are served are those of the table of access, and the other way round', () => {
    const routes = [...served.keys()].filter((route) => !route.startsWith('HEAD '));
    expect(routes.sort()).toEqual([...server.app.server.access.keys()].sort());
  });

  test('are those of docs/ROUTES.md (npm run docs writes it)', () => {
    const page = readFileSync(new URL('../../docs/ROUTES.md', import.meta.url), 'utf8');
    expect(page).toBe(routesPage(server.app.server.access));
  });

  test.each([
    [
      'outside of mock mode',
      { BOT_MOCK_MODE: 'false' },
      ['PUT /api/v1/simulator/faults', 'POST /api/v1/simulator/reply'],
    ],
    [
      'in production',
      { NODE_ENV: 'production', DB_MASTER_KEY: MASTER_KEY },
      ['PUT /api/v1/simulator/faults', 'POST /api/v1/simulator/reply', 'POST /api/v1/database/demo-data'],
    ],
  ])('are the same %s, but for those that are not served there', async (_, env, missing) => {
    const other = await startTestApp({ env: { ...QUICK_ADMIN, ...env } });
    onTestFinished(() => other.stop());
    const served = new Map(server.app.server.access);
    for (const route of ['GET /api/v1/simulator/messages', ...missing])
      expect(served.delete(route)).toBe(true);
    expect(Object.fromEntries(other.app.server.access)).toEqual(Object.fromEntries(served));
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
    const routes = [...served.keys()].filter((route) => !route.startsWith('HEAD '));
    expect(routes.sort()).toEqual(expected);
  });
});

describe('the OpenAPI document', () => {
  test('is 3.1 of this version, and the same in YAML', async () => {
    expect(document).toMatchObject({
      openapi: '3.1.0',
      info: {
        title: 'WOTP',
        version: VERSION,
        description: expect.any(String),
        license: { name: 'MIT', identifier: 'MIT' },
      },
      servers: [{ url: '/' }],
    });
    const yaml = await server.call('GET', '/openapi.yaml', { key: null });
    expect(yaml.headers.get('content-type')).toMatch(/^application\/yaml/);
    expect(yaml.text).toMatch(/^openapi: 3\.1\.0\n/);
    for (const path of Object.keys(document.paths)) expect(yaml.text).toContain(`\n  ${path}:\n`);
  });

  test('has a webhook for every event that integrators are promised, with an example that fits its schema', () => {
    const webhooks = document.webhooks as Record<string, { post: Operation }>;
    expect(Object.keys(webhooks)).toEqual(PROMISED_TYPES);
    for (const [type, { post }] of Object.entries(webhooks)) {
      const { schema, example } = post.requestBody!.content['application/json'] as {
        schema: Reference;
        example?: { data: object };
      };
      const { properties, required } = resolved<Schema>(schema);
      expect(Object.keys(example!).sort(), type).toEqual(Object.keys(properties!).sort());
      expect(required, type).toEqual(['type', 'timestamp', 'data', 'event']);
      expect(Object.keys(example!.data), type).toEqual(expect.arrayContaining(properties!.data!.required!));
    }
  });

  test('passes the recommended rules of Redocly without a warning', async () => {
    // Clients of v3 ask for bulk/status/:bulkId, beside which bulk/:id/results stands.
    const rules = { 'no-ambiguous-paths': 'off' } as const;
    const config = await createConfig({ extends: ['recommended'], rules });
    const source = JSON.stringify(document);
    const problems = await lintFromString({ source, absoluteRef: '/openapi.json', config });
    expect(
      problems.map(({ ruleId, message, location }) => `${ruleId} ${location[0]?.pointer}: ${message}`),
    ).toEqual([]);
  });

  test('names every operation once, in camel case', () => {
    const names = operations().map(({ operation }) => operation.operationId);
    for (const name of names) expect(name).toMatch(/^[a-z]+([A-Z][a-z]*|V3)*[A-Za-z0-9]*$/);
    expect(new Set(names).size).toBe(names.length);
    expect(names).toEqual(expect.arrayContaining(['sendVerification', 'checkVerification', 'listApiKeys']));
  });

  test('says of every group what it is for, and has no operation outside of them', () => {
    const tags = document.tags as { name: string; description: string }[];
    for (const { description } of tags) expect(description).toMatch(/^[A-Z].{10,}\.$/);
    const used = new Set(operations().flatMap(({ operation }) => operation.tags ?? []));
    expect([...used].sort()).toEqual(tags.map(({ name }) => name).sort());
  });

  test('names the type of every body and of every answer in JSON', () => {
    for (const { route, operation } of operations()) {
      const contents = [operation.requestBody, ...Object.values(operation.responses)].map(
        (part) => part?.content,
      );
      for (const media of contents.map((content) => content?.['application/json'])) {
        if (media) expect(media.schema.$ref, route).toMatch(/^#\/components\/schemas\/[A-Z]\w+$/);
      }
    }
    expect(Object.keys((document.components as { schemas: object }).schemas)).toEqual(
      expect.arrayContaining(['Problem', 'Verification', 'VerificationDetailsPage', 'ApiKey', 'Session']),
    );
  });

  test('says what every success is, and gives no bound that every integer has', () => {
    for (const { route, operation } of operations()) {
      for (const [status, { description }] of Object.entries(operation.responses)) {
        expect(description, `${route} ${status}`).toMatch(/^[A-Z].{5,}\.$/s);
        expect(description, `${route} ${status}`).not.toMatch(/default response/i);
      }
    }
    expect(JSON.stringify(document)).not.toContain('9007199254740991');
  });

  test('shows every refusal with the document that the operation gives, one for each code', () => {
    for (const { route, operation } of operations()) {
      for (const [status, { description, content }] of Object.entries(operation.responses)) {
        const examples = content?.['application/problem+json']?.examples;
        if (!content?.['application/problem+json']) continue;
        const codes = [...description.matchAll(/\b([A-Z][A-Z_]+[A-Z]): /g)].map(([, code]) => code!);
        expect(Object.keys(examples ?? {}).sort(), `${route} ${status}`).toEqual(codes.sort());
        for (const code of codes as ErrorCode[]) {
          const { value } = examples![code]!;
          expect(value, `${route} ${code}`).toMatchObject({
            type: `/docs/errors#${code}`,
            title: ERROR_CODES[code].title,
            status: Number(status),
            code,
            success: false,
            error: value.detail,
          });
          if (value.errors) expect(value.detail).toBe(value.errors[0]!.message);
        }
      }
    }
  });

  test('shows the refusal of an unknown field as it is', async () => {
    const send = operationOf(document, 'POST /api/v1/otp/send').responses[400]!;
    const { value } = send.content!['application/problem+json']!.examples!.VALIDATION_ERROR!;
    const answer = await server.call('POST', 'otp/send', { body: { phone: '+6283834946034', foo: 1 } });
    const { requestId: _shown, ...shown } = value;
    expect(answer.body).toMatchObject(shown);
    expect(Object.keys(answer.body)).toEqual(Object.keys(value));
  });

  test('says in words what each operation needs', () => {
    for (const { route, operation } of operations()) {
      const access = ROUTE_ACCESS[route]!;
      const words = isOpen(access)
        ? access === 'callback'
          ? 'the provider proves who it is'
          : 'Needs no authentication.'
        : isForAdmin(access)
          ? 'admin password'
          : access === 'any-key'
            ? 'any permission'
            : `the permission \`${access}\``;
      expect(operation.description, route).toContain(words);
    }
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
      expect(operationOf(document, route).requestBody?.required ?? false, route).toBe(false);
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

  test.each(['health', 'health/ready'])('shows what %s says when the server takes no work', async (path) => {
    const { content } = operationOf(document, `GET /api/v1/${path}`).responses[503]!;
    const { value } = content!['application/json']!.examples!.unhealthy!;
    expect(value).toMatchObject({ status: 'unhealthy' });
    const { body } = await server.call('GET', path, { key: null });
    expect(Object.keys(value)).toEqual(Object.keys(body));
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
    const inBody = operations().filter(({ operation }) => bodyOf(operation)?.properties?.projectId);
    expect(Math.min(inQuery.length, inBody.length)).toBeGreaterThan(5);
    for (const { route, operation } of [...inQuery, ...inBody]) {
      expect(documents(operation, 'RESOURCE_NOT_FOUND'), route).toBe(true);
    }
    for (const { route, path, operation } of inQuery) {
      const address = `${path.replace(/\{\w+\}/, 'any')}?projectId=prj_unknown`;
      const { example: body } = (bodyOf(operation) ?? {}) as { example?: object };
      const answer = await server.call(route.split(' ')[0]!, address, { asAdmin: true, body });
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

  test('gives examples of a send and of a check that pass as they stand', async () => {
    const exampleOf = (route: string) => bodyOf(operationOf(document, route))!.example as object;
    const sent = await server.call('POST', '/api/v1/otp/send', { body: exampleOf('POST /api/v1/otp/send') });
    expect(sent.status, sent.text).toBe(201);
    const checked = await server.call('POST', '/api/v1/otp/verify', {
      body: exampleOf('POST /api/v1/otp/verify'),
    });
    expect(checked.status, checked.text).toBe(422);
    expect(checked.body).toMatchObject({ code: 'OTP_INCORRECT' });
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
    const { content } = operationOf(document, 'GET /api/v1/bot/sessions/:id/qr').responses[200]!;
    expect(Object.keys(content!)).toEqual(['application/json', 'image/png', 'image/svg+xml']);
    expect(content!['image/png']!.schema).toEqual({});
  });

  test('says who may call: nobody in particular, the administrator, or a key with a permission', () => {
    for (const { route, operation } of operations()) {
      const access = ROUTE_ACCESS[route];
      const open = ['public', 'page', 'sign-in', 'callback', 'health', 'probe'].includes(access!);
      const admin = { admin: [] };
      expect(operation.security, route).toEqual(
        open ? [] : isForAdmin(access) ? [admin] : [{ apiKey: [] }, admin],
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

  test('every time that a request takes may have an offset', () => {
    const timesIn = (where: string, schema: unknown): [string, string][] => {
      if (typeof schema !== 'object' || schema === null) return [];
      const { format, pattern, $ref } = schema as { format?: string; pattern?: string; $ref?: string };
      if ($ref !== undefined) {
        const [, ...names] = $ref.split('/');
        return timesIn(
          where,
          names.reduce((outer: unknown, name) => (outer as Record<string, unknown>)[name], document),
        );
      }
      if (format === 'date-time') return [[where, pattern ?? '']];
      return Object.entries(schema).flatMap(([name, part]) => timesIn(`${where}.${name}`, part));
    };
    const times = operationsOf(document).flatMap(({ route, operation }) => [
      ...timesIn(route, operation.parameters),
      ...timesIn(route, bodyOf(operation)),
    ]);
    expect(times.length).toBeGreaterThanOrEqual(5);
    for (const [where, pattern] of times) {
      expect('2026-11-23T19:00:00+07:00', where).toMatch(new RegExp(pattern));
    }
  });

  test('holds nothing of this server: no key, no address, no folder', () => {
    const text = JSON.stringify(document);
    for (const secret of [server.key, server.dir, server.address, server.adminPassword]) {
      expect(text).not.toContain(secret);
    }
  });
});

describe('the reference page', () => {
  test('loads all its files from this server', async () => {
    const page = await server.call('GET', '/docs', { key: null });
    expect(page.status).toBe(200);
    expect(page.headers.get('content-type')).toMatch(/^text\/html/);
    const links = [...page.text.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, link]) => link!);
    const files = new Set(links.filter((link) => !link.startsWith('#')).map((link) => link.split('#')[0]!));
    expect([...files]).toEqual(
      expect.arrayContaining([expect.stringMatching(/\.js$/), expect.stringMatching(/\.css$/)]),
    );
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
