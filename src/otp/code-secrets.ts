import type { Keyring } from '../database/keyring.ts';
import { seal } from '../lib/seal.ts';
import { codeMac, macsEqual } from './code.ts';
import type { DestinationRow } from './repository.ts';

/** What is stored in place of a code, and the comparison with it. */
export interface CodeSecrets {
  /** A code as it is stored, under the newest key: the MAC of its normalized form, and itself sealed, for its messages. */
  store(verificationId: string, code: string): { code_mac: Buffer; sealed_code: Buffer; key_version: number };
  /**
   * Whether a normalized code is the one of a verification. Without one the same work is done and the answer is no,
   * so that the time does not tell which it was.
   */
  matches(row: DestinationRow | undefined, code: string): boolean;
}

const NO_MAC = Buffer.alloc(32);

export function codeSecrets(keyring: Keyring): CodeSecrets {
  return {
    store: (verificationId, code) => ({
      code_mac: codeMac(keyring.key('otp-code'), verificationId, code.toUpperCase()),
      sealed_code: seal(keyring.key('message-code'), code, verificationId),
      key_version: keyring.version,
    }),
    matches(row, code) {
      const key = keyring.key('otp-code', row?.key_version);
      const isEqual = macsEqual(codeMac(key, row?.id ?? 'ver_none', code), row?.code_mac ?? NO_MAC);
      return isEqual && row !== undefined;
    },
  };
}
