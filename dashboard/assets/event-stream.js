// The live stream of events. It is read with fetch, since EventSource sends no header and the session's secret is in one.

import { sessionSecret } from './session-secret.js';

/** The server sends a comment every 15 s; without a byte for so long the connection is dead. */
const SILENCE_MS = 40_000;

/**
 * Reads the stream until it ends. Rejects when it is not available or breaks off.
 * @param {{ signal: AbortSignal, onOpen: () => void, onEvent: () => void }} options `onEvent` is called once for the events
 *   that come together
 */
export async function readEvents({ signal, onOpen, onEvent }) {
  const silence = new AbortController();
  let timer = setTimeout(() => silence.abort(), SILENCE_MS);
  try {
    const answer = await fetch('/api/v1/events/stream', {
      headers: { 'X-Session-Secret': sessionSecret() ?? '' },
      cache: 'no-store',
      signal: AbortSignal.any([signal, silence.signal]),
    });
    if (!answer.ok) throw new Error(`The stream was answered with status ${answer.status}.`);
    onOpen();
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    let line = '';
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      clearTimeout(timer);
      timer = setTimeout(() => silence.abort(), SILENCE_MS);
      const lines = (line + value).split('\n');
      line = lines.pop();
      if (lines.some((each) => each.startsWith('event:'))) onEvent();
    }
  } finally {
    clearTimeout(timer);
  }
}
