/** The tables of `otp/`. */
export interface OtpTables {
  /**
   * Attempts to prove that a person holds a phone number, with the count of guesses and of messages.
   * @kept `RETENTION_DAYS_VERIFICATIONS` (30) after it ended, never less than 25 hours: limits and guesses look back so far
   * @index verifications_by_destination the verifications of one phone in the last day: what every send and check decides on
   * @index verifications_pending_by_expiry those that have expired, for the sweep each second; only pending ones are in it
   * @index verifications_to_move those that wait for a receipt before the next channel is used; a route of one channel is not in it
   * @index verifications_unverified_by_status a project's list of one state, also for one purpose, newest first; what most rows are is not in it
   * @index verifications_by_purpose a project's list of one purpose, newest first; the one of a send that names none is not in it
   * @index verifications_of_other_projects a project's list, newest first, without walking the rows of all others; those of the default project are not in it
   */
  verifications: {
    /** `ver_…` */
    id: string;
    /** The number of the project it belongs to. */
    project_id: number;
    /** E.164, as the message goes to it; null where an e-mail address is proved. */
    phone: string | null;
    /** An e-mail address to prove where there is no phone, else one more way to reach the recipient. */
    email: string | null;
    /** The phone folded to one identity: what limits and budgets are counted by. */
    destination: string;
    /** The caller's word for what it is about; a phone can have one pending for each. */
    purpose: string;
    /** The channel that its newest message takes. */
    channel: string;
    /** JSON array: the channels in order, as they were chosen at the send. */
    route: string;
    /** The place on the route, from 0. */
    step: number;
    /** When the next channel is used if no receipt says that a message arrived; null when none is. */
    move_at: number | null;
    /** `pending`, or how it ended: `verified`, `expired`, `canceled`, `max_attempts_reached`, `failed`. */
    status: string;
    /** Why it ended so, where the status alone does not say it. */
    reason: string | null;
    /** HMAC-SHA-256 of the code under a derived key, bound to the id. */
    code_mac: Buffer;
    /** AES-256-GCM of the code, for its messages; null once the verification has ended. */
    sealed_code: Buffer | null;
    /** The master key under which `code_mac` and `sealed_code` were made. */
    key_version: number;
    /** Characters of the code; short ones have fewer guesses. */
    code_length: number;
    /** Checks that were taken, right and wrong. */
    attempts: number;
    /** JSON array of [time, message id], oldest first: the messages of this verification. */
    sends: string;
    /** JSON array of [time, client address or null]: failed checks that still count against the destination; filled up with blanks. */
    failed_checks: string;
    /** The end user's address as the caller gave it: some limits go by it. */
    client_ip: string | null;
    /** The caller's own JSON, 4 KB at most. */
    metadata: string | null;
    /** 1 where its address was a test number: its code is fixed and nothing is sent. */
    is_test: number;
    /** When it was asked for. */
    created_at: number;
    /** From then on no check is right. */
    expires_at: number;
    /** When the right code was typed. */
    verified_at: number | null;
    /** When an administrator lifted the phone's limits: what came before no longer counts. */
    limits_lifted_at: number | null;
    /** The end user's address that the right code came from, as the caller gave it. */
    verified_client_ip: string | null;
  };

  /**
   * What a client address, or a block of numbers, was lately sent: the limits that count over many phones.
   * @kept an hour or two after its last send; deleted every 10 minutes
   * @index recent_sends_by_age what nothing is counted from any more is deleted from the oldest on
   */
  recent_sends: {
    /** `client` or `prefix`, the project, and the client address or the number without its last four digits. */
    key: string;
    /** JSON array of the ids of verifications, oldest first; as many as the limit at most. */
    verifications: string;
    /** The hour of the last of them, in hours since 1970 (UTC). */
    used_hour: number;
  };
}
