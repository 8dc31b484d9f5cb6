import type { IncomingMessage } from 'node:http';
import { createRequire } from 'node:module';
import type { Duplex } from 'node:stream';

/**
 * The two libraries the fake server shares with Baileys, `ws` and `libsignal`. They are taken through Baileys' own
 * installation, so that the versions are always those Baileys runs with and the project needs no dependency on them.
 * The types name only what the fake uses.
 */
const requireLikeBaileys = createRequire(createRequire(import.meta.url).resolve('baileys'));

/** The server's end of one WebSocket. */
export interface WebSocket {
  send(data: Uint8Array): void;
  close(): void;
  terminate(): void;
  /** Reads nothing more from the network. */
  pause(): void;
  on(event: 'message', listener: (data: Buffer) => void): void;
  on(event: 'close', listener: () => void): void;
  on(event: 'error', listener: (error: Error) => void): void;
}

interface WebSocketServer {
  handleUpgrade(
    request: IncomingMessage,
    socket: Duplex,
    head: Buffer,
    opened: (socket: WebSocket) => void,
  ): void;
}

export const { WebSocketServer } = requireLikeBaileys('ws') as {
  WebSocketServer: new (options: { noServer: true }) => WebSocketServer;
};

/** What a device knows of its session with another one; opaque here. */
export interface SessionRecord {
  serialize(): SerializedSession;
}

export type SerializedSession = object;

/** Where libsignal keeps what it must remember. Public keys have 33 bytes here: 5, then the key. */
export interface SignalStorage {
  loadSession(address: string): Promise<SessionRecord | undefined>;
  storeSession(address: string, session: SessionRecord): Promise<void>;
  isTrustedIdentity(): boolean;
  loadPreKey(id: number): Promise<{ privKey: Buffer; pubKey: Buffer } | undefined>;
  removePreKey(id: number): Promise<void>;
  loadSignedPreKey(): { privKey: Buffer; pubKey: Buffer };
  getOurRegistrationId(): number;
  getOurIdentity(): { privKey: Buffer; pubKey: Buffer };
}

/** The public keys with which a session begins, as libsignal takes them. */
interface OutgoingSession {
  registrationId: number;
  identityKey: Buffer;
  signedPreKey: { keyId: number; publicKey: Buffer; signature: Buffer };
  preKey?: { keyId: number; publicKey: Buffer };
}

type ProtocolAddress = object;

interface SessionCipher {
  encrypt(plaintext: Buffer): Promise<{ type: number; body: Buffer }>;
  decryptPreKeyWhisperMessage(ciphertext: Buffer): Promise<Buffer>;
  decryptWhisperMessage(ciphertext: Buffer): Promise<Buffer>;
}

export const libsignal = requireLikeBaileys('libsignal') as {
  ProtocolAddress: new (name: string, deviceId: number) => ProtocolAddress;
  SessionCipher: new (storage: SignalStorage, address: ProtocolAddress) => SessionCipher;
  SessionBuilder: new (
    storage: SignalStorage,
    address: ProtocolAddress,
  ) => { initOutgoing(session: OutgoingSession): Promise<void> };
  SessionRecord: { deserialize(serialized: SerializedSession): SessionRecord };
};
