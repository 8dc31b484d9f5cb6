import { join, resolve } from 'node:path';
import { crossCheck } from './cross-checks.ts';
import { type Environment, environmentIn } from './environment.ts';
import { GROUPS } from './groups.ts';
import { looseSettings } from './loose-settings.ts';
import { ConfigError } from './problems.ts';
import { isGiven, type Problems, readGroup } from './read-group.ts';
import type { Values } from './variable.ts';

export { type Environment, readEnvironment } from './environment.ts';
export { ConfigError } from './problems.ts';

type Groups = typeof GROUPS;

/** Every setting, checked and complete. Paths are absolute; units stand last in the names. */
export interface Config {
  readonly server: Values<Groups['server']> & { readonly isProduction: boolean };
  readonly security: Values<Groups['security']>;
  readonly database: Values<Groups['database']> & { readonly path: string };
  readonly backups: Values<Groups['backups']> & { readonly folder: string };
  readonly otp: Values<Groups['otp']>;
  readonly limits: Values<Groups['limits']>;
  readonly bot: Values<Groups['bot']> & {
    readonly [K in
      | 'mockMode'
      | 'usePairingCode'
      | 'webVersionRefresh'
      | 'warmUp'
      | 'codeMessage'
      | 'checkNumbers']: boolean;
  };
  readonly simulator: Values<Groups['simulator']>;
  readonly retention: Values<Groups['retention']>;
  readonly logging: Values<Groups['logging']>;
}

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
  const server = readGroup(GROUPS.server, env, problems);
  const security = readGroup(GROUPS.security, env, problems);
  const database = readGroup(GROUPS.database, env, problems);
  const backups = readGroup(GROUPS.backups, env, problems);
  const otp = readGroup(GROUPS.otp, env, problems);
  const limits = readGroup(GROUPS.limits, env, problems);
  const bot = readGroup(GROUPS.bot, env, problems);
  const simulator = readGroup(GROUPS.simulator, env, problems);
  const retention = readGroup(GROUPS.retention, env, problems);
  const logging = readGroup(GROUPS.logging, env, problems);

  const isProduction = server.environment === 'production';
  const dataDir = resolve(cwd, database.dataDir);
  // Who lowers only the maximum means the default too.
  const expiryMinutes = isGiven(GROUPS.otp.expiryMinutes, env)
    ? otp.expiryMinutes
    : Math.min(otp.expiryMinutes, otp.maxExpiryMinutes);
  return {
    server: { ...server, isProduction },
    security,
    database: { ...database, dataDir, path: resolve(cwd, database.path ?? join(dataDir, 'wotp.wodb')) },
    backups: { ...backups, folder: join(dataDir, 'backups') },
    otp: { ...otp, expiryMinutes },
    limits,
    bot: {
      ...bot,
      mockMode: bot.mockMode ?? !isProduction,
      usePairingCode: bot.usePairingCode ?? false,
      webVersionRefresh: bot.webVersionRefresh ?? false,
      warmUp: bot.warmUp ?? true,
      codeMessage: bot.codeMessage ?? false,
      checkNumbers: bot.checkNumbers ?? true,
    },
    simulator,
    retention,
    logging: { ...logging, dir: logging.dir === undefined ? undefined : resolve(cwd, logging.dir) },
  };
}
