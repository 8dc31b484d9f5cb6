import type { WebhookEvent } from './api-types.ts';
import { WebhookVerificationError } from './errors.ts';

/** A request may be so much older or newer than now, in seconds. */
const TOLERANCE_SECONDS = 300;

/** The headers of a request: of `fetch`, of Node's `http`, of Express, … */
export type WebhookHeaders = Headers | Readonly<Record<string, string | readonly string[] | undefined>>;

/**
 * Checks that a request to your endpoint comes from your server and is recent, by the Standard Webhooks rules, and resolves
 * to its event.
 * @param body the body as it came, before anything parsed it: its bytes are signed
 * @param secret the endpoint's secret (`whsec_…`); several while one replaces the other
 * @param options.now the time in Unix ms; now unless given
 * @throws WebhookVerificationError when it was changed, was not signed with the secret, or is older than five minutes
 */
export async function verifyWebhook(
  body: string | Uint8Array,
  headers: WebhookHeaders,
  secret: string | readonly string[],
  options: { toleranceSeconds?: number; now?: number } = {},
): Promise<WebhookEvent> {
  const { toleranceSeconds = TOLERANCE_SECONDS, now = Date.now() } = options;
  const [id, timestamp, signatures] = ['webhook-id', 'webhook-timestamp', 'webhook-signature'].map((name) =>
    headerOf(headers, name),
  );
  if (!id || !timestamp || !signatures) {
    throw new WebhookVerificationError(
      'A header is missing: webhook-id, webhook-timestamp or webhook-signature.',
    );
  }
  const at = /^\d{1,12}$/.test(timestamp) ? Number(timestamp) : Number.NaN;
  if (!(Math.abs(now / 1_000 - at) <= toleranceSeconds)) {
    throw new WebhookVerificationError('The request is too old, or the clocks differ.');
  }
  const encoder = new TextEncoder();
  const bytes = typeof body === 'string' ? encoder.encode(body) : body;
  const head = encoder.encode(`${id}.${timestamp}.`);
  const signed = new Uint8Array(head.length + bytes.length);
  signed.set(head);
  signed.set(bytes, head.length);
  for (const one of typeof secret === 'string' ? [secret] : secret) {
    const key = await keyOf(one);
    for (const entry of signatures.split(' ')) {
      const signature = entry.startsWith('v1,') ? bytesOf(entry.slice(3)) : undefined;
      if (signature && (await crypto.subtle.verify('HMAC', key, signature, signed))) {
        return JSON.parse(new TextDecoder().decode(bytes)) as WebhookEvent;
      }
    }
  }
  throw new WebhookVerificationError(
    'The signature does not match: the body was changed, or the secret is another.',
  );
}

function headerOf(headers: WebhookHeaders, name: string): string | undefined {
  if (headers instanceof Headers) return headers.get(name) ?? undefined;
  const value = Object.entries(headers).find(([key]) => key.toLowerCase() === name)?.[1];
  return typeof value === 'string' ? value : value?.[0];
}

async function keyOf(secret: string) {
  const bytes = bytesOf(secret.replace(/^whsec_/, ''));
  if (!bytes || bytes.length === 0) {
    throw new WebhookVerificationError('The secret is not one of an endpoint: it begins with whsec_.');
  }
  return crypto.subtle.importKey('raw', bytes, { name: 'HMAC', hash: 'SHA-256' }, false, ['verify']);
}

/** The bytes of a text in Base64; undefined where it is none. */
function bytesOf(base64: string): Uint8Array<ArrayBuffer> | undefined {
  try {
    return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  } catch {
    return undefined;
  }
}
