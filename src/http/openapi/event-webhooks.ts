import { z } from 'zod';
import { EVENTS } from '../../events/catalogue.ts';
import { EVENT_DATA, PROMISED_TYPES } from '../../events/data.ts';
import { examplePayload } from '../../events/reference.ts';
import type { Schema } from '../reference/schema.ts';
import { withoutNoise } from './named-schemas.ts';

/** The headers of Standard Webhooks. */
const HEADERS = [
  ['webhook-id', 'The id of the event: the same on every attempt. Remember it to handle an event once.'],
  ['webhook-timestamp', 'When the attempt was made, in Unix seconds.'],
  [
    'webhook-signature',
    'One or more signatures (`v1,` and base64), separated by spaces; one that fits is enough.',
  ],
].map(([name, description]) => ({
  name,
  in: 'header',
  required: true,
  description,
  schema: { type: 'string' },
}));

/**
 * The `webhooks` of the document: what the server sends, by the type of the event.
 * @param schemas gets a schema for each
 */
export function eventWebhooks(schemas: Record<string, Schema>): Record<string, object> {
  return Object.fromEntries(
    PROMISED_TYPES.map((type) => {
      const name = type
        .split(/[._]/)
        .map((word) => word.charAt(0).toUpperCase() + word.slice(1))
        .join('');
      schemas[`${name}Event`] = withoutNoise(payloadSchema(type));
      const schema = { $ref: `#/components/schemas/${name}Event` };
      const { meaning } = EVENTS[type as keyof typeof EVENTS];
      return [
        type,
        {
          post: {
            tags: ['Webhooks'],
            operationId: `on${name}`,
            summary: type,
            description: meaning,
            security: [],
            parameters: HEADERS,
            requestBody: {
              required: true,
              content: { 'application/json': { schema, example: examplePayload(type) } },
            },
            responses: {
              '2XX': { description: 'Received. Anything else is tried again.' },
              '410': { description: 'The endpoint is gone: it is disabled.' },
            },
          },
        },
      ];
    }),
  );
}

function payloadSchema(type: string): Schema {
  const { $schema: _, ...data } = z.toJSONSchema(EVENT_DATA[type]!);
  return {
    type: 'object',
    description: `The body of a webhook of the type ${type}.`,
    properties: {
      type: { type: 'string', const: type },
      timestamp: { type: 'string', format: 'date-time', description: 'When it happened.' },
      // Later versions may add fields.
      data: { ...data, additionalProperties: true },
      event: { type: 'string', const: type, description: 'The type again, as v3 named it.' },
    },
    required: ['type', 'timestamp', 'data', 'event'],
  } as Schema;
}
