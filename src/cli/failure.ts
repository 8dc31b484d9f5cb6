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
  const { code, address, port } = error as NodeJS.ErrnoException & { address?: string; port?: number };
  if (code === 'EADDRINUSE')
    return `wotp: ${address}:${port} is in use. Stop what listens there, or set PORT.`;
  return `wotp: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`;
}
