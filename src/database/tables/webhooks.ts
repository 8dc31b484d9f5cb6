import type { Generated } from 'kysely';

/** The tables of `webhooks/`. */
export interface WebhooksTables {
  /**
   * Where the events of a project are sent to.
   * @kept until they are deleted
   */
  webhook_endpoints: {
    /** Its id (`whk_…`). */
    id: string;
    /** The number of the project whose events it gets. */
    project_id: number;
    /** Where its requests go. */
    url: string;
    /** JSON array of event types; `otp.*` and `*` stand for several. */
    events: string;
    /** What it is for, in the words of whoever created it. */
    description: string | null;
    /** `api`, or `setting` for the one of WEBHOOK_URL. */
    origin: string;
    /** 1 while events are sent to it. */
    enabled: number;
    /** Why the server disabled it: `gone` or `failing`; null when it did not. */
    disabled_reason: string | null;
    /** 1 once it was deleted, while its deliveries still are being deleted. */
    deleted: Generated<number>;
    /** Sealed JSON: its secret, the secret before it until it ends, and the headers it wants. */
    sealed: Buffer;
    /** The version of the key that sealed it. */
    key_version: number;
    /** Since when every attempt has failed; null after a success. */
    failing_since: number | null;
    /** From when on events are being sent again; null when none are. */
    recover_since: number | null;
    /** The cursor of the last event that was looked at for that; null at its beginning. */
    recover_cursor: string | null;
    /** When it was created. */
    created_at: number;
    /** When somebody last changed it. */
    updated_at: number;
  };

  /**
   * One event for one endpoint, with every attempt to deliver it.
   * @kept `RETENTION_DAYS_WEBHOOKS` (30) once delivered or failed
   * @index webhook_deliveries_by_event an event is delivered to an endpoint under one row, and lists of an endpoint are in this order
   * @index webhook_deliveries_due what is to be sent now
   * @index webhook_deliveries_failed a list of what failed
   * @index webhook_deliveries_in_order the deliveries of one subject, of which one is under way at a time
   */
  webhook_deliveries: {
    /** Counts up in the order of the events. */
    seq: Generated<number>;
    /** Its id (`dlv_…`). */
    id: string;
    /** The endpoint it goes to. */
    endpoint_id: string;
    /** The id of the event (`evt_…`), which every attempt carries as `webhook-id`. */
    event_id: string;
    /** The type of the event. */
    type: string;
    /** What the event is about, or its own id: deliveries of one subject go one after another. */
    subject: string;
    /** The JSON that is sent. */
    body: string;
    /** `pending`, `delivered` or `failed`. */
    status: string;
    /** When the next attempt is due; while one is under way, when its claim ends; null while an earlier one of the subject is pending. */
    due_at: number | null;
    /** 1 while an attempt is under way. */
    sending: Generated<number>;
    /** The number of the latest claim; what is reported under an older one changes nothing. */
    claim: Generated<number>;
    /** Attempts of the retry schedule that were used. */
    tries: Generated<number>;
    /** JSON array of the latest attempts: when, status, duration in ms, error, beginning of the answer. */
    attempts: Generated<string>;
    /** When the event happened. */
    created_at: number;
  };
}
