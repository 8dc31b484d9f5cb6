import { ERROR_CODES } from '../../errors/codes.ts';
import { exampleOf, type Schemas } from '../reference/schema.ts';
import type { OpenApiDocument, Operation } from './document.ts';

/**
 * The page docs/API.md: what holds for every call, and each operation with its body and its answer in short. Everything
 * of an operation stands on the page `/docs` of a server.
 */
export function apiPage(document: OpenApiDocument): string {
  const schemas: Schemas = document.components?.schemas ?? {};
  const operations = Object.entries(document.paths ?? {}).flatMap(([path, item]) =>
    Object.entries(item).map(([method, operation]) => ({ path, method, operation })),
  );
  const groups = (document.tags ?? []).flatMap(({ name, description }) => [
    `## ${name}`,
    '',
    description ?? '',
    '',
    ...operations
      .filter(({ operation }) => operation.tags?.[0] === name)
      .flatMap(({ path, method, operation }) => operationPart(path, method, operation, schemas)),
  ]);
  return `${[INTRODUCTION, ...groups].join('\n').trimEnd()}\n`;
}

const INTRODUCTION = `# The API

Every operation in short. \`npm run docs\` writes this page from the OpenAPI document; the same with every field, bound and
error stands at \`/docs\` of your server, and as a document at \`/openapi.json\` and \`/openapi.yaml\` (here: [openapi.yaml](openapi.yaml)).
For Postman: [postman_collection.json](postman_collection.json). Whole programs: [EXAMPLES.md](EXAMPLES.md).

- **Base address**: \`/api/v1\`.
- **Who calls**: \`Authorization: Bearer wotp_…\` with an API key. What is marked *admin* needs the admin password:
  \`X-Master-Key: …\`. The administrator may call everything.
- **Success**: \`{ "success": true, "data": … }\`. Lists add \`"page": { "next": … }\`: send it as \`cursor\` to get the next page.
- **Errors**: \`application/problem+json\` (RFC 9457) with a stable \`code\`. Each of the ${Object.keys(ERROR_CODES).length} codes, and what to do, is in
  [ERRORS.md](ERRORS.md).
- **Retries**: send an \`Idempotency-Key\` with a POST that creates something. For 24 hours the same key and body get the first
  answer again, and nothing is done twice.
- **Limits**: 429 with \`Retry-After\`; every answer has \`RateLimit\`. See [RATE_LIMITING.md](RATE_LIMITING.md).
`;

function operationPart(path: string, method: string, operation: Operation, schemas: Schemas): string[] {
  const { summary = '', deprecated, requestBody, responses, 'x-permission': permission } = operation;
  const body = requestBody?.content['application/json']?.schema;
  const [status, success] = Object.entries(responses).find(([code]) => code.startsWith('2')) ?? [];
  const answer = success?.content?.['application/json']?.schema;
  return [
    `### ${summary}`,
    '',
    `\`${method.toUpperCase()} ${path}\` – ${who(permission, operation)}${deprecated ? ' – deprecated' : ''}`,
    '',
    ...(body ? ['Body:', ...json(exampleOf(body, schemas))] : []),
    ...(answer ? [`Answer (${status}):`, ...json(exampleOf(answer, schemas))] : []),
  ];
}

function who(permission: string | undefined, { security = [] }: Operation): string {
  if (permission === 'admin') return 'admin';
  if (permission !== undefined) return `\`${permission}\``;
  return security.length > 0 ? 'any API key' : 'public';
}

const json = (value: unknown) => ['', '```json', JSON.stringify(value, null, 2), '```', ''];
