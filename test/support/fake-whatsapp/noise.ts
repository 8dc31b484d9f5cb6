import { createCipheriv, createDecipheriv, createHash, hkdfSync } from 'node:crypto';
import { Curve, proto } from 'baileys';

/** The server's side of the Noise_XX handshake and of the sealed frames after it. */
export interface NoiseResponder {
  /** Answers the client's first message with the server's. */
  answerHello(message: Uint8Array): Uint8Array;
  /** Reads the client's second message; from then on `seal` and `open` work. */
  readFinish(message: Uint8Array): { noiseKey: Buffer; payload: proto.ClientPayload };
  seal(plaintext: Uint8Array): Buffer;
  open(sealed: Uint8Array): Buffer;
}

const PROTOCOL = Buffer.from('Noise_XX_25519_AESGCM_SHA256\0\0\0\0');
const PROLOGUE = Buffer.from([0x57, 0x41, 6, 3]);
const TAG_LENGTH = 16;

/**
 * WhatsApp's public certificates, as it sends them to every client in the clear structure of the handshake. Baileys
 * checks that they are signed, not that they certify the key of this handshake, so they serve for any server.
 */
const CERTIFICATES = Buffer.from(
  'CncKMwjjAhADGiCRKg7Kg1iu4CSulwLBaxX51Tefw6VXGgZqcr5OEbXIRiDQ04bOBijQjZ/TBhJA34Bj82jAHhLpCWBNVBlGnFDieamd8+138S57' +
    'uMt9ke9mrn5r4+VepwBPKEgHjob6bR70rlCmWDkxZv+CfVjIAxJ2CjIIAxAAGiAcUamsMDmUxsjQuS6hh4pTNHZZnMWZ++o1mX2aqQzOYiCAka6+' +
    'Bij/3rfcBhJAJw8pRkhTn+1IcOJQVN1OlZg6uikYnCumyO7acFVVX3U3QPXsGSq2TCbCbWrebSC593Su43EgprIDlfU8ZgWFBw==',
  'base64',
);

/** Begins a handshake with a client; the server's keys are new each time. */
export function noiseResponder(): NoiseResponder {
  const ephemeral = Curve.generateKeyPair();
  const longTerm = Curve.generateKeyPair();
  let hash: Buffer = PROTOCOL;
  let salt: Buffer = PROTOCOL;
  let key: Buffer = PROTOCOL;
  let counter = 0;
  let opening: Direction | undefined;
  let sealing: Direction | undefined;

  const authenticate = (data: Uint8Array) => {
    hash = createHash('sha256').update(hash).update(data).digest();
  };
  const derive = (input: Uint8Array): [Buffer, Buffer] => {
    const derived = Buffer.from(hkdfSync('sha256', input, salt, Buffer.alloc(0), 64));
    return [derived.subarray(0, 32), derived.subarray(32)];
  };
  const mixInto = (secret: Uint8Array) => {
    [salt, key] = derive(secret);
    counter = 0;
  };
  const encryptAndMix = (plaintext: Uint8Array) => {
    const sealed = gcmSeal(key, counter++, plaintext, hash);
    authenticate(sealed);
    return sealed;
  };
  const decryptAndMix = (sealed: Uint8Array) => {
    const plaintext = gcmOpen(key, counter++, sealed, hash);
    authenticate(sealed);
    return plaintext;
  };
  authenticate(PROLOGUE);

  return {
    answerHello(message) {
      const clientKey = proto.HandshakeMessage.decode(message).clientHello!.ephemeral!;
      authenticate(clientKey);
      authenticate(ephemeral.public);
      mixInto(Curve.sharedKey(ephemeral.private, clientKey));
      const sealedKey = encryptAndMix(longTerm.public);
      mixInto(Curve.sharedKey(longTerm.private, clientKey));
      const serverHello = {
        ephemeral: ephemeral.public,
        static: sealedKey,
        payload: encryptAndMix(CERTIFICATES),
      };
      return proto.HandshakeMessage.encode({ serverHello }).finish();
    },
    readFinish(message) {
      const finish = proto.HandshakeMessage.decode(message).clientFinish!;
      const noiseKey = decryptAndMix(finish.static!);
      mixInto(Curve.sharedKey(ephemeral.private, noiseKey));
      const payload = proto.ClientPayload.decode(decryptAndMix(finish.payload!));
      const [fromClient, toClient] = derive(new Uint8Array(0));
      opening = { key: fromClient, count: 0 };
      sealing = { key: toClient, count: 0 };
      return { noiseKey, payload };
    },
    seal: (plaintext) => gcmSeal(sealing!.key, sealing!.count++, plaintext),
    open: (sealed) => gcmOpen(opening!.key, opening!.count++, sealed),
  };
}

interface Direction {
  key: Buffer;
  count: number;
}

function nonce(count: number): Buffer {
  const iv = Buffer.alloc(12);
  iv.writeUInt32BE(count, 8);
  return iv;
}

function gcmSeal(key: Buffer, count: number, plaintext: Uint8Array, aad?: Buffer): Buffer {
  const cipher = createCipheriv('aes-256-gcm', key, nonce(count));
  if (aad) cipher.setAAD(aad);
  return Buffer.concat([cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]);
}

function gcmOpen(key: Buffer, count: number, sealed: Uint8Array, aad?: Buffer): Buffer {
  const decipher = createDecipheriv('aes-256-gcm', key, nonce(count));
  if (aad) decipher.setAAD(aad);
  decipher.setAuthTag(sealed.subarray(-TAG_LENGTH));
  return Buffer.concat([decipher.update(sealed.subarray(0, -TAG_LENGTH)), decipher.final()]);
}
