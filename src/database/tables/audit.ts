/** The tables of `audit/`. */
export interface AuditTables {
  /**
   * The audit log: every administrative act, written by the transaction of the act. Never changed but for its place in the
   * chain, which a line gets within some hundred milliseconds.
   * @kept `RETENTION_DAYS_AUDIT` (365)
   * @index audit_log_by_position the order of the chain
   * @index audit_log_waiting lines that have no place in the chain yet; only those are in it
   * @index audit_log_by_actor what somebody did, newest first
   * @index audit_log_by_subject what was done to something, newest first
   * @index audit_log_by_phone acts that concern a phone, newest first; others are not in it
   */
  audit_log: {
    /** The number of the act's event. */
    seq: number;
    /** `evt_…`, the id that webhooks give the same event. */
    id: string;
    /** The number of the project it is about; null for an act on the installation. */
    project_id: number | null;
    /** What was done, such as `key.created`. */
    type: string;
    /** When it was done. */
    at: number;
    /** Who did it: the id of an API key, `admin`, `cli`, `server` … */
    actor: string;
    /** From where: a client address, `local` for this machine. */
    address: string;
    /** What it was done to; null where the type says it all. */
    subject: string | null;
    /** HMAC-SHA-256 (hex) of the identity of the phone it concerns, under the key of `key_version`. */
    phone: string | null;
    /** JSON object with what the type adds, and what was before and after. Never holds a secret. */
    data: string;
    /** The master key under which `phone`, `mac` and `hash` were made. */
    key_version: number;
    /** HMAC-SHA-256 of the line. */
    mac: Buffer;
    /** The place in the chain, from 1; null until it has one. */
    position: number | null;
    /** HMAC-SHA-256 of the place, `mac` and the hash of the line before; null until the line has a place. */
    hash: Buffer | null;
  };

  /**
   * How far the audit chain reaches: one row, authenticated, so that a log whose end was cut off is found.
   * @kept always
   */
  audit_head: {
    /** Always 1. */
    id: number;
    /** The position of the newest line. */
    position: number;
    /** Its hash. */
    hash: Buffer;
    /** The position of the newest line that was deleted for its age; 0 where none was. */
    anchor_position: number;
    /** Its hash. */
    anchor_hash: Buffer;
    /** When the chain began. */
    since: number;
    /** The master key under which `mac` was made. */
    key_version: number;
    /** HMAC-SHA-256 of the row. */
    mac: Buffer;
  };
}
