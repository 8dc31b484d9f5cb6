import type { VerificationEventType } from '../events/types.ts';
import type { VerificationStatus } from './types.ts';

/** How a verification can end, and the event that tells of it. `pending` is the only state that can be left. */
export const ENDINGS = {
  verified: 'otp.verified',
  expired: 'otp.expired',
  canceled: 'otp.canceled',
  max_attempts_reached: 'otp.failed',
  failed: 'otp.failed',
} as const satisfies Record<Exclude<VerificationStatus, 'pending'>, VerificationEventType>;

export type Ending = keyof typeof ENDINGS;

/**
 * The state at a moment: a pending verification whose time is over has expired, whether or not that has been
 * written down yet.
 */
export function statusAt(
  verification: { status: string; expires_at: number },
  now: number,
): VerificationStatus {
  if (verification.status === 'pending' && verification.expires_at <= now) return 'expired';
  return verification.status as VerificationStatus;
}
