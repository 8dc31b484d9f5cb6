import { ConfigError } from '../config/config.ts';
import { WrongMasterKeyError } from '../database/keyring.ts';
import { MasterKeyMissingError } from '../database/master-key.ts';
import { NewerSchemaError } from '../database/migrate.ts';
import { PostgresOpenError } from '../database/postgres/errors.ts';
import { DatabaseInUseError } from '../database/wodb/lock.ts';
import { DatabaseOpenError } from '../database/wodb/open-error.ts';
import { RebuildError } from '../database/wodb/rebuild.ts';
import { V3FileError } from '../database/wodb/v3-import.ts';
import { DataFolderInUseError } from '../http/control-socket.ts';
import { FolderError } from '../lib/private-folder.ts';
import { CommandError } from './command-error.ts';

const EXPECTED = [
  CommandError,
  DataFolderInUseError,
  DatabaseInUseError,
  DatabaseOpenError,
  FolderError,
  MasterKeyMissingError,
  NewerSchemaError,
  V3FileError,
  PostgresOpenError,
  RebuildError,
  WrongMasterKeyError,
];

/** What a person reads when a command has failed: for an expected failure its sentence, else the whole error. */
export function failure(error: unknown): string {
  if (error instanceof ConfigError)
    return ['WOTP cannot start:', ...error.problems.map((line) => `  ${line}`)].join('\n');
  if (EXPECTED.some((kind) => error instanceof kind)) return `wotp: ${(error as Error).message}`;
  const unheard = whyItCannotListen(error);
  if (unheard !== undefined) return `wotp: ${unheard}`;
  return `wotp: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`;
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
