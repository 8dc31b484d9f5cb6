import { createHmac, randomBytes } from 'node:crypto';

/** What a secret begins with where it is shown (Standard Webhooks). */
const PREFIX = 'whsec_';
const SECRET_BYTES = 32;

/** A new secret, as it is shown to whoever verifies with it. */
export function newSecret(): string {
  return PREFIX + randomBytes(SECRET_BYTES).toString('base64');
}

/**
 * The headers that prove where a request comes from (Standard Webhooks 1.0): a signature for each secret over the very
 * bytes of the body.
 * @param at when the request is sent (Unix ms)
 */
export function signatureHeaders(
  secrets: readonly string[],
  { id, at, body }: { id: string; at: number; body: string },
): Record<string, string> {
  const timestamp = Math.floor(at / 1000);
  const signatures = secrets.map((secret) => {
    const key = Buffer.from(secret.slice(PREFIX.length), 'base64');
    return `v1,${createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64')}`;
  });
  return {
    'webhook-id': id,
    'webhook-timestamp': String(timestamp),
    'webhook-signature': signatures.join(' '),
  };
}
