// @ts-check
import { compile } from 'json-schema-to-typescript';

const REFERENCE = '#/components/schemas/';

/**
 * The text of `sdk/src/api-types.ts`: a TypeScript type for each schema that the OpenAPI document names, and one for every
 * event together.
 * @param {{ components: { schemas: Record<string, object> } }} document
 * @returns {Promise<string>}
 */
export async function apiTypes({ components: { schemas } }) {
  const events = Object.keys(schemas).filter((name) => name.endsWith('Event'));
  const definitions = Object.fromEntries(
    Object.entries({
      ...schemas,
      WebhookEvent: {
        description: 'What a webhook or the live stream carries.',
        anyOf: events.map(($ref) => ({ $ref: REFERENCE + $ref })),
      },
    }).map(([name, schema]) => [name, withoutTitles(schema)]),
  );
  const text = JSON.stringify({ title: 'Root', type: 'object', additionalProperties: false, definitions });
  const types = await compile(JSON.parse(text.replaceAll(REFERENCE, '#/definitions/')), 'Root', {
    additionalProperties: false,
    unreachableDefinitions: true,
    // Else an array of up to 13 is a union of 13 tuples.
    ignoreMinAndMaxItems: true,
    bannerComment: '',
    format: true,
    style: { singleQuote: true, printWidth: 110 },
  });
  const withoutRoot = types
    .replace(/export interface Root \{\}\n/, '')
    // Remarks of the generator on its own input.
    .replace(
      /( \*\n)? \* This \w+ was referenced by `Root`.s JSON-Schema\n \* via the `definition` "\w+"\.\n/g,
      '',
    )
    .replace(/\/\*\*\n \*\/\n/g, '');
  return `// The types of the API, generated from its OpenAPI document by \`npm run docs\`.\n\n${withoutRoot.trim()}\n`;
}

/**
 * A title would name the type a second time.
 * @param {unknown} value
 * @returns {unknown}
 */
function withoutTitles(value) {
  if (Array.isArray(value)) return value.map(withoutTitles);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).filter(
    ([name, each]) => !(name === 'title' && typeof each === 'string'),
  );
  return Object.fromEntries(entries.map(([name, each]) => [name, withoutTitles(each)]));
}
