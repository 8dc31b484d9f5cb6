import type { z } from 'zod';
import { readBounded } from '../lib/bounded-file.ts';
import { type TargetRules, targetRefusal } from '../lib/outbound-client.ts';
import { systemErrorText } from '../lib/system-error.ts';
import type { Environment } from './environment.ts';
import { shownText } from './problems.ts';
import { PLACEHOLDER, type ProviderDefinition, providersFile } from './provider-schema.ts';
import type { Problems } from './read-group.ts';

const FILE_MAX_BYTES = 256 * 1024;
const PROBLEMS_MAX = 50;
/** A text of the environment, by its name. */
const REFERENCE = /\$\{([^{}]*)\}/g;
/** Fields in which a secret may be written, so that nothing of them is shown. */
const MAY_BE_SECRET = ['auth', 'headers', 'json', 'form', 'query', 'secret', 'token'];

type Path = readonly PropertyKey[];

interface ProvidersSettings extends TargetRules {
  /** Absolute. */
  file: string;
  env: Environment;
}

/**
 * The HTTP providers of a file, with what it takes from the environment put in. What is wrong is noted in `problems`,
 * one line each: where in the file, what is given (secrets masked), what is allowed.
 */
export function readProviders(settings: ProvidersSettings, problems: Problems): ProviderDefinition[] {
  const note = (at: string, line: string) => {
    if (problems.size < PROBLEMS_MAX)
      problems.set(`PROVIDERS_FILE ${at} ${line}`, `PROVIDERS_FILE: ${at}${line}`);
  };
  const written = readJson(settings.file, note);
  if (written === undefined) return [];
  const filledIn = withEnvironment(written, settings.env, [], (path, line) =>
    note(`${path.join('.')}: `, line),
  );
  const { data, error } = providersFile.safeParse(filledIn);
  for (const issue of error?.issues ?? []) {
    for (const { path, allowed } of placesOf(issue)) {
      note(`${path.join('.') || 'the file'}: `, `given ${shownAt(written, path)}; allowed: ${allowed}`);
    }
  }
  const providers = data?.providers ?? [];
  for (const [index, { url }] of providers.entries()) {
    const path = ['providers', index, 'url'];
    const allowed = targetRefusal(new URL(url.replace(PLACEHOLDER, 'x')), settings);
    if (allowed !== undefined) {
      const list = 'PROVIDERS_ALLOWED_ADDRESSES lists exceptions';
      note(`${path.join('.')}: `, `given ${shownAt(written, path)}; allowed: ${allowed} (${list})`);
    }
  }
  return providers;
}

function readJson(file: string, note: (at: string, line: string) => void): unknown {
  let text: string;
  try {
    text = readBounded(file, FILE_MAX_BYTES).toString('utf8');
  } catch (error) {
    note('', systemErrorText(error) ?? `${(error as Error).message} Allowed: a JSON file of at most 256 kB.`);
    return undefined;
  }
  try {
    return JSON.parse(text.replace(/^\uFEFF/, ''));
  } catch (error) {
    const where =
      /position \d+(?: \(line \d+ column \d+\))?/.exec((error as Error).message)?.[0] ?? 'its end';
    note('', `${file} is not valid JSON: look at ${where}. See docs/PROVIDERS.md.`);
    return undefined;
  }
}

/** The same value with the texts of the environment in place of each `${NAME}`. */
function withEnvironment(
  value: unknown,
  env: Environment,
  path: Path,
  note: (path: Path, line: string) => void,
): unknown {
  if (typeof value === 'string') {
    return value.replace(REFERENCE, (written, name: string) => {
      const text = Object.hasOwn(env, name) ? env[name] : undefined;
      if (text === undefined || text === '') {
        note(path, `given ${shownText(written)}; allowed: the name of a variable that is set`);
        return 'unset-variable';
      }
      if (text.includes('{{')) {
        note(path, `given ${shownText(written)}; allowed: the name of a variable without {{ in its text`);
      }
      return text;
    });
  }
  if (Array.isArray(value)) return value.map((entry, at) => withEnvironment(entry, env, [...path, at], note));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, entry]) => [name, withEnvironment(entry, env, [...path, name], note)]),
  );
}

/** Where a problem is, and what is allowed there; each unknown field is a place of its own. */
function placesOf(issue: z.core.$ZodIssue): { path: Path; allowed: string }[] {
  const paths =
    issue.code === 'unrecognized_keys' ? issue.keys.map((key) => [...issue.path, key]) : [issue.path];
  return paths.map((path) => ({ path, allowed: issue.message }));
}

/** What stands at a place in the file, as it is written there: the texts of the environment are not in it. */
function shownAt(written: unknown, path: Path): string {
  const value = path.reduce<unknown>(
    (part, name) =>
      typeof part === 'object' && part !== null && Object.hasOwn(part, name)
        ? (part as Record<PropertyKey, unknown>)[name]
        : undefined,
    written,
  );
  if (value === undefined || value === '') return 'nothing';
  if (path.some((name) => MAY_BE_SECRET.includes(String(name)))) return '***';
  if (typeof value === 'string') return shownText(value.split('?')[0]!);
  if (typeof value === 'object' && value !== null) return Array.isArray(value) ? 'a list' : 'an object';
  return String(value);
}
