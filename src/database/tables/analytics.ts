/** The tables of `analytics/`: counts made from the events, by quarter-hours and longer times of UTC. */
export interface AnalyticsTables {
  /**
   * Messages by when they were accepted.
   * @kept `RETENTION_DAYS_ANALYTICS` (400)
   */
  analytics_messages: {
    /** The number of the project. */
    project_id: number;
    /** How long the time is that the row counts: 15 or 60. */
    minutes: number;
    /** When that time begins. */
    start: number;
    /** Messages that were accepted. */
    messages: number;
    /** Those that a provider acknowledged and did not fail later. */
    successful: number;
    /** Those that failed, or whose code expired before they were sent. */
    failed: number;
  };

  /**
   * Verifications by when they were created and by one property of them: how many were sent, delivered and verified.
   * @kept `RETENTION_DAYS_ANALYTICS` (400)
   */
  analytics_conversion: {
    /** The number of the project. */
    project_id: number;
    /** `country`, `prefix`, `channel`, `template`, `purpose` or `hour`. */
    dimension: string;
    /** How long the time is that the row counts: 15, 1440 or 46080 (32 days); for `hour` 15 or 60. */
    minutes: number;
    /** When that time begins. */
    start: number;
    /** The value of the property, `(none)`, or `(other)` where a day has too many; blank for `hour`. */
    key: string;
    /** Verifications of which a provider acknowledged a message. */
    sent: number;
    /** Verifications of which a message arrived. */
    delivered: number;
    /** Verifications whose code was entered. */
    verified: number;
  };

  /**
   * How long messages took from their acceptance to the receipt of their delivery, as a histogram.
   * @kept `RETENTION_DAYS_ANALYTICS` (400)
   */
  analytics_delivery: {
    /** The number of the project. */
    project_id: number;
    /** `channel` or `country`. */
    dimension: string;
    /** How long the time is that the row counts: 15, 1440 or 46080 (32 days). */
    minutes: number;
    /** When that time begins. */
    start: number;
    /** The channel or the country. */
    key: string;
    /** The bin of the histogram; the next one begins 9 % higher. */
    bin: number;
    /** Messages that took as long. */
    messages: number;
    /** How long they took together, in ms. */
    total_ms: number;
  };

  /**
   * The phone numbers to which messages were sent, a line for each message, in parts of about 4 KB.
   * @kept `RETENTION_DAYS_VERIFICATIONS` (30), as the verifications that name them
   */
  analytics_phones: {
    /** The number of the project. */
    project_id: number;
    /** When the quarter-hour begins in which the messages were accepted. */
    start: number;
    /** Counts up from 0. */
    part: number;
    /** Numbers in E.164, one on each line. */
    phones: string;
  };
}
