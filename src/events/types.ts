import type { Actor, Change } from '../database/acts.ts';

/**
 * What every administrative act says beside its data: who did it, from where, and the values that it has changed. It is
 * kept in the audit log; of it only the name of the actor is in the event. Never holds a secret.
 */
interface Act extends Change {
  by: Actor;
  /** The identity of the phone that it concerns, so that it is found by that; kept as an HMAC. */
  phone?: string;
}

/** The events that tell of a verification. */
export type VerificationEventType =
  | 'otp.created'
  | 'otp.verified'
  | 'otp.failed'
  | 'otp.expired'
  | 'otp.canceled';

/**
 * The events about a message, one for each state it can enter but `sending`: its beginning is nothing to rely on, and the
 * message's timeline has it.
 */
export type MessageEventType =
  `message.${'queued' | 'sent' | 'delivered' | 'read' | 'failed' | 'expired' | 'canceled'}`;

interface VerificationEvent {
  type: VerificationEventType;
  projectId: number;
  verificationId: string;
  /** The channel that it is at; counted in the metrics, and not kept with the event. */
  channel: string;
  data?: { reason: string };
}

interface ScheduleEvent {
  type: 'schedule.created' | 'schedule.fired' | 'schedule.canceled' | 'schedule.expired' | 'schedule.failed';
  projectId: number;
  scheduleId: string;
  /** `verificationId`: what a fired one has sent; `reason`: why one expired or failed. */
  data?: { verificationId: string } | { reason: string };
}

interface MessageEvent {
  type: MessageEventType;
  projectId: number;
  /** What the message was sent for. */
  ownerId: string;
  messageId: string;
  /** What sends it; counted in the metrics, and not kept with the event. */
  channel: string;
  data?: { reason: string };
}

interface KeyEvent extends Act {
  type: 'key.created' | 'key.imported' | 'key.revoked';
  projectId: number;
  /** `with`: the key with which it was revoked, as that one had created it. */
  data: { keyId: string; with?: string };
}

interface WebhookDisabledEvent {
  type: 'webhook.disabled';
  projectId: number;
  data: { webhookId: string; reason: string };
}

interface WebhookActionEvent extends Act {
  type: 'webhook.operated';
  projectId: number;
  data: { webhookId: string; action: string };
}

interface RefusalEvent extends Act {
  type: 'key.refused';
  projectId: number;
  data: { keyId: string; permission: string; address: string };
}

interface LimitEvent extends Act {
  type: 'limits.cleared';
  projectId: number;
  /** `phone` is masked. */
  data: { phone: string };
}

interface TestNumberEvent extends Act {
  type: 'test_number.added' | 'test_number.removed';
  projectId: number;
  /** `number`: the phone or e-mail address, masked. */
  data: { testNumberId: string; number?: string };
}

interface TemplateEvent extends Act {
  type: 'template.created' | 'template.changed' | 'template.deleted';
  projectId: number;
  /** `template` is its code. */
  data: { template: string; version: number };
}

interface SettingsEvent extends Act {
  type: 'settings.changed';
  /** 0 for the installation. */
  projectId: number;
  /** Values as the environment would have them; null is unset. */
  data: { changes: { key: string; from: string | null; to: string | null }[] };
}

interface ProjectEvent extends Act {
  type: 'project.created' | 'project.renamed' | 'project.deleted' | 'project.erased';
  projectId: number;
  /** `project`: its id; `name`: as it is now. */
  data: { project: string; name: string };
}

interface QuotaEvent {
  type: 'project.quota_reached';
  projectId: number;
  /** `month`: 2026-12. */
  data: { percent: number; quota: number; used: number; month: string };
}

interface AdminEvent extends Act {
  type: 'admin.signed_in' | 'admin.sign_in_failed' | 'admin.signed_out';
  projectId: number;
  data: { address: string };
}

/** A line of v3's log, brought along with its own time: a message that was sent, or whatever else v3 noted. */
export interface V3LogEvent {
  type: 'v3.otp_sent' | 'v3.logged';
  projectId: number;
  /** `token` is the beginning of the token's hash, `phone` is masked, `repeat` tells the second of equal lines, … */
  data: { action: string; token?: string; phone?: string; repeat?: number };
}

interface MasterKeyEvent extends Act {
  type: 'master_key.rotated';
  projectId: number;
  data: { version: number };
}

interface BackupEvent extends Act {
  type: 'backup.created' | 'backup.failed' | 'database.restored';
  projectId: number;
  /**
   * `file` is its name without a folder; `removed` names the older ones that were removed for it; `reason` says why there is none; `keyVersion` is the version that the master
   * key got in a restored database whose values were made under another one.
   */
  data: { file?: string; removed?: string[]; reason?: string; keyVersion?: number };
}

interface OperationEvent extends Act {
  type: 'database.compacted' | 'database.seeded' | 'analytics.rebuilt';
  projectId: number;
  /** `verifications`: how many were invented; `purged`: how much the last step deleted, by what it was. */
  data: { verifications?: number; purged?: Readonly<Record<string, number>> };
}

interface SessionEvent {
  type: 'bot.connected' | 'bot.disconnected' | 'bot.logged_out' | 'bot.qr' | 'bot.state_changed';
  projectId: number;
  /** `nextAttemptAt` is Unix ms. Never holds what the QR code shows. */
  data: { sessionId: string; state: string; reason: string | null; nextAttemptAt: number | null };
}

interface PhoneUnseenEvent {
  type: 'bot.phone_unseen';
  projectId: number;
  data: { sessionId: string; reason: string };
}

interface SessionActionEvent extends Act {
  type: 'bot.operated';
  projectId: number;
  data: { sessionId: string; action: string };
}

interface InboundEvent {
  type: 'message.received';
  projectId: number;
  /**
   * `from` is E.164; in `text` every word that looks like a code is hidden, since people answer a code with it.
   * `sessionId`: the linked number it wrote to; absent on the virtual phone.
   */
  data: { sessionId?: string; from: string; text: string };
}

interface OptOutEvent extends Partial<Act> {
  type: 'number.opted_out' | 'number.opted_in';
  projectId: number;
  /** `sessionId`: the linked number it wrote to; `by`: who else changed the list. `from` is E.164. */
  data: { from: string; sessionId?: string };
}

interface CommandEvent extends Act {
  type: 'bot.command';
  projectId: number;
  /** `from` is masked; arguments are left out, as one may be a code. */
  data: { command: string; from: string };
}

interface BulkActionEvent extends Act {
  type: 'bulk.operated';
  projectId: number;
  /** `total`: recipients of a job that was started. */
  data: { bulkId: string; action: string; total?: number };
}

interface ExportEvent extends Act {
  type: 'logs.exported';
  projectId: number;
  /** What the export was narrowed by; without the phone. */
  data: { filter: Readonly<Record<string, unknown>> };
}

interface BulkEvent {
  type: 'bulk.completed' | 'bulk.canceled';
  projectId: number;
  /** How many recipients there were, and what became of them. */
  data: {
    bulkId: string;
    total: number;
    successful: number;
    failed: number;
    rejected: number;
    canceled: number;
  };
}

interface ChannelEvent extends Act {
  type: 'channel.stopped' | 'channel.recovered';
  projectId: number;
  /** `reason`: why it stopped, without secrets. `stoppedAt`: since when it had been (Unix ms). */
  data: { channel: string; reason: string } | { channel: string; stoppedAt: number };
}

/** Something that happened, as it is recorded with the change it tells of. Never holds a code. */
export type WotpEvent =
  | VerificationEvent
  | ScheduleEvent
  | MessageEvent
  | KeyEvent
  | WebhookDisabledEvent
  | WebhookActionEvent
  | RefusalEvent
  | LimitEvent
  | TemplateEvent
  | TestNumberEvent
  | SettingsEvent
  | ProjectEvent
  | QuotaEvent
  | AdminEvent
  | MasterKeyEvent
  | BackupEvent
  | OperationEvent
  | SessionEvent
  | PhoneUnseenEvent
  | SessionActionEvent
  | InboundEvent
  | OptOutEvent
  | ChannelEvent
  | CommandEvent
  | BulkActionEvent
  | ExportEvent
  | BulkEvent;
