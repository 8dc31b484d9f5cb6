import { z } from 'zod';
import { EVENTS } from './catalogue.ts';

const field = (description: string, example: string) => z.string().meta({ description, example });
/** A field that is not always there, and is in the example. */
const sometimes = (schema: z.ZodType) => schema.optional().meta(schema.meta() ?? {});

const verificationId = field('The verification.', 'ver_01jd3x8zq2e6v9k5m7n0p4r8st');
const sessionId = field('The linked number.', 'ses_01jd3x8zq2e6v9k5m7n0p4r8st');
const actor = field('Who did it: the id of an API key, or `admin`.', 'admin');

const verification = (reason?: string) =>
  z.strictObject({
    id: verificationId,
    ...(reason !== undefined && { reason: sometimes(field('Why.', reason)) }),
  });

const message = (status: string, reason?: string) =>
  z.strictObject({
    messageId: field('The message.', 'msg_01jd3x8zq2e6v9k5m7n0p4r8st'),
    id: field('What it was sent for: the verification.', 'ver_01jd3x8zq2e6v9k5m7n0p4r8st'),
    status: z.literal(status).meta({ description: 'The state that the message entered.', example: status }),
    reason: reason === undefined ? field('Why.', '').optional() : sometimes(field('Why.', reason)),
  });

const schedule = (more: Record<string, z.ZodType> = {}) =>
  z.strictObject({ id: field('The schedule.', 'sch_01jd3x8zq2e6v9k5m7n0p4r8st'), ...more });

const count = (description: string, example: number) => z.int().meta({ description, example });
const bulk = (successful: number, canceled: number) =>
  z.strictObject({
    bulkId: field('The bulk job.', 'blk_01jd3x8zq2e6v9k5m7n0p4r8st'),
    total: count('Recipients, without duplicates.', 1000),
    successful: count('Messages that were sent.', successful),
    failed: count('Messages that could not be sent.', 15),
    rejected: count('Recipients that may not be sent to.', 5),
    canceled: count('Recipients that were left out when the job was canceled.', canceled),
  });

const session = (state: string, reason: string | null) =>
  z.strictObject({
    sessionId,
    state: field('The state that it entered.', state),
    reason: z
      .string()
      .nullable()
      .meta({ description: 'Why; null where there is no reason.', example: reason }),
    nextAttemptAt: z.iso.datetime().nullable().meta({
      description: 'When it connects again; null where it does not.',
      example: null,
    }),
  });

const optOut = z.strictObject({
  from: field('The number, in E.164.', '+6283834946034'),
  sessionId: sessionId.optional(),
  actor: actor.optional(),
});

const key = z.strictObject({
  keyId: field('The API key.', 'key_01jd3x8zq2e6v9k5m7n0p4r8st'),
  actor,
  with: field('The key with which it was revoked, as that one had created it.', '').optional(),
});

/**
 * The fields of `data` in each event that integrators can rely on, with an example of each. A type that is there keeps
 * its fields; new ones may be added.
 */
export const EVENT_DATA: Readonly<Record<string, z.ZodObject>> = {
  'otp.created': verification(),
  'otp.verified': verification(),
  'otp.failed': verification('max_attempts_reached'),
  'otp.expired': verification('code expired'),
  'otp.canceled': verification('superseded'),

  'message.queued': message('queued'),
  'message.sent': message('sent'),
  'message.delivered': message('delivered'),
  'message.read': message('read'),
  'message.failed': message('failed', 'the number is not on WhatsApp'),
  'message.expired': message('expired', 'code expired'),
  'message.canceled': message('canceled', 'verified'),
  'message.received': z.strictObject({
    sessionId: sessionId.optional(),
    from: field('Who wrote, in E.164.', '+6283834946034'),
    text: field('The text. Words that look like a code are hidden.', 'Thank you!'),
  }),

  'bulk.completed': bulk(980, 0),
  'bulk.canceled': bulk(700, 280),

  'schedule.created': schedule(),
  'schedule.fired': schedule({ verificationId }),
  'schedule.canceled': schedule(),
  'schedule.expired': schedule({ reason: field('Why.', 'no server was running at its time') }),
  'schedule.failed': schedule({ reason: field('Why.', 'PHONE_OPTED_OUT') }),

  'bot.connected': session('connected', null),
  'bot.disconnected': session('reconnecting', 'connection lost'),
  'bot.logged_out': session('logged_out', 'unlinked on the phone'),
  'bot.qr': session('pairing', null),
  'bot.state_changed': session('paused', 'paused by an operator'),
  'bot.phone_unseen': z.strictObject({ sessionId, reason: field('What was seen.', 'offline for 10 days') }),

  'number.opted_out': optOut,
  'number.opted_in': optOut,
  'key.created': key,
  'key.revoked': key,
  'settings.changed': z.strictObject({
    changes: z
      .array(z.strictObject({ key: z.string(), from: z.string().nullable(), to: z.string().nullable() }))
      .meta({
        description: 'Each setting by its name, as the environment would have its value; null is unset.',
        example: [{ key: 'OTP_LENGTH', from: null, to: '8' }],
      }),
    actor,
  }),
  'project.quota_reached': z.strictObject({
    percent: z.union([z.literal(80), z.literal(100)]).meta({ description: 'How much is used.', example: 80 }),
    quota: count('Messages that the project may send in the month.', 10_000),
    used: count('Messages counted when this was noticed.', 8_000),
    month: field('The calendar month, UTC.', '2026-12'),
  }),
  'webhook.disabled': z.strictObject({
    webhookId: field('The endpoint.', 'whk_01jd3x8zq2e6v9k5m7n0p4r8st'),
    reason: z.enum(['gone', 'failing']).meta({
      description: '`gone`: it answered 410; `failing`: every attempt of five days failed.',
      example: 'failing',
    }),
  }),
};

/** The types that webhooks and the live stream carry. */
export const PROMISED_TYPES: readonly string[] = Object.entries(EVENTS)
  .filter(([, { webhook }]) => webhook)
  .map(([type]) => type);

/** An example of `data`: every field with the example that its schema has. */
export function exampleData(type: string): Record<string, unknown> {
  const shape = EVENT_DATA[type]?.shape ?? {};
  return Object.fromEntries(
    Object.entries(shape)
      .map(([name, schema]) => [name, (schema as z.ZodType).meta()?.example] as const)
      .filter(([, example]) => example !== undefined),
  );
}
