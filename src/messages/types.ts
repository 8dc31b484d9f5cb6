import type { ChannelName } from './channel.ts';

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
  /** The channel that the virtual phone stands in for; null elsewhere. */
  plays: ChannelName | null;
  status: MessageStatus;
  timeline: TimelineEntry[];
  /** What the retry that sent it gave; null for every other message. */
  metadata: Record<string, unknown> | null;
  /** Null where it is made from none. */
  template: TemplateUse | null;
}

/** The version of a template that a message is made from. */
export interface TemplateUse {
  id: string;
  code: string;
  version: number;
}

/** What a message says, as it is stored with it; all is left out for the text that the owner makes. */
export interface Said {
  /** The text with `{{code}}`; of a template the values of its variables, as JSON. */
  content?: string | undefined;
  template?: TemplateUse | undefined;
  /** BCP 47: the language that the caller asked for. */
  locale?: string | undefined;
}

/** The lanes of the outbox: what is in a lower one is sent first, however much waits in a higher. */
export const LANES = { code: 0, single: 1, bulk: 2 } as const;

export type Lane = keyof typeof LANES;

/** A message to be put into the outbox. */
export interface NewMessage extends Said {
  id: string;
  projectId: number;
  /** What it is sent for; its prefix says which feature that is. */
  ownerId: string;
  /** E.164, or an e-mail address. */
  address: string;
  /** What counts against the address; left out where the owner is counted. */
  identity?: string | undefined;
  channel: ChannelName;
  /** The channel that the virtual phone stands in for. */
  plays?: ChannelName | undefined;
  /** Why it is sent, as the beginning of its timeline shows it. */
  reason?: string | undefined;
  lane: Lane;
  /** Whether it was counted against the quota of its project before. */
  isCounted?: boolean | undefined;
  /** Unix ms; the message is never sent after it. */
  expiresAt: number;
  /** What the caller wants to be kept with this message. */
  metadata?: Record<string, unknown> | undefined;
  /** Why no channel ever sends it; left out for every other. */
  unsentBecause?: string;
}

/** What names a message in its events. */
export interface MessageRef {
  id: string;
  projectId: number;
  ownerId: string;
}

/** What a message says. */
export interface Content {
  /** The text with `{{code}}` where the code stands. */
  text: string;
  /** Undefined where it carries none, or none any more. */
  code: string | undefined;
  /** BCP 47; undefined where nobody has said. */
  locale?: string | undefined;
  /** What e-mail sends with it, each with `{{code}}` where the code stands; made by the channel where undefined. */
  subject?: string | undefined;
  html?: string | undefined;
}

/** A message that this process has claimed and now sends. */
export interface ClaimedMessage extends MessageRef {
  channel: ChannelName;
  plays: ChannelName | undefined;
  /** E.164, or an e-mail address. */
  address: string;
  /** Undefined when what it says cannot be read. */
  text: string | undefined;
  code: string | undefined;
  locale: string | undefined;
  subject: string | undefined;
  html: string | undefined;
  /** Number of this claim; what is reported under an older one changes nothing. */
  claim: number;
  /** Tries including this one. */
  attempts: number;
  expiresAt: number;
}
