import type { Selectable } from 'kysely';
import { maskPhone } from '../addresses/phone.ts';
import { idOfEvent } from '../database/acts.ts';
import type { Schema } from '../database/schema.ts';
import type { StoredEvent } from '../events/feed.ts';

export type StoredAct = Selectable<Schema['audit_log']>;
export type StoredLogEvent = Selectable<Schema['events']>;

/** An entry of the log: an event, or a line of the audit log. */
export interface LogRow {
  /** Its number. */
  seq: number;
  /** `evt_…` */
  id: string;
  projectId: number | null;
  /** Unix ms. */
  at: number;
  type: string;
  /** Who did it; null where nobody is known. */
  actor: string | null;
  /** What it is about; null where the type says it all. */
  subject: string | null;
  data: Record<string, unknown>;
  /** The phone that an act concerns, as the audit log keeps it. */
  phone?: string | null;
}

/** A line of the audit log as an entry. */
export function ofAct(row: StoredAct): LogRow {
  const { seq, id, project_id: projectId, at, type, actor, subject, address, phone } = row;
  const data = masked({ ...(JSON.parse(row.data) as object), address });
  return { seq, id, projectId, at, type, actor, subject, data, phone };
}

/** An event as an entry. */
export function ofEvent(row: StoredLogEvent): LogRow {
  const { seq, epoch, tx, type, at, subject, message_id: messageId, project_id: projectId } = row;
  const data = row.data === null ? null : (JSON.parse(row.data) as Record<string, unknown>);
  return ofStored({
    cursor: `${epoch}.${tx}.${seq}`,
    projectId,
    type,
    at,
    subject,
    messageId,
    data,
  });
}

/** An event of the feed as an entry. */
export function ofStored({ cursor, projectId, type, at, subject, messageId, data }: StoredEvent): LogRow {
  const { actor = null, ...rest } = data ?? {};
  return {
    seq: seqOf(cursor),
    id: idOfEvent(at, cursor, type),
    projectId,
    at,
    type,
    actor: typeof actor === 'string' ? actor : null,
    subject,
    data: masked({ ...(messageId !== null && { messageId }), ...rest }),
  };
}

/** The number of the event of a cursor. */
function seqOf(cursor: string): number {
  return Number(cursor.slice(cursor.lastIndexOf('.') + 1));
}

const E164 = /^\+\d{7,15}$/;

/** The same with every phone number masked but for its last four digits. */
function masked(values: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, maskedValue(value)]));
}

function maskedValue(value: unknown): unknown {
  if (typeof value === 'string') return E164.test(value) ? maskPhone(value) : value;
  if (Array.isArray(value)) return value.map(maskedValue);
  return typeof value === 'object' && value !== null ? masked(value as Record<string, unknown>) : value;
}
