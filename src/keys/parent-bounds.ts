import { type FieldProblem, WotpError } from '../errors/errors.ts';

/** How often and for how long a key may be used. */
export interface KeyBounds {
  /** Requests a window; null for that of its project. */
  rateLimit: number | null;
  /** Unix ms; null for no end. */
  expiresAt: number | null;
}

/**
 * The bounds of a key that another key creates: what is left out is the parent's own.
 * @param keyRequests requests a window of a key without a limit of its own
 * @throws WotpError FORBIDDEN when the child would live longer than its parent, or may do more requests
 */
export function boundsWithin(parent: KeyBounds, wanted: Partial<KeyBounds>, keyRequests: number): KeyBounds {
  const expiresAt = wanted.expiresAt ?? parent.expiresAt;
  const rateLimit = wanted.rateLimit ?? parent.rateLimit;
  const allowed = parent.rateLimit ?? keyRequests;
  const errors: FieldProblem[] = [];
  if (parent.expiresAt !== null && expiresAt! > parent.expiresAt) {
    const latest = new Date(parent.expiresAt).toISOString();
    const message = `A key cannot create one that outlives it: \`expiresAt\` must be ${latest} at the latest.`;
    errors.push({ path: 'expiresAt', message });
  }
  if (rateLimit !== null && rateLimit > allowed) {
    const message = `A key cannot create one with a higher limit than its own: \`rateLimit\` must be at most ${allowed}.`;
    errors.push({ path: 'rateLimit', message });
  }
  if (errors.length > 0) {
    throw new WotpError('FORBIDDEN', errors[0]!.message, { errors });
  }
  return { rateLimit, expiresAt };
}
