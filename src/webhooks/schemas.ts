import { z } from 'zod';
import { PROMISED_TYPES } from '../events/data.ts';
import { iso, isoOrNull, projectId, time, timestamp } from '../http/schemas.ts';
import type { Attempt, DeliveryRow, DeliveryStatus } from './deliveries.ts';
import type { Endpoint } from './endpoints.ts';
import { isFilter } from './filter.ts';

const HEADERS_MAX = 20;
/** Headers that belong to the request itself or to its signature. */
const RESERVED_HEADER =
  /^(accept|accept-encoding|connection|content-.*|expect|host|keep-alive|proxy-.*|te|trailer|transfer-encoding|upgrade|webhook-.*)$/;

const WEBHOOK_ID = 'whk_01jd3x8zq2e6v9k5m7n0p4r8st';
export const webhookId = z.string().max(64).meta({ description: 'The endpoint.', example: WEBHOOK_ID });
export const deliveryId = z
  .string()
  .max(64)
  .meta({ description: 'The delivery.', example: 'dlv_01jd3x8zq2e6v9k5m7n0p4r8st' });

const url = z.string().min(1).max(2_000).meta({
  description:
    'Where events are sent to: an https address (http too outside production) on the public internet. Internal addresses are refused unless `WEBHOOK_ALLOWED_ADDRESSES` lists them.',
  example: 'https://app.example.com/webhooks',
});
const events = z
  .array(z.string().max(64).refine(isFilter, 'the type of an event, a kind such as otp.*, or *'))
  .min(1)
  .max(PROMISED_TYPES.length)
  .meta({
    description: 'Event types; `otp.*` is all of a kind, `*` all of them, those of later versions too.',
    example: ['otp.*', 'message.failed'],
  });
const description = z
  .string()
  .trim()
  .max(200)
  .nullable()
  .meta({ description: 'What it is for, in your words.', example: 'Order service' });
const enabled = z
  .boolean()
  .meta({ description: 'Whether events are sent. Deliveries of a disabled endpoint fail.', example: true });
const headers = z
  .record(z.string(), z.string().max(1_000))
  .refine(
    (given) =>
      Object.keys(given).length <= HEADERS_MAX &&
      Object.entries(given).every(
        ([name, value]) =>
          /^[A-Za-z0-9-]{1,64}$/.test(name) &&
          !RESERVED_HEADER.test(name.toLowerCase()) &&
          /^[\x20-\x7e]*$/.test(value),
      ),
    `up to ${HEADERS_MAX} headers of printable ASCII, none of them of the request itself (Host, Content-*, Webhook-* …)`,
  )
  .meta({
    description: 'Headers of your own for every request. Their values are stored encrypted and never shown.',
    example: { authorization: 'Bearer 3f9c' },
  });

export const createBody = z
  .strictObject({
    url,
    events,
    description: description.optional(),
    enabled: enabled.optional(),
    headers: headers.optional(),
    projectId,
  })
  .meta({ title: 'CreateWebhookRequest' });

export const changeBody = z
  .strictObject({
    url: url.optional(),
    events: events.optional(),
    description: description.optional(),
    enabled: enabled.optional(),
    headers: headers.optional(),
    projectId,
  })
  .meta({ title: 'UpdateWebhookRequest' });

export const recoverBody = z
  .strictObject({
    since: time.meta({
      description: 'Events from then on are sent. RFC 3339, with any offset.',
      example: '2026-11-23T12:00:00Z',
    }),
    projectId,
  })
  .meta({ title: 'RecoverWebhookRequest' });

const endpointFields = {
  id: webhookId,
  url: z.string(),
  events: z.array(z.string()),
  description: z.string().nullable(),
  enabled: z.boolean(),
  disabledReason: z
    .enum(['gone', 'failing'])
    .nullable()
    .meta({ description: '`gone`: it answered 410; `failing`: every attempt of five days failed.' }),
  headerNames: z.array(z.string()).meta({ description: 'The names of your own headers.' }),
  failingSince: timestamp.nullable().meta({ description: 'Since when every attempt has failed.' }),
  recovering: z.boolean().meta({ description: 'Whether a recovery is running.' }),
  previousSecretUntil: timestamp
    .nullable()
    .meta({ description: 'Until when the secret before the present one signs as well.' }),
  createdAt: timestamp,
  updatedAt: timestamp,
};

export const endpointAnswer = z
  .object(endpointFields)
  .meta({ title: 'WebhookEndpoint', description: 'A webhook endpoint without its secret.' });
export const endpointWithSecret = z
  .object({
    ...endpointFields,
    secret: z.string().meta({
      description: 'Verifies what is sent. Shown only now.',
      example: 'whsec_BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=',
    }),
  })
  .meta({
    title: 'WebhookEndpointWithSecret',
    description: 'The webhook endpoint with its secret, which is shown only now.',
  });

export const deliveryAnswer = z
  .object({
    id: deliveryId,
    eventId: z.string().meta({ description: 'The `webhook-id` of every attempt.' }),
    type: z.string(),
    status: z.enum(['pending', 'delivered', 'failed']),
    attempts: z.array(
      z.object({
        at: timestamp,
        status: z.int().nullable().meta({ description: 'The HTTP status; null where there was no answer.' }),
        durationMs: z.int(),
        error: z.string().optional(),
        body: z.string().optional().meta({ description: 'The first kilobyte of the answer.' }),
      }),
    ),
    nextAttemptAt: timestamp.nullable().meta({
      description:
        'When the next attempt is due; null when there is none, while one is under way, and while an earlier event of the same verification is pending.',
    }),
    createdAt: timestamp.meta({ description: 'When the event happened.' }),
  })
  .meta({
    title: 'WebhookDelivery',
    description: 'One event for one endpoint, with the latest 20 attempts.',
  });

export const statusFilter = z
  .enum(['pending', 'delivered', 'failed'])
  .optional()
  .meta({ description: 'Only deliveries in this state.', example: 'failed' });

export function toEndpointAnswer(endpoint: Endpoint): z.infer<typeof endpointAnswer> {
  const { failingSince, isRecovering, previousSecretUntil, createdAt, updatedAt, ...same } = endpoint;
  return {
    ...same,
    failingSince: isoOrNull(failingSince),
    recovering: isRecovering,
    previousSecretUntil: isoOrNull(previousSecretUntil),
    createdAt: iso(createdAt),
    updatedAt: iso(updatedAt),
  };
}

export function toDeliveryAnswer(row: DeliveryRow): z.infer<typeof deliveryAnswer> {
  const attempts = JSON.parse(row.attempts) as Attempt[];
  return {
    id: row.id,
    eventId: row.event_id,
    type: row.type,
    status: row.status as DeliveryStatus,
    attempts: attempts.map((attempt) => ({ ...attempt, at: iso(attempt.at) })),
    nextAttemptAt: isoOrNull(row.sending === 1 ? null : row.due_at),
    createdAt: iso(row.created_at),
  };
}

/** Header names as they are stored: HTTP does not tell upper and lower case apart. */
export function inLowerCase(given: Record<string, string> | undefined): Record<string, string> | undefined {
  if (given === undefined) return undefined;
  return Object.fromEntries(Object.entries(given).map(([name, value]) => [name.toLowerCase(), value]));
}
