import { ERROR_CODES, type ErrorCode } from '../../errors/codes.ts';
import { type Access, isForAdmin, isOpen, type RouteAccess } from '../access.ts';
import { resolve, type Schema } from '../reference/schema.ts';
import { sentenceOf } from '../schemas.ts';
import { eventWebhooks } from './event-webhooks.ts';
import { UNHEALTHY_EXAMPLES } from './health-examples.ts';
import { nameSchemas, withoutNoise } from './named-schemas.ts';
import { problemExample } from './problem-examples.ts';

type Content = Record<
  string,
  { schema?: Schema; examples?: Record<string, { summary: string; value: unknown }> }
>;
type Reference = { $ref: string };

interface Response {
  description: string;
  headers?: Record<string, Reference>;
  content?: Content;
}

export interface Parameter {
  name: string;
  in: string;
  description?: string;
  required?: boolean;
  example?: unknown;
  schema: Schema;
}

export interface Operation {
  operationId?: string;
  summary?: string;
  description?: string;
  tags?: string[];
  deprecated?: boolean;
  security?: Record<string, string[]>[];
  /** What a key needs; `admin` where no key will do. */
  'x-permission'?: string;
  parameters?: (Reference | Parameter)[];
  requestBody?: { required?: boolean; content: Content };
  responses: Record<string, Response>;
}

/** The parts of the document that are completed or shown here. */
export interface OpenApiDocument {
  info?: { version: string };
  tags?: readonly { name: string; description?: string }[];
  paths?: Record<string, Record<string, Operation>>;
  /** What the server sends, by the type of the event. */
  webhooks?: Record<string, object>;
  components?: {
    schemas?: Record<string, Schema>;
    headers?: Record<string, unknown>;
    parameters?: Record<string, unknown>;
  };
}

const PROBLEM = '#/components/schemas/Problem';
const PROBLEM_TYPE = 'application/problem+json';

const PARAMETERS = {
  IdempotencyKey: {
    name: 'Idempotency-Key',
    in: 'header',
    description:
      'Makes a retry safe: for 24 hours the same key with the same body gets the first answer again. 1 to 255 visible ASCII characters, in quotes or without, such as `9b2f6c1e-3d0a-4b7e-8f55-2a6c1d9e0b47`.',
    schema: { type: 'string' },
  },
};

const HEADERS = {
  RequestId: {
    description: 'The id of the request in the log: its own `X-Request-Id` when that is short and plain.',
    schema: { type: 'string' },
  },
  RateLimit: {
    description:
      'What is left of each limit that counted the request, and the seconds until it resets. Administrators are not counted.',
    schema: { type: 'string' },
    example: '"key";r=9999;t=3600',
  },
  RateLimitPolicy: {
    description: 'How many requests each of these limits allows, and its window in seconds.',
    schema: { type: 'string' },
    example: '"key";q=10000;w=3600',
  },
  RetryAfter: {
    description: 'After how many seconds to try again, where waiting helps.',
    schema: { type: 'integer' },
  },
  IdempotencyReplayed: {
    description: '`true` when this is the first answer again and nothing was done.',
    schema: { type: 'string', enum: ['true'] },
  },
};

/** Refusals that count on routes of administrators and providers, since they answer somebody else. */
const COUNTED_WHEN_REFUSED = ['401', '403', '429'];

/** The groups of operations, in the order in which somebody meets them. */
const TAGS = [
  {
    name: 'Verifications',
    description: 'Send a code to a phone, check what the user typed, see what happened.',
  },
  { name: 'API keys', description: 'Create, list and revoke the keys that applications call with.' },
  { name: 'Simulator', description: 'The virtual phone of mock mode: read messages and simulate faults.' },
  { name: 'Templates', description: 'Keep the texts of messages, in several languages and versions.' },
  { name: 'Bulk', description: 'Send one text to many recipients, follow and stop it.' },
  { name: 'Schedules', description: 'Send a code at a later time.' },
  { name: 'Webhooks', description: 'Send events to your own server, signed and retried.' },
  { name: 'Events', description: 'Follow what happens as it happens.' },
  {
    name: 'Analytics',
    description: 'What was sent, delivered and verified, by time, country, channel and more.',
  },
  {
    name: 'Logs',
    description: 'Search and export events and administrative acts, and verify the audit log.',
  },
  { name: 'WhatsApp sessions', description: 'Link WhatsApp numbers, watch and operate them.' },
  { name: 'Channels', description: 'What providers report of messages that they took.' },
  { name: 'Opt-outs', description: 'Numbers that get no more messages.' },
  {
    name: 'Test numbers',
    description: 'Addresses with a fixed code and no message, for reviewers and tests.',
  },
  { name: 'Limits', description: 'See and clear the limits of a phone number.' },
  { name: 'Projects', description: 'Tenants that share this server and see nothing of each other.' },
  { name: 'Settings', description: 'See what is set and by whom, and change it while the server runs.' },
  { name: 'Database', description: 'Back up, verify and compact the database.' },
  { name: 'Health', description: 'Probes and metrics. They need no key.' },
  { name: 'Session', description: 'Sign in to the pages of this server.' },
  { name: 'Migration', description: 'Import tokens and logs of WOTP v3.' },
];

/** Puts into the document what the libraries cannot say, and what holds for every operation of a kind. */
export function completeDocument(document: OpenApiDocument, access: RouteAccess): void {
  const { paths = {}, components = {} } = document;
  // The same as `Problem`, for requests, which never hold one.
  delete components.schemas?.ProblemInput;
  const schemas: Record<string, Schema> = withoutNoise(components.schemas ?? {});
  document.components = { ...components, headers: HEADERS, parameters: PARAMETERS, schemas };
  for (const [path, operations] of Object.entries(paths)) {
    for (const [method, given] of Object.entries(operations)) {
      const operation = withoutNoise(given);
      operations[method] = operation;
      const route = `${method.toUpperCase()} ${path.replace(/\{(\w+)\}/g, ':$1')}`;
      operation.operationId ??= nameOf(route);
      allowNoBody(operation);
      typeRefusals(operation);
      typeFiles(operation);
      addRefusals(operation);
      addHeaders(operation, access.get(route));
      sayWhoMayCall(operation, access.get(route));
      nameParts(operation, schemas);
      describeSuccess(operation, schemas);
      addExamples(operation, schemas);
    }
  }
  const used = new Set(
    Object.values(paths).flatMap((item) => Object.values(item).flatMap(({ tags = [] }) => tags)),
  );
  document.webhooks = eventWebhooks(schemas);
  document.tags = TAGS.filter(({ name }) => used.has(name));
}

/** A name for an operation that has none of its own: `POST /api/v1/x/:id/y` is `postXIdY`. */
function nameOf(route: string): string {
  const [method = '', path = ''] = route.split(' ');
  const words = path.replace(/^\/api\/(v1\/)?/, '').split(/[^A-Za-z0-9]+/);
  return method.toLowerCase() + words.map(capitalized).join('');
}

const capitalized = (word: string) => word.charAt(0).toUpperCase() + word.slice(1);

/** Ends the description of an operation with who may call it. */
function sayWhoMayCall(operation: Operation, access: Access | undefined): void {
  const who = whoMayCall(access);
  operation.description = operation.description ? `${operation.description}\n\n${who}` : who;
}

function whoMayCall(access: Access | undefined): string {
  if (access === 'callback') return 'Needs no API key: the provider proves who it is.';
  if (isOpen(access)) return 'Needs no authentication.';
  if (isForAdmin(access)) return 'Needs the admin password (`X-Master-Key`).';
  if (access === 'any-key') return 'Needs an API key, with any permission.';
  return `Needs an API key with the permission \`${access}\`.`;
}

/** Moves the types of bodies and answers to where they have names. */
function nameParts(operation: Operation, schemas: Record<string, Schema>): void {
  const name = capitalized(operation.operationId!);
  for (const { schema, ...media } of [operation.requestBody?.content['application/json'] ?? {}]) {
    if (!schema || !operation.requestBody) continue;
    const named = nameSchemas(schema, schemas, schema.title ?? `${name}Request`);
    operation.requestBody.content['application/json'] = { ...media, schema: named };
  }
  for (const [status, { content }] of Object.entries(operation.responses)) {
    const answer = content?.['application/json'];
    if (!answer?.schema) continue;
    const fallback = `${name}${status.startsWith('2') ? '' : status}Response`;
    answer.schema = nameSchemas(answer.schema, schemas, titleOf(answer.schema) ?? fallback);
  }
}

/** The name of an answer: its own, or that of what it carries. */
function titleOf({ title, properties }: Schema): string | undefined {
  const { data } = properties ?? {};
  if (title !== undefined) return title;
  if (data?.items?.title !== undefined) return `${data.items.title}Page`;
  return data?.title === undefined ? undefined : `${data.title}Response`;
}

/** What @fastify/swagger says of an answer that nothing is said of. */
const UNDESCRIBED = 'Default Response';

/** Describes the answers that have no words of their own by what they carry. */
function describeSuccess({ responses }: Operation, schemas: Record<string, Schema>): void {
  for (const response of Object.values(responses)) {
    if (response.description !== UNDESCRIBED) continue;
    const answer = response.content?.['application/json']?.schema;
    const whole = answer ? resolve(answer, schemas) : {};
    const data = whole.properties?.data;
    const carried = data ? resolve(data.items ?? data, schemas) : whole;
    const words = carried.description ?? 'Success.';
    response.description = data?.items ? `A page of the list. Each item: ${words}` : words;
  }
}

/** Shows every refusal as this operation gives it, and what a probe says when it fails. */
function addExamples(operation: Operation, schemas: Record<string, Schema>): void {
  for (const { description, content } of Object.values(operation.responses)) {
    const problem = content?.[PROBLEM_TYPE];
    if (!problem) continue;
    const codes = ALL_CODES.filter((code) => description.includes(sentenceOf(code)));
    problem.examples = Object.fromEntries(
      codes.map((code) => {
        const value = problemExample(code, operation, schemas);
        return [code, { summary: value.title, value }];
      }),
    );
  }
  const unhealthy = UNHEALTHY_EXAMPLES[operation.operationId!];
  const probe = operation.responses[503]?.content?.['application/json'];
  if (unhealthy && probe) probe.examples = { unhealthy };
}

const ALL_CODES = Object.keys(ERROR_CODES) as ErrorCode[];

/** Says of a body that may be left out that it may, in place of offering null. */
function allowNoBody({ requestBody }: Operation): void {
  const body = requestBody?.content['application/json'];
  const wanted = body?.schema?.anyOf?.filter(({ type }) => type !== 'null');
  if (requestBody && body && wanted?.length === 1) {
    requestBody.required = false;
    body.schema = wanted[0]!;
  }
}

/** Says of a file that it is text: the fields of the body are those of JSON. */
function typeFiles({ requestBody }: Operation): void {
  const file = requestBody?.content['text/csv'];
  if (file) file.schema = { type: 'string' };
}

/** Gives refusals the media type of their own. */
function typeRefusals({ responses }: Operation): void {
  for (const response of Object.values(responses)) {
    const answer = response.content?.['application/json'];
    if (answer?.schema?.$ref === PROBLEM) response.content = { [PROBLEM_TYPE]: answer };
  }
}

/** Names the refusals that come with a body, and with the name of a project. */
function addRefusals(operation: Operation): void {
  const { parameters = [], requestBody } = operation;
  if (requestBody) {
    addRefusal(operation, 'PAYLOAD_TOO_LARGE');
    addRefusal(operation, 'UNSUPPORTED_MEDIA_TYPE');
  }
  const inQuery = parameters.some((parameter) => 'name' in parameter && parameter.name === 'projectId');
  const inBody = requestBody?.content['application/json']?.schema?.properties?.projectId !== undefined;
  if (inQuery || inBody) addRefusal(operation, 'RESOURCE_NOT_FOUND');
}

function addRefusal(operation: Operation, code: ErrorCode): void {
  if (names(operation, code)) return;
  const { status } = ERROR_CODES[code];
  const known = operation.responses[status];
  if (known) known.description += ` ${sentenceOf(code)}`;
  else {
    const content = { [PROBLEM_TYPE]: { schema: { $ref: PROBLEM } } };
    operation.responses[status] = { description: sentenceOf(code), content };
  }
}

function names({ responses }: Operation, code: ErrorCode): boolean {
  return responses[ERROR_CODES[code].status]?.description.includes(sentenceOf(code)) ?? false;
}

/** Names the headers that an operation takes, and those of each of its answers. */
function addHeaders(operation: Operation, access: Access | undefined): void {
  const isRepeatable = names(operation, 'IDEMPOTENCY_MISMATCH');
  if (isRepeatable) {
    const key = { $ref: '#/components/parameters/IdempotencyKey' };
    operation.parameters = [...(operation.parameters ?? []), key];
  }
  for (const [status, response] of Object.entries(operation.responses)) {
    const isCounted =
      isForAdmin(access) || access === 'callback'
        ? COUNTED_WHEN_REFUSED.includes(status)
        : access !== 'probe';
    const mayWait = ['429', '503'].includes(status) && response.content?.[PROBLEM_TYPE] !== undefined;
    response.headers = {
      'X-Request-Id': header('RequestId'),
      ...(isCounted && { RateLimit: header('RateLimit'), 'RateLimit-Policy': header('RateLimitPolicy') }),
      ...(mayWait && { 'Retry-After': header('RetryAfter') }),
      ...(isRepeatable &&
        status.startsWith('2') && { 'Idempotency-Replayed': header('IdempotencyReplayed') }),
    };
  }
}

function header(name: keyof typeof HEADERS): Reference {
  return { $ref: `#/components/headers/${name}` };
}
