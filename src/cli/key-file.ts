import type { Command } from 'commander';
import { readBounded } from '../lib/bounded-file.ts';
import { CommandError } from './command-error.ts';

/** The variable that gives the master key of a backup, for those who want no file. */
const VARIABLE = 'WOTP_BACKUP_MASTER_KEY';
/** As for DB_MASTER_KEY. */
const LENGTH_MIN = 32;
/** A file with a key is no larger. */
export const KEY_FILE_MAX_BYTES = 64 * 1024;

/** Adds `--key-file` to a command; `whose` ends the sentence of its help. */
export function withKeyFile(command: Command, whose: string): Command {
  return command.option(
    '--key-file <file>',
    `a file with the master key ${whose}, - for standard input (or ${VARIABLE}; default: the key of this installation)`,
  );
}

/** The master key from the file that was named, from standard input or from the environment; undefined when none is. */
export function givenMasterKey(keyFile: string | undefined): string | undefined {
  const key = keyFile === undefined ? process.env[VARIABLE] : read(keyFile).trim();
  if (key === undefined || (key === '' && keyFile === undefined)) return undefined;
  if (key.length >= LENGTH_MIN) return key;
  const source = keyFile === undefined ? VARIABLE : keyFile === '-' ? 'Standard input' : keyFile;
  throw new CommandError(
    `${source} holds no master key: it has ${key.length} characters, and a key has ${LENGTH_MIN} or more.`,
  );
}

function read(keyFile: string): string {
  try {
    return readBounded(keyFile === '-' ? 0 : keyFile, KEY_FILE_MAX_BYTES).toString('utf8');
  } catch (error) {
    throw new CommandError(
      `The key file ${keyFile} cannot be read (${(error as NodeJS.ErrnoException).code}). Check its name and rights.`,
    );
  }
}
