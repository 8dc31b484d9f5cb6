// Asks for messages once a second while the page can be seen, and more slowly while the server is away.

import { $, setText } from './dom.js';
import { PAGE_SIZE, receive } from './inbox.js';
import { call, SESSION_ENDED } from './server.js';

const POLL_MS = 1_000;
const POLL_BACKOFF_MS = 5_000;

let running = false;
let timer = 0;
/** Grows with each question, so that an answer can tell that it is too late. */
let turn = 0;
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
}

export function stopPolling() {
  running = false;
  turn++;
  clearTimeout(timer);
}

/** Asks at once instead of when the wait is over. */
export function pollNow() {
  clearTimeout(timer);
  if (running && !document.hidden) poll(++turn);
}

async function poll(myTurn) {
  let answer;
  try {
    answer = await call('GET', `/simulator/messages?limit=${PAGE_SIZE}`);
  } catch {
    answer = { status: 0, retryAfterSeconds: 0 };
  }
  if (myTurn !== turn) return;
  if (answer.status === 401) return sessionEnded(SESSION_ENDED);
  if (answer.status === 404) return noPhone();
  const waitMs = take(answer);
  if (!document.hidden) timer = setTimeout(pollNow, waitMs);
}

/** Shows an answer; returns how long to wait before the next question, in ms. */
function take(answer) {
  if (answer.ok && Array.isArray(answer.data)) {
    setLink('live', 'Live');
    receive(answer.data);
    return POLL_MS;
  }
  setLink('reconnecting', answer.status === 429 ? 'Waiting for the rate limit…' : 'Reconnecting…');
  return Math.max(POLL_BACKOFF_MS, answer.retryAfterSeconds * 1_000);
}

/** Says on top how the page stands with the server: `live`, `reconnecting`. */
export function setLink(state, text) {
  $('link-state').dataset.state = state;
  setText($('link-text'), text);
}

document.addEventListener('visibilitychange', () => {
  if (document.hidden) clearTimeout(timer);
  else pollNow();
});
