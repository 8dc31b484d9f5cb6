import { isLoopback } from '../lib/loopback.ts';
import type { Config } from './config.ts';
import type { Environment } from './environment.ts';
import { wayToPostgres } from './postgres-address.ts';
import { weakSecrets } from './secret-checks.ts';

/**
 * One sentence for each setting that is less strict than recommended; to be printed at the start.
 * @param env what is read by Node and the PostgreSQL client themselves, and so from the process alone
 */
export function looseSettings(config: Config, env: Environment = process.env): string[] {
  return [
    ...looseSecrets(config),
    ...looseLimits(config),
    ...idleChannels(config),
    ...looseProviders(config),
    ...looseCloudApi(config),
    ...looseTransport(config, env),
  ];
}

/** Production has refused them. */
function looseSecrets(config: Config): string[] {
  if (config.server.isProduction) return [];
  return weakSecrets(config).map(
    ({ variable, weakness, remedy }) =>
      `${variable.name} is ${weakness}, and production refuses it. ${remedy}`,
  );
}

/** Limits that are less strict than recommended, one sentence each. */
export function looseLimits({ otp, limits }: Config): string[] {
  const sentences: string[] = [];
  if (otp.resendSeconds < 30) {
    sentences.push(
      `OTP_RESEND_SECONDS is ${otp.resendSeconds}: a code can be sent again sooner than the recommended 30 s.`,
    );
  }
  if (otp.maxExpiryMinutes > 10) {
    sentences.push(
      `OTP_MAX_EXPIRY_MINUTES is ${otp.maxExpiryMinutes}: a code may live longer than the recommended 10 minutes.`,
    );
  }
  if (limits.phonePer10Minutes > 5) {
    sentences.push(
      `PHONE_LIMIT_PER_10_MINUTES is ${limits.phonePer10Minutes}: a phone can get more than the recommended 5 messages.`,
    );
  }
  if (limits.phonePerDay > 10) {
    sentences.push(
      `PHONE_LIMIT_PER_DAY is ${limits.phonePerDay}: a phone can get more than the recommended 10 messages.`,
    );
  }
  if (limits.sendsPerClientIp === 0) {
    sentences.push('SENDS_PER_CLIENT_IP is 0: one client can have codes sent to any number of phones.');
  }
  if (limits.sendsPerPrefix === 0) {
    sentences.push('SENDS_PER_PREFIX is 0: nothing stops sends to a whole block of neighboring numbers.');
  }
  return sentences;
}

/** Channels on the usual route that no setting gives a way to send. */
function idleChannels({ bot, channels, cloudApi, email, providers }: Config): string[] {
  if (bot.mockMode) return [];
  const provided = providers.definitions.map(({ channel }) => channel);
  const isSetUp: Partial<Record<string, boolean>> = {
    cloud_api: cloudApi.token !== undefined,
    email: email.server !== undefined,
    sms: provided.includes('sms'),
    http: provided.includes('http'),
  };
  return channels.order
    .filter((name) => isSetUp[name] === false)
    .map(
      (name) =>
        `CHANNELS names ${name}, which is not set up, so nothing is sent by it. See docs/CHANNELS.md.`,
    );
}

function looseProviders({ providers }: Config): string[] {
  return providers.definitions
    .filter(({ success }) => (success.where ?? []).length === 0)
    .map(
      ({ name }) =>
        `The provider ${name} in PROVIDERS_FILE takes an HTTP status alone for success: many providers refuse with 200. Add \`success.where\`.`,
    );
}

function looseCloudApi({ cloudApi }: Config): string[] {
  if (cloudApi.token === undefined || cloudApi.appSecret !== undefined) return [];
  return [
    'CLOUD_API_APP_SECRET is not set: no delivery report of the WhatsApp Cloud API is accepted, and failures that Meta reports later go unnoticed. Set it with CLOUD_API_VERIFY_TOKEN.',
  ];
}

/** What lets secrets, codes or phone numbers cross a network unprotected. */
function looseTransport({ server, database, bot, email }: Config, env: Environment): string[] {
  const sentences: string[] = [];
  const { isProduction, publicUrl, host, trustProxyHops } = server;
  if (isProduction && publicUrl?.startsWith('http:')) {
    sentences.push(
      `PUBLIC_URL is ${publicUrl}: passwords, keys and codes cross the network unencrypted. Use an https address.`,
    );
  }
  if (isProduction && !isLoopback(host) && !(publicUrl?.startsWith('https:') && trustProxyHops > 0)) {
    sentences.push(
      `HOST is ${host} without both an https PUBLIC_URL and TRUST_PROXY: the port is open to others, unencrypted. Put a proxy with TLS in front and set both, or set HOST to 127.0.0.1.`,
    );
  }
  if (isProduction && database.url !== undefined) {
    const { host: place, isRemote, protection } = wayToPostgres(database.url, env);
    if (isRemote && protection === 'none') {
      sentences.push(
        `DATABASE_URL reaches ${place} without TLS: the password and all data cross the network unencrypted. Add sslmode=verify-full.`,
      );
    }
    if (isRemote && protection === 'unverified') {
      sentences.push(
        `DATABASE_URL has sslmode=no-verify: nothing proves that ${place} is your database server. Use sslmode=verify-full.`,
      );
    }
  }
  if (email.server?.tls === 'off' && !isLoopback(email.server.host)) {
    const exposed = email.server.user === undefined ? 'addresses' : 'the password, addresses';
    sentences.push(
      `SMTP_URL reaches ${email.server.host} without TLS (tls=off): ${exposed} and codes cross the network unencrypted. Take tls=off out.`,
    );
  }
  if (env.NODE_TLS_REJECT_UNAUTHORIZED === '0') {
    sentences.push(
      'NODE_TLS_REJECT_UNAUTHORIZED is 0: no certificate of any server is checked. Remove it, and name a CA of your own with NODE_EXTRA_CA_CERTS.',
    );
  }
  if (bot.socketUrl?.startsWith('ws:')) {
    sentences.push(
      'BOT_SOCKET_URL is not a wss address: nothing proves that what answers there is WhatsApp.',
    );
  }
  return sentences;
}
