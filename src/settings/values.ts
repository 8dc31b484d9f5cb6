import type { Config } from '../config/config.ts';
import { GROUPS } from '../config/groups.ts';
import type { Variable } from '../config/variable.ts';

/** A variable, and where the configuration has its value. */
export interface Place {
  readonly group: keyof typeof GROUPS;
  readonly field: string;
  readonly variable: Variable<unknown>;
}

/** Every setting by its name, in the order of the documentation. */
export const PLACES: ReadonlyMap<string, Place> = new Map(
  Object.entries(GROUPS).flatMap(([group, variables]) =>
    Object.entries<Variable<unknown>>(variables).map(([field, variable]) => [
      variable.name,
      { group: group as Place['group'], field, variable },
    ]),
  ),
);

/** What may be set over the API for one project or for the installation. In force with the next request. */
export const OF_PROJECTS: ReadonlySet<string> = new Set([
  'OTP_LENGTH',
  'OTP_EXPIRY_MINUTES',
  'OTP_MAX_ATTEMPTS',
  'OTP_RESEND_SECONDS',
  'DEFAULT_REGION',
  'COUNTRIES_ALLOWED',
  'COUNTRIES_DENIED',
  'CHANNELS',
  'CHANNEL_WAIT_SECONDS',
  'RETENTION_DAYS_VERIFICATIONS',
  'SMTP_FROM',
  'MONTHLY_QUOTA',
  'BRAND_NAME',
]);

/**
 * What may be set over the API for the installation: that, and more whose value is read at each use. Secrets, addresses,
 * files and the guards against abuse are set where the server is started, and nowhere else.
 */
export const OF_INSTALLATION: ReadonlySet<string> = new Set([
  ...OF_PROJECTS,
  'OTP_SHARE_WARNING',
  'WEBOTP_HOST',
  'RATE_LIMIT_MAX',
  'BOT_SEND_RATE',
  'BOT_SEND_BURST',
  'BOT_DAILY_CAP',
  'BOT_WARMUP',
]);

/** Values as the environment would have them, by the names of the variables. */
export type Texts = ReadonlyMap<string, string>;

/** The value of a setting in a configuration. */
export function valueIn(config: Config, { group, field }: Place): unknown {
  return (config[group] as Record<string, unknown>)[field];
}

/** A configuration with other values; one that is not allowed any more, as a later version may have it, is left out. */
export function withTexts(config: Config, texts: Texts): Config {
  const changed: Record<string, object> = {};
  for (const [name, text] of texts) {
    const place = PLACES.get(name);
    const value = place?.variable.parse(text);
    if (!place || value === undefined) continue;
    changed[place.group] = { ...config[place.group], ...changed[place.group], [place.field]: value };
  }
  return { ...config, ...changed };
}

/** A value that a caller gives, as the environment would have it; undefined where no text says it. */
export function textOf(given: unknown): string | undefined {
  if (typeof given === 'string') return given;
  if (typeof given === 'number' || typeof given === 'boolean') return String(given);
  // An empty list is a value; an empty text would be none.
  if (Array.isArray(given)) return given.length === 0 ? ',' : given.join(',');
  return undefined;
}

/** A value as JSON has it: texts, numbers, switches and lists of them as they are, a mailbox as it is written. */
export function shownValue(value: unknown): string | number | boolean | (string | number)[] | null {
  if (value === undefined || value === null) return null;
  if (Array.isArray(value)) return value as (string | number)[];
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return value;
  const { name, address } = value as { name?: string; address: string };
  return name === undefined ? address : `${name} <${address}>`;
}
