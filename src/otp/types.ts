import type { ChannelName } from '../channels/channel.ts';
import type { MessageStatus, TimelineEntry } from '../messages/types.ts';

/** The states of a verification; every one but `pending` is final. */
export const VERIFICATION_STATUSES = [
  'pending',
  'verified',
  'expired',
  'canceled',
  'max_attempts_reached',
  'failed',
] as const;

export type VerificationStatus = (typeof VERIFICATION_STATUSES)[number];

/** The purpose of a send or check that names none. */
export const DEFAULT_PURPOSE = 'default';

/** What codes are made of: digits, or digits and letters that nobody confuses. */
export const ALPHABETS = ['numeric', 'alphanumeric'] as const;

export type Alphabet = (typeof ALPHABETS)[number];

/** A request to prove that a person holds a phone number. */
export interface SendRequest {
  projectId: string;
  /** As the caller wrote it. */
  phone: string;
  purpose: string;
  code?: string;
  length?: number;
  alphabet?: Alphabet;
  message?: string;
  channel: 'auto' | ChannelName;
  expiryMinutes?: number;
  /** The end user's address, as the caller knows it. */
  clientIp?: string;
  metadata?: Record<string, unknown>;
}

/** A check of what the person typed: by the verification's id, or by phone and purpose. */
export interface VerifyRequest {
  projectId: string;
  id?: string;
  phone?: string;
  purpose?: string;
  /** As typed. */
  code: string;
  clientIp?: string;
}

/** A verification as its project sees it. All times are Unix ms. */
export interface Verification {
  id: string;
  messageId: string;
  /** E.164. */
  phone: string;
  purpose: string;
  channel: ChannelName;
  status: VerificationStatus;
  messageStatus: MessageStatus;
  createdAt: number;
  expiresAt: number;
  /** When the next message to this phone is allowed. */
  resendAt: number;
  attemptsRemaining: number;
  verifiedAt: number | null;
  reason: string | null;
}

/** A verification with what the caller wanted to be kept with it. */
export interface VerificationWithMetadata extends Verification {
  metadata: Record<string, unknown> | null;
}

/** A check that succeeded. */
export interface Verified {
  id: string;
  /** E.164. */
  phone: string;
  purpose: string;
  /** Unix ms. */
  verifiedAt: number;
}

/** One change of one of a verification's messages. */
export interface VerificationTimelineEntry extends TimelineEntry {
  messageId: string;
  channel: ChannelName;
  /** What a retry gave, where its message begins. */
  metadata?: Record<string, unknown>;
}
