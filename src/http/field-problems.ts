import type { FastifyError, FastifyRequest } from 'fastify';
import { type ZodType, z } from 'zod';
import type { FieldProblem } from '../errors/errors.ts';

/** A refusal stays small, however much is wrong. */
const PROBLEMS_SHOWN = 20;
const PATH_MAX_LENGTH = 200;

/** How the library's own messages begin; they are for programmers. */
const OF_THE_LIBRARY = /^(Invalid|Too (big|small)|Unrecognized)\b/;

type Context = 'body' | 'querystring' | 'params' | 'headers';
type ValidationIssue = NonNullable<FastifyError['validation']>[number];
type JsonSchema = z.core.JSONSchema.JSONSchema;

/** What the parts of a request are called. */
const PART_NAMES: Readonly<Record<Context, string>> = {
  body: 'body',
  querystring: 'query',
  params: 'path',
  headers: 'headers',
};

/**
 * What is wrong with the fields of a request, each in a sentence that names the field and what is allowed there. A
 * message that a schema has of its own is taken as it is where it is a sentence that names its field, and as what is
 * allowed where it is none.
 */
export function fieldProblems(
  request: FastifyRequest,
  issues: readonly ValidationIssue[],
  context: Context = 'body',
): FieldProblem[] {
  const schema = jsonSchemaOf(request.routeOptions.schema?.[context] as ZodType | undefined);
  const input = { body: request.body, querystring: request.query, params: request.params, headers: {} }[
    context
  ];
  // An unknown field first: it often is the typing error because of which another is missing.
  const isUnknown = ({ params }: ValidationIssue) => (params as { keys?: string[] }).keys !== undefined;
  const inOrder = [...issues.filter(isUnknown), ...issues.filter((issue) => !isUnknown(issue))];
  const problems = inOrder
    .flatMap((issue) => problemsOf(issue, schema, input, PART_NAMES[context]))
    .map(({ path, message }) => ({ path: path.slice(0, PATH_MAX_LENGTH), message }));
  // A value may break several rules that one sentence names.
  const byMessage = new Map(problems.map((problem) => [problem.message, problem]));
  return [...byMessage.values()].slice(0, PROBLEMS_SHOWN);
}

function problemsOf(
  issue: ValidationIssue,
  schema: JsonSchema,
  input: unknown,
  part: string,
): FieldProblem[] {
  const names = issue.instancePath
    .split('/')
    .slice(1)
    .filter((name) => name !== '');
  const path = names.join('.');
  const here = names.reduce(partOf, schema);
  const unknown = (issue.params as { keys?: string[] }).keys;
  if (unknown) {
    const known = Object.keys(objectOf(here).properties ?? {});
    const allowed = known.length === 0 ? 'No fields are allowed here.' : `Allowed: ${known.join(', ')}.`;
    return unknown.slice(0, PROBLEMS_SHOWN).map((name) => ({
      path: path === '' ? name : `${path}.${name}`,
      message: `Unknown field \`${shortened(path === '' ? name : `${path}.${name}`)}\`. ${allowed}`,
    }));
  }
  if (issue.keyword === 'invalid_key') {
    const [rule] = (issue.params as { issues?: { message: string }[] }).issues ?? [];
    const [outer, name] = [shortened(names.slice(0, -1).join('.')), shortened(names.at(-1) ?? '')];
    const message = `A name in \`${outer}\` must be ${rule?.message ?? 'another one'}, not \`${name}\`.`;
    return [{ path, message }];
  }
  const own = OF_THE_LIBRARY.test(issue.message ?? '') ? '' : (issue.message ?? '');
  if (own.endsWith('.')) {
    const named = path === '' || [path, names.at(-1)].some((name) => own.includes(`\`${name}\``));
    const message = named ? own : `The value of \`${shortened(path)}\` cannot be used. ${own}`;
    return [{ path: path || part, message }];
  }
  const allowed = own || allowedBy(here);
  if (path === '') return [{ path: part, message: `The ${part} must be ${allowed}.` }];
  const name = shortened(path);
  const value = names.reduce<unknown>(
    (outer, key) => (outer as Record<string, unknown> | null)?.[key],
    input,
  );
  const message =
    value === undefined
      ? `The field \`${name}\` is required and must be ${allowed}.`
      : `The value of \`${name}\` must be ${allowed}.`;
  return [{ path, message }];
}

const shortened = (path: string) => path.slice(0, PATH_MAX_LENGTH);

const jsonSchemas = new WeakMap<ZodType, JsonSchema>();

function jsonSchemaOf(schema: ZodType | undefined): JsonSchema {
  if (!schema) return {};
  let known = jsonSchemas.get(schema);
  if (!known) {
    known = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any', reused: 'inline' });
    jsonSchemas.set(schema, known);
  }
  return known;
}

/** The one of several schemas that is an object, or the schema itself. */
function objectOf(schema: JsonSchema): JsonSchema {
  const options = schema.anyOf as JsonSchema[] | undefined;
  return options?.find(({ type }) => type === 'object' || type === 'array') ?? schema;
}

/** The schema of a field, or of an item of an array. */
function partOf(outer: JsonSchema, name: string): JsonSchema {
  const { properties, items, additionalProperties } = objectOf(outer);
  const part = properties?.[name] ?? items ?? additionalProperties;
  return typeof part === 'object' && !Array.isArray(part) ? part : {};
}

/** What a schema allows, in words that follow "must be". */
function allowedBy(schema: JsonSchema): string {
  if (schema.anyOf) return (schema.anyOf as JsonSchema[]).map(allowedBy).join(' or ');
  if (schema.enum) return `one of ${schema.enum.join(', ')}`;
  if (schema.const !== undefined) return String(schema.const);
  switch (schema.type) {
    case 'string':
      return allowedText(schema);
    case 'integer':
      return `a whole number${range(schema.minimum, schema.maximum)}`;
    case 'number':
      return `a number${range(schema.minimum, schema.maximum)}`;
    case 'boolean':
      return 'true or false';
    case 'array':
      return `an array${counted(schema.minItems, schema.maxItems, 'item')}${eachOf(schema.items)}`;
    case 'object':
      return 'an object';
    case 'null':
      return 'null';
    default:
      return 'a value that this field allows';
  }
}

/** What the items of an array are, where they are from a list. */
function eachOf(items: JsonSchema['items']): string {
  if (typeof items !== 'object' || Array.isArray(items)) return '';
  return items.enum ? `, each ${allowedBy(items)}` : '';
}

function allowedText(schema: JsonSchema): string {
  if (schema.format === 'date-time') return 'a time such as 2026-11-23T12:00:00.000Z (ISO 8601)';
  const what = schema.format === 'email' ? 'an e-mail address' : 'a string';
  return `${what}${counted(schema.minLength, schema.maxLength, 'character')}`;
}

/** The bounds of a number; those that every safe integer has are none. */
function range(minimum: number | undefined, maximum: number | undefined): string {
  const least = minimum === Number.MIN_SAFE_INTEGER ? undefined : minimum;
  const most = maximum === Number.MAX_SAFE_INTEGER ? undefined : maximum;
  if (least !== undefined && most !== undefined) return ` from ${least} to ${most}`;
  if (least !== undefined) return ` of at least ${least}`;
  return most === undefined ? '' : ` of at most ${most}`;
}

function counted(minimum: number | undefined, maximum: number | undefined, unit: string): string {
  if (maximum !== undefined) return ` of ${minimum ? `${minimum} to` : 'at most'} ${maximum} ${unit}s`;
  return minimum ? ` of at least ${minimum} ${unit}${minimum === 1 ? '' : 's'}` : '';
}
