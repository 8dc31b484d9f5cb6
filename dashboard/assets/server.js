// The API, from the same origin and with the session's cookie and secret.

import { setProblem } from './dom.js';
import { keepSecret, secretFromOtherTabs, sessionSecret } from './session-secret.js';
import { clockTimeWithSeconds, wait } from './words.js';

const REQUEST_TIMEOUT_MS = 10_000;

export const UNREACHABLE = 'The server does not answer. Check that it is running, then try again.';
export const SESSION_ENDED = 'Your session has ended. Sign in again.';

let clockSkewMs = 0;

/** The server's time in ms; countdowns count on its clock, not on the browser's. */
export const serverNow = () => Date.now() + clockSkewMs;

/**
 * Calls a route below `/api/v1`. Resolves for every HTTP answer to
 * `{ ok, status, data, problem, retryAfterSeconds }` (`data` is the whole body where that is not wrapped); rejects only when no answer came within 10 s.
 */
export async function call(method, path, body) {
  const used = sessionSecret();
  const answer = await send(method, path, body);
  // Another tab may have signed in, and all tabs share the cookie of the newest session.
  if (answer.status === 401 && (await secretFromOtherTabs(used))) {
    return send(method, path, body);
  }
  return answer;
}

/** Signs in with `{ password }` or `{ token }`; resolves as `call` does. */
export async function signIn(body) {
  const answer = await send('POST', '/session', body);
  if (answer.ok) keepSecret(answer.data.secret);
  return answer;
}

async function send(method, path, body) {
  const secret = sessionSecret();
  const response = await fetch(`/api/v1${path}`, {
    method,
    headers: {
      ...(body && { 'Content-Type': 'application/json' }),
      ...(secret && { 'X-Session-Secret': secret }),
    },
    body: body ? JSON.stringify(body) : undefined,
    cache: 'no-store',
    signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
  });
  const skewMs = Date.parse(response.headers.get('Date') ?? '') - Date.now();
  // `Date` has whole seconds, so a small difference says nothing.
  clockSkewMs = Math.abs(skewMs) > 2_000 ? skewMs : 0;
  const json = await response.json().catch(() => ({}));
  return {
    ok: response.ok,
    status: response.status,
    data: json.data ?? json,
    problem: response.ok ? undefined : json,
    retryAfterSeconds: Number(response.headers.get('Retry-After')) || 0,
  };
}

/** The sentence to show for an answer that is not a success. */
export function sentenceOf({ status, problem, retryAfterSeconds }) {
  const detail = problem?.detail || problem?.title || `The server answered with status ${status}.`;
  if (status !== 429 || !retryAfterSeconds) return detail;
  const at = clockTimeWithSeconds(Date.now() + retryAfterSeconds * 1_000);
  return `${detail} Next try at ${at} (in ${wait(retryAfterSeconds)}).`;
}

/**
 * Sends a form: its button is busy meanwhile, and the sentence of a failure stands below it. Resolves to the
 * answer, or to undefined when none came or the form was busy.
 */
export async function submit(button, problem, field, request) {
  if (button.getAttribute('aria-busy') === 'true') return undefined;
  button.setAttribute('aria-busy', 'true');
  try {
    const answer = await request();
    setProblem(problem, answer.ok ? undefined : sentenceOf(answer), field);
    return answer;
  } catch {
    setProblem(problem, UNREACHABLE);
    return undefined;
  } finally {
    button.removeAttribute('aria-busy');
  }
}
