import type { Generated } from 'kysely';

/**
 * The tables as the queries see them; `migrations/` makes them, with the same names on every engine.
 * Times are Unix milliseconds, ids are TypeIDs, JSON is kept as text. Flags and enums are text or 0/1.
 *
 * Every table and column says here what it is for; `docs/DATABASE.md` is made from it. A table says `@kept` how long its
 * rows stay, and `@index` with an index' name why there is one.
 */
export interface Schema {
  /**
   * The tenants: keys, verifications, messages and events belong to exactly one.
   * @kept always
   */
  projects: {
    /** `prj_…` */
    id: string;
    /** For people. */
    name: string;
    /** When it was made. */
    created_at: number;
  };

  /**
   * API keys, those of v3's clients (its tokens) included. The key itself is not stored.
   * @kept always; a revoked key stays as a row, so that its use can be traced and no import brings it back
   */
  api_keys: {
    /** `key_…` */
    id: string;
    /** The project it acts on. */
    project_id: string;
    /** For people. */
    name: string;
    /** SHA-256 of the whole key, hex. Keys are random, so no slow hash is needed. */
    hash: string;
    /** Prefix and last characters, to know the key by; of v3's tokens the prefix alone. */
    preview: string;
    /** JSON array of permissions. */
    permissions: string;
    /** Requests a window; null for the server's own limit. */
    rate_limit: number | null;
    /** From then on it is refused; null for never. */
    expires_at: number | null;
    /** When it was revoked; null while it is good. */
    revoked_at: number | null;
    /** When it was made; for a token of v3, when v3 made it. */
    created_at: number;
    /** Requests made with it; written behind them, a few times a second. */
    usage_count: number;
    /** When it was last used, as exactly. */
    last_used_at: number | null;
    /** The key that created it, with which it ends; null where the administrator did. */
    parent_id: string | null;
    /** The first of the keys that led to it, whose limit its requests count against as well; null for that one itself. */
    root_id: string | null;
  };

  /**
   * One row a thing the server remembers about itself (the admin password's hash, the default project).
   * @kept always
   */
  settings: {
    /** `default_project_id`, `first_run_at`, `admin_password_hash`, `write_probe` … */
    key: string;
    /** Text; what it means depends on the key. */
    value: string;
  };

  /**
   * One row a master key that was ever in use; `salt` and `check_value` let a wrong key be told from damage.
   * @kept always
   */
  key_versions: {
    /** 1, 2, 3 …; new values are made under the newest. */
    version: number;
    /** 16 random bytes, hex: with the master key they give the secret from which keys are derived. */
    salt: string;
    /** HMAC-SHA-256 of a fixed text under that secret, hex. */
    check_value: string;
    /** The secret of a version that a later one has replaced, sealed under the newest; null in the newest itself. */
    sealed_secret: Buffer | null;
    /** When this master key was first used. */
    created_at: number;
  };

  /**
   * Signed-in pages of the administrator.
   * @kept until sign-out or a new password; a session that is over goes with the first sign-in after its 12 hours
   */
  admin_sessions: {
    /** HMAC-SHA-256 of the configured password and the cookie's value under a derived key, hex. */
    hash: string;
    /** When it was opened; it ends 12 hours later. */
    created_at: number;
    /** When it was last used, to the minute; it ends 30 minutes later. */
    last_seen_at: number;
  };

  /**
   * Client addresses from which the administrator signed in, so that wrong passwords from elsewhere cannot lock them out.
   * @kept 30 days after the last sign-in from it; deleted with the next sign-in from a new address
   */
  admin_addresses: {
    /** IPv4, or the /64 network of an IPv6 address. */
    address: string;
    /** When the administrator last signed in from it, to the day. */
    signed_in_at: number;
  };

  /**
   * Attempts to prove that a person holds a phone number, with the count of guesses and of messages.
   * @kept `RETENTION_DAYS_VERIFICATIONS` (30) after it ended, never less than 25 hours: limits and guesses look back so far
   * @index verifications_by_destination the verifications of one phone in the last day: what every send and check decides on
   * @index verifications_pending_by_expiry those whose time is over, for the sweep each second; only pending ones are in it
   * @index verifications_unverified_by_status lists of one state, also for one purpose, newest first; what most rows are is not in it
   * @index verifications_by_purpose lists of one purpose, newest first; the one of a send that names none is not in it
   */
  verifications: {
    /** `ver_…` */
    id: string;
    /** The project it belongs to. */
    project_id: string;
    /** E.164, as the message goes to it. */
    phone: string;
    /** The phone folded to one identity: what limits and budgets are counted by. */
    destination: string;
    /** The caller's word for what it is about; a phone can have one pending for each. */
    purpose: string;
    /** The channel that its messages take. */
    channel: string;
    /** `pending`, or how it ended: `verified`, `expired`, `canceled`, `max_attempts_reached`, `failed`. */
    status: string;
    /** Why it ended so, where the status alone does not say it. */
    reason: string | null;
    /** HMAC-SHA-256 of the code under a derived key, bound to the id. */
    code_mac: Buffer;
    /** The master key under which `code_mac` was made. */
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

  /**
   * The durable outbox, and what became of every message.
   * @kept as long as its verification; the code in it only until that ends
   * @index messages_queued_by_due the next that a channel sends, lane by lane; only queued ones are in it
   * @index messages_sending_by_due claims whose lease is over; only those being sent are in it
   */
  messages: {
    /** `msg_…`; the id under which it is sent, however often it is tried. */
    id: string;
    /** The project it belongs to. */
    project_id: string;
    /** The verification whose code it carries. */
    verification_id: string;
    /** E.164. */
    phone: string;
    /** The channel that sends it. */
    channel: string;
    /** Which wait first: 0 a code, 1 a single message, 2 one of many. */
    lane: number;
    /** `queued`, `sending`, `sent`, `delivered`, `read`, `failed`, `expired` or `canceled`. */
    status: string;
    /** Why it failed, waits or was given up. */
    reason: string | null;
    /** The text with `{{code}}` where the code stands; the code itself is only in `sealed_code`. */
    body: string;
    /** AES-256-GCM; null once the verification has ended. */
    sealed_code: Buffer | null;
    /** The master key under which `sealed_code` was made. */
    key_version: number;
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
  };

  /**
   * What happened, each written by the transaction of the change it reports. Never holds a code. On PostgreSQL the index
   * `events_by_commit` over `epoch`, `tx` and `seq` gives readers the order of commits.
   * @kept `RETENTION_DAYS_EVENTS` (90); the newest stays, so that its number is not given out again
   * @index events_of_v3 a line of v3's log is known by what it says, so that it is imported once; only those lines are in it
   */
  events: {
    /** Counts up; on WODB the order of commits. */
    seq: Generated<number>;
    /** PostgreSQL: counts up whenever transaction numbers may begin again, after a restore or on another server. 0 on WODB. */
    epoch: Generated<number>;
    /** PostgreSQL: the number of the transaction that wrote it. 0 on WODB. */
    tx: Generated<number>;
    /** The project it is about; null for an event of the installation. */
    project_id: string | null;
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

  /**
   * Fixed windows of request counts; written behind the requests, read at start.
   * @kept until the window is over; deleted every 10 minutes
   */
  rate_limits: {
    /** `key:<key id>`, `address:<address>`, `sign-in:<address or network>`, `sign-in:*` (all addresses) or `ticket:<nonce>`. */
    key: string;
    /** When the window began. */
    window_started_at: number;
    /** Requests (or wrong passwords) in it. */
    count: number;
  };

  /**
   * Answers that are given again to a request that is repeated with its `Idempotency-Key`.
   * @kept 24 hours; deleted every 10 minutes
   * @index idempotency_keys_by_age those that are kept no longer
   */
  idempotency_keys: {
    /** SHA-256 of project, API key, route and Idempotency-Key. */
    scope: string;
    /** HMAC of the canonical request. */
    fingerprint: Buffer;
    /** HTTP status of the answer. */
    status: number;
    /** The sealed answer. */
    answer: Buffer;
    /** The master key under which fingerprint and answer were made. */
    key_version: number;
    /** When it was answered first. */
    created_at: number;
  };

  /**
   * The virtual phone's memory: which messages arrived on it. Empty where there is no mock mode.
   * @kept as long as its message
   * @index simulator_messages_by_phone the newest messages of one phone
   */
  simulator_messages: {
    /** The message, whose text is in `messages`. */
    message_id: string;
    /** The project it belongs to. */
    project_id: string;
    /** E.164. */
    phone: string;
    /** When it arrived. */
    at: number;
  };

  /**
   * The linked WhatsApp numbers, and which process drives each.
   * @kept until the session is deleted
   */
  whatsapp_sessions: {
    /** `ses_…`. */
    id: string;
    /** The project whose messages it sends. */
    project_id: string;
    /** What the operator calls it. */
    name: string | null;
    /** AES-256-GCM of the proxy's address, which may hold a password. */
    sealed_proxy: Buffer | null;
    /** The key version under which the proxy's address is sealed. */
    key_version: number;
    /** AES-256-GCM of the QR code and the pairing code it can be linked with just now, as JSON; null while there is none. */
    sealed_codes: Buffer | null;
    /** The key version under which the codes are sealed. */
    codes_key_version: number | null;
    /** The linked number in E.164; null while none is linked. */
    phone: string | null;
    /** `new`, `pairing`, `connecting`, `open`, `degraded`, `reconnecting`, `logged_out`, `banned`, `paused` or `action_required`. */
    state: string;
    /** Why it is in this state, in plain words. */
    reason: string | null;
    /** When the next attempt to connect is planned; null when none is. */
    next_attempt_at: number | null;
    /** When a number was first linked. */
    linked_at: number | null;
    /** When the linked phone itself last gave a sign of life. */
    phone_seen_at: number | null;
    /** When the operator made it. */
    created_at: number;
    /** The process that drives the session; null when none does. */
    lease_owner: string | null;
    /** When another process may take it. */
    lease_until: number;
    /** Number of the lease; grows each time another process takes it. */
    lease: number;
  };

  /**
   * Commands for sessions, left by nodes that do not drive them for the node that does.
   * @kept until the answer is taken, a minute at most
   */
  whatsapp_commands: {
    /** A random UUID. */
    id: string;
    /** The session it is for. */
    session_id: string;
    /** AES-256-GCM of the command as JSON, which may hold a proxy's password. */
    sealed_command: Buffer;
    /** The key version under which the command is sealed. */
    key_version: number;
    /** When it was left; the node that has left it waits for 20 seconds. */
    asked_at: number;
    /** When the driving node has taken it; null before. */
    taken_at: number | null;
    /** AES-256-GCM of the answer as JSON, which may hold a pairing code; null before there is one. */
    sealed_answer: Buffer | null;
    /** The key version under which the answer is sealed. */
    answer_key_version: number | null;
  };

  /**
   * What Baileys must remember of a linked number: its credentials and Signal keys, a row a key.
   * @kept until the number is logged out or its session is deleted; what is about other people, `RETENTION_DAYS_CONTACTS` after its last change
   * @index whatsapp_auth_by_age what nobody uses any more is deleted from the oldest on
   */
  whatsapp_auth: {
    /** The session it belongs to. */
    session_id: string;
    /** `creds`, or Baileys' word for a kind of key. */
    kind: string;
    /** The key's name, exactly as Baileys gives it. */
    key: string;
    /** AES-256-GCM of the value as JSON, bound to session, kind and key. */
    sealed: Buffer;
    /** The key version under which it is sealed. */
    key_version: number;
    /** The day of its last change, in days since 1970 (UTC); a Signal session changes with each message. */
    used_day: number;
  };

  /**
   * Numbers that asked for no more messages.
   * @kept until an administrator removes them
   */
  suppressed_numbers: {
    /** The project they want nothing of. */
    project_id: string;
    /** The phone folded to one identity. */
    identity: string;
    /** E.164, as it wrote to us. */
    phone: string;
    /** When it asked. */
    created_at: number;
    /** What the operator has noted about it. */
    note: string | null;
  };

  /**
   * What WhatsApp said of a number: a cache.
   * @kept until the number is asked for again, or `RETENTION_DAYS_CONTACTS` after that
   * @index whatsapp_numbers_by_age what nobody asks for any more is deleted from the oldest on
   */
  whatsapp_numbers: {
    /** E.164, as it was asked for. */
    phone: string;
    /** The address WhatsApp gave; null when nobody uses WhatsApp with this number. */
    jid: string | null;
    /** When WhatsApp was asked. */
    checked_at: number;
  };

  /**
   * Which linked number wrote to whom: a chat of theirs exists.
   * @kept `RETENTION_DAYS_CONTACTS` after the last message, or until the session is deleted
   * @index whatsapp_chats_by_age chats that are over are deleted from the oldest on
   */
  whatsapp_chats: {
    /** Whom it wrote to, in E.164. */
    phone: string;
    /** The session that wrote. */
    session_id: string;
    /** When it last wrote. */
    last_wrote_at: number;
  };

  /**
   * What a linked number has sent today, and whether WhatsApp has stopped its new chats; whichever session it is linked in.
   * @kept `RETENTION_DAYS_CONTACTS` after the day it last sent
   */
  whatsapp_senders: {
    /** The linked number, in E.164. */
    phone: string;
    /** Days since 1970, in UTC. */
    day: number;
    /** Messages it has sent on that day. */
    sent_today: number;
    /** Until when it opens no new chats; null when it may. */
    stopped_until: number | null;
    /** How often WhatsApp has refused new chats in a row. */
    stops: number;
  };
}
