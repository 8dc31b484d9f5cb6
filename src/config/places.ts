import { dirname } from 'node:path';
import { isFolder } from '../lib/private-folder.ts';
import { isThere } from '../lib/system-error.ts';
import { type Config, ConfigError } from './config.ts';
import { readDkimKey, readSmtpCertificates } from './email-files.ts';

/**
 * Refuses settings that name a file where a folder has to be, a folder where a file has to be, or a file that does not
 * hold what it has to. Makes nothing.
 * @throws ConfigError that names every problem at once
 */
export function checkPlaces({ database, logging, email }: Config): void {
  const problems = [
    fileInTheWay('DATA_DIR', database.dataDir),
    ...(database.url === undefined ? [databaseProblem(database)] : []),
    ...(logging.dir === undefined ? [] : [fileInTheWay('LOG_DIR', logging.dir)]),
    ...[readDkimKey, readSmtpCertificates].flatMap((read) => problemsOf(() => read(email))),
  ].filter((problem) => problem !== undefined);
  if (problems.length > 0) throw new ConfigError(problems);
}

function problemsOf(read: () => unknown): readonly string[] {
  try {
    read();
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
}

function databaseProblem({ path, dataDir }: Config['database']): string | undefined {
  if (isFolder(path)) return `DB_PATH: ${path} is a folder; name a file.`;
  return dirname(path) === dataDir ? undefined : fileInTheWay('DB_PATH', dirname(path));
}

function fileInTheWay(setting: string, folder: string): string | undefined {
  const there = nearestThatExists(folder);
  return isFolder(there) ? undefined : `${setting}: ${there} is not a folder; name a folder.`;
}

function nearestThatExists(path: string): string {
  return isThere(path) ? path : nearestThatExists(dirname(path));
}
