import { type AuthenticationCreds, BufferJSON, initAuthCreds } from 'baileys';
import { ValidationError } from '../../errors/errors.ts';
import { stringify } from './auth-store.ts';

/** The kinds of keys Baileys writes, the longer name first where one begins with another. */
const KINDS = [
  'pre-key',
  'session',
  'sender-key-memory',
  'sender-key',
  'app-state-sync-key',
  'app-state-sync-version',
  'lid-mapping',
  'device-list',
  'tctoken',
  'identity-key',
] as const;

const CREDENTIALS_FILE = 'creds.json';

/** The files of a Baileys multi-file folder (`auth_info_baileys`), each with its text, by name. */
export type AuthFiles = Record<string, string>;

/** What such a folder holds. */
export interface ImportedAuth {
  creds: AuthenticationCreds;
  entries: { kind: string; key: string; json: string }[];
}

/**
 * Reads a Baileys multi-file folder. Files that are none of its kind are left out.
 * @throws ValidationError when the credentials are missing, damaged, or those of no linked phone
 */
export function readAuthFiles(files: AuthFiles): ImportedAuth {
  const text = files[CREDENTIALS_FILE];
  if (text === undefined) throw invalid(CREDENTIALS_FILE, 'is missing from the folder.');
  const creds = { ...initAuthCreds(), ...(read(CREDENTIALS_FILE, text) as Partial<AuthenticationCreds>) };
  if (!creds.me?.id || !creds.account) {
    throw invalid(CREDENTIALS_FILE, 'holds no credentials of a linked phone.');
  }
  const entries = Object.entries(files).flatMap(([name, content]) => {
    const place = placeOf(name);
    if (!place) return [];
    const value = read(name, content);
    return value === null ? [] : [{ ...place, json: stringify(value) }];
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

function read(name: string, text: string): unknown {
  try {
    return JSON.parse(text, BufferJSON.reviver);
  } catch {
    throw invalid(name, 'is not JSON: it is damaged, or was being written when it was copied.');
  }
}

function invalid(file: string, message: string): ValidationError {
  const sentence = `The file \`${file}\` ${message}`;
  return new ValidationError(sentence, [{ path: `files.${file}`, message: sentence }]);
}

/** The way Baileys makes a key's name fit for a file. */
function fileName(name: string): string {
  return name.replace(/\//g, '__').replace(/:/g, '-');
}

/** The kind and the key that a file stands for; undefined when it is none of Baileys'. */
function placeOf(file: string): { kind: string; key: string } | undefined {
  const name = file.endsWith('.json') ? file.slice(0, -'.json'.length) : '';
  const kind = KINDS.find((known) => name.startsWith(`${known}-`));
  if (!kind) return undefined;
  const key = name.slice(kind.length + 1);
  // Only these two kinds have keys with the characters that a file name must not have.
  if (kind === 'app-state-sync-key') return { kind, key: key.replaceAll('__', '/') };
  if (kind === 'sender-key') return { kind, key: key.replaceAll('--', '::') };
  return { kind, key };
}
