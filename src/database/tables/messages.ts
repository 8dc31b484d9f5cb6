import type { Generated } from 'kysely';

/** The tables of `messages/`. */
export interface MessagesTables {
  /**
   * The durable outbox, and what became of every message.
   * @kept as long as its owner
   * @index messages_queued_by_due the next that a channel sends, lane by lane; only queued ones are in it
   * @index messages_by_provider_id receipts that come under the provider's own name; only messages with one are in it
   * @index messages_by_identity what counts against an address beside its verifications; no code is in it
   * @index messages_sending_by_due claims whose lease has expired; only those being sent are in it
   */
  messages: {
    /** `msg_…`; the id under which it is sent, however often it is tried. */
    id: string;
    /** The number of the project it belongs to. */
    project_id: number;
    /** What it was sent for: the verification whose code it carries. */
    owner_id: string;
    /** E.164, or an e-mail address. */
    address: string;
    /** The address folded to one identity; null where the owner is counted against it. */
    identity: string | null;
    /** The channel that sends it. */
    channel: string;
    /** In mock mode the channel that the virtual phone stands in for; null elsewhere. */
    plays: string | null;
    /** Which wait first: 0 a code, 1 a single message, 2 one of many. */
    lane: number;
    /** `queued`, `sending`, `sent`, `delivered`, `read`, `failed`, `expired` or `canceled`. */
    status: string;
    /** Why it failed, waits or was given up. */
    reason: string | null;
    /** AES-256-GCM of the text with `{{code}}` where the code stands, or of the template's variables; null for the text that the owner makes. */
    content: Buffer | null;
    /** The master key under which `content` was made. */
    key_version: number;
    /** What the provider calls it; null where it has said nothing. */
    provider_id: string | null;
    /** JSON array of [time, status, reason or null], oldest first; filled up with blanks, so that the row keeps its size. */
    timeline: string;
    /** Tries that count; six at most. */
    attempts: number;
    /** Number of the claim; grows with each one, and a write under an older number changes nothing. */
    claim: number;
    /** When a queued message may be tried; when the lease of one being sent ends. */
    due_at: number;
    /** When its code expires: it is not sent later. */
    expires_at: number;
    /** When it was accepted. */
    created_at: number;
    /** The caller's own JSON of the retry that sent it, 4 KB at most; that of the first send is with the verification. */
    metadata: string | null;
    /** JSON array of the id, code and version of the template that it is made from; null for every other text. */
    template: string | null;
    /** The language asked for, BCP 47; null where none was. */
    locale: string | null;
  };

  /**
   * What providers reported under a name that no message had yet: the report may come before the answer to the send that
   * gives the name.
   * @kept until a message has the name, 60 seconds at most
   */
  early_receipts: {
    /** Counts up with each one. */
    seq: Generated<number>;
    /** The channel that it came from. */
    channel: string;
    /** What the provider calls the message. */
    provider_id: string;
    /** `sent`, `delivered`, `read`, `failed` or `disowned`. */
    status: string;
    /** AES-256-GCM of why it failed, which may repeat the code; null where nothing was said. */
    reason: Buffer | null;
    /** The master key under which `reason` was made. */
    key_version: number;
    /** Until then a message may get the name. */
    expires_at: number;
  };

  /**
   * Messages of a calendar month (UTC) of projects that have a MONTHLY_QUOTA. On PostgreSQL a count has several parts, so
   * that sends of one project do not wait for each other.
   * @kept until the month after the next begins
   */
  monthly_messages: {
    /** The project. */
    project_id: number;
    /** The year and the month: 202612. */
    month: number;
    /** Which part of the count, from 0. */
    part: number;
    /** Messages counted in this part. */
    count: number;
    /** In part 0: how many percent of the quota `project.quota_reached` has reported, 0, 80 or 100. */
    reported: number;
  };
}
