import { createHmac, timingSafeEqual } from 'node:crypto';
import { z } from 'zod';
import { isId } from '../../lib/id.ts';
import type { MessageName } from '../../messages/channel.ts';

/** What Meta says of a message that it took earlier. */
export interface StatusReport {
  name: MessageName;
  /** Meta's id of the message. */
  wamid: string;
  /** The phone number id that sent it. */
  sender: string | undefined;
  status: 'sent' | 'delivered' | 'read' | 'failed';
  /** Of a failed one, where Meta gives it. */
  errorCode: number | undefined;
  /** Unix ms. */
  at: number;
}

/** The template has got another state in a language. */
interface TemplateReport {
  template: string;
  language: string;
  state: string;
  /** Unix ms; undefined where Meta does not say. */
  at: number | undefined;
}

export interface Reports {
  statuses: StatusReport[];
  templates: TemplateReport[];
  /** Meta's ids of messages whose recipients say that they asked for no code. */
  notRequested: string[];
}

const id = z.string().min(1).max(200);
const text = z.string().optional().catch(undefined);
const seconds = z.coerce.number().int().positive().max(1e11).optional().catch(undefined);

const envelope = z.object({
  object: z.literal('whatsapp_business_account'),
  entry: z.array(z.object({ time: seconds, changes: z.array(z.unknown()).catch([]) }).catch({ changes: [] })),
});
const change = z.object({ field: z.string(), value: z.unknown() });
const messages = z.object({
  metadata: z.object({ phone_number_id: text }).optional().catch(undefined),
  statuses: z.array(z.unknown()).catch([]),
  messages: z.array(z.unknown()).catch([]),
});
const status = z.object({
  id,
  status: z.enum(['sent', 'delivered', 'read', 'failed']),
  timestamp: seconds,
  biz_opaque_callback_data: text,
  errors: z
    .array(z.object({ code: z.number() }))
    .optional()
    .catch(undefined),
});
const notRequestedButton = z.object({
  type: z.literal('button'),
  button: z.object({ payload: z.literal('DID_NOT_REQUEST_CODE') }),
  context: z.object({ id }),
});
const templateState = z.object({
  event: z.string(),
  message_template_name: z.string(),
  message_template_language: z.string(),
});

/** Whether the app that knows the secret has signed these very bytes. */
export function isSignedByMeta(body: Buffer, header: unknown, appSecret: string): boolean {
  const [, given] = typeof header === 'string' ? (/^sha256=([0-9a-f]{64})$/i.exec(header) ?? []) : [];
  if (given === undefined) return false;
  const expected = createHmac('sha256', appSecret).update(body).digest();
  return timingSafeEqual(expected, Buffer.from(given, 'hex'));
}

/**
 * What a webhook reports. Fields, kinds and statuses that are not known here are left out.
 * @param now Unix ms, for what has no time or one in the future
 */
export function reportsIn(bytes: Buffer, now: number): Reports {
  const reports: Reports = { statuses: [], templates: [], notRequested: [] };
  const read = envelope.safeParse(jsonOf(bytes));
  for (const { time, changes } of read.data?.entry ?? []) {
    for (const each of changes) {
      const { field, value } = change.safeParse(each).data ?? {};
      if (field === 'messages') readMessages(value, reports, now);
      if (field === 'message_template_status_update') readTemplate(value, time, reports, now);
    }
  }
  return reports;
}

function readMessages(value: unknown, reports: Reports, now: number): void {
  const read = messages.safeParse(value);
  if (!read.success) return;
  const sender = read.data.metadata?.phone_number_id;
  for (const each of read.data.statuses) {
    const found = status.safeParse(each).data;
    if (!found) continue;
    const { id: wamid, status: state, biz_opaque_callback_data: ours, errors, timestamp } = found;
    reports.statuses.push({
      name: ours !== undefined && isId('msg', ours) ? { messageId: ours } : { providerId: wamid },
      wamid,
      sender,
      status: state,
      errorCode: errors?.[0]?.code,
      at: Math.min(now, (timestamp ?? Number.POSITIVE_INFINITY) * 1000),
    });
  }
  for (const each of read.data.messages) {
    const wamid = notRequestedButton.safeParse(each).data?.context.id;
    if (wamid !== undefined) reports.notRequested.push(wamid);
  }
}

function readTemplate(value: unknown, time: number | undefined, reports: Reports, now: number): void {
  const read = templateState.safeParse(value).data;
  if (!read) return;
  reports.templates.push({
    template: read.message_template_name,
    language: read.message_template_language,
    state: read.event,
    at: time === undefined ? undefined : Math.min(now, time * 1000),
  });
}

function jsonOf(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch {
    return undefined;
  }
}
