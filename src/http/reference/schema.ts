import { prose } from '../../lib/html.ts';

/** The part of JSON Schema that the OpenAPI document uses. */
export interface Schema {
  $ref?: string;
  title?: string;
  type?: string | string[];
  description?: string;
  format?: string;
  pattern?: string;
  example?: unknown;
  examples?: unknown[];
  default?: unknown;
  enum?: unknown[];
  const?: unknown;
  minimum?: number;
  maximum?: number;
  minLength?: number;
  maxLength?: number;
  maxItems?: number;
  properties?: Record<string, Schema>;
  required?: string[];
  items?: Schema;
  anyOf?: Schema[];
  additionalProperties?: boolean | Schema;
}

export type Schemas = Readonly<Record<string, Schema>>;

/** A schema itself in place of a reference to it; what stands beside the reference wins. */
export function resolve(schema: Schema, schemas: Schemas): Schema {
  if (schema.$ref === undefined) return schema;
  const { $ref, ...beside } = schema;
  return { ...resolve(schemas[$ref.split('/').at(-1)!] ?? {}, schemas), ...beside };
}

/** The fields of an object as the rows of a table, those inside them too, named like `data.timeline[].at`. */
export function fieldTable(schema: Schema, schemas: Schemas, caption: string): string {
  const rows = fieldRows(schema, schemas, '');
  if (rows.length === 0) return '';
  return `<table><caption>${prose(caption)}</caption><thead><tr><th scope="col">Field</th><th scope="col">Type</th><th scope="col">Meaning</th></tr></thead><tbody>${rows.join('')}</tbody></table>`;
}

function fieldRows(given: Schema, schemas: Schemas, prefix: string): string[] {
  const { properties = {}, required = [] } = resolve(given, schemas);
  return Object.entries(properties).flatMap(([name, part]) => {
    const schema = withoutNull(resolve(part, schemas));
    const path = `${prefix}${name}`;
    const inner = schema.items ? resolve(schema.items, schemas) : schema;
    const innerPrefix = schema.items ? `${path}[].` : `${path}.`;
    return [row(path, schema, required.includes(name), schemas), ...fieldRows(inner, schemas, innerPrefix)];
  });
}

/** One row: a name, its type and whether it is required, and what it means and may be. */
export function row(name: string, given: Schema, isRequired: boolean, schemas: Schemas): string {
  const schema = withoutNull(resolve(given, schemas));
  const meaning = [schema.description && sentence(schema.description), bounds(schema)]
    .filter(Boolean)
    .join(' ');
  const mark = isRequired ? ' <strong class="required">required</strong>' : '';
  return `<tr><th scope="row"><code>${prose(name)}</code>${mark}</th><td>${typeOf(schema, schemas)}</td><td>${prose(meaning)}</td></tr>`;
}

/** What else a value may be than null, which its type says. */
function withoutNull(schema: Schema): Schema {
  const others = schema.anyOf?.filter(({ type }) => type !== 'null');
  if (others?.length !== 1) return schema;
  const { anyOf, ...beside } = schema;
  const only = others[0]!;
  return { ...only, ...beside, type: [...[only.type ?? 'object'].flat(), 'null'] };
}

function typeOf(schema: Schema, schemas: Schemas): string {
  if (schema.items) return `array of ${typeOf(resolve(schema.items, schemas), schemas)}`;
  if (schema.anyOf) return schema.anyOf.map((part) => typeOf(resolve(part, schemas), schemas)).join(' or ');
  const types = [schema.type ?? []].flat();
  return types.length === 0 ? 'any' : types.join(' or ');
}

function sentence(text: string): string {
  return /[.!?]$/.test(text) ? text : `${text}.`;
}

/** What a schema allows, in words. */
function bounds(schema: Schema): string {
  const { minimum, maximum, minLength, maxLength, maxItems } = schema;
  const said: string[] = [];
  if (schema.enum) said.push(`One of ${schema.enum.map((value) => `\`${String(value)}\``).join(', ')}.`);
  if (minimum !== undefined && maximum !== undefined && maximum < Number.MAX_SAFE_INTEGER)
    said.push(`${minimum} to ${maximum}.`);
  else if (minimum !== undefined && minimum > Number.MIN_SAFE_INTEGER) said.push(`At least ${minimum}.`);
  if (maxLength !== undefined)
    said.push(`${minLength ? `${minLength} to` : 'At most'} ${maxLength} characters.`);
  if (maxItems !== undefined) said.push(`At most ${maxItems} items.`);
  if (schema.default !== undefined) said.push(`Default \`${JSON.stringify(schema.default)}\`.`);
  if (schema.example !== undefined) said.push(`Example: \`${JSON.stringify(schema.example)}\`.`);
  return said.join(' ');
}

/** A value that a schema allows, from its examples where it has some; of an object what has to be there. */
export function exampleOf(given: Schema, schemas: Schemas, { whole = true } = {}): unknown {
  const schema = resolve(given, schemas);
  if (schema.example !== undefined) return schema.example;
  if (schema.const !== undefined) return schema.const;
  if (schema.default !== undefined) return schema.default;
  if (schema.enum) return schema.enum[0];
  if (schema.anyOf) return exampleOf(schema.anyOf[0]!, schemas, { whole });
  switch ([schema.type ?? 'object'].flat()[0]) {
    case 'object': {
      const { properties = {}, required = [] } = schema;
      const names = Object.keys(properties).filter((name) => whole || required.includes(name));
      return Object.fromEntries(
        names.map((name) => [name, exampleOf(properties[name]!, schemas, { whole })]),
      );
    }
    case 'array':
      return schema.items ? [exampleOf(schema.items, schemas, { whole })] : [];
    case 'integer':
    case 'number':
      return Math.max(schema.minimum ?? 1, 1);
    case 'boolean':
      return true;
    case 'null':
      return null;
    default:
      return 'text';
  }
}
