import {
  type AuthenticationCreds,
  BufferJSON,
  configureSuccessfulPairing,
  generateOrGetPreKeys,
  initAuthCreds,
} from 'baileys';
import { certifyDevice, type DeviceIdentity } from './device-identity.ts';
import { type LinkedDeviceParts, linkDevice } from './linked-device.ts';
import type { Network } from './network.ts';
import type { PhoneParts } from './phone.ts';
import { SERVER, type Stanza, stanza } from './stanza.ts';

/** A device that was paired before a test begins, and the multi-file folder that its client keeps of it. */
export interface EarlierPairing {
  device: LinkedDeviceParts;
  /** The text of each file by name, as Baileys writes them. */
  files: Record<string, string>;
}

/** One-time keys that the device has left at the server; more than a client finds few. */
const PRE_KEYS = 20;

/** Pairs a phone with a client that is not there: what is asked of both is computed, in a few ms. */
export function pairEarlier(network: Network, phone: PhoneParts): EarlierPairing {
  const blank = initAuthCreds();
  const identity = Buffer.from(blank.signedIdentityKey.public);
  const id = phone.newDeviceId();
  const { keyPair, signature, keyId } = blank.signedPreKey;
  const { newPreKeys, lastPreKeyId } = generateOrGetPreKeys(blank, PRE_KEYS);
  const preKeys = Object.entries(newPreKeys).map(([key, pair]): [number, Buffer] => [
    Number(key),
    Buffer.from(pair.public),
  ]);
  const device = linkDevice(network, phone, id, Buffer.from(blank.noiseKey.public), identity, {
    registrationId: blank.registrationId,
    signedPreKey: { id: keyId, public: Buffer.from(keyPair.public), signature: Buffer.from(signature) },
    preKeys: new Map(preKeys),
  });
  const secret = Buffer.from(blank.advSecretKey, 'base64');
  const seconds = Math.floor(network.agenda.now() / 1000);
  const certificate = certifyDevice(phone.devices[0]!.identity, identity, id, secret, seconds);
  const attributes = { type: 'set', id: network.newId(), from: SERVER };
  const success = stanza('iq', attributes, [pairSuccess(phone, device, certificate)]);
  const { creds: paired } = configureSuccessfulPairing(success, blank);
  const creds: AuthenticationCreds = {
    ...blank,
    ...paired,
    nextPreKeyId: lastPreKeyId + 1,
    firstUnuploadedPreKeyId: lastPreKeyId + 1,
  };
  phone.linked.push(device);
  const text = (value: unknown) => JSON.stringify(value, BufferJSON.replacer);
  const keyFiles = Object.entries(newPreKeys).map(([key, pair]) => [`pre-key-${key}.json`, text(pair)]);
  return { device, files: { 'creds.json': text(creds), ...Object.fromEntries(keyFiles) } };
}

/** What the server tells a client whose phone has accepted it. */
export function pairSuccess(
  phone: PhoneParts,
  device: LinkedDeviceParts,
  certificate: DeviceIdentity,
): Stanza {
  return stanza('pair-success', {}, [
    stanza('device-identity', {}, certificate.bytes),
    ...(phone.name ? [stanza('biz', { name: phone.name })] : []),
    stanza('device', { jid: device.jid, lid: device.lid }),
    stanza('platform', { name: 'android' }),
  ]);
}
