import { z } from 'zod';
import type { Clock } from '../../lib/clock.ts';
import { ExpectedError } from '../../lib/expected-error.ts';
import {
  type OutboundAnswer,
  type OutboundClient,
  OutboundError,
  type OutboundRequest,
} from '../../lib/outbound-client.ts';
import { retryAfterMs } from '../../lib/retry-after.ts';
import type { MetaError } from './failures.ts';

const EXCERPT_MAX_LENGTH = 300;

/** A message as Meta takes it. */
interface TemplateMessage {
  /** Our id; it comes back in every status. */
  id: string;
  /** E.164. */
  to: string;
  code: string;
  template: string;
  /** As Meta writes it: `pt_BR`. */
  language: string;
}

/** What became of a request. */
export type Outcome =
  /** `held`: Meta looks at the quality of the template first, and may never send it. */
  | { is: 'accepted'; wamid: string; held: 'paused' | 'held_for_quality_assessment' | undefined }
  | {
      is: 'refused';
      error: MetaError;
      /** When Meta wants to be asked again, in ms from now; only where it says so. */
      retryAfterMs: number | undefined;
      cause: Error;
    }
  /** The answer was lost, so Meta may have taken the message. */
  | { is: 'uncertain'; cause: Error }
  /** Nothing has left. */
  | { is: 'unreachable'; cause: Error };

/** What Meta reports about a number; each is undefined where it does not. */
const senderFacts = z.object({
  display_phone_number: z.string().optional().catch(undefined),
  verified_name: z.string().optional().catch(undefined),
  /** `GREEN`, `YELLOW`, `RED` or `UNKNOWN`. */
  quality_rating: z.string().optional().catch(undefined),
  /** How many people a day it may write to: `TIER_250` and so on. */
  whatsapp_business_manager_messaging_limit: z.string().optional().catch(undefined),
  throughput: z
    .object({ level: z.string().optional().catch(undefined) })
    .optional()
    .catch(undefined),
});
export type SenderFacts = z.infer<typeof senderFacts>;

/** The requests to the Graph API. */
export interface GraphApi {
  /**
   * Sends a template from a phone number id. Rejects only with the reason of a signal that is aborted before anything
   * has left.
   */
  send(sender: string, message: TemplateMessage, signal: AbortSignal, maxMs: number): Promise<Outcome>;
  /**
   * What Meta reports about a phone number id.
   * @throws ExpectedError, OutboundError
   */
  sender(id: string, signal: AbortSignal): Promise<SenderFacts>;
  /**
   * The state of a template in each language, as far as Meta tells.
   * @throws ExpectedError, OutboundError
   */
  templateStates(
    accountId: string,
    template: string,
    signal: AbortSignal,
  ): Promise<{ language: string; state: string }[]>;
}

const accepted = z.object({
  messages: z.tuple(
    [z.object({ id: z.string().min(1).max(200), message_status: z.string().optional().catch(undefined) })],
    z.unknown(),
  ),
});
const refusal = z.object({
  error: z.object({
    code: z.number(),
    error_subcode: z.number().optional().catch(undefined),
    message: z.string().catch(''),
    error_data: z
      .object({ details: z.string().catch('') })
      .optional()
      .catch(undefined),
  }),
});
const templates = z.object({
  data: z.array(z.object({ name: z.string(), language: z.string(), status: z.string() })),
});

export function graphApi(deps: {
  client: OutboundClient;
  /** Of this machine. */
  clock: Clock;
  /** Without a slash at its end. */
  baseUrl: string;
  version: string;
  token: string;
}): GraphApi {
  const { client, clock, baseUrl, version, token } = deps;
  const authorization = `Bearer ${token}`;

  return {
    async send(sender, message, signal, maxMs) {
      const request: OutboundRequest = {
        url: new URL(`${baseUrl}/${version}/${sender}/messages`),
        method: 'POST',
        headers: { authorization, 'content-type': 'application/json' },
        body: JSON.stringify(bodyOf(message)),
      };
      try {
        return outcomeOf(await client.send(request, signal, maxMs), message, clock.now());
      } catch (error) {
        if (!(error instanceof OutboundError)) throw error;
        const { mayHaveArrived, status } = error;
        if (!mayHaveArrived) return { is: 'unreachable', cause: error };
        // The rest of the answer cannot turn a refusal into a success.
        return status === undefined || (status >= 200 && status <= 299)
          ? { is: 'uncertain', cause: error }
          : { is: 'refused', error: { code: undefined, status }, retryAfterMs: undefined, cause: error };
      }
    },

    async sender(id, signal) {
      const url = new URL(`${baseUrl}/${version}/${id}`);
      url.search = new URLSearchParams({ fields: Object.keys(senderFacts.shape).join(',') }).toString();
      const answer = await client.send({ url, method: 'GET', headers: { authorization } }, signal);
      const read = senderFacts.safeParse(jsonOf(answer.body));
      if (answer.status !== 200 || !read.success) throw new ExpectedError(excerptOf(answer, []));
      return read.data;
    },

    async templateStates(accountId, template, signal) {
      const url = new URL(`${baseUrl}/${version}/${accountId}/message_templates`);
      url.search = new URLSearchParams({
        name: template,
        fields: 'name,language,status',
        limit: '200',
      }).toString();
      const answer = await client.send({ url, method: 'GET', headers: { authorization } }, signal);
      const read = templates.safeParse(jsonOf(answer.body));
      if (!read.success) throw new ExpectedError(excerptOf(answer, []));
      // Meta finds a template also by a part of its name.
      return read.data.data
        .filter(({ name }) => name === template)
        .map(({ language, status }) => ({ language, state: status }));
    },
  };
}

/** The code stands in the text, and once more in the button that copies it. */
function bodyOf({ id, to, code, template, language }: TemplateMessage): object {
  const parameters = [{ type: 'text', text: code }];
  return {
    messaging_product: 'whatsapp',
    recipient_type: 'individual',
    // Without its plus Meta would read it as a number of the sender's country.
    to,
    type: 'template',
    template: {
      name: template,
      language: { code: language },
      components: [
        { type: 'body', parameters },
        { type: 'button', sub_type: 'url', index: '0', parameters },
      ],
    },
    biz_opaque_callback_data: id,
  };
}

function outcomeOf(answer: OutboundAnswer, { to, code }: TemplateMessage, now: number): Outcome {
  const { status, headers } = answer;
  const body = jsonOf(answer.body);
  const cause = new ExpectedError(excerptOf(answer, [to, to.slice(1), code]));
  const refused = refusal.safeParse(body);
  if (refused.success || status < 200 || status > 299) {
    const { code: number, error_subcode: subcode } = refused.data?.error ?? {};
    return {
      is: 'refused',
      error: { code: number, subcode, status },
      retryAfterMs:
        retryAfterMs(headers['retry-after'], now) ?? regainMs(headers['x-business-use-case-usage']),
      cause,
    };
  }
  const taken = accepted.safeParse(body);
  if (!taken.success) return { is: 'uncertain', cause };
  const [{ id: wamid, message_status: state }] = taken.data.messages;
  const held = (['paused', 'held_for_quality_assessment'] as const).find((each) => each === state);
  return { is: 'accepted', wamid, held };
}

/** How long until an account that has used up its requests gets more, as Meta estimates it, in ms. */
function regainMs(header: string | string[] | undefined): number | undefined {
  if (typeof header !== 'string') return undefined;
  const usage = z
    .record(z.string(), z.array(z.object({ estimated_time_to_regain_access: z.number().catch(0) })))
    .safeParse(jsonOf(Buffer.from(header)));
  const minutes = Object.values(usage.data ?? {})
    .flat()
    .map((entry) => entry.estimated_time_to_regain_access);
  const most = Math.max(0, ...minutes);
  return most > 0 ? most * 60_000 : undefined;
}

/** Undefined where it is not JSON, such as the page of a proxy. */
function jsonOf(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch {
    return undefined;
  }
}

/** The beginning of an answer for the log, without what belongs to the recipient. */
function excerptOf({ status, body }: OutboundAnswer, secrets: readonly string[]): string {
  let said = body.toString('utf8');
  // Before it is cut: half a secret would not be found.
  for (const secret of secrets) said = said.replaceAll(secret, '…');
  // Codes of errors have six digits.
  return `HTTP ${status}: ${said.replace(/\d{7,}/g, '…').slice(0, EXCERPT_MAX_LENGTH)}`;
}
