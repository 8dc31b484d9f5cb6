import { PROGRAM } from '../program.ts';
import type { Config } from './config.ts';
import type { Environment } from './environment.ts';
import { GROUPS } from './groups.ts';
import { parameterProblem } from './postgres-address.ts';
import { problemLine } from './problems.ts';
import { isGiven, type Problems } from './read-group.ts';
import { weakSecrets } from './secret-checks.ts';
import type { Variable } from './variable.ts';

/**
 * Adds what is wrong only in the light of another setting. A variable that already has a problem gets no
 * second one, and is compared with nothing.
 * @param serves whether the server starts with it: commands take any secret, so that data under a weak one can be moved
 */
export function crossCheck(config: Config, env: Environment, problems: Problems, serves: boolean): void {
  const refuse = (variable: Variable<unknown>, allowed: string) => {
    if (!problems.has(variable.name)) {
      problems.set(variable.name, problemLine(variable, env[variable.name], allowed));
    }
  };
  checkExpiry(config, problems, refuse);
  const { usePairingCode, pairingNumber } = GROUPS.bot;
  if (config.bot.usePairingCode && config.bot.pairingNumber === undefined) {
    refuse(pairingNumber, `${pairingNumber.allowed}; ${usePairingCode.name} needs it`);
  }
  if (config.server.isProduction) checkProduction(config, refuse);
  if (config.server.isProduction && serves) {
    for (const { variable, weakness, remedy } of weakSecrets(config)) {
      refuse(variable, `a secret of your own in production, and this one is ${weakness}. ${remedy}`);
    }
  }
  const problem = config.database.url && parameterProblem(config.database.url);
  if (problem) refuse(GROUPS.database.url, problem);
  if (config.database.url !== undefined && config.security.masterKey === undefined) {
    const { masterKey } = GROUPS.security;
    refuse(masterKey, `${masterKey.allowed}; PostgreSQL (${GROUPS.database.url.name}) needs one`);
  }
  sayHowToCreateKey(env, problems);
}

/** A key that is none is most often a placeholder of the documentation. */
function sayHowToCreateKey(env: Environment, problems: Problems): void {
  const { masterKey } = GROUPS.security;
  const { name } = masterKey;
  const line = problems.get(name);
  if (line === undefined || !isGiven(masterKey, env) || line.includes('master-key create')) return;
  problems.set(name, `${line}. Create one with \`${PROGRAM} master-key create\`.`);
}

type Refuse = (variable: Variable<unknown>, allowed: string) => void;

function checkExpiry({ otp }: Config, problems: Problems, refuse: Refuse): void {
  const { expiryMinutes, maxExpiryMinutes } = GROUPS.otp;
  if (problems.has(maxExpiryMinutes.name) || otp.expiryMinutes <= otp.maxExpiryMinutes) return;
  refuse(expiryMinutes, `no more than ${maxExpiryMinutes.name}, which is ${otp.maxExpiryMinutes}`);
}

function checkProduction({ security, bot }: Config, refuse: Refuse): void {
  const { masterKey, masterPassword } = GROUPS.security;
  if (security.masterKey === undefined) refuse(masterKey, `${masterKey.allowed}; production needs one`);
  if (security.masterPassword === undefined) {
    refuse(masterPassword, `${masterPassword.allowed}; production needs one`);
  }
  if (bot.mockMode) refuse(GROUPS.bot.mockMode, 'false, or unset, in production');
}
