import { targetRefusal } from '../lib/outbound-client.ts';
import { PROGRAM } from '../lib/program.ts';
import type { Config } from './config.ts';
import type { Environment } from './environment.ts';
import { GROUPS } from './groups.ts';
import { parameterProblem } from './postgres-address.ts';
import { problemLine } from './problems.ts';
import type { Problems } from './read-group.ts';
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
      refuse(
        variable,
        `in production only a secret that others cannot know or guess; this one is ${weakness}. ${remedy}`,
      );
    }
  }
  checkEmail(config, refuse);
  checkCloudApi(config, refuse);
  checkWebhooks(config, refuse);
  const problem = config.database.url && parameterProblem(config.database.url);
  if (problem) refuse(GROUPS.database.url, problem);
  if (config.database.url !== undefined && config.security.masterKey === undefined) {
    const { masterKey } = GROUPS.security;
    refuse(masterKey, `${masterKey.allowed}; PostgreSQL (${GROUPS.database.url.name}) needs one`);
  }
  sayHowToCreateKey(problems);
}

/** Where there is no key yet, or one that is none: most often a placeholder of the documentation. */
function sayHowToCreateKey(problems: Problems): void {
  const { name } = GROUPS.security.masterKey;
  const line = problems.get(name);
  if (line === undefined || line.includes('master-key create')) return;
  problems.set(name, `${line}. Create one with \`${PROGRAM} master-key create --write new.key\`.`);
}

type Refuse = (variable: Variable<unknown>, allowed: string) => void;

function checkExpiry({ otp }: Config, problems: Problems, refuse: Refuse): void {
  const { expiryMinutes, maxExpiryMinutes } = GROUPS.otp;
  if (problems.has(maxExpiryMinutes.name) || otp.expiryMinutes <= otp.maxExpiryMinutes) return;
  refuse(expiryMinutes, `no more than ${maxExpiryMinutes.name}, which is ${otp.maxExpiryMinutes}`);
}

function checkEmail({ email }: Config, refuse: Refuse): void {
  const { server, from, ...others } = GROUPS.email;
  const dkim = [
    { variable: others.dkimDomain, value: email.dkimDomain },
    { variable: others.dkimSelector, value: email.dkimSelector },
    { variable: others.dkimKeyFile, value: email.dkimKeyFile },
  ];
  const given = [{ variable: from, value: email.from }, ...dkim].find(({ value }) => value !== undefined);
  if (email.server === undefined && given) {
    refuse(server, `${server.allowed}; ${given.variable.name} needs it`);
  }
  if (email.server !== undefined && email.from === undefined) {
    refuse(from, `${from.allowed}; ${server.name} needs it`);
  }
  const signing = dkim.find(({ value }) => value !== undefined);
  for (const { variable, value } of signing ? dkim : []) {
    if (value === undefined) refuse(variable, `${variable.allowed}; ${signing!.variable.name} needs it`);
  }
}

/** What a message needs, and what a signed status needs, belong together. */
function checkCloudApi({ cloudApi }: Config, refuse: Refuse): void {
  const { token, phoneNumberIds, accountId, template, languages, appSecret, verifyToken } = GROUPS.cloudApi;
  const isSet = (value: string | readonly string[] | undefined) => value !== undefined && value.length > 0;
  const sending = [
    { variable: token, given: isSet(cloudApi.token) },
    { variable: phoneNumberIds, given: isSet(cloudApi.phoneNumberIds) },
    { variable: template, given: isSet(cloudApi.template) },
    { variable: languages, given: isSet(cloudApi.languages) },
  ];
  const receiving = [
    { variable: appSecret, given: isSet(cloudApi.appSecret) },
    { variable: verifyToken, given: isSet(cloudApi.verifyToken) },
  ];
  const all = [...sending, { variable: accountId, given: isSet(cloudApi.accountId) }, ...receiving];
  const needing = all.find(({ given }) => given)?.variable;
  for (const { variable, given } of needing ? sending : []) {
    if (!given) refuse(variable, `${variable.allowed}; ${needing!.name} needs it`);
  }
  const signing = receiving.find(({ given }) => given)?.variable;
  for (const { variable, given } of signing ? receiving : []) {
    if (!given) refuse(variable, `${variable.allowed}; ${signing!.name} needs it`);
  }
}

/** The target is held to the rules for every webhook, as far as its text says where it is. */
function checkWebhooks({ webhooks, server }: Config, refuse: Refuse): void {
  const { url, enabled, allowedAddresses } = GROUPS.webhooks;
  if (!webhooks.enabled) return;
  if (webhooks.url === undefined) {
    refuse(url, `${url.allowed}; ${enabled.name} needs it`);
    return;
  }
  const rules = { allowedAddresses: webhooks.allowedAddresses, isProduction: server.isProduction };
  const allowed = targetRefusal(new URL(webhooks.url), rules);
  if (allowed !== undefined) refuse(url, `${allowed} (${allowedAddresses.name})`);
}

function checkProduction({ security, bot }: Config, refuse: Refuse): void {
  const { masterKey, masterPassword } = GROUPS.security;
  if (security.masterKey === undefined) refuse(masterKey, `${masterKey.allowed}; production needs one`);
  if (security.masterPassword === undefined) {
    refuse(masterPassword, `${masterPassword.allowed}; production needs one`);
  }
  if (bot.mockMode) refuse(GROUPS.bot.mockMode, 'false, or unset, in production');
}
