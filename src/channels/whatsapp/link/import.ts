import { type AuthenticationCreds, initAuthCreds } from 'baileys';
import { ValidationError } from '../../../errors/errors.ts';
import { AuthValueError, KEY_KINDS, readAuthValue, writeAuthValue } from './auth-values.ts';

const CREDENTIALS_FILE = 'creds.json';
/** A folder holds two files for each number that was ever written to. */
const FILES_MAX = 200_000;
const KEY_MAX_CHARS = 200;

/** The files of a Baileys multi-file folder (`auth_info_baileys`), each with its text, by name. */
export type AuthFiles = Record<string, string>;

/** What such a folder holds. */
export interface ImportedAuth {
  creds: AuthenticationCreds;
  entries: { kind: string; key: string; json: string }[];
}

/**
 * Reads a Baileys multi-file folder. Files that are none of its kind are left out.
 * @throws ValidationError when the credentials are missing, damaged, or those of no linked phone, or a file does not hold
 *   what Baileys writes into it
 */
export function readAuthFiles(files: AuthFiles): ImportedAuth {
  const names = Object.keys(files);
  if (names.length > FILES_MAX)
    throw invalid('files', `The field \`files\` may hold at most ${FILES_MAX} files.`);
  const text = files[CREDENTIALS_FILE];
  if (text === undefined) throw invalidFile(CREDENTIALS_FILE, 'is missing from the folder.');
  const found = Object(read(CREDENTIALS_FILE, 'any', text)) as Partial<AuthenticationCreds>;
  if (!found.me || !found.account) {
    throw invalidFile(CREDENTIALS_FILE, 'holds no credentials of a linked phone.');
  }
  // Earlier versions of Baileys have written fewer fields.
  const whole = writeAuthValue({ ...initAuthCreds(), ...found });
  const creds = read(CREDENTIALS_FILE, 'creds', whole) as AuthenticationCreds;
  const entries = names.flatMap((name) => {
    const place = placeOf(name);
    if (!place || files[name] === 'null') return [];
    if (place.key.length > KEY_MAX_CHARS)
      throw invalidFile(name, `has a name of more than ${KEY_MAX_CHARS} characters.`);
    return [{ ...place, json: writeAuthValue(read(name, place.kind, files[name]!)) }];
  });
  return { creds, entries };
}

/** The files of a Baileys multi-file folder, from what the auth store keeps. */
export function writeAuthFiles(kept: readonly { kind: string; key: string; value: unknown }[]): AuthFiles {
  return Object.fromEntries(
    kept.map(({ kind, key, value }) => [
      kind === 'creds' ? CREDENTIALS_FILE : `${fileName(`${kind}-${key}`)}.json`,
      JSON.stringify(value),
    ]),
  );
}

function read(name: string, kind: string, text: string): unknown {
  try {
    return readAuthValue(kind, text);
  } catch (error) {
    if (!(error instanceof AuthValueError)) throw error;
    throw invalidFile(name, error.message);
  }
}

function invalidFile(name: string, problem: string): ValidationError {
  return invalid(`files.${name}`, `The file \`${name}\` ${problem}`);
}

function invalid(path: string, message: string): ValidationError {
  return new ValidationError(message, [{ path, message }]);
}

/** The way Baileys makes a key's name fit for a file. */
function fileName(name: string): string {
  return name.replace(/\//g, '__').replace(/:/g, '-');
}

/** The kind and the key that a file stands for; undefined when it is none of Baileys'. */
function placeOf(file: string): { kind: string; key: string } | undefined {
  const name = file.endsWith('.json') ? file.slice(0, -'.json'.length) : '';
  const kind = KEY_KINDS.find((known) => name.startsWith(`${known}-`));
  if (!kind) return undefined;
  const key = name.slice(kind.length + 1);
  // Only these two kinds have keys with the characters that a file name must not have.
  if (kind === 'app-state-sync-key') return { kind, key: key.replaceAll('__', '/') };
  if (kind === 'sender-key') return { kind, key: key.replaceAll('--', '::') };
  return { kind, key };
}
