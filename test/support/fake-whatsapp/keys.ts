import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type JsonWebKey,
  sign,
} from 'node:crypto';

/** A Curve25519 pair, 32 bytes each. */
export interface KeyPair {
  public: Buffer;
  private: Buffer;
}

/** A Curve25519 pair that can also sign (XEdDSA). */
export interface IdentityKey extends KeyPair {
  sign(message: Uint8Array): Buffer;
}

const PKCS8_X25519 = Buffer.from('302e020100300506032b656e04220420', 'hex');

/**
 * An identity key made of an Ed25519 key: the scalar that Ed25519 derives from its seed serves as the Curve25519
 * private key, so Node's own Ed25519 signs, many times faster than JavaScript does. XEdDSA keeps the sign of the
 * Edwards point in the top bit of the signature, since the Curve25519 public key has lost it.
 */
export function identityKey(): IdentityKey {
  const { privateKey } = generateKeyPairSync('ed25519');
  const { d, x } = privateKey.export({ format: 'jwk' }) as JsonWebKey & { d: string; x: string };
  const scalar = createHash('sha512').update(Buffer.from(d, 'base64url')).digest().subarray(0, 32);
  scalar[0]! &= 248;
  scalar[31]! &= 127;
  scalar[31]! |= 64;
  const signBit = Buffer.from(x, 'base64url')[31]! & 128;
  return {
    public: publicOf(scalar),
    private: scalar,
    sign(message) {
      const signature = sign(null, message, privateKey);
      signature[63]! |= signBit;
      return signature;
    },
  };
}

function publicOf(scalar: Buffer): Buffer {
  const key = createPrivateKey({ key: Buffer.concat([PKCS8_X25519, scalar]), format: 'der', type: 'pkcs8' });
  return createPublicKey(key).export({ format: 'der', type: 'spki' }).subarray(-32);
}
