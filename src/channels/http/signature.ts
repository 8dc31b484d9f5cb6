import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import type { SignatureDefinition } from '../../config/provider-schema.ts';

/** A callback as it arrived. */
export interface SignedRequest {
  /** The addresses that the provider may have called, as it sees them: with path and query, and without the port or with it. */
  urls: readonly string[];
  /** By names in lower case. */
  headers: Readonly<Record<string, string | string[] | undefined>>;
  /** The very bytes. */
  body: Buffer;
  /** The fields of a form in their order; undefined where the body is none. */
  form: URLSearchParams | undefined;
}

/** Whether the provider that knows the secret has signed a request. */
export function isSigned(signature: SignatureDefinition, request: SignedRequest): boolean {
  if (!('scheme' in signature)) return isSignedByHmac(signature, request);
  return signature.scheme === 'twilio'
    ? isSignedByTwilio(signature.secret, request)
    : isSignedByTelegram(signature.secret, request);
}

type Hmac = Exclude<SignatureDefinition, { scheme: string }>;

function isSignedByHmac(signature: Hmac, request: SignedRequest): boolean {
  const { header, algorithm, encoding, secret, over, timestampHeader, separator } = signature;
  const hash = algorithm.replace('hmac-', '');
  // Some write the algorithm before it: sha256=….
  const given = headerOf(request, header)?.replace(new RegExp(`^${hash}=`), '');
  const timestamp = timestampHeader === undefined ? undefined : headerOf(request, timestampHeader);
  if (given === undefined || (over.includes('timestamp') && timestamp === undefined)) return false;
  const urls = over.includes('url') ? request.urls : [''];
  return urls.some((url) => {
    const parts = { body: request.body, url, timestamp: timestamp ?? '', form: sortedFields(request.form) };
    const hmac = createHmac(hash, secret);
    for (const [at, part] of over.entries()) hmac.update(at === 0 ? '' : separator).update(parts[part]);
    return isSame(hmac.digest(), given, encoding);
  });
}

/** Over the address and the sorted fields of the form; of any other body the address holds the hash. */
function isSignedByTwilio(secret: string, request: SignedRequest): boolean {
  const given = headerOf(request, 'x-twilio-signature');
  if (given === undefined) return false;
  const { body, form } = request;
  return request.urls.some((url) => {
    const bodyHash = new URL(url).searchParams.get('bodySHA256');
    if (!form) {
      const digest = createHash('sha256').update(body).digest();
      if (bodyHash === null ? body.length > 0 : !isSame(digest, bodyHash, 'hex')) return false;
    }
    const digest = createHmac('sha1', secret).update(url).update(sortedFields(form)).digest();
    return isSame(digest, given, 'base64');
  });
}

/** Under the hash of the token, over the timestamp and the body on a line of its own. */
function isSignedByTelegram(token: string, request: SignedRequest): boolean {
  const given = headerOf(request, 'x-request-signature');
  const timestamp = headerOf(request, 'x-request-timestamp');
  if (given === undefined || timestamp === undefined) return false;
  const key = createHash('sha256').update(token).digest();
  const digest = createHmac('sha256', key).update(`${timestamp}\n`).update(request.body).digest();
  return isSame(digest, given, 'hex');
}

function isSame(digest: Buffer, given: string, encoding: 'hex' | 'base64'): boolean {
  const bytes = Buffer.from(given.trim(), encoding);
  return bytes.length === digest.length && timingSafeEqual(bytes, digest);
}

function headerOf({ headers }: SignedRequest, name: string): string | undefined {
  const value = headers[name];
  return typeof value === 'string' && value !== '' ? value : undefined;
}

/** The fields of a form, sorted by name, each name with its values behind it and nothing between. */
function sortedFields(form: URLSearchParams | undefined): string {
  const names = [...new Set(form?.keys() ?? [])].sort();
  return names
    .flatMap((name) => [...new Set(form!.getAll(name))].sort().map((value) => `${name}${value}`))
    .join('');
}
