import type { ChannelName } from '../messages/channel.ts';

/** Where a job's text comes from: its own, or a template that is kept under a code. */
export type TextSource = { template: string } | { templateCode: string };

/**
 * The states of a bulk job that callers see. What was put into the outbox before a pause still goes out; `completed` and
 * `canceled` are final.
 */
export const BULK_STATUSES = ['processing', 'paused', 'completed', 'canceled'] as const;

export type BulkStatus = (typeof BULK_STATUSES)[number];

/** What all messages of a bulk job have in common. */
export interface BulkRequest {
  projectId: number;
  /** With `{{code}}` in the text each recipient gets a verification. */
  text: TextSource;
  channel: 'auto' | ChannelName;
  purpose: string;
  expiryMinutes?: number;
  /** The caller's own JSON, kept with the job. */
  metadata?: Record<string, unknown>;
}

/** What is stored of a recipient beside the address, sealed until the message is made. */
export interface RecipientDetails {
  /** The caller's own code. */
  code?: string;
  /** BCP 47. */
  locale?: string;
  variables: Record<string, string>;
}

/** A recipient that could be read. */
export interface Recipient {
  /** The line in the file, or the place in `recipients`, from 0. */
  line: number;
  /** E.164, or as it was given where the number is refused. */
  phone: string | null;
  email: string | null;
  /** The same for every spelling of one address: nobody gets two messages of one bulk job. */
  identity: string;
  details: RecipientDetails;
  /** Why nothing is sent to them; undefined where something is. */
  rejection?: string;
}

/** A row that is listed in the answer: a duplicate, or one that is rejected. */
export interface NotedRow {
  line: number;
  reason: string;
}

/** What became of the rows of a bulk job when it was accepted. */
export interface Accepted {
  /** Undefined for a dry run. */
  bulkId: string | undefined;
  /** Recipients without the duplicates. */
  total: number;
  duplicates: number;
  rejected: number;
  /** The first of those that were not accepted. */
  notes: NotedRow[];
}

/** A bulk job as its project sees it. Times are Unix ms. */
export interface Bulk {
  id: string;
  status: BulkStatus;
  total: number;
  duplicates: number;
  /** Recipients that are done: `successful` and `failed` together. */
  processed: number;
  /** Taken by a channel. */
  successful: number;
  /** Got no message: no channel took it, or it was rejected. */
  failed: number;
  /** Of the failed ones, those to whom nothing may be sent. */
  rejected: number;
  /** Those whom the canceled job did not reach. */
  canceled: number;
  /** Recipients done a second since it was started or resumed; null before the first. */
  ratePerSecond: number | null;
  /** Seconds until it is completed at this rate; null where it does not run. */
  etaSeconds: number | null;
  /** Why nothing is sent at the moment; null where something is. */
  reason: string | null;
  createdAt: number;
  completedAt: number | null;
  metadata: Record<string, unknown> | null;
}

/** What became of one recipient. */
export interface BulkResult {
  line: number;
  phone: string | null;
  email: string | null;
  /** The state of the message; `waiting` before there is one, `rejected` where there will be none. */
  status: string;
  reason: string | null;
  messageId: string | null;
  verificationId: string | null;
}
