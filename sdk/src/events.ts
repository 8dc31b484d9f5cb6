import type { WebhookEvent } from './api-types.ts';
import { WotpConnectionError, WotpError } from './errors.ts';
import { pause, type Transport } from './transport.ts';

/** An event of the live stream: the body of a webhook, and where to go on after it. */
export type StreamEvent = WebhookEvent & { id: string };

/** Events were missed that can no longer be read: read again what you need with the other calls. */
export interface StreamReset {
  type: 'reset';
  id: string;
  timestamp: string;
  data: { reason: string };
  event: 'reset';
}

export interface StreamOptions {
  /** Types such as `otp.verified`; `otp.*` is all of a kind, `*` (the default) all of them. */
  types?: readonly string[];
  /** The `id` of the last event that you have handled: what came after it is sent first. */
  lastEventId?: string;
  /** Ends the stream. */
  signal?: AbortSignal;
}

/** A connection on which nothing comes for so long is dead, in ms: the server writes something every 15 seconds. */
const SILENCE_MAX_MS = 45_000;
/** How long to wait before connecting again, in ms, until the server says it. */
const RECONNECT_MS = 2_000;

/**
 * The events of the API key's project as they happen. It connects again by itself and goes on without a gap; it ends when
 * the signal is aborted.
 * @throws WotpError when the server refuses for good, for example because the key lacks `logs:read`
 */
export async function* streamEvents(
  transport: Transport,
  { types = ['*'], lastEventId, signal }: StreamOptions = {},
): AsyncGenerator<StreamEvent | StreamReset, void, undefined> {
  let [last, waitMs] = [lastEventId, RECONNECT_MS];
  while (!signal?.aborted) {
    try {
      for await (const frame of frames(transport, { types, last, signal })) {
        last = frame.id ?? last;
        waitMs = frame.retry ?? waitMs;
        if (frame.data !== undefined) yield { ...JSON.parse(frame.data), id: last };
      }
    } catch (error) {
      if (signal?.aborted) return;
      if (error instanceof WotpError) {
        if (error.status < 500 && error.code !== 'RATE_LIMIT_EXCEEDED') throw error;
        waitMs = Math.max(waitMs, (error.retryAfterSeconds ?? 0) * 1_000);
      } else if (!(error instanceof WotpConnectionError)) throw error;
    }
    await pause(waitMs, signal).catch(() => {});
  }
}

/** Server-sent fields that belong together. */
interface Frame {
  id?: string;
  data?: string;
  /** In ms. */
  retry?: number;
}

/** One connection. */
async function* frames(
  transport: Transport,
  {
    types,
    last,
    signal,
  }: { types: readonly string[]; last: string | undefined; signal: AbortSignal | undefined },
): AsyncGenerator<Frame, void, undefined> {
  const silence = new AbortController();
  const connection = signal ? AbortSignal.any([signal, silence.signal]) : silence.signal;
  let timer = setTimeout(() => silence.abort(), SILENCE_MAX_MS);
  const headers: Record<string, string> = { accept: 'text/event-stream' };
  if (last !== undefined) headers['last-event-id'] = last;
  const request = {
    method: 'GET',
    path: '/events/stream',
    query: { types: types.join(',') },
    signal,
  } as const;
  try {
    const { body } = await transport.open(request, headers, connection);
    const reader = body!.getReader();
    try {
      const decoder = new TextDecoder();
      let text = '';
      for (;;) {
        const { value, done } = await reader.read().catch((error: unknown) => {
          throw new WotpConnectionError('The stream was cut.', { cause: error });
        });
        if (done) return;
        clearTimeout(timer);
        timer = setTimeout(() => silence.abort(), SILENCE_MAX_MS);
        text += decoder.decode(value, { stream: true });
        const parts = text.split(/\r\n\r\n|\n\n|\r\r/);
        text = parts.pop()!;
        for (const part of parts) yield readFrame(part);
      }
    } finally {
      await reader.cancel().catch(() => {});
    }
  } finally {
    clearTimeout(timer);
  }
}

/** Reads the fields of a frame, as the HTML standard has them (section 9.2.6). */
function readFrame(text: string): Frame {
  const frame: Frame = {};
  for (const line of text.split(/\r\n|\n|\r/)) {
    const [, name, value = ''] = /^([^:]+)(?:: ?(.*))?$/.exec(line) ?? [];
    if (name === 'id') frame.id = value;
    if (name === 'retry' && /^\d+$/.test(value)) frame.retry = Number(value);
    if (name === 'data') frame.data = frame.data === undefined ? value : `${frame.data}\n${value}`;
  }
  return frame;
}
