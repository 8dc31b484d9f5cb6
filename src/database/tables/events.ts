import type { Generated } from 'kysely';

/** The tables of `events/`. */
export interface EventsTables {
  /**
   * What happened, each written by the transaction of the change it reports. Never holds a code. On PostgreSQL the index
   * `events_by_commit` over `epoch`, `tx` and `seq` gives readers the order of commits.
   * @kept `RETENTION_DAYS_EVENTS` (90); the newest stays, so that its number is not given out again
   * @index events_from_recipients what recipients wrote and which numbers opted out, newest first; no other event is in it
   * @index events_of_v3 a line of v3's log is known by what it says, so that it is imported once; only those lines are in it
   */
  events: {
    /** Counts up; on WODB the order of commits. */
    seq: Generated<number>;
    /** PostgreSQL: counts up whenever transaction numbers may begin again, after a restore or on another server. 0 on WODB. */
    epoch: Generated<number>;
    /** PostgreSQL: the number of the transaction that wrote it. 0 on WODB. */
    tx: Generated<number>;
    /** The number of the project it is about; null for an event of the installation. */
    project_id: number | null;
    /** What happened, such as `otp.verified`. */
    type: string;
    /** When it happened. */
    at: number;
    /** What it is about: the id of a verification, an API key or a linked number; null where the type says it all. */
    subject: string | null;
    /** The message it is about. */
    message_id: string | null;
    /** JSON object with what the type adds; null when there is nothing. */
    data: string | null;
  };

  /**
   * How far each consumer of the events has come. Written with what the consumer made of them.
   * @kept always
   */
  event_consumers: {
    /** The consumer. */
    name: string;
    /** The cursor of the last event it has handled. */
    cursor: string;
  };
}
