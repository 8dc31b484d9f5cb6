import fc from 'fast-check';
import type { OpenApi, Operation, Reference, Schema } from './openapi.ts';

/** A request to one operation of the document; an id in the path is chosen when it is sent, from those that are known. */
export interface FuzzedRequest {
  route: string;
  operation: Operation;
  method: string;
  /** With `{id}` still in it. */
  path: string;
  /** For each name in the path: a text, or a number that picks one of the known ids. */
  parts: Record<string, string | number>;
  query: [name: string, value: string][];
  headers: Record<string, string>;
  body: string | undefined;
  /** Who sends it. */
  caller: 'admin' | 'key' | 'nobody';
}

type FullSchema = Schema & {
  anyOf?: FullSchema[];
  const?: unknown;
  pattern?: string;
  format?: string;
  minLength?: number;
  maxLength?: number;
  minimum?: number;
  maximum?: number;
  minItems?: number;
  maxItems?: number;
};

/** What no field expects, from the lists of those who test servers for a living. */
const STRANGE: readonly unknown[] = [
  null,
  true,
  -1,
  0.5,
  1e308,
  2 ** 53,
  '',
  ' ',
  '0',
  'null',
  '\u0000',
  '\u202e482913',
  '\ud800',
  "' or 1=1 --",
  '{{code}}{{constructor}}',
  '../../etc/passwd',
  '٤٨٢٩١٣',
  'é'.repeat(5_000),
  [],
  {},
  [[[[[[[[]]]]]]]],
  { $gt: '' },
  JSON.parse('{"__proto__":{"isAdmin":true},"constructor":{"prototype":{}}}'),
];

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'PROPFIND'];
const MEDIA_TYPES = [
  'application/json',
  'text/plain',
  'text/csv',
  'application/xml',
  'multipart/form-data',
  'x',
];

/** Requests to every operation of a document, in turn as it says they should be and broken in some way. */
export function fuzzedRequests(
  document: OpenApi,
  { seed, count }: { seed: number; count: number },
): FuzzedRequest[] {
  const operations = Object.entries(document.paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, operation]) => ({ path, method: method.toUpperCase(), operation })),
  );
  const each = Math.ceil(count / operations.length);
  const perOperation = operations.map(({ path, method, operation }, index) => {
    const valid = validRequest(document, path, method, operation);
    const some = fc.sample(fc.tuple(valid, broken(valid)), {
      seed: seed + index,
      numRuns: Math.ceil(each / 2),
    });
    return some.flat();
  });
  // One of each operation after another, so that what one creates is there for the next.
  return Array.from({ length: each }, (_, round) =>
    perOperation.flatMap((requests) => requests[round] ?? []),
  ).flat();
}

function validRequest(
  document: OpenApi,
  path: string,
  method: string,
  operation: Operation,
): fc.Arbitrary<FuzzedRequest> {
  const parameters = (operation.parameters ?? []).map((parameter) => resolve(document, parameter));
  const names = (place: string) => parameters.filter((parameter) => parameter.in === place);
  const schema = operation.requestBody?.content['application/json']?.schema;
  const inPath = Object.fromEntries(names('path').map(({ name }) => [name, fc.nat({ max: 10_000 })]));
  const inQuery = names('query')
    .filter(isNoProject)
    .map(({ name, required, schema: given }) =>
      (required ? pass : seldom)(valuesOf(document, given as FullSchema)).map((value): [string, unknown] => [
        name,
        value,
      ]),
    );
  return fc.record({
    route: fc.constant(`${method} ${path}`),
    operation: fc.constant(operation),
    method: fc.constant(method),
    path: fc.constant(path),
    parts: fc.record(inPath),
    query: fc
      .tuple(...inQuery)
      .map((pairs) =>
        pairs.flatMap(([name, value]): [string, string][] =>
          value === undefined ? [] : [[name, asText(value)]],
        ),
      ),
    headers: fc.constant(schema ? { 'content-type': 'application/json' } : {}) as fc.Arbitrary<
      Record<string, string>
    >,
    body: schema
      ? valuesOf(document, schema as FullSchema).map((value) => JSON.stringify(value))
      : fc.constant(undefined),
    caller: fc.constantFrom('admin', 'admin', 'key') as fc.Arbitrary<'admin' | 'key'>,
  });
}

/** One thing wrong with a request that was right. */
function broken(valid: fc.Arbitrary<FuzzedRequest>): fc.Arbitrary<FuzzedRequest> {
  const strange = fc.constantFrom(...STRANGE);
  const change = fc.oneof(
    fc.record({ kind: fc.constant('field' as const), at: fc.nat(), value: strange }),
    fc.record({ kind: fc.constant('missing' as const), at: fc.nat() }),
    fc.record({ kind: fc.constant('more' as const), value: strange }),
    fc.record({
      kind: fc.constant('body' as const),
      value: fc.oneof(fc.json(), fc.string({ unit: 'binary' })),
    }),
    fc.record({ kind: fc.constant('type' as const), value: fc.constantFrom(...MEDIA_TYPES) }),
    fc.record({ kind: fc.constant('query' as const), value: fc.oneof(fc.string(), strange.map(asText)) }),
    fc.record({ kind: fc.constant('part' as const), value: fc.string({ minLength: 1, unit: 'binary' }) }),
    fc.record({ kind: fc.constant('method' as const), value: fc.constantFrom(...METHODS) }),
    fc.record({ kind: fc.constant('caller' as const) }),
  );
  return fc.tuple(valid, change).map(([request, wrong]): FuzzedRequest => {
    switch (wrong.kind) {
      case 'field':
      case 'missing': {
        const body = objectIn(request.body);
        const names = Object.keys(body ?? {});
        const name = names[wrong.at % Math.max(1, names.length)];
        if (!body || name === undefined) return { ...request, body: '[]' };
        if (wrong.kind === 'missing') delete body[name];
        else body[name] = wrong.value;
        return { ...request, body: JSON.stringify(body) };
      }
      case 'more':
        return {
          ...request,
          body: JSON.stringify({ ...objectIn(request.body), nobodyKnowsThis: wrong.value }),
        };
      case 'body':
        return { ...request, body: wrong.value };
      case 'type':
        return { ...request, body: request.body ?? '{}', headers: { 'content-type': wrong.value } };
      case 'query':
        return { ...request, query: [...request.query, ...request.query, ['limit', wrong.value]] };
      case 'part':
        return {
          ...request,
          parts: Object.fromEntries(Object.keys(request.parts).map((name) => [name, wrong.value])),
        };
      case 'method':
        return { ...request, method: wrong.value };
      default:
        return { ...request, caller: 'nobody' };
    }
  });
}

function objectIn(body: string | undefined): Record<string, unknown> | undefined {
  const value: unknown = body === undefined ? undefined : JSON.parse(body);
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : undefined;
}

/** The example of a project is none that there is. */
const isNoProject = ({ name }: { name: string }) => name !== 'projectId';

/** Once in five times, so that most bodies are simple. */
const seldom = (value: fc.Arbitrary<unknown>) =>
  fc.oneof({ weight: 4, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: value });

const pass = (value: fc.Arbitrary<unknown>) => value;

/** Numbers that codes may go to, and so many that their limits are rarely met. */
const PHONES = Array.from({ length: 200 }, (_, index) => `+4474001${String(10_000 + index).slice(1)}0`);

/** Values that a schema describes: its example mostly (of a field, not of a whole body), else what its words allow. */
function valuesOf(document: OpenApi, given: FullSchema | Reference): fc.Arbitrary<unknown> {
  const schema = resolve(document, given) as FullSchema;
  const made = madeFrom(document, schema);
  return schema.example === undefined || schema.properties
    ? made
    : fc.oneof({ weight: 9, arbitrary: fc.constant(schema.example) }, { weight: 1, arbitrary: made });
}

function madeFrom(document: OpenApi, schema: FullSchema): fc.Arbitrary<unknown> {
  if (schema.anyOf) return fc.oneof(...schema.anyOf.map((one) => valuesOf(document, one)));
  if (schema.const !== undefined) return fc.constant(schema.const);
  if (schema.enum) return fc.constantFrom(...schema.enum);
  const types = [schema.type ?? 'string'].flat();
  return fc.oneof(...types.map((type) => ofType(document, schema, type)));
}

function ofType(document: OpenApi, schema: FullSchema, type: string): fc.Arbitrary<unknown> {
  const { minimum = -10, maximum = 1_000 } = schema;
  switch (type) {
    case 'null':
      return fc.constant(null);
    case 'boolean':
      return fc.boolean();
    case 'integer':
      return fc.integer({ min: minimum, max: Math.max(minimum, maximum) });
    case 'number':
      return fc.double({ min: minimum, max: Math.max(minimum, maximum), noNaN: true });
    case 'array':
      return fc.array(valuesOf(document, (schema.items ?? {}) as FullSchema), {
        minLength: schema.minItems ?? 0,
        maxLength: Math.min(schema.maxItems ?? 5, 5),
      });
    case 'object': {
      const { properties = {}, additionalProperties, required = [] } = schema;
      const known = fc
        .record(
          Object.fromEntries(
            Object.entries(properties)
              .filter(([name]) => isNoProject({ name }))
              .map(([name, property]) => {
                if (name === 'phone') return [name, fc.constantFrom(...PHONES)];
                const value = valuesOf(document, property as FullSchema);
                return [name, required.includes(name) ? value : seldom(value)];
              }),
          ),
        )
        .map((all) => Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined)));
      if (typeof additionalProperties !== 'object') return known;
      const more = fc.dictionary(
        fc.stringMatching(/^[a-z]{1,8}$/),
        valuesOf(document, additionalProperties as FullSchema),
        { maxKeys: 3 },
      );
      return fc.tuple(more, known).map(([others, own]) => ({ ...others, ...own }));
    }
    default:
      return textOf(schema);
  }
}

function textOf({ format, pattern, minLength = 0, maxLength = 30 }: FullSchema): fc.Arbitrary<string> {
  if (format === 'date-time') {
    return fc
      .date({ min: new Date('2025-01-01'), max: new Date('2035-01-01'), noInvalidDate: true })
      .map((date) => date.toISOString());
  }
  if (pattern !== undefined && !/\\p|\(\?!/.test(pattern)) return fc.stringMatching(new RegExp(pattern, 'u'));
  return fc.string({ minLength, maxLength: Math.max(minLength, Math.min(maxLength, 30)) });
}

const asText = (value: unknown) => (typeof value === 'string' ? value : (JSON.stringify(value) ?? ''));

/** What a reference in the document stands for. */
function resolve<T extends object>(document: OpenApi, given: T | Reference): T {
  if (!('$ref' in given) || typeof given.$ref !== 'string') return given as T;
  const names = given.$ref.replace('#/', '').split('/');
  return names.reduce<unknown>((part, name) => (part as Record<string, unknown>)[name], document) as T;
}
