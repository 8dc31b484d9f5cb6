import { randomBytes, scrypt, timingSafeEqual } from 'node:crypto';

/** OWASP's scrypt setting for passwords in 32 MiB. */
const COST = { N: 32_768, r: 8, p: 3, maxmem: 64 * 1024 * 1024 };
const HASH_BYTES = 32;

function slowHash(password: string, salt: Buffer): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    scrypt(password.normalize('NFC'), salt, HASH_BYTES, COST, (error, key) =>
      error ? reject(error) : resolve(key),
    );
  });
}

/** A slow hash of a password (scrypt, RFC 7914) with its own salt: `scrypt$<salt hex>$<hash hex>`. About 150 ms. */
export async function hashPassword(password: string): Promise<string> {
  const salt = randomBytes(16);
  return `scrypt$${salt.toString('hex')}$${(await slowHash(password, salt)).toString('hex')}`;
}

/** Whether a password is the one that was hashed. Takes as long as hashing does. */
export async function passwordMatches(password: string, stored: string): Promise<boolean> {
  const [, salt, hash] = stored.split('$');
  if (salt === undefined || hash === undefined) return false;
  return timingSafeEqual(await slowHash(password, Buffer.from(salt, 'hex')), Buffer.from(hash, 'hex'));
}

/** A password that a person can type: 24 letters and digits, 120 bits or more. */
export function generatePassword(): string {
  const symbols = 'abcdefghijkmnpqrstuvwxyz23456789';
  return [...randomBytes(24)].map((byte) => symbols[byte & 31]).join('');
}
