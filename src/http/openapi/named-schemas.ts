import type { Schema } from '../reference/schema.ts';

/** What every safe integer has, which is no bound. */
const NO_BOUNDS: readonly unknown[] = [Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER];

/** A schema without what says nothing: bounds that every integer has, patterns beside the format that they check. */
export function withoutNoise<T>(schema: T): T {
  if (Array.isArray(schema)) return schema.map(withoutNoise) as T;
  if (typeof schema !== 'object' || schema === null) return schema;
  const members = Object.entries(schema).filter(
    ([name, value]) =>
      !(['minimum', 'maximum'].includes(name) && NO_BOUNDS.includes(value)) &&
      !(name === 'pattern' && 'format' in schema) &&
      name !== 'propertyNames',
  );
  return Object.fromEntries(members.map(([name, value]) => [name, withoutNoise(value)])) as T;
}

/**
 * Moves the schemas of objects that have a title into `named`, under that title, and leaves references.
 * @throws Error when two different schemas have one title
 */
export function nameSchemas(schema: Schema, named: Record<string, Schema>, title = schema.title): Schema {
  const whole = withNamedParts(schema, named);
  if (title === undefined || whole.type !== 'object' || !whole.properties) return whole;
  const known = named[title];
  if (known && JSON.stringify(known) !== JSON.stringify({ ...whole, title })) {
    throw new Error(`Two different schemas have the title ${title}.`);
  }
  named[title] = { ...whole, title };
  return { $ref: `#/components/schemas/${title}` };
}

function withNamedParts(schema: Schema, named: Record<string, Schema>): Schema {
  const { properties, items, anyOf, additionalProperties } = schema;
  return {
    ...schema,
    ...(properties && {
      properties: Object.fromEntries(
        Object.entries(properties).map(([name, part]) => [name, nameSchemas(part, named)]),
      ),
    }),
    ...(items && { items: nameSchemas(items, named) }),
    ...(anyOf && { anyOf: anyOf.map((part) => nameSchemas(part, named)) }),
    ...(typeof additionalProperties === 'object' && {
      additionalProperties: nameSchemas(additionalProperties, named),
    }),
  };
}
