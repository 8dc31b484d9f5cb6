import { ConfigError } from '../config/config.ts';
import { WrongMasterKeyError } from '../database/keyring.ts';
import { MasterKeyMissingError } from '../database/master-key.ts';
import { NewerSchemaError } from '../database/migrate.ts';
import { PostgresOpenError } from '../database/postgres/errors.ts';
import { DatabaseInUseError } from '../database/wodb/lock.ts';
import { DatabaseOpenError } from '../database/wodb/open-error.ts';
import { RebuildError } from '../database/wodb/rebuild.ts';
import { V3FileError } from '../database/wodb/v3-import.ts';
import { DatabaseError } from '../errors/errors.ts';
import { DataFolderInUseError } from '../http/control-socket.ts';
import { FolderError } from '../lib/private-folder.ts';
import { SharedFolderError } from '../lib/shared-folder.ts';
import { systemErrorText } from '../lib/system-error.ts';
import { CommandError, RefusalError } from './command-error.ts';

const EXPECTED = [
  CommandError,
  DataFolderInUseError,
  DatabaseError,
  DatabaseInUseError,
  DatabaseOpenError,
  FolderError,
  MasterKeyMissingError,
  NewerSchemaError,
  V3FileError,
  PostgresOpenError,
  RebuildError,
  SharedFolderError,
  WrongMasterKeyError,
];

/** What a person reads when a command has failed: for an expected failure its sentence, else the whole error. */
export function failure(error: unknown): string {
  if (error instanceof ConfigError)
    return ['WOTP cannot start:', ...error.problems.map((line) => `  ${line}`)].join('\n');
  const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return `wotp: ${sentenceOf(error) ?? stack}`;
}

/** The same for a program; `code` is that of the API, null where the API has not refused. */
export function failureAsJson(error: unknown): object {
  const { code, words } =
    error instanceof RefusalError
      ? error
      : { code: null, words: sentenceOf(error) ?? (error instanceof Error ? error.message : String(error)) };
  return { error: { code, message: words } };
}

/** The sentence of an expected failure; undefined for every other. */
function sentenceOf(error: unknown): string | undefined {
  if (EXPECTED.some((kind) => error instanceof kind)) return (error as Error).message;
  return whyItCannotListen(error) ?? systemErrorText(error);
}

type NetworkError = NodeJS.ErrnoException & { address?: string; port?: number; hostname?: string };

/** What to do about HOST and PORT; undefined when it is not they that keep the server from listening. */
function whyItCannotListen(error: unknown): string | undefined {
  const { code = '', syscall, address, port = 0, hostname } = error as NetworkError;
  const elsewhere = 'Set HOST to an address of this machine, or to 0.0.0.0 for all of them.';
  if (code === 'EADDRINUSE') return `${address}:${port} is in use. Stop what listens there, or set PORT.`;
  if (code === 'EADDRNOTAVAIL') return `HOST: ${address} is not an address of this machine. ${elsewhere}`;
  if (syscall === 'getaddrinfo') return `HOST: the name ${hostname} leads nowhere (${code}). ${elsewhere}`;
  if (code === 'EACCES' && syscall === 'listen' && port > 0)
    return `PORT: WOTP has no right to listen on ${address}:${port}. Set PORT to one above 1023.`;
  return undefined;
}
