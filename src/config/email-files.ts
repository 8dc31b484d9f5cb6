import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readBounded } from '../lib/bounded-file.ts';
import { systemErrorText } from '../lib/system-error.ts';
import type { Config } from './config.ts';
import { ConfigError } from './problems.ts';

const PEM_MAX_BYTES = 1_048_576;
/** Receivers take no less (RFC 8301). */
const KEY_BITS_MIN = 1024;

/**
 * The private key that mail is signed with, as PEM; undefined where none is set. The mail library sends unsigned mail
 * with a key that it cannot use.
 * @throws ConfigError that names the file and what to do
 */
export function readDkimKey({ dkimKeyFile }: Config['email']): string | undefined {
  if (dkimKeyFile === undefined) return undefined;
  const pem = read('SMTP_DKIM_KEY_FILE', dkimKeyFile);
  const remedy = 'name a PEM file with an RSA private key of 2048 bits and without a passphrase';
  const key = attempt(
    () => createPrivateKey(pem),
    `SMTP_DKIM_KEY_FILE: ${dkimKeyFile} holds no private key; ${remedy}.`,
  );
  const bits = key.asymmetricKeyDetails?.modulusLength ?? 0;
  if (key.asymmetricKeyType !== 'rsa' || bits < KEY_BITS_MIN) {
    const found =
      key.asymmetricKeyType === 'rsa' ? `of ${bits} bits` : `of the type ${key.asymmetricKeyType}`;
    throw new ConfigError([`SMTP_DKIM_KEY_FILE: ${dkimKeyFile} holds a key ${found}; ${remedy}.`]);
  }
  return pem;
}

/**
 * The certificates that the mail server's is checked by, as PEM; undefined for those of the system.
 * @throws ConfigError that names the file and what to do
 */
export function readSmtpCertificates({ server }: Config['email']): string | undefined {
  if (server?.caFile === undefined) return undefined;
  const pem = read('SMTP_URL', server.caFile);
  attempt(
    () => new X509Certificate(pem),
    `SMTP_URL: ${server.caFile} (ca) holds no certificate; name a PEM file.`,
  );
  return pem;
}

function read(setting: string, file: string): string {
  try {
    return readBounded(file, PEM_MAX_BYTES).toString('utf8');
  } catch (error) {
    const reason = systemErrorText(error) ?? `${file} cannot be read (${String(error)}).`;
    throw new ConfigError([`${setting}: ${reason}`]);
  }
}

function attempt<T>(parse: () => T, problem: string): T {
  try {
    return parse();
  } catch {
    throw new ConfigError([problem]);
  }
}
