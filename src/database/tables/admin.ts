/** The tables of `admin/`. */
export interface AdminTables {
  /**
   * Signed-in pages of the administrator.
   * @kept until sign-out or a new password; an expired one is deleted at the first sign-in after its 12 hours
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
}
