import { escapeHtml, prose } from '../../lib/html.ts';
import type { OpenApiDocument, Operation, Parameter } from '../openapi/document.ts';
import { exampleOf, fieldTable, row, type Schemas } from './schema.ts';

/** An operation and where the document has it. */
export interface Place {
  method: string;
  path: string;
  operation: Operation;
}

/** The name of an operation in the address of the page. */
export function anchorOf({ method, path }: Place): string {
  return `${method}-${path
    .replace(/^\/api\/(v1\/)?/, '')
    .replace(/[{}]/g, '')
    .replaceAll('/', '-')}`;
}

/** One operation: what it does and needs, how it is called, and what it answers. */
export function operationSection(place: Place, document: OpenApiDocument, baseUrl: string): string {
  const { method, path, operation } = place;
  const schemas: Schemas = document.components?.schemas ?? {};
  const { summary = '', description = '' } = operation;
  const id = anchorOf(place);
  return `<section class="operation" id="${id}" aria-labelledby="${id}-title">
<h3 id="${id}-title"><a href="#${id}">${prose(summary)}</a>${operation.deprecated ? ' <span class="deprecated">Deprecated</span>' : ''}</h3>
<p class="route"><span class="method ${method}">${method.toUpperCase()}</span> <code>${escapeHtml(path)}</code></p>
${paragraphs(description)}
${parameterTable(operation, document)}
${bodyTable(operation, schemas)}
${codeBlock('Example', curl(place, document, baseUrl))}
${answers(operation, schemas)}
</section>`;
}

/** A description, whose last paragraph says who may call. */
function paragraphs(description: string): string {
  const parts = description.split('\n\n').map(prose);
  return `${parts
    .slice(0, -1)
    .map((part) => `<p>${part}</p>`)
    .join('')}<p class="access">${parts.at(-1)}</p>`;
}

function parametersOf(operation: Operation, { components }: OpenApiDocument): Parameter[] {
  return (operation.parameters ?? []).map((parameter) =>
    '$ref' in parameter
      ? (components?.parameters?.[parameter.$ref.split('/').at(-1)!] as Parameter)
      : parameter,
  );
}

function parameterTable(operation: Operation, document: OpenApiDocument): string {
  const rows = parametersOf(operation, document).map(({ name, description, required, schema, ...rest }) =>
    row(
      name,
      {
        ...schema,
        ...(description
          ? { description: `${description} In the ${PLACES[rest.in]}.` }
          : { description: `In the ${PLACES[rest.in]}.` }),
      },
      required ?? false,
      {},
    ),
  );
  if (rows.length === 0) return '';
  return `<table><caption>Parameters</caption><thead><tr><th scope="col">Name</th><th scope="col">Type</th><th scope="col">Meaning</th></tr></thead><tbody>${rows.join('')}</tbody></table>`;
}

const PLACES: Readonly<Record<string, string>> = { path: 'path', query: 'query', header: 'headers' };

function bodyTable({ requestBody }: Operation, schemas: Schemas): string {
  const schema = requestBody?.content['application/json']?.schema;
  return schema ? fieldTable(schema, schemas, 'Body') : '';
}

/** A block of code with a name, which a script gives a button to copy it. */
export function codeBlock(name: string, code: string): string {
  return `<figure class="code"><figcaption>${escapeHtml(name)}</figcaption><pre tabindex="0"><code>${escapeHtml(code)}</code></pre></figure>`;
}

function curl({ method, path, operation }: Place, document: OpenApiDocument, baseUrl: string): string {
  const schemas: Schemas = document.components?.schemas ?? {};
  const values = new Map(
    parametersOf(operation, document)
      .filter((parameter) => parameter.in === 'path')
      .map(({ name, schema, example }) => [name, String(example ?? exampleOf(schema, schemas))]),
  );
  const address = path.replace(/\{(\w+)\}/g, (_whole, name: string) =>
    encodeURIComponent(values.get(name) ?? name),
  );
  const body = operation.requestBody?.content['application/json']?.schema;
  const parts = [`curl${method === 'get' ? '' : ` -X ${method.toUpperCase()}`} ${baseUrl}${address}`];
  if (operation['x-permission'] === 'admin') parts.push("-H 'X-Master-Key: YOUR_ADMIN_PASSWORD'");
  else if (operation.security?.length) parts.push("-H 'Authorization: Bearer YOUR_API_KEY'");
  if (body && operation.requestBody?.required !== false) {
    parts.push("-H 'Content-Type: application/json'");
    parts.push(`-d '${JSON.stringify(exampleOf(body, schemas, { whole: false }))}'`);
  }
  return parts.join(' \\\n  ');
}

function answers({ responses }: Operation, schemas: Schemas): string {
  const parts = Object.entries(responses).map(([status, { description, content = {} }]) => {
    if (content['application/problem+json']) return errorRow(status, description);
    const schema = content['application/json']?.schema;
    const example =
      schema && codeBlock(`${status} body`, JSON.stringify(exampleOf(schema, schemas), null, 2));
    return `<details><summary><strong class="status">${status}</strong> ${prose(description)}</summary>${schema ? fieldTable(schema, schemas, `Fields of ${status}`) + example : ''}</details>`;
  });
  const isError = (part: string) => part.startsWith('<tr>');
  const errors = parts.filter(isError);
  return `${parts.filter((part) => !isError(part)).join('')}
${errors.length === 0 ? '' : `<details><summary>Errors</summary><table><caption>Errors</caption><thead><tr><th scope="col">Status</th><th scope="col">Code</th></tr></thead><tbody>${errors.join('')}</tbody></table></details>`}`;
}

/** A refusal names its codes at the beginning of its sentences. */
function errorRow(status: string, description: string): string {
  const linked = prose(description).replace(
    /\b([A-Z]+(?:_[A-Z]+)+|UNAUTHORIZED|FORBIDDEN|CONFLICT): /g,
    '<a href="/docs/errors#$1"><code>$1</code></a> ',
  );
  return `<tr><th scope="row">${status}</th><td>${linked}</td></tr>`;
}
