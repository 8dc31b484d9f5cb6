import type { ProviderDefinition, Refusal } from '../../config/provider-schema.ts';
import type { OutboundAnswer } from '../../lib/outbound-client.ts';
import { retryAfterMs } from '../../lib/retry-after.ts';
import { textAt } from './value-at.ts';

const PROVIDER_ID_MAX_LENGTH = 200;

/** What an answer says of the message. */
export type Judgement =
  | { taken: true; providerId: string | undefined }
  | {
      taken: false;
      as: Refusal;
      /** For the timeline: the status, or the value that a rule names. */
      reason: string;
      /** When the provider wants to be asked again, in ms from now; only where it says so. */
      retryAfterMs: number | undefined;
    };

type Rules = Pick<ProviderDefinition, 'success' | 'refused' | 'messageId'>;

/**
 * Judges a provider's answer: refused where a rule for refusals matches, taken where every rule for success does, and
 * otherwise refused as its status says.
 * @param now Unix ms, for a `Retry-After` that is a date
 */
export function judge(
  { success, refused, messageId }: Rules,
  answer: OutboundAnswer,
  now: number,
): Judgement {
  const { status } = answer;
  const body = jsonOf(answer.body);
  const refusal = refused.find((rule) => matches(body, rule));
  const isStatusOfSuccess = success.status?.includes(status) ?? (status >= 200 && status <= 299);
  if (!refusal && isStatusOfSuccess && (success.where ?? []).every((rule) => matches(body, rule))) {
    const id = messageId === undefined ? undefined : textAt(body, messageId);
    return {
      taken: true,
      providerId: id !== undefined && id.length <= PROVIDER_ID_MAX_LENGTH ? id : undefined,
    };
  }
  const as = refusal?.as ?? refusalByStatus(status);
  const reason = refusal ? `${refusal.path} is ${textAt(body, refusal.path)}` : `HTTP ${status}`;
  const waitMs = as === 'temporary' ? retryAfterMs(answer.headers['retry-after'], now) : undefined;
  return { taken: false, as, reason, retryAfterMs: waitMs };
}

/** What a status means where no rule matches. */
export function refusalByStatus(status: number): Refusal {
  if ([408, 425, 429].includes(status) || status >= 500) return 'temporary';
  return status >= 401 && status <= 403 ? 'operator' : 'permanent';
}

function matches(body: unknown, { path, in: values }: { path: string; in: readonly string[] }): boolean {
  const found = textAt(body, path);
  return found !== undefined && values.includes(found);
}

/** Undefined where it is not JSON, such as the page of a proxy. */
function jsonOf(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch {
    return undefined;
  }
}
