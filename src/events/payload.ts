import { idOfEvent } from '../database/acts.ts';
import type { StoredEvent } from './feed.ts';

/** What integrators get of an event, whichever way it reaches them: the body of a webhook. */
export interface EventPayload {
  type: string;
  /** When it happened: ISO 8601, UTC. */
  timestamp: string;
  data: Record<string, unknown>;
  /** The type again, under the name that v3 gave it. */
  event: string;
}

/** The id of a stored event (`evt_…`): always the same for the same event, and sorted by its time. */
export function eventId({ at, cursor, type }: StoredEvent): string {
  return idOfEvent(at, cursor, type);
}

/** An event as integrators get it. `EVENT_DATA` says which fields each type has. */
export function eventPayload(event: StoredEvent): EventPayload {
  const { type, at, data } = event;
  return {
    type,
    timestamp: new Date(at).toISOString(),
    data: { ...idsOf(event), ...withIsoTimes(data ?? {}) },
    event: type,
  };
}

/** The ids that are stored beside `data`. */
function idsOf({ type, subject, messageId, data }: StoredEvent): Record<string, unknown> {
  if (messageId !== null) return { messageId, id: subject, status: type.slice('message.'.length) };
  const isNamed = subject === null || Object.values(data ?? {}).includes(subject);
  return isNamed ? {} : { id: subject };
}

/** Stored times are Unix ms. */
function withIsoTimes(data: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(data).map(([name, value]) =>
      name.endsWith('At') && typeof value === 'number'
        ? [name, new Date(value).toISOString()]
        : [name, value],
    ),
  );
}
