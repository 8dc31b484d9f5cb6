/** What the installation remembers about itself, and what is kept for requests of every kind. */
export interface CoreTables {
  /**
   * One row a thing the server remembers about itself (the admin password's hash, when it was first started).
   * @kept always
   */
  settings: {
    /** `first_run_at`, `admin_password_hash`, `write_probe` … */
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
   * Fixed windows of request counts; written behind the requests, read at start.
   * @kept until the window has ended; deleted every 10 minutes
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
}
