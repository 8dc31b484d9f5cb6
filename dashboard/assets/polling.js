// Asks for messages when the live stream of events says that something happened, and once a second where that stream is not
// available; more slowly while the server is away. Only while the page can be seen.

import { $, setText } from './dom.js';
import { readEvents } from './event-stream.js';
import { PAGE_SIZE, receive } from './inbox.js';
import { call, SESSION_ENDED } from './server.js';

const POLL_MS = 1_000;
const POLL_BACKOFF_MS = 5_000;
/** Events that come so close together share one question. */
const GATHER_MS = 100;
/** When a stream that ended, or is not available, is opened again, in ms. */
const STREAM_AGAIN_MS = 5_000;

let running = false;
let timer = 0;
/** Grows with each question, so that an answer can tell that it is too late. */
let turn = 0;
/** Whether an answer is awaited, and whether something happened meanwhile. */
let asking = false;
let askAgain = false;
let gathering = 0;
/** The stream that is open or being opened; aborted to close it. */
let stream;
/** Whether events come over it. */
let streaming = false;
let streamTimer = 0;
let sessionEnded = () => {};
let noPhone = () => {};

/**
 * Begins to ask; `onSessionEnded(sentence)` is called when the server wants a new sign-in, `onNoPhone()` when it sends
 * real messages and has no virtual phone.
 */
export function startPolling({ onSessionEnded, onNoPhone }) {
  sessionEnded = onSessionEnded;
  noPhone = onNoPhone;
  running = true;
  pollNow();
  openStream();
}

export function stopPolling() {
  running = false;
  turn++;
  clearTimeout(timer);
  closeStream();
}

/** Asks at once instead of when the wait is over. */
export function pollNow() {
  clearTimeout(timer);
  if (running && !document.hidden) poll(++turn);
}

async function poll(myTurn) {
  asking = true;
  askAgain = false;
  let answer;
  try {
    answer = await call('GET', `/simulator/messages?limit=${PAGE_SIZE}`);
  } catch {
    answer = { status: 0, retryAfterSeconds: 0 };
  }
  if (myTurn !== turn) return;
  asking = false;
  if (answer.status === 401) return sessionEnded(SESSION_ENDED);
  if (answer.status === 404) return noPhone();
  const waitMs = take(answer);
  if (document.hidden || waitMs === undefined) return;
  timer = setTimeout(pollNow, waitMs);
}

/** Shows an answer; returns how long to wait before the next question, in ms; undefined to wait for an event. */
function take(answer) {
  if (answer.ok && Array.isArray(answer.data)) {
    setLink('live', 'Live');
    receive(answer.data);
    if (askAgain) return GATHER_MS;
    return streaming ? undefined : POLL_MS;
  }
  setLink('reconnecting', answer.status === 429 ? 'Waiting for the rate limit…' : 'Reconnecting…');
  return Math.max(POLL_BACKOFF_MS, answer.retryAfterSeconds * 1_000);
}

async function openStream() {
  closeStream();
  if (!running || document.hidden) return;
  const own = new AbortController();
  stream = own;
  const onOpen = () => {
    if (stream !== own) return;
    streaming = true;
    // What happened before the stream was open came over nothing.
    pollNow();
  };
  await readEvents({ signal: own.signal, onOpen, onEvent: () => stream === own && changed() }).catch(
    () => {},
  );
  if (stream !== own) return;
  const wasStreaming = streaming;
  closeStream();
  streamTimer = setTimeout(openStream, STREAM_AGAIN_MS);
  if (wasStreaming) pollNow();
}

function closeStream() {
  clearTimeout(streamTimer);
  clearTimeout(gathering);
  gathering = 0;
  streaming = false;
  stream?.abort();
  stream = undefined;
}

/** Something happened: asks in a moment, or again once the answer is there that is awaited. */
function changed() {
  if (asking) askAgain = true;
  else {
    gathering ||= setTimeout(() => {
      gathering = 0;
      if (asking) askAgain = true;
      else pollNow();
    }, GATHER_MS);
  }
}

/** Says on top how the page stands with the server: `live`, `reconnecting`. */
export function setLink(state, text) {
  $('link-state').dataset.state = state;
  setText($('link-text'), text);
}

document.addEventListener('visibilitychange', () => {
  if (document.hidden) {
    clearTimeout(timer);
    closeStream();
  } else {
    pollNow();
    openStream();
  }
});
