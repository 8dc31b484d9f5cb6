import { ERROR_CODES, type ErrorCode } from '../errors/codes.ts';
import { ROUTE_ACCESS } from './access.ts';
import type { Schema } from './reference/schema.ts';
import { sentenceOf } from './schemas.ts';

type Content = Record<string, { schema?: Schema }>;
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
  summary?: string;
  description?: string;
  tags?: string[];
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
  tags?: { name: string; description?: string }[];
  paths?: Record<string, Record<string, Operation>>;
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
      'Makes a repetition safe: for 24 hours the same key with the same body gets the first answer again. 1 to 255 visible ASCII characters, in quotes or without, such as `9b2f6c1e-3d0a-4b7e-8f55-2a6c1d9e0b47`.',
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
      'What is left of each limit that counted the request, and the seconds until it begins anew. Administrators are not counted.',
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

/** Refusals of an admin route that count, since they answer somebody without the password. */
const COUNTED_FOR_ADMIN_ROUTES = ['401', '403', '429'];

/** Puts into the document what the libraries cannot say, and what holds for every operation of a kind. */
export function completeDocument(document: OpenApiDocument): void {
  const { paths = {}, components = {} } = document;
  // The same as `Problem`, for requests, which never hold one.
  delete components.schemas?.ProblemInput;
  document.components = { ...components, headers: HEADERS, parameters: PARAMETERS };
  for (const [path, operations] of Object.entries(paths)) {
    for (const [method, operation] of Object.entries(operations)) {
      allowNoBody(operation);
      typeRefusals(operation);
      addRefusals(operation);
      addHeaders(operation, `${method.toUpperCase()} ${path.replace(/\{(\w+)\}/g, ':$1')}`);
    }
  }
}

/** Says of a body that may be left out that it may, in place of offering null. */
function allowNoBody({ requestBody }: Operation): void {
  const body = requestBody?.content['application/json'];
  const wanted = body?.schema?.anyOf?.filter(({ type }) => type !== 'null');
  if (requestBody && body && wanted?.length === 1) {
    requestBody.required = false;
    body.schema = wanted[0]!;
  }
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
function addHeaders(operation: Operation, route: string): void {
  const access = ROUTE_ACCESS[route];
  const isRepeatable = names(operation, 'IDEMPOTENCY_MISMATCH');
  if (isRepeatable) {
    const key = { $ref: '#/components/parameters/IdempotencyKey' };
    operation.parameters = [...(operation.parameters ?? []), key];
  }
  for (const [status, response] of Object.entries(operation.responses)) {
    const isCounted = access === 'admin' ? COUNTED_FOR_ADMIN_ROUTES.includes(status) : access !== 'probe';
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
