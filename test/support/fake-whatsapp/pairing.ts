import { createCipheriv, createDecipheriv, hkdfSync, pbkdf2Sync, randomBytes } from 'node:crypto';
import { Curve } from 'baileys';
import type { LinkedDeviceParts } from './linked-device.ts';
import type { Network } from './network.ts';
import type { PhoneParts } from './phone.ts';
import type { Registration } from './registration.ts';

/** The person holds the phone's camera to a QR code; throws when no connected client shows this code. */
export async function pairByQr(
  network: Network,
  phone: PhoneParts,
  text: string,
): Promise<LinkedDeviceParts> {
  const [ref, noiseKey, identity, advSecret] = text.slice(text.indexOf('#') + 1).split(',');
  const registration = [...network.registrations].find(({ refs }) => refs.includes(ref!));
  if (!registration) throw new Error('The phone says: this QR code is not valid (any more).');
  if (
    noiseKey !== registration.noiseKey.toString('base64') ||
    identity !== registration.identity.toString('base64')
  ) {
    throw new Error('The phone says: the keys in the QR code are not those of the client that shows it.');
  }
  return registration.pairWith(phone, Buffer.from(advSecret!, 'base64'));
}

/** The client that waits for its code to be typed into this phone. */
export function codeRequestFor(network: Network, { user }: PhoneParts): Registration | undefined {
  return [...network.registrations].find(({ codeRequest }) => codeRequest?.user === user);
}

/** The person types a pairing code; throws when it is wrong or no client asked for one for this number. */
export async function pairByCode(
  network: Network,
  phone: PhoneParts,
  typed: string,
): Promise<LinkedDeviceParts> {
  const code = typed.replaceAll(/[\s-]/g, '').toUpperCase();
  const registration = codeRequestFor(network, phone);
  if (!registration) throw new Error('The phone says: no device has asked to be linked with this number.');

  const identity = phone.devices[0]!.identity;
  const ephemeral = Curve.generateKeyPair();
  const clientEphemeral = unwrap(registration.codeRequest!.wrappedKey, code);
  const sealed = await registration.answerCode(identity.public, wrap(Buffer.from(ephemeral.public), code));

  const shared = Curve.sharedKey(ephemeral.private, clientEphemeral);
  const bundle = openBundle(sealed, shared);
  if (
    !bundle.subarray(0, 32).equals(registration.identity) ||
    !bundle.subarray(32, 64).equals(identity.public)
  ) {
    throw new Error('The phone says: the keys in the answer of the client are not those of the two.');
  }
  const secret = Buffer.concat([
    shared,
    Curve.sharedKey(identity.private, registration.identity),
    bundle.subarray(64),
  ]);
  return registration.pairWith(phone, hkdf(secret, Buffer.alloc(0), 'adv_secret'));
}

const ITERATIONS = 131_072;

function wrap(key: Buffer, code: string): Buffer {
  const salt = randomBytes(32);
  const iv = randomBytes(16);
  const cipher = createCipheriv('aes-256-ctr', pbkdf2Sync(code, salt, ITERATIONS, 32, 'sha256'), iv);
  return Buffer.concat([salt, iv, cipher.update(key)]);
}

function unwrap(wrapped: Buffer, code: string): Buffer {
  const key = pbkdf2Sync(code, wrapped.subarray(0, 32), ITERATIONS, 32, 'sha256');
  return createDecipheriv('aes-256-ctr', key, wrapped.subarray(32, 48)).update(wrapped.subarray(48));
}

/** What the client sealed for the phone; a wrong code shows here, since it led to another key. */
function openBundle(sealed: Buffer, shared: Uint8Array): Buffer {
  const key = hkdf(shared, sealed.subarray(0, 32), 'link_code_pairing_key_bundle_encryption_key');
  const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(32, 44));
  decipher.setAuthTag(sealed.subarray(-16));
  try {
    return Buffer.concat([decipher.update(sealed.subarray(44, -16)), decipher.final()]);
  } catch {
    throw new Error('The phone says: the code is wrong.');
  }
}

function hkdf(secret: Uint8Array, salt: Uint8Array, info: string): Buffer {
  return Buffer.from(hkdfSync('sha256', secret, salt, info, 32));
}
