import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseEnv } from 'node:util';
import { ConfigError } from './problems.ts';

/** Variables as a process has them: a name and its text. */
export type Environment = Record<string, string | undefined>;

/**
 * The variables of this process, with those of `.env` in the given folder below them: where both name one, the
 * process's own wins, also when it is empty (which turns the line of `.env` off).
 * @throws ConfigError when `.env` is there and cannot be read or is not made of `NAME=value` lines.
 */
export function readEnvironment(cwd: string): Environment {
  return { ...parseFile(join(cwd, '.env')), ...process.env };
}

function parseFile(file: string): Environment {
  const variables = parseEnv(readText(file).replace(/^\uFEFF/, '')) as Record<string, string>;
  // The parser joins a line without "=" to the name that follows it, which would lose that variable unseen.
  const spoiled = Object.keys(variables).filter((name) => /\s/.test(name));
  if (spoiled.length > 0) {
    throw new ConfigError(
      spoiled.map((name) => {
        const following = name.split(/\s+/).at(-1);
        return `.env: the line before ${following} is no setting; allowed: NAME=value, or # and a comment`;
      }),
    );
  }
  return variables;
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    const reason = error instanceof Error && 'code' in error ? String(error.code) : String(error);
    if (reason === 'ENOENT') return '';
    throw new ConfigError([`.env: cannot be read (${reason}); allowed: a readable file, or none`]);
  }
}
