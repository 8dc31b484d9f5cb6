import { hkdfSync, scryptSync } from 'node:crypto';

/**
 * Cost of turning a master key into key material (scrypt, RFC 7914): 32 MiB of memory, about 60 ms. A master key may
 * be a sentence that somebody typed, so it is stretched once at start.
 */
const MASTER_KEY_COST = { N: 32_768, r: 8, p: 1, maxmem: 64 * 1024 * 1024 } as const;

/** Stretches a master key to 32 bytes with scrypt (RFC 7914). The key's text is taken as UTF-8. */
export function stretchMasterKey(masterKey: string, salt: Buffer): Buffer {
  return scryptSync(Buffer.from(masterKey, 'utf8'), salt, 32, MASTER_KEY_COST);
}

/** A 32-byte key for one purpose, derived by HKDF-SHA-256 (RFC 5869) without salt; `purpose` is its info. */
export function deriveKey(secret: Buffer, purpose: string): Buffer {
  return Buffer.from(hkdfSync('sha256', secret, Buffer.alloc(0), purpose, 32));
}
