/** The tables of `keys/`. */
export interface KeysTables {
  /**
   * API keys, those of v3's clients (its tokens) included. The key itself is not stored.
   * @kept always; a revoked key stays as a row, so that its use can be traced and no import brings it back
   * @index api_keys_of_other_projects a project's list, newest first; that of the default project is not in it
   */
  api_keys: {
    /** `key_…` */
    id: string;
    /** The number of the project it acts on. */
    project_id: number;
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
}
