/** The tables of `scheduler/`. */
export interface SchedulerTables {
  /**
   * Sends that are made at a later time.
   * @kept `RETENTION_DAYS_VERIFICATIONS` (30) after it ended
   * @index schedules_due what is due, and when the next one is; only pending ones are in it
   * @index schedules_by_project a project's list, newest first
   * @index schedules_by_status a project's list of one state, newest first
   * @index schedules_ended what is kept no longer is deleted from the oldest on; only those that have ended are in it
   */
  schedules: {
    /** `sch_…` */
    id: string;
    /** The number of the project it belongs to. */
    project_id: number;
    /** E.164, as it was read when the schedule was created; null where an e-mail address is proved. */
    phone: string | null;
    /** The e-mail address to prove where there is no phone, else one more way to reach the recipient. */
    email: string | null;
    /** The purpose of the verification. */
    purpose: string;
    /** When the caller wants it sent. */
    scheduled_at: number;
    /** When it is tried next: `scheduled_at`, or later once a try was refused. */
    due_at: number;
    /** `pending`, or how it ended: `fired`, `canceled`, `expired`, `failed`. */
    status: string;
    /** Why it ended so, or why the last try was refused. */
    reason: string | null;
    /** Tries to fire it that were made. */
    attempts: number;
    /** Tries that it has. */
    max_attempts: number;
    /** AES-256-GCM of the send's body as JSON, with its text, code and metadata; null once it has ended. */
    sealed_request: Buffer | null;
    /** The master key under which `sealed_request` was made. */
    key_version: number;
    /** The verification that it sent; null unless it has fired. */
    verification_id: string | null;
    /** When it was asked for. */
    created_at: number;
    /** When it left `pending`; null before. */
    ended_at: number | null;
  };
}
