import type { Generated } from 'kysely';

/**
 * The tables as the queries see them; `migrations/` makes them, with the same names on every engine.
 * Times are Unix milliseconds, ids are TypeIDs, JSON is kept as text. Flags and enums are text or 0/1.
 */
export interface Schema {
  projects: {
    id: string;
    name: string;
    created_at: number;
  };

  api_keys: {
    id: string;
    project_id: string;
    name: string;
    /** SHA-256 of the whole key, hex. Keys are random, so no slow hash is needed. */
    hash: string;
    preview: string;
    /** JSON array of permissions. */
    permissions: string;
    rate_limit: number | null;
    expires_at: number | null;
    revoked_at: number | null;
    created_at: number;
    usage_count: number;
    last_used_at: number | null;
  };

  /** One row a thing the server remembers about itself (the admin password's hash, the default project). */
  settings: {
    key: string;
    value: string;
  };

  /** One row a master key that was ever in use; `salt` and `check_value` let a wrong key be told from damage. */
  key_versions: {
    version: number;
    salt: string;
    check_value: string;
    created_at: number;
  };

  admin_sessions: {
    /** SHA-256 of the cookie's value, hex. */
    hash: string;
    created_at: number;
    last_seen_at: number;
  };

  verifications: {
    id: string;
    project_id: string;
    phone: string;
    /** The phone folded to one identity: what limits and budgets are counted by. */
    destination: string;
    purpose: string;
    channel: string;
    status: string;
    reason: string | null;
    /** HMAC-SHA-256 of the code under a derived key, bound to the id. */
    code_mac: Buffer;
    key_version: number;
    code_length: number;
    attempts: number;
    /** JSON array of [time, message id], oldest first: the messages of this verification. */
    sends: string;
    /** JSON array of [time, client address or null]: failed checks that still count against the destination. */
    failed_checks: string;
    client_ip: string | null;
    metadata: string | null;
    created_at: number;
    expires_at: number;
    verified_at: number | null;
    /** When an administrator lifted the phone's limits: what came before no longer counts. */
    limits_lifted_at: number | null;
  };

  messages: {
    id: string;
    project_id: string;
    verification_id: string;
    phone: string;
    channel: string;
    status: string;
    reason: string | null;
    /** The text with `{{code}}` where the code stands; the code itself is only in `sealed_code`. */
    body: string;
    /** AES-256-GCM; null once the verification has ended. */
    sealed_code: Buffer | null;
    key_version: number;
    /** JSON array of [time, status, reason or null], oldest first. */
    timeline: string;
    attempts: number;
    /** Number of the claim; grows with each one, and a write under an older number changes nothing. */
    claim: number;
    /** When a queued message may be tried; when the lease of one being sent ends. */
    due_at: number;
    expires_at: number;
    created_at: number;
  };

  events: {
    /** Counts up; the order in which events were written. */
    seq: Generated<number>;
    project_id: string;
    type: string;
    at: number;
    verification_id: string | null;
    message_id: string | null;
    /** JSON object with what the type adds; null when there is nothing. */
    data: string | null;
  };

  /** Fixed windows of request counts; written behind the requests, read at start. */
  rate_limits: {
    key: string;
    window_started_at: number;
    count: number;
  };

  idempotency_keys: {
    /** SHA-256 of project, API key, route and Idempotency-Key. */
    scope: string;
    /** HMAC of the canonical request. */
    fingerprint: Buffer;
    status: number;
    /** The sealed answer. */
    answer: Buffer;
    key_version: number;
    created_at: number;
  };

  /** The virtual phone's memory: which messages arrived on it. */
  simulator_messages: {
    message_id: string;
    project_id: string;
    phone: string;
    at: number;
  };

  whatsapp_sessions: {
    id: string;
    project_id: string;
    name: string | null;
    /** AES-256-GCM of the proxy's address, which may hold a password. */
    sealed_proxy: Buffer | null;
    key_version: number;
    /** The linked number in E.164; null while none is linked. */
    phone: string | null;
    state: string;
    /** Why it is in this state, in plain words. */
    reason: string | null;
    next_attempt_at: number | null;
    linked_at: number | null;
    /** When the linked phone itself last gave a sign of life. */
    phone_seen_at: number | null;
    created_at: number;
    /** The process that drives the session; null when none does. */
    lease_owner: string | null;
    lease_until: number;
    /** Number of the lease; grows each time another process takes it. */
    lease: number;
  };

  /** What Baileys must remember of a linked number: its credentials and Signal keys, a row a key. */
  whatsapp_auth: {
    session_id: string;
    kind: string;
    /** The key's name, exactly as Baileys gives it. */
    key: string;
    /** AES-256-GCM of the value as JSON, bound to session, kind and key. */
    sealed: Buffer;
    key_version: number;
  };

  /** Numbers that asked for no more messages. */
  suppressed_numbers: {
    project_id: string;
    /** The phone folded to one identity. */
    identity: string;
    phone: string;
    created_at: number;
  };

  /** What WhatsApp said of a number: a cache. */
  whatsapp_numbers: {
    /** E.164, as it was asked for. */
    phone: string;
    /** The address WhatsApp gave; null when nobody uses WhatsApp with this number. */
    jid: string | null;
    checked_at: number;
  };

  /** Which linked number wrote to whom: a chat of theirs exists. */
  whatsapp_chats: {
    phone: string;
    session_id: string;
    last_wrote_at: number;
  };

  /** What a linked number has sent today, and whether WhatsApp has stopped its new chats. */
  whatsapp_senders: {
    session_id: string;
    /** Days since 1970, in UTC. */
    day: number;
    sent_today: number;
    stopped_until: number | null;
    stops: number;
  };
}
