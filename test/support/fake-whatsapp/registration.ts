import { randomBytes } from 'node:crypto';
import type { proto } from 'baileys';
import type { Connection } from './connection.ts';
import { certifyDevice } from './device-identity.ts';
import { endSession } from './disconnects.ts';
import { pairSuccess } from './earlier-pairing.ts';
import { type LinkedDeviceKeys, type LinkedDeviceParts, linkDevice } from './linked-device.ts';
import type { Network } from './network.ts';
import type { PhoneParts } from './phone.ts';
import { bytesOf, find, SERVER, type Stanza, stanza } from './stanza.ts';

/** A client that is connected and wants to be paired with a phone. */
export interface Registration {
  readonly connection: Connection;
  /** The references its QR codes carry. */
  readonly refs: readonly string[];
  readonly noiseKey: Buffer;
  readonly identity: Buffer;
  /** Its request to be paired by a code typed into the phone with this number; `key` is wrapped under the code. */
  codeRequest: { user: string; ref: string; wrappedKey: Buffer } | undefined;
  received(node: Stanza): void;
  disconnected(): void;
  /** Hands the client what the phone answered to its code request; resolves with the client's answer to that. */
  answerCode(phoneIdentity: Buffer, wrappedKey: Buffer): Promise<Buffer>;
  /** Pairs it with the phone, and tells it to log in; the secret is the one that client and phone share. */
  pairWith(phone: PhoneParts, advSecret: Buffer): Promise<LinkedDeviceParts>;
}

const REFS = 6;

/** Offers a new client its QR codes, and takes it through the pairing. */
export function register(
  network: Network,
  connection: Connection,
  { devicePairingData }: proto.ClientPayload,
): Registration {
  const identity = Buffer.from(devicePairingData!.eIdent!);
  const refs = Array.from({ length: REFS }, () => `2@${randomBytes(24).toString('base64')}`);
  let expected: { take(node: Stanza): boolean; fail(error: Error): void } | undefined;

  /** The next stanza of the client that `pick` finds something in. */
  const next = <Found>(pick: (node: Stanza) => Found | undefined) =>
    new Promise<Found>((resolve, reject) => {
      expected?.fail(new Error('The phone has begun the pairing anew.'));
      expected = {
        take(node) {
          const found = pick(node);
          if (found === undefined) return false;
          expected = undefined;
          resolve(found);
          return true;
        },
        fail: reject,
      };
    });

  const registration: Registration = {
    connection,
    refs,
    noiseKey: connection.noiseKey,
    identity,
    codeRequest: undefined,
    received(node) {
      const link = find(node, 'link_code_companion_reg');
      if (link?.attrs.stage === 'companion_hello') {
        const ref = randomBytes(16).toString('base64url');
        registration.codeRequest = {
          user: link.attrs.jid!.split('@')[0]!,
          ref,
          wrappedKey: bytesOf(link, 'link_code_pairing_wrapped_companion_ephemeral_pub'),
        };
        const content = stanza('link_code_companion_reg', { stage: 'companion_hello' }, [
          stanza('link_code_pairing_ref', {}, Buffer.from(ref)),
        ]);
        connection.send(stanza('iq', { type: 'result', id: node.attrs.id, from: SERVER }, [content]));
      } else if (node.tag === 'iq' && node.attrs.type !== 'result') {
        connection.send(stanza('iq', { type: 'result', id: node.attrs.id, from: SERVER }));
      }
      expected?.take(node);
      network.changed();
    },
    disconnected() {
      network.registrations.delete(registration);
      expected?.fail(new Error('The client closed the connection before it was paired.'));
      network.changed();
    },
    answerCode(phoneIdentity, wrappedKey) {
      const content = stanza('link_code_companion_reg', { stage: 'primary_hello' }, [
        stanza('link_code_pairing_wrapped_primary_ephemeral_pub', {}, wrappedKey),
        stanza('primary_identity_pub', {}, phoneIdentity),
        stanza('link_code_pairing_ref', {}, Buffer.from(registration.codeRequest!.ref)),
      ]);
      const answer = next((node) => {
        const link = find(node, 'link_code_companion_reg');
        return link?.attrs.stage === 'companion_finish'
          ? bytesOf(link, 'link_code_pairing_wrapped_key_bundle')
          : undefined;
      });
      connection.send(
        stanza(
          'notification',
          {
            from: SERVER,
            type: 'link_code_companion_reg',
            id: network.newId(),
            t: network.agenda.timestamp(),
          },
          [content],
        ),
      );
      return answer;
    },
    async pairWith(phone, advSecret) {
      const id = phone.newDeviceId();
      const seconds = Math.floor(network.agenda.now() / 1000);
      const certificate = certifyDevice(phone.devices[0]!.identity, identity, id, advSecret, seconds);
      const device = linkDevice(
        network,
        phone,
        id,
        registration.noiseKey,
        identity,
        keysIn(devicePairingData!),
      );
      const success = pairSuccess(phone, device, certificate);
      const answer = next((node) => find(node, 'pair-device-sign', 'device-identity'));
      const attributes = { type: 'set', id: network.newId(), from: SERVER, t: network.agenda.timestamp() };
      connection.send(stanza('iq', attributes, [success]));
      if (!certificate.isCountersigned(bytesOf(await answer))) {
        throw new Error('The client did not sign its device identity with its own key.');
      }
      phone.linked.push(device);
      network.registrations.delete(registration);
      endSession(connection, 515);
      network.changed();
      return device;
    },
  };

  network.registrations.add(registration);
  const offers = refs.map((ref) => stanza('ref', {}, Buffer.from(ref)));
  const offer = stanza('pair-device', {}, offers);
  connection.send(stanza('iq', { type: 'set', xmlns: 'md', from: SERVER, id: network.newId() }, [offer]));
  network.changed();
  return registration;
}

function keysIn(data: proto.ClientPayload.IDevicePairingRegistrationData): LinkedDeviceKeys {
  return {
    registrationId: Buffer.from(data.eRegid!).readUInt32BE(),
    signedPreKey: {
      id: Buffer.from(data.eSkeyId!).readUIntBE(0, 3),
      public: Buffer.from(data.eSkeyVal!),
      signature: Buffer.from(data.eSkeySig!),
    },
    preKeys: new Map(),
  };
}
