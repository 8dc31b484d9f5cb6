import type { ProviderDefinition, Refusal } from '../../config/provider-schema.ts';
import type { Clock } from '../../lib/clock.ts';
import { ExpectedError } from '../../lib/expected-error.ts';
import { type OutboundAnswer, type OutboundClient, OutboundError } from '../../lib/outbound-client.ts';
import type { OutgoingMessage } from '../../messages/channel.ts';
import { judge, refusalByStatus } from './answer.ts';
import { requestOf, type Values } from './request.ts';

const FALLBACK_LOCALE = 'en';
const EXCERPT_MAX_LENGTH = 300;
/** What is shorter is no credential, but may be a word of every answer. */
const SECRET_MIN_LENGTH = 8;

/** What became of a message that was handed to a provider. */
export type Outcome =
  | { kind: 'taken'; providerId: string | undefined }
  /** `unreachable`: nothing has left; `uncertain`: the answer was lost, so the provider may have taken it. */
  | {
      kind: Refusal | 'unreachable' | 'uncertain';
      /** For the timeline, without the provider's name. */
      reason: string;
      retryAfterMs?: number | undefined;
      /** What the log shows beside it. */
      cause?: Error;
    };

/** One HTTP provider. */
export interface Provider {
  readonly name: string;
  /** The most that its callbacks report. */
  readonly receipts: 'none' | 'delivered' | 'read';
  /**
   * Sends one message; rejects only with the reason of a signal that is aborted before anything has left.
   * @param maxMs how long it may take
   */
  send(message: OutgoingMessage, signal: AbortSignal, maxMs: number): Promise<Outcome>;
}

export function httpProvider(
  definition: ProviderDefinition,
  deps: {
    client: OutboundClient;
    clock: Clock;
    /** The name of the product, as a project has it. */
    brandOf: (projectId: number) => string;
    /** Where the provider reports what became of messages. */
    callbackUrl: () => string;
  },
): Provider {
  const { client, clock, brandOf, callbackUrl } = deps;
  const { name, callback } = definition;
  const states = Object.values(callback?.map ?? {});
  const secrets = literalsOf(definition);
  const usesCode = JSON.stringify([definition.url, definition.json, definition.form, definition.query]).match(
    /\{\{\s*code\s*\}\}/,
  );

  return {
    name,
    receipts: states.includes('read') ? 'read' : callback === undefined ? 'none' : 'delivered',

    async send(message, signal, maxMs) {
      if (usesCode && message.code === undefined) {
        return { kind: 'permanent', reason: 'takes only messages with a code' };
      }
      const { to, text, code = '', id: messageId, locale = FALLBACK_LOCALE, expiresAt } = message;
      const ttlSeconds = Math.max(1, Math.ceil((expiresAt - clock.now()) / 1000));
      const values: Values = {
        to,
        toDigits: to.replace(/\D/g, ''),
        text,
        code,
        messageId,
        brand: brandOf(message.projectId),
        locale,
        ttlSeconds: String(ttlSeconds),
        callbackUrl: callback === undefined ? '' : callbackUrl(),
      };
      try {
        const answer = await client.send(requestOf(definition, values), signal, maxMs);
        const judgement = judge(definition, answer, clock.now());
        if (judgement.taken) {
          const { providerId } = judgement;
          // Two providers may count their messages alike.
          return { kind: 'taken', providerId: providerId && providerIdOf(name, providerId) };
        }
        const { as: kind, reason, retryAfterMs } = judgement;
        return { kind, reason, retryAfterMs, cause: new ExpectedError(excerptOf(answer, values, secrets)) };
      } catch (error) {
        if (!(error instanceof OutboundError)) throw error;
        return outcomeOf(error);
      }
    },
  };
}

/** What a message of a provider is called in the outbox. */
export function providerIdOf(provider: string, id: string): string {
  return `${provider}:${id}`;
}

function outcomeOf(error: OutboundError): Outcome {
  const { mayHaveArrived, status } = error;
  if (!mayHaveArrived) return { kind: 'unreachable', reason: 'cannot be reached', cause: error };
  // The rest of an answer cannot turn a refusal into a success.
  if (status !== undefined && (status < 200 || status > 299)) {
    return { kind: refusalByStatus(status), reason: `HTTP ${status}`, cause: error };
  }
  return { kind: 'uncertain', reason: 'the answer was lost', cause: error };
}

/** The fixed texts of a provider's requests that may be its credentials. */
function literalsOf({ url, auth, headers, json, form, query }: ProviderDefinition): string[] {
  const literals: string[] = [];
  const { pathname, search, searchParams } = new URL(url);
  const ofUrl = [...pathname.split('/'), ...search.split(/[?&=]/), ...searchParams.values()];
  JSON.stringify([ofUrl, auth, headers, json, form, query], (_name, value) => {
    if (typeof value === 'string' && value.length >= SECRET_MIN_LENGTH) literals.push(value);
    return value;
  });
  // The longest first, so that none is cut by a part of it.
  return literals.sort((one, other) => other.length - one.length);
}

/** The beginning of an answer for the log, without secrets and what belongs to the recipient: many repeat the request. */
function excerptOf({ status, body }: OutboundAnswer, values: Values, secrets: readonly string[]): string {
  const { text, to, toDigits, code } = values;
  let said = body.toString('utf8');
  // Before it is cut: half a secret would not be found.
  for (const own of [...secrets, text, to, toDigits, code]) if (own !== '') said = said.replaceAll(own, '…');
  return `HTTP ${status}: ${said.replace(/\d{4,}/g, '…').slice(0, EXCERPT_MAX_LENGTH)}`;
}
