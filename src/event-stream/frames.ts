import type { Mark, StoredEvent } from '../events/feed.ts';
import { type EventPayload, eventPayload } from '../events/payload.ts';

/** Server-sent events, as the HTML standard writes them (section 9.2): fields of a line each, ended by an empty line. */

/** The id of an event in the stream. */
function streamId({ cursor, at }: Mark): string {
  return `${cursor}.${at}`;
}

/** What an id names; undefined for a text that is not one. */
export function readStreamId(id: string): Mark | undefined {
  const [, cursor, at] = /^(\d{1,9}\.\d{1,15}\.\d{1,15})\.(\d{1,15})$/.exec(id) ?? [];
  return cursor === undefined ? undefined : { cursor, at: Number(at) };
}

/** An event. */
export const eventFrame = (event: StoredEvent): string => payloadFrame(eventPayload(event), event);

/** Says that events were missed and cannot be read any more. */
export function resetFrame(reason: string, mark: Mark, now: number): string {
  const timestamp = new Date(now).toISOString();
  return payloadFrame({ type: 'reset', timestamp, data: { reason }, event: 'reset' }, mark);
}

function payloadFrame(payload: EventPayload, mark: Mark): string {
  return `id: ${streamId(mark)}\nevent: ${payload.type}\ndata: ${JSON.stringify(payload)}\n\n`;
}

/** A comment. With a mark also how far the reader has come, so that it goes on from there though no event was for it. */
export function commentFrame(text: string, mark?: Mark): string {
  return mark ? `: ${text}\nid: ${streamId(mark)}\n\n` : `: ${text}\n\n`;
}

/** How long the client waits before it connects again, in ms. */
export const retryFrame = (ms: number): string => `retry: ${ms}\n\n`;
