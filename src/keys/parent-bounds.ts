import { type FieldProblem, WotpError } from '../errors/errors.ts';

/** How often and for how long a key may be used. */
export interface KeyBounds {
  /** Requests a window; null for the server's own limit. */
  rateLimit: number | null;
  /** Unix ms; null for no end. */
  expiresAt: number | null;
}

/**
 * The bounds of a key that another key creates: what is left out is the parent's own.
 * @param serverLimit requests a window of a key without a limit of its own
 * @throws WotpError FORBIDDEN when the child would live longer than its parent, or may do more requests
 */
export function boundsWithin(parent: KeyBounds, wanted: Partial<KeyBounds>, serverLimit: number): KeyBounds {
  const expiresAt = wanted.expiresAt ?? parent.expiresAt;
  const rateLimit = wanted.rateLimit ?? parent.rateLimit;
  const allowed = parent.rateLimit ?? serverLimit;
  const errors: FieldProblem[] = [];
  if (parent.expiresAt !== null && expiresAt! > parent.expiresAt) {
    const latest = new Date(parent.expiresAt).toISOString();
    errors.push({ path: 'expiresAt', message: `At the latest ${latest}, when the creating key expires.` });
  }
  if (rateLimit !== null && rateLimit > allowed) {
    const message = `At most ${allowed} requests a window, the limit of the creating key.`;
    errors.push({ path: 'rateLimit', message });
  }
  if (errors.length > 0) {
    const message = `A key cannot create one that outlives it or has a higher rate limit. ${errors[0]!.message}`;
    throw new WotpError('FORBIDDEN', message, { errors });
  }
  return { rateLimit, expiresAt };
}
