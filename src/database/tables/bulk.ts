/** The tables of `bulk/`. */
export interface BulkTables {
  /**
   * Bulk jobs: one text to many recipients.
   * @kept `RETENTION_DAYS_VERIFICATIONS` (30) after it ended, never less than 25 hours: limits are counted from its messages
   * @index bulks_active those that there is something to do for; ended ones are not in it
   * @index bulks_ended those that are kept no longer, oldest first
   * @index bulks_of_other_projects a project's list, newest first, without walking the rows of all others; those of the default project are not in it
   */
  bulks: {
    /** `blk_…` */
    id: string;
    /** The number of the project it belongs to. */
    project_id: number;
    /** `accepting` while its recipients are being stored, then `processing`, `paused`, `completed` or `canceled`. */
    status: string;
    /** AES-256-GCM of JSON: text, channel, purpose and life of the codes. */
    content: Buffer;
    /** The master key under which `content` was made. */
    key_version: number;
    /** The caller's own JSON, 4 KB at most. */
    metadata: string | null;
    /** Recipients, without the duplicates. */
    total: number;
    /** Rows that named a recipient again. */
    duplicates: number;
    /** Recipients to whom nothing may be sent. */
    rejected: number;
    /** Recipients whose message a channel took. */
    successful: number;
    /** Recipients whose message no channel took. */
    failed: number;
    /** Recipients that a canceled job did not reach. */
    canceled: number;
    /** The number of the next recipient to be put into the outbox. */
    next_number: number;
    /** 1 while there is something to do for it, else 0. */
    active: number;
    /** Why nothing is put into the outbox at the moment. */
    reason: string | null;
    /** When it was started or last resumed. */
    running_since: number;
    /** Recipients that were done by then. */
    done_before: number;
    /** When it was accepted. */
    created_at: number;
    /** When it was completed, or canceled and everything in flight had ended. */
    completed_at: number | null;
  };

  /**
   * The recipients of bulk jobs, in order.
   * @kept as long as their bulk job
   * @index bulk_recipients_queued those whose message is in the outbox; the others are not in it
   */
  bulk_recipients: {
    /** The bulk job. */
    bulk_id: string;
    /** The place among its recipients, from 0. */
    number: number;
    /** The line in the file, or the place in `recipients`, from 0. */
    line: number;
    /** E.164. */
    phone: string | null;
    /** An e-mail address. */
    email: string | null;
    /** `waiting`, `queued` (in the outbox), `sent` (a channel took it, or more), `failed`, `rejected` or `canceled`. */
    status: string;
    /** Why it failed or was rejected. */
    reason: string | null;
    /** AES-256-GCM of JSON: the caller's code, locale and variables; null once the message is made, or never will be. */
    content: Buffer | null;
    /** The master key under which `content` was made. */
    key_version: number;
    /** The message that was put into the outbox. */
    message_id: string | null;
    /** The verification it carries the code of. */
    verification_id: string | null;
  };
}
