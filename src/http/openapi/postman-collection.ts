import { exampleOf, type Schemas } from '../reference/schema.ts';
import type { OpenApiDocument, Operation, Parameter } from './document.ts';

interface Item {
  name: string;
  request: object;
  event?: { listen: string; script: { type: string; exec: string[] } }[];
}

/** What a first run with mock mode on is called with; the key and the password come from the environment. */
const VARIABLES = {
  baseUrl: 'http://127.0.0.1:3000',
  apiKey: '',
  adminPassword: '',
  phone: '+44 7400 123456',
};

/** Left out of the collection: they end the caller's own session, work on the whole database, or never end. */
const LEFT_OUT = new Set(['getEventsStream', 'streamEvents', 'deleteSession']);

/**
 * A Postman collection (format 2.1) of a document: first a code that is sent, read on the virtual phone and checked, then
 * every operation by its group. Each asks for an answer that the document names; what an answer names as `id` fills the
 * paths of its group.
 */
export function postmanCollection(document: OpenApiDocument): object {
  const schemas: Schemas = document.components?.schemas ?? {};
  const operations = Object.entries(document.paths ?? {}).flatMap(([path, item]) =>
    Object.entries(item).map(([method, operation]) => ({ path, method, operation })),
  );
  const groups = (document.tags ?? []).map(({ name, description }) => ({
    name,
    description,
    item: operations
      .filter(({ operation }) => operation.tags?.[0] === name && !LEFT_OUT.has(operation.operationId ?? ''))
      .map(({ path, method, operation }) => itemOf(path, method, operation, document, schemas)),
  }));
  return {
    info: {
      name: 'WOTP',
      description:
        'Every route of WOTP 4. Set `apiKey` and `adminPassword` to what the first start printed. "First code" needs mock mode, which is on outside of production.',
      schema: 'https://schema.getpostman.com/json/collection/v2.1.0/collection.json',
    },
    auth: { type: 'bearer', bearer: [{ key: 'token', value: '{{apiKey}}', type: 'string' }] },
    variable: Object.entries(VARIABLES).map(([key, value]) => ({ key, value })),
    item: [firstCode(), ...groups.filter(({ item }) => item.length > 0)],
  };
}

function firstCode(): object {
  const send = request('POST', '/api/v1/otp/send', { phone: '{{phone}}' });
  const read = {
    ...request('GET', '/api/v1/simulator/messages?to={{phoneDigits}}&limit=1'),
    auth: { type: 'noauth' },
    header: [{ key: 'X-Master-Key', value: '{{adminPassword}}' }],
  };
  const check = request('POST', '/api/v1/otp/verify', { id: '{{verificationId}}', code: '{{code}}' });
  return {
    name: 'First code',
    description: 'Sends a code, reads it on the virtual phone and checks it.',
    item: [
      item('Send a code', send, [
        "pm.test('a code is on its way', () => pm.expect([200, 201]).to.include(pm.response.code));",
        "pm.collectionVariables.set('verificationId', pm.response.json().data.id);",
        "pm.collectionVariables.set('phoneDigits', pm.collectionVariables.get('phone').replace(/\\D/g, ''));",
      ]),
      item('Read it on the virtual phone', read, [
        '// A message needs some hundred milliseconds to arrive.',
        'const [message] = pm.response.json().data;',
        'const code = message && /\\d{6}/.exec(message.text);',
        "if (code) pm.collectionVariables.set('code', code[0]);",
        "else setTimeout(() => pm.execution.setNextRequest('Read it on the virtual phone'), 200);",
      ]),
      item('Check it', check, [
        "pm.test('the code verifies', () => pm.expect(pm.response.json().data.valid).to.equal(true));",
      ]),
    ],
  };
}

function itemOf(
  path: string,
  method: string,
  operation: Operation,
  document: OpenApiDocument,
  schemas: Schemas,
): Item {
  const schema = operation.requestBody?.content['application/json']?.schema;
  const body = schema && exampleOf(schema, schemas, { whole: false });
  const address = path.replace(/\{(\w+)\}/g, (_whole, name: string) =>
    name === 'phone' ? '{{phone}}' : `{{${variableOf(path)}}}`,
  );
  const query = requiredQuery(operation, document, schemas);
  const isForAdmin = operation['x-permission'] === 'admin';
  const made = {
    ...request(method.toUpperCase(), address + query, body),
    description: operation.description,
    ...(isForAdmin && {
      auth: { type: 'noauth' },
      header: [...headersOf(body), { key: 'X-Master-Key', value: '{{adminPassword}}' }],
    }),
  };
  const answers = Object.keys(operation.responses).join(', ');
  const makes = method === 'post' && !path.includes('{');
  return item(operation.summary ?? `${method} ${path}`, made, [
    `pm.test('the answer is one of those documented', () => pm.expect([${answers}]).to.include(pm.response.code));`,
    ...(makes
      ? [
          'const made = pm.response.code < 300 ? pm.response.json().data : undefined;',
          `if (made && (made.id || made.bulkId)) pm.collectionVariables.set('${variableOf(path)}', made.id || made.bulkId);`,
        ]
      : []),
  ]);
}

/** The variable that holds an id of the group that a path belongs to: `/api/v1/keys/{id}` → `keysId`. */
function variableOf(path: string): string {
  return `${path
    .replace(/^\/api\/(v1\/)?/, '')
    .split('/')[0]!
    .replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase())}Id`;
}

function requiredQuery(operation: Operation, { components }: OpenApiDocument, schemas: Schemas): string {
  const parameters = (operation.parameters ?? []).map((parameter) =>
    '$ref' in parameter
      ? (components?.parameters?.[parameter.$ref.split('/').at(-1)!] as Parameter)
      : parameter,
  );
  const pairs = parameters
    .filter((parameter) => parameter.in === 'query' && parameter.required)
    .map(({ name, schema, example }): [string, string] => [
      name,
      String(example ?? exampleOf(schema, schemas)),
    ]);
  return pairs.length === 0 ? '' : `?${new URLSearchParams(pairs)}`;
}

function request(method: string, address: string, body?: unknown) {
  return {
    method,
    url: `{{baseUrl}}${address}`,
    header: headersOf(body),
    ...(body !== undefined && { body: { mode: 'raw', raw: JSON.stringify(body, null, 2) } }),
  };
}

function headersOf(body: unknown): { key: string; value: string }[] {
  return body === undefined ? [] : [{ key: 'Content-Type', value: 'application/json' }];
}

function item(name: string, made: object, exec: string[]): Item {
  return { name, request: made, event: [{ listen: 'test', script: { type: 'text/javascript', exec } }] };
}
