/** The tables of `channels/whatsapp/`. */
export interface WhatsappTables {
  /**
   * The linked WhatsApp numbers, and which process drives each.
   * @kept until the session is deleted
   */
  whatsapp_sessions: {
    /** `ses_…`. */
    id: string;
    /** The project whose messages it sends. */
    project_id: number;
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
    /** Why it is in this state. */
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
   * @index whatsapp_chats_by_age expired chats are deleted, oldest first
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
