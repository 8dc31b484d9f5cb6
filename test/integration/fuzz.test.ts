import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ERROR_CODES, type ErrorCode } from '../../src/errors/codes.ts';
import { type OpenApi, startDocumentedApp } from '../support/openapi.ts';
import { type FuzzedRequest, fuzzedRequests } from '../support/request-fuzzer.ts';
import type { Answer, TestApp } from '../support/test-app.ts';

/** `FUZZ_REQUESTS=10000 npm test -- fuzz` for a long run, `FUZZ_SEED` for another one. */
const COUNT = Number(process.env.FUZZ_REQUESTS ?? 2_000);
const SEED = Number(process.env.FUZZ_SEED ?? 4_000);

/** What the server answers before it knows which operation is meant. */
const BEFORE_ANY_OPERATION: readonly ErrorCode[] = [
  'METHOD_NOT_ALLOWED',
  'RESOURCE_NOT_FOUND',
  'HEADERS_TOO_LARGE',
  'UNSUPPORTED_MEDIA_TYPE',
  'PAYLOAD_TOO_LARGE',
  'VALIDATION_ERROR',
];
/** Work on the whole database, and what would end the session or the key of the test. */
const IS_LEFT_OUT = /^(POST|GET) \/api\/v1\/database\/(backups|compact|verify)/;

let server: TestApp;
let document: OpenApi;
beforeAll(async () => {
  ({ server, document } = await startDocumentedApp());
});
afterAll(() => server.stop());

test(`${COUNT} requests, right and broken in turn, get documented answers and never a failure of the server`, async () => {
  const known = knownIds();
  const fits = answerChecker(document);
  const statuses = new Map<number, number>();
  for (const request of fuzzedRequests(document, { seed: SEED, count: COUNT })) {
    if (IS_LEFT_OUT.test(request.route)) continue;
    const { answer, sent } = await send(request, known);
    statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1);
    const problem = fits(request, answer);
    expect(problem && `${sent}\n${answer.status} ${answer.text.slice(0, 500)}\n${problem}`).toBeUndefined();
    known.learn(request.path, answer.text);
    if (answer.status === 401 && request.caller === 'key') known.key = await newKey();
  }
  const share = (ofStatus: (status: number) => boolean) =>
    [...statuses].reduce((sum, [status, count]) => sum + (ofStatus(status) ? count : 0), 0) / COUNT;
  // Both kinds get far enough to mean something.
  expect(share((status) => status < 300)).toBeGreaterThan(0.15);
  expect(share((status) => status >= 400)).toBeGreaterThan(0.3);
}, 600_000);

const ID = /"([a-z]{3}_[0-9a-z]{26})"/g;
const familyOf = (path: string) => path.split('/')[3] ?? '';

/** The ids that answers named lately, for the paths of later requests of the same family. */
function knownIds() {
  const ids = new Map<string, string[]>();
  return {
    key: server.key,
    learn(path: string, text: string): void {
      const seen = ids.get(familyOf(path)) ?? [];
      for (const [, id] of text.matchAll(ID)) if (!seen.includes(id!)) seen.push(id!);
      ids.set(familyOf(path), seen.slice(-20));
    },
    pick(path: string, number: number): string {
      const seen = ids.get(familyOf(path)) ?? [];
      return seen[number % Math.max(1, seen.length)] ?? 'ver_01jd3x8zq2e6v9k5m7n0p4r8st';
    },
  };
}

async function newKey(): Promise<string> {
  const body = { name: 'fuzz', permissions: ['*'] };
  return (await server.call('POST', 'keys', { asAdmin: true, body })).body.data.key;
}

async function send(request: FuzzedRequest, known: ReturnType<typeof knownIds>) {
  const { method, query, headers, caller } = request;
  const path = request.path.replace(/\{(\w+)\}/g, (_, name: string) => {
    const part = request.parts[name];
    return encodeURIComponent(
      (typeof part === 'number' ? known.pick(request.path, part) : (part ?? 'x')).toWellFormed(),
    );
  });
  const search = query
    .map(([name, value]) => `${name}=${encodeURIComponent(value.toWellFormed())}`)
    .join('&');
  const mayCarry = !['GET', 'HEAD'].includes(method);
  const answer = await server.call(method, search ? `${path}?${search}` : path, {
    asAdmin: caller === 'admin',
    key: caller === 'nobody' ? null : known.key,
    headers,
    ...(mayCarry && request.body !== undefined && { body: request.body }),
  });
  return { answer, sent: `${request.route} as ${caller}: ${method} ${path}?${search} ${request.body ?? ''}` };
}

/** Says what is wrong with an answer; undefined where its operation documents just this. */
function answerChecker(document: OpenApi) {
  const ajv = new Ajv2020({ strict: false, allErrors: true });
  addFormats.default(ajv);
  ajv.addSchema(document, 'openapi');
  const pointer = (...names: string[]) =>
    names.map((name) => `/${encodeURIComponent(name.replaceAll('~', '~0').replaceAll('/', '~1'))}`).join('');
  return ({ operation, path, method, route }: FuzzedRequest, answer: Answer): string | undefined => {
    const { status } = answer;
    if (status >= 500 && status !== 503) return 'The server failed.';
    const ownMethod = route.split(' ')[0]!;
    if (method !== ownMethod) return method === 'HEAD' || status < 500 ? undefined : 'The server failed.';
    const documented = operation.responses[status];
    const code = answer.body?.code as ErrorCode | undefined;
    if (status >= 400 && code !== undefined) {
      if (ERROR_CODES[code]?.status !== status) return `${code} is no code of ${status}.`;
      const isNamed = documented?.description.includes(`${code}: `);
      if (!isNamed && !BEFORE_ANY_OPERATION.includes(code)) return `${code} is not documented.`;
      if (!documented) return undefined;
    }
    if (!documented) return `${status} is not documented.`;
    const type = answer.headers.get('content-type')?.split(';')[0] ?? '';
    const schema = documented.content?.[type]?.schema;
    if (!schema) return type.includes('json') ? `${type} of ${status} is not documented.` : undefined;
    const place = pointer(
      'paths',
      path,
      method.toLowerCase(),
      'responses',
      `${status}`,
      'content',
      type,
      'schema',
    );
    const validate = ajv.getSchema(`openapi#${place}`);
    if (!validate) return `The schema of ${place} is not found.`;
    return validate(answer.body) ? undefined : ajv.errorsText(validate.errors);
  };
}
