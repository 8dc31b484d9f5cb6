import type { Keyring } from '../database/keyring.ts';
import { codeMac, macsEqual } from './code.ts';
import type { DestinationRow } from './repository.ts';

/** What is stored in place of a code, and the comparison with it. */
export interface CodeSecrets {
  /** The MAC of a normalized code under the newest key, for a new verification. */
  macFor(verificationId: string, code: string): { code_mac: Buffer; key_version: number };
  /**
   * Whether a normalized code is the one of a verification. Without one the same work is done and the answer is no,
   * so that the time does not tell which it was.
   */
  matches(row: DestinationRow | undefined, code: string): boolean;
}

const NO_MAC = Buffer.alloc(32);

export function codeSecrets(keyring: Keyring): CodeSecrets {
  return {
    macFor: (verificationId, code) => ({
      code_mac: codeMac(keyring.key('otp-code'), verificationId, code),
      key_version: keyring.version,
    }),
    matches(row, code) {
      const key = keyring.key('otp-code', row?.key_version);
      const isEqual = macsEqual(codeMac(key, row?.id ?? 'ver_none', code), row?.code_mac ?? NO_MAC);
      return isEqual && row !== undefined;
    },
  };
}
