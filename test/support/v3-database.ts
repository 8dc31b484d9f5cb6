import { createCipheriv, createHash, randomBytes, scryptSync } from 'node:crypto';
import { writeFileSync } from 'node:fs';

/*
 * Writes files as WOTP 3 did, from what is known of its format and nothing of the product's code: 16 bytes of IV, then
 * AES-256-CBC over JSON, under scrypt of DB_MASTER_KEY with the salt "salt" and Node's default cost.
 */

/** What v3 kept, as it kept it. */
export interface V3Content {
  tokens: unknown[];
  logs: unknown[];
}

export const V3_KEY = 'v3-secret';

/** A token as v3 gave it out, and what its database held of it. */
export function v3Token(createdAt: number): { token: string; entry: { hash: string; created_at: number } } {
  const token = `otp_${randomBytes(32).toString('hex')}`;
  return { token, entry: { hash: v3Hash(token), created_at: createdAt } };
}

/** How v3 hashed a token. */
function v3Hash(token: string): string {
  return createHash('sha256').update(token).digest('hex');
}

/** Text as v3 encrypted it. */
export function v3Encrypted(text: string, masterKey = V3_KEY): Buffer {
  const iv = randomBytes(16);
  const cipher = createCipheriv('aes-256-cbc', scryptSync(masterKey, 'salt', 32), iv);
  return Buffer.concat([iv, cipher.update(text), cipher.final()]);
}

/** Writes a v3 database to `path`. */
export function writeV3Database(path: string, content: V3Content, masterKey = V3_KEY): void {
  writeFileSync(path, v3Encrypted(JSON.stringify(content), masterKey));
}
