import { createCipheriv, createDecipheriv, type KeyObject } from 'node:crypto';
import { pooledRandomBytes } from './random.ts';

const IV_BYTES = 12;
const TAG_BYTES = 16;

/**
 * Encrypts a short text with AES-256-GCM (NIST SP 800-38D). `context` is authenticated with it, so that a sealed
 * value moved to another row does not open. Layout: 12 bytes IV, ciphertext, 16 bytes tag.
 */
export function seal(key: KeyObject, plaintext: string, context: string): Buffer {
  const iv = pooledRandomBytes(IV_BYTES);
  const cipher = createCipheriv('aes-256-gcm', key, iv, { authTagLength: TAG_BYTES });
  cipher.setAAD(Buffer.from(context, 'utf8'));
  return Buffer.concat([iv, cipher.update(plaintext, 'utf8'), cipher.final(), cipher.getAuthTag()]);
}

/** Opens what `seal` made. Throws when the key, the context or a byte differs. */
export function unseal(key: KeyObject, sealed: Buffer, context: string): string {
  const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(0, IV_BYTES), {
    authTagLength: TAG_BYTES,
  });
  decipher.setAAD(Buffer.from(context, 'utf8'));
  decipher.setAuthTag(sealed.subarray(sealed.length - TAG_BYTES));
  return Buffer.concat([
    decipher.update(sealed.subarray(IV_BYTES, sealed.length - TAG_BYTES)),
    decipher.final(),
  ]).toString('utf8');
}
