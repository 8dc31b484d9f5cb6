import { PROGRAM } from '../lib/program.ts';
import type { Config } from './config.ts';
import { GROUPS } from './groups.ts';
import type { Variable } from './variable.ts';
import { type Weakness, weaknessOf } from './weak-secret.ts';

interface WeakSecret {
  variable: Variable<string | undefined>;
  weakness: Weakness;
  /** What to do. */
  remedy: string;
}

/** The configured secrets that others know or guess, each with what to do. */
export function weakSecrets({ security }: Config): WeakSecret[] {
  const { masterKey, masterPassword } = GROUPS.security;
  return [
    {
      variable: masterKey,
      value: security.masterKey,
      remedy: `Create one with \`${PROGRAM} master-key create --write new.key\`; to move data that uses this one, run \`${PROGRAM} master-key rotate --new-key-file new.key --yes\`.`,
    },
    {
      variable: masterPassword,
      value: security.masterPassword,
      remedy: 'Use a random one, or four words or more that have nothing to do with each other.',
    },
  ].flatMap(({ value, ...rest }) => {
    const weakness = value === undefined ? undefined : weaknessOf(value);
    return weakness === undefined ? [] : [{ ...rest, weakness }];
  });
}
