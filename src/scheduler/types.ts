import type { SendRequest } from '../otp/types.ts';

/** The states of a schedule; every one but `pending` is final. */
export const SCHEDULE_STATUSES = ['pending', 'fired', 'canceled', 'expired', 'failed'] as const;

export type ScheduleStatus = (typeof SCHEDULE_STATUSES)[number];

/** How a schedule leaves `pending`. */
export type ScheduleEnding = Exclude<ScheduleStatus, 'pending'>;

/** Attempts that a schedule has when the request does not say. */
export const DEFAULT_ATTEMPTS = 3;

/** A send that is to be made at a later time. */
export interface ScheduleRequest {
  send: SendRequest;
  /** Unix ms. */
  scheduledAt: number;
  maxAttempts: number;
}

/** What changes of a pending schedule; what is undefined stays. */
export interface ScheduleChange {
  send: Partial<SendRequest>;
  scheduledAt?: number | undefined;
  maxAttempts?: number | undefined;
}

/** A schedule as its project sees it: never with its text or code. All times are Unix ms. */
export interface Schedule {
  id: string;
  /** E.164; null where an e-mail address is proved. */
  phone: string | null;
  email: string | null;
  purpose: string;
  scheduledAt: number;
  status: ScheduleStatus;
  /** Attempts to fire it that were made. */
  attempts: number;
  maxAttempts: number;
  /** When it is tried next; null once it has ended. */
  nextAttemptAt: number | null;
  /** The verification that it has sent; null unless it has fired. */
  verificationId: string | null;
  /** Why it ended so, or why its last attempt was refused. */
  reason: string | null;
  createdAt: number;
  /** When it left `pending`; null before. */
  endedAt: number | null;
}
