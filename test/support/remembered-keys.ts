import crypto from 'node:crypto';
import { syncBuiltinESMExports } from 'node:module';

type Parameters = [password: Buffer, salt: Buffer, length: number, cost?: object];

const remembered = Symbol.for('WOTP tests: stretched keys');
const realScrypt: ((...of: Parameters) => Buffer) & { [remembered]?: true } = crypto.scryptSync;

/**
 * Stretching a master key takes 60 ms by design, and every server of the tests does it twice. So each process of the
 * tests remembers what the real function gave for the same key, salt and cost; nothing else about it changes.
 */
if (!realScrypt[remembered]) {
  const results = new Map<string, Buffer>();
  const remembering = (...of: Parameters): Buffer => {
    const id = JSON.stringify(of);
    const result = results.get(id) ?? realScrypt(...of);
    results.set(id, result);
    return Buffer.from(result);
  };
  Object.assign(crypto, { scryptSync: Object.assign(remembering, { [remembered]: true }) });
  syncBuiltinESMExports();
}
