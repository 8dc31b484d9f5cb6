import type { Clock } from '../lib/clock.ts';
import { DAY_MS } from '../lib/duration.ts';
import { type OutboundAnswer, type OutboundClient, OutboundError } from '../lib/outbound-client.ts';
import { retryAfterMs } from '../lib/retry-after.ts';
import type { Attempt, DeliveryRow } from './deliveries.ts';
import type { EndpointRow, EndpointService } from './endpoints.ts';
import { signatureHeaders } from './signature.ts';

/** How long an attempt may take in all, in ms. */
export const ATTEMPT_MAX_MS = 15_000;
/** So much of an answer is read, and so much of that is kept, in bytes. */
export const ANSWER_MAX_BYTES = 64 * 1024;
const BODY_KEPT_BYTES = 1024;
/** The longest `Retry-After` that is followed, in ms. */
const RETRY_AFTER_MAX_MS = DAY_MS;

const UNREADABLE = 'The stored secret of this endpoint cannot be read. Rotate it.';

/** What came of an attempt. */
export interface AttemptResult {
  attempt: Attempt;
  isDelivered: boolean;
  /** Whether the endpoint says that it is gone for good (410). */
  isGone: boolean;
  /** When it wants to be asked again, in ms from now. */
  retryAfterMs: number | undefined;
}

/**
 * Sends one delivery to its endpoint, signed. Only an answer with a 2xx status is a success.
 * @throws the signal's reason when it is aborted before the answer is there
 */
export async function attemptDelivery(
  { endpoint, delivery }: { endpoint: EndpointRow; delivery: DeliveryRow },
  deps: { client: OutboundClient; endpoints: EndpointService; clock: Clock; machineClock: Clock },
  signal: AbortSignal,
): Promise<AttemptResult> {
  const { client, endpoints, clock, machineClock } = deps;
  const at = clock.now();
  const begun = machineClock.now();
  const failed = (error: string, status: number | null = null): AttemptResult => ({
    attempt: { at, status, durationMs: machineClock.now() - begun, error },
    isDelivered: false,
    isGone: false,
    retryAfterMs: undefined,
  });

  const sealed = endpoints.open(endpoint);
  if (!sealed) return failed(UNREADABLE);
  const { secret, previous, headers } = sealed;
  const secrets = previous && previous.until > at ? [secret, previous.secret] : [secret];
  const { event_id: id, body } = delivery;
  const request = {
    url: new URL(endpoint.url),
    method: 'POST',
    headers: {
      ...headers,
      accept: '*/*',
      'content-type': 'application/json',
      ...signatureHeaders(secrets, { id, at, body }),
    },
    body,
  };
  try {
    const answer = await client.send(request, signal);
    return {
      attempt: {
        at,
        status: answer.status,
        durationMs: machineClock.now() - begun,
        ...bodyOf(answer),
      },
      isDelivered: answer.status >= 200 && answer.status <= 299,
      isGone: answer.status === 410,
      retryAfterMs: retryAfterMs(answer.headers['retry-after'], clock.now(), RETRY_AFTER_MAX_MS),
    };
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    if (!(error instanceof OutboundError)) throw error;
    return failed(
      error.mayHaveArrived
        ? 'No complete answer within 15 seconds, or the connection was lost.'
        : error.message,
      error.status ?? null,
    );
  }
}

/** The beginning of an answer as text, without characters that could change what a terminal or a page shows. */
function bodyOf({ body }: OutboundAnswer): { body?: string } {
  if (body.length === 0) return {};
  const text = new TextDecoder().decode(body.subarray(0, BODY_KEPT_BYTES), { stream: true });
  return { body: text.replace(/[\p{Cc}\p{Cf}\p{Co}\u2028\u2029]/gu, ' ') };
}
