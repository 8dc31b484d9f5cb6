import { randomBytes, randomInt } from 'node:crypto';
import { Curve, proto } from 'baileys';
import {
  GroupCipher,
  GroupSessionBuilder,
  SenderKeyName,
  SenderKeyRecord,
} from 'baileys/lib/Signal/Group/index.js';
import { libsignal, type SerializedSession, type SignalStorage } from './baileys-libraries.ts';
import { type IdentityKey, identityKey, type KeyPair } from './keys.ts';

/** The public keys with which anyone can begin a session with a device. */
export interface KeyBundle {
  registrationId: number;
  identity: Buffer;
  signedPreKey: { id: number; public: Buffer; signature: Buffer };
  /** For one session only; a device may have run out of them. */
  preKey?: { id: number; public: Buffer };
}

/** An encrypted message, as `<enc>` carries it. */
export interface Encrypted {
  type: 'pkmsg' | 'msg' | 'skmsg';
  body: Buffer;
}

/** The Signal protocol's end in one simulated device: real keys, real sessions, in memory. */
export interface SignalDevice {
  readonly identity: IdentityKey;
  /** The keys for one new session, with a key of its own. */
  bundle(): KeyBundle;
  /** The session with this address, if there is one; otherwise begins one with the bundle. */
  encrypt(address: string, message: proto.IMessage, bundle: () => KeyBundle): Promise<Encrypted>;
  /** Encrypts for a group under the sender's key; `distribution` is what members need to read it. */
  encryptForGroup(
    group: string,
    message: proto.IMessage,
  ): Promise<{ distribution: Buffer; encrypted: Encrypted }>;
  /** Throws what libsignal throws when the message cannot be read. */
  decrypt(address: string, encrypted: Encrypted): Promise<proto.Message>;
  /** Loses the session with this address, or all of them, like a phone that was set up anew from a backup. */
  forgetSessions(address?: string): void;
}

const KEY_TYPE = Buffer.from([5]);

/** A device with keys of its own, which are made when they are first needed. Addresses are texts like `123.4`. */
export function signalDevice(): SignalDevice {
  let keys: { identity: IdentityKey; signed: KeyPair; signature: Buffer; registrationId: number } | undefined;
  const own = () => {
    if (!keys) {
      const identity = identityKey();
      const signed = Curve.generateKeyPair() as KeyPair;
      const signature = identity.sign(Buffer.concat([KEY_TYPE, signed.public]));
      keys = { identity, signed, signature, registrationId: randomInt(1, 16_380) };
    }
    return keys;
  };
  const preKeys = new Map<number, KeyPair>();
  const sessions = new Map<string, SerializedSession>();
  const senderKeys = new Map<string, SenderKeyRecord>();
  let lastPreKeyId = 0;
  let sending: Promise<unknown> = Promise.resolve();

  const storage: SignalStorage = {
    loadSession: async (address) => {
      const session = sessions.get(address);
      return session && libsignal.SessionRecord.deserialize(session);
    },
    storeSession: async (address, session) => void sessions.set(address, session.serialize()),
    isTrustedIdentity: () => true,
    loadPreKey: async (id) => {
      const pair = preKeys.get(id);
      return pair && { privKey: pair.private, pubKey: Buffer.concat([KEY_TYPE, pair.public]) };
    },
    removePreKey: async (id) => void preKeys.delete(id),
    loadSignedPreKey: () => ({
      privKey: own().signed.private,
      pubKey: Buffer.concat([KEY_TYPE, own().signed.public]),
    }),
    getOurRegistrationId: () => own().registrationId,
    getOurIdentity: () => ({
      privKey: own().identity.private,
      pubKey: Buffer.concat([KEY_TYPE, own().identity.public]),
    }),
  };
  const senderKeyStore = {
    loadSenderKey: async (name: SenderKeyName) => senderKeys.get(name.toString()) ?? new SenderKeyRecord(),
    storeSenderKey: async (name: SenderKeyName, record: SenderKeyRecord) =>
      void senderKeys.set(name.toString(), record),
  };

  return {
    get identity() {
      return own().identity;
    },
    bundle() {
      const { identity, signed, signature, registrationId } = own();
      const preKey = Curve.generateKeyPair() as KeyPair;
      lastPreKeyId += 1;
      preKeys.set(lastPreKeyId, preKey);
      return {
        registrationId,
        identity: identity.public,
        signedPreKey: { id: 1, public: signed.public, signature },
        preKey: { id: lastPreKeyId, public: preKey.public },
      };
    },
    encrypt(address, message, bundle) {
      // One at a time, so that two messages to a new address do not begin two sessions.
      const encrypted = sending.then(async (): Promise<Encrypted> => {
        if (!sessions.has(address)) {
          const builder = new libsignal.SessionBuilder(storage, protocolAddress(address));
          await builder.initOutgoing(outgoing(bundle()));
        }
        const cipher = new libsignal.SessionCipher(storage, protocolAddress(address));
        const { type, body } = await cipher.encrypt(padded(message));
        return { type: type === 3 ? 'pkmsg' : 'msg', body };
      });
      sending = encrypted.catch(() => {});
      return encrypted;
    },
    async encryptForGroup(group, message) {
      const name = new SenderKeyName(group, { id: 'self', deviceId: 0, toString: () => 'self.0' });
      const distribution = await new GroupSessionBuilder(senderKeyStore).create(name);
      const body = await new GroupCipher(senderKeyStore, name).encrypt(padded(message));
      return {
        distribution: Buffer.from(distribution.serialize()),
        encrypted: { type: 'skmsg', body: Buffer.from(body) },
      };
    },
    async decrypt(address, { type, body }) {
      const cipher = new libsignal.SessionCipher(storage, protocolAddress(address));
      const plaintext =
        type === 'pkmsg'
          ? await cipher.decryptPreKeyWhisperMessage(body)
          : await cipher.decryptWhisperMessage(body);
      return proto.Message.decode(plaintext.subarray(0, plaintext.length - plaintext.at(-1)!));
    },
    forgetSessions(address) {
      if (address === undefined) sessions.clear();
      else sessions.delete(address);
    },
  };
}

function protocolAddress(address: string) {
  const [name, device] = address.split('.') as [string, string];
  return new libsignal.ProtocolAddress(name, Number(device));
}

function outgoing(bundle: KeyBundle) {
  const { registrationId, identity, signedPreKey, preKey } = bundle;
  return {
    registrationId,
    identityKey: Buffer.concat([KEY_TYPE, identity]),
    signedPreKey: {
      keyId: signedPreKey.id,
      publicKey: Buffer.concat([KEY_TYPE, signedPreKey.public]),
      signature: signedPreKey.signature,
    },
    ...(preKey && { preKey: { keyId: preKey.id, publicKey: Buffer.concat([KEY_TYPE, preKey.public]) } }),
  };
}

/** A message as bytes, with 1 to 16 bytes of padding that all say how many they are. */
function padded(message: proto.IMessage): Buffer {
  const length = (randomBytes(1)[0]! & 15) + 1;
  return Buffer.concat([proto.Message.encode(message).finish(), Buffer.alloc(length, length)]);
}
