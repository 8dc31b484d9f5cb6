import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { PostgresOpenError } from './errors.ts';

const FILES = {
  sslrootcert: { holds: 'certificate', read: (pem: Buffer) => new X509Certificate(pem) },
  sslcert: { holds: 'certificate', read: (pem: Buffer) => new X509Certificate(pem) },
  sslkey: { holds: 'private key without a passphrase', read: (pem: Buffer) => createPrivateKey(pem) },
};

/**
 * Looks at the files that a `DATABASE_URL` names for TLS; the client reads them at every connection.
 * @throws PostgresOpenError that names the file and what to do
 */
export function checkTlsFiles(url: string): void {
  const { searchParams } = new URL(url);
  for (const [parameter, { holds, read }] of Object.entries(FILES)) {
    const path = searchParams.get(parameter);
    if (!path) continue;
    const named = `DATABASE_URL names ${path} as ${parameter}, and the file`;
    const remedy = 'Name a PEM file, or take the parameter out.';
    let pem: Buffer;
    try {
      pem = readFileSync(path);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      throw new PostgresOpenError(`${named} cannot be read (${code}). ${remedy}`, error);
    }
    try {
      read(pem);
    } catch (error) {
      throw new PostgresOpenError(`${named} holds no ${holds}. ${remedy}`, error);
    }
  }
}
