import { join, resolve } from 'node:path';
import { crossCheck } from './cross-checks.ts';
import { type Environment, environmentIn } from './environment.ts';
import { GROUPS } from './groups.ts';
import { looseSettings } from './loose-settings.ts';
import { ConfigError } from './problems.ts';
import type { ProviderDefinition } from './provider-schema.ts';
import { readProviders } from './providers-file.ts';
import { isGiven, type Problems, readGroup } from './read-group.ts';
import type { Values, Variable } from './variable.ts';

export { type Environment, readEnvironment } from './environment.ts';
export { ConfigError } from './problems.ts';

type Groups = typeof GROUPS;

/** What is decided where the groups meet, because it depends on more than one setting. */
interface Decided {
  server: { readonly isProduction: boolean };
  database: { readonly path: string };
  backups: { readonly folder: string };
  otp: { readonly testNumbers: boolean };
  bot: { readonly mockMode: boolean };
  providers: { readonly file: string | undefined; readonly definitions: readonly ProviderDefinition[] };
}

/** Every setting, checked and complete. Paths are absolute; units stand last in the names. */
export type Config = {
  readonly [G in keyof Groups]: Values<Groups[G]> & (G extends keyof Decided ? Decided[G] : unknown);
} & {
  /** The names of the variables that the environment sets. */
  readonly given: ReadonlySet<string>;
};

/**
 * Reads every setting out of `env`. An empty text counts as unset, and names the server does not know are
 * ignored. Relative paths are resolved against `cwd`, the working folder of the process unless given.
 * @param serves whether the server is to start with it, which secrets that others know keep it from in production
 * @throws ConfigError that names every problem at once.
 */
export function loadConfig(
  env: Environment,
  { cwd = process.cwd(), serves = false }: { cwd?: string; serves?: boolean } = {},
): Config {
  const problems: Problems = new Map();
  const config = assemble(env, cwd, problems);
  crossCheck(config, env, problems, serves);
  if (problems.size > 0) throw new ConfigError([...problems.values()]);
  return config;
}

/**
 * Reads every setting out of this process's environment and of `.env` in a folder.
 * @throws ConfigError that names every problem of both at once
 */
export function loadConfigOf(cwd: string): Config {
  return load(cwd, false).config;
}

/**
 * As `loadConfigOf`, to start the server with.
 * @returns also a sentence for all that is less strict than recommended, or probably not meant as it is written
 */
export function loadConfigToServe(cwd: string): { config: Config; warnings: string[] } {
  const { config, remarks } = load(cwd, true);
  return { config, warnings: [...remarks, ...looseSettings(config)] };
}

function load(cwd: string, serves: boolean): { config: Config; remarks: string[] } {
  const { environment, problems, remarks, cut } = environmentIn(cwd);
  try {
    const config = loadConfig(environment, { cwd, serves });
    if (problems.length === 0) return { config, remarks };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    problems.push(...error.problems.filter((line) => !cut.some((name) => line.startsWith(`${name}: `))));
  }
  throw new ConfigError(problems);
}

function assemble(env: Environment, cwd: string, problems: Problems): Config {
  const read = Object.fromEntries(
    Object.entries(GROUPS).map(([name, group]) => [name, readGroup(group, env, problems)]),
  ) as { [G in keyof Groups]: Values<Groups[G]> };
  const { server, database, otp, bot, email, logging, providers } = read;
  const isProduction = server.environment === 'production';
  const dataDir = resolve(cwd, database.dataDir);
  // Who lowers only the maximum means the default too.
  const expiryMinutes = isGiven(GROUPS.otp.expiryMinutes, env)
    ? otp.expiryMinutes
    : Math.min(otp.expiryMinutes, otp.maxExpiryMinutes);
  const providersFile = providers.file === undefined ? undefined : resolve(cwd, providers.file);
  const variables = Object.values(GROUPS).flatMap((group) => Object.values<Variable<unknown>>(group));
  return {
    ...read,
    given: new Set(variables.filter((variable) => isGiven(variable, env)).map(({ name }) => name)),
    server: { ...server, isProduction },
    database: { ...database, dataDir, path: resolve(cwd, database.path ?? join(dataDir, 'wotp.wodb')) },
    backups: { ...read.backups, folder: join(dataDir, 'backups') },
    otp: { ...otp, expiryMinutes, testNumbers: otp.testNumbers ?? !isProduction },
    bot: { ...bot, mockMode: bot.mockMode ?? !isProduction },
    providers: {
      ...providers,
      file: providersFile,
      definitions:
        providersFile === undefined
          ? []
          : readProviders({ ...providers, file: providersFile, isProduction, env }, problems),
    },
    email: {
      ...email,
      server: email.server && {
        ...email.server,
        caFile: email.server.caFile === undefined ? undefined : resolve(cwd, email.server.caFile),
      },
      dkimKeyFile: email.dkimKeyFile === undefined ? undefined : resolve(cwd, email.dkimKeyFile),
    },
    logging: { ...logging, dir: logging.dir === undefined ? undefined : resolve(cwd, logging.dir) },
  };
}
