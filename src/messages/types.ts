import type { ChannelName } from '../channels/channel.ts';

/** The states of a message; `sent` means the provider took it, `delivered` that the phone did. */
export const MESSAGE_STATUSES = [
  'queued',
  'sending',
  'sent',
  'delivered',
  'read',
  'failed',
  'expired',
  'canceled',
] as const;

export type MessageStatus = (typeof MESSAGE_STATUSES)[number];

/** One change of a message; `reason` says why where the state alone does not. */
export interface TimelineEntry {
  /** Unix ms. */
  at: number;
  status: MessageStatus;
  reason: string | null;
}

/** A message as others may see it. */
export interface MessageView {
  id: string;
  channel: ChannelName;
  status: MessageStatus;
  /** What the phone shows; once the verification has ended, bullets stand in place of the code. */
  text: string;
  timeline: TimelineEntry[];
  /** What the retry that sent it gave; null for every other message. */
  metadata: Record<string, unknown> | null;
}

/** The lanes of the outbox: what is in a lower one is sent first, however much waits in a higher. */
export const LANES = { code: 0, single: 1, bulk: 2 } as const;

export type Lane = keyof typeof LANES;

/** A message to be put into the outbox. */
export interface NewMessage {
  id: string;
  projectId: string;
  verificationId: string;
  /** E.164. */
  phone: string;
  channel: ChannelName;
  lane: Lane;
  /** The text with `{{code}}` in place of the code. */
  body: string;
  code: string;
  /** Unix ms; the message is never sent after it. */
  expiresAt: number;
  /** What the caller wants to be kept with this message. */
  metadata?: Record<string, unknown>;
}

/** What a channel has learnt of a message after it was sent. */
export interface Receipt {
  messageId: string;
  status: 'delivered' | 'read';
}

/** What names a message in its events. */
export interface MessageRef {
  id: string;
  projectId: string;
  verificationId: string;
}

/** A message that this process has claimed and now sends. */
export interface ClaimedMessage extends MessageRef {
  phone: string;
  /** Undefined when its stored code cannot be read. */
  text: string | undefined;
  /** Number of this claim; what is reported under an older one changes nothing. */
  claim: number;
  /** Tries including this one. */
  attempts: number;
  expiresAt: number;
}
