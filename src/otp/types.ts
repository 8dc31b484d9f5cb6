import type { ChannelName } from '../messages/channel.ts';
import type { Lane, MessageStatus, TimelineEntry } from '../messages/types.ts';
import type { TemplateVariables } from '../templates/template.ts';

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
  projectId: number;
  /** As the caller wrote it. */
  phone?: string;
  /** An address to prove where there is no phone, else one more way to reach the recipient. */
  email?: string;
  purpose: string;
  code?: string;
  length?: number;
  alphabet?: Alphabet;
  message?: string;
  /** The code of the template to send, in place of `message`. */
  template?: string;
  /** Values for the template. */
  variables?: TemplateVariables;
  /** The language of the text, BCP 47. */
  locale?: string;
  channel: 'auto' | ChannelName;
  /** The channels in order, in place of `channel`. */
  channels?: readonly ChannelName[];
  expiryMinutes?: number;
  /** The end user's address, as the caller knows it. */
  clientIp?: string;
  metadata?: Record<string, unknown>;
  /** `code` where left out. What is sent to many counts in no limit over many phones. */
  lane?: Lane;
}

/** A check of what the person typed: by the verification's id, or by phone and purpose. */
export interface VerifyRequest {
  projectId: number;
  id?: string;
  phone?: string;
  email?: string;
  purpose?: string;
  /** As typed. */
  code: string;
  clientIp?: string;
}

/** A verification as its project sees it. All times are Unix ms. */
export interface Verification {
  id: string;
  messageId: string;
  /** E.164; null where an e-mail address is proved. */
  phone: string | null;
  email: string | null;
  purpose: string;
  channel: ChannelName;
  /** The channel that the virtual phone stands in for; null elsewhere. */
  plays: ChannelName | null;
  route: ChannelName[];
  /** When the next channel is used if nothing arrives; null when none is. */
  nextAt: number | null;
  status: VerificationStatus;
  messageStatus: MessageStatus;
  createdAt: number;
  expiresAt: number;
  /** When the next message to this phone is allowed. */
  resendAt: number;
  attemptsRemaining: number;
  verifiedAt: number | null;
  reason: string | null;
  /** Whether its address was a test number: its code is fixed and nothing is sent. */
  isTest: boolean;
}

/** A verification with what the caller wanted to be kept with it. */
export interface VerificationWithMetadata extends Verification {
  metadata: Record<string, unknown> | null;
}

/** A check that succeeded. */
export interface Verified {
  id: string;
  /** E.164; null where an e-mail address was proved. */
  phone: string | null;
  email: string | null;
  /** The channels by which the code was sent. */
  channels: ChannelName[];
  purpose: string;
  /** Unix ms. */
  verifiedAt: number;
  isTest: boolean;
}

/** One change of one of a verification's messages. */
export interface VerificationTimelineEntry extends TimelineEntry {
  messageId: string;
  channel: ChannelName;
  /** In mock mode the channel that the virtual phone stood in for. */
  plays?: ChannelName;
  /** What a retry gave, where its message begins. */
  metadata?: Record<string, unknown>;
  /** The template that a message is made from, where it begins. */
  template?: { code: string; version: number };
}
