import { editDistance } from '../lib/edit-distance.ts';
import type { Environment } from './environment.ts';
import { GROUPS } from './groups.ts';

const VARIABLES = Object.values(GROUPS).flatMap((group) => Object.values(group));
const SETTINGS = VARIABLES.map(({ name }) => name);
const SECRETS = new Set(VARIABLES.filter(({ secret }) => secret).map(({ name }) => name));
/** What commands read in addition, or Node and the PostgreSQL client themselves. */
const OTHERS = [
  'V3_DB_MASTER_KEY',
  'WOTP_BACKUP_MASTER_KEY',
  'WOTP_NEW_MASTER_KEY',
  'NODE_PATH',
  'PGHOST',
  'PGPORT',
];
/** So many edits away from a setting a name is taken for it. */
const EDITS_MAX = 2;
/** Shorter names of the environment belong to others: `USER`, `SORT`, `HOME`. */
const ENVIRONMENT_NAME_MIN = 6;

/** A line of `.env` as it is written: its number, the name and what stands behind the sign. */
interface Line {
  number: number;
  name: string;
  written: string;
}

/**
 * What of `.env` is read otherwise than it looks, where the process does not override it. A secret that is cut short is a
 * problem, since the server would work, with another secret than its operator believes. `cut` names the settings whose
 * value is only what is left of it.
 */
export function misreadValues(lines: readonly Line[], environment: Environment) {
  const problems: string[] = [];
  const remarks: string[] = [];
  const cut: string[] = [];
  for (const { number, name, written } of lines) {
    if (!SETTINGS.includes(name) || environment[name] !== undefined) continue;
    const [cutAt] = /^(["'`])/.test(written) ? [''] : (/\s*#/.exec(written) ?? ['']);
    const place = `.env line ${number}: ${name}`;
    if (cutAt !== '') {
      const remedy = 'If the # belongs to the value, put the value in single quotes';
      if (SECRETS.has(name) && cutAt === '#') {
        cut.push(name);
        problems.push(
          `${place} is cut at its #. ${remedy}; if a comment begins there, put a space before it.`,
        );
      } else if (SECRETS.has(name) || cutAt === '#') remarks.push(`${place} ends before its #. ${remedy}.`);
    }
    if (/^""\s*[^\s#]/.test(written)) {
      const sentence = `${place} is cut at its closing quote. Put all of the value in quotes of another kind.`;
      (SECRETS.has(name) ? problems : remarks).push(sentence);
      cut.push(name);
    }
    if (isUnbalanced(written))
      remarks.push(`${place} has a quote on one side only, which is part of the value.`);
  }
  return { problems, remarks, cut };
}

/**
 * What to do about a file of settings that others on this machine can read, when a secret is in it.
 * @param mode the file's permission bits
 */
export function exposedSecrets(lines: readonly Line[], mode: number): string[] {
  const names = [...new Set(lines.map(({ name }) => name).filter((name) => SECRETS.has(name)))];
  return (mode & 0o077) === 0 || names.length === 0
    ? []
    : [
        `.env holds ${names.join(', ')}, and other users of this machine can read it. Run \`chmod 600 .env\`.`,
      ];
}

/** Settings that are part of another value, because a quote before them is closed behind them. */
export function swallowedSettings(quoted: readonly { name: string; value: string }[]): string[] {
  return quoted.flatMap(({ name, value }) => {
    const names = [...value.matchAll(/\n[ \t]*(?:export[ \t]+)?(\w+)[ \t]*=/g)].map(([, inside]) => inside!);
    const lost = names.filter((inside) => SETTINGS.includes(inside));
    const holder = name
      .replace(/^\s*export\s+/, '')
      .replace(/\s*=$/, '')
      .trim();
    return lost.length === 0
      ? []
      : [`.env: ${lost.join(', ')} is read as part of ${holder}, whose quote is not closed on its line.`];
  });
}

function isUnbalanced(written: string): boolean {
  const value = written.trim();
  const [first = '', last = ''] = [value[0], value.at(-1)];
  const quotes = ['"', "'", '`'];
  if (quotes.includes(first)) return value.indexOf(first, 1) === -1;
  return quotes.includes(last) && !value.slice(0, -1).includes(last);
}

/** Names that are no settings and look like one: of `.env`, and the longer ones of the process. */
export function misspeltNames(ofFile: readonly string[], environment: Environment): string[] {
  const ofProcess = Object.keys(environment).filter((name) => name.length >= ENVIRONMENT_NAME_MIN);
  const inFile = ofFile.map((name) => ['.env', name] as const);
  const outside = ofProcess.map((name) => ['The environment', name] as const);
  return [...inFile, ...outside].flatMap(([where, name]) => {
    const meant = nearestSetting(name);
    return meant === undefined
      ? []
      : [`${where} sets ${name}, which is not a setting. Did you mean ${meant}?`];
  });
}

function nearestSetting(name: string): string | undefined {
  if (SETTINGS.includes(name) || OTHERS.includes(name)) return undefined;
  const [nearest] = SETTINGS.map((setting) => ({ setting, edits: editDistance(name.toUpperCase(), setting) }))
    .filter(({ edits }) => edits <= EDITS_MAX)
    .sort((a, b) => a.edits - b.edits);
  return nearest?.setting;
}
