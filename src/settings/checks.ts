import type { Config } from '../config/config.ts';
import { crossCheck } from '../config/cross-checks.ts';
import { problemLine } from '../config/problems.ts';
import type { FieldProblem } from '../errors/errors.ts';
import { editDistance } from '../lib/edit-distance.ts';
import { INSTALLATION } from './layers.ts';
import { OF_INSTALLATION, OF_PROJECTS, PLACES, textOf, valueIn, withTexts } from './values.ts';

/** What only a feature knows of a value: what is allowed where it is not, worded to follow "allowed:". */
export type FeatureCheck = (value: unknown) => string | undefined;

/** What is to be set: texts as the environment would have them; null unsets. */
export type Changes = ReadonlyMap<string, string | null>;

/** A name that differs in this many characters at most is probably meant. */
const NEAR = 2;

/** Whether a value means "as if it were not set": an empty text counts as none, as in the environment. */
const isNothing = (given: unknown) => given === null || given === '';

/**
 * Holds values to the rules of the environment, in the same words, and to those of their project.
 * @param inForce the configuration of the project, or of the installation, as it is
 * @param installation that of the installation
 * @returns the changes, or everything that is wrong with them
 */
export function checkedChanges(
  given: Readonly<Record<string, unknown>>,
  rules: {
    projectId: number;
    inForce: Config;
    installation: Config;
    checks: ReadonlyMap<string, FeatureCheck>;
  },
): { changes: Changes; problems: FieldProblem[] } {
  const { projectId, inForce, installation, checks } = rules;
  const changes = new Map<string, string | null>();
  const problems = new Map<string, string>();
  for (const [key, value] of Object.entries(given)) {
    const barred = whyNotSet(key, projectId);
    if (barred !== undefined) {
      problems.set(key, barred);
      continue;
    }
    const { variable } = PLACES.get(key)!;
    const text = isNothing(value) ? null : textOf(value);
    if (text === undefined || (text !== null && variable.parse(text) === undefined)) {
      problems.set(key, problemLine(variable, text ?? JSON.stringify(value)));
    } else changes.set(key, text);
  }
  const texts = new Map([...changes].filter((entry): entry is [string, string] => entry[1] !== null));
  const changed = withTexts(inForce, texts);
  const environment = Object.fromEntries(texts);
  const known = new Map<string, string>();
  crossCheck(inForce, {}, known, false);
  const found = new Map(problems);
  crossCheck(changed, environment, found, false);
  for (const [key, line] of found) if (!known.has(key)) problems.set(key, line);

  const most = installation.otp.maxAttempts;
  for (const [key, text] of texts) {
    if (problems.has(key)) continue;
    const place = PLACES.get(key)!;
    const value = valueIn(changed, place);
    const allowed =
      projectId !== INSTALLATION && key === 'OTP_MAX_ATTEMPTS' && (value as number) > most
        ? `no more than the installation's, which is ${most}`
        : checks.get(key)?.(value);
    if (allowed !== undefined) problems.set(key, problemLine(place.variable, text, allowed));
  }
  return { changes, problems: [...problems].map(([path, line]) => ({ path, message: sentence(line) })) };
}

/** A line of the start, as an answer of the API says it. */
const sentence = (line: string) => (/\.$/.test(line) ? line : `${line}.`);

/** Why a name cannot be set here; undefined where it can. */
function whyNotSet(key: string, projectId: number): string | undefined {
  if (!PLACES.has(key)) {
    const near = [...PLACES.keys()].find((name) => editDistance(name, key.toUpperCase()) <= NEAR);
    return `There is no setting ${key}.${near === undefined ? '' : ` The nearest name is ${near}.`}`;
  }
  if (!OF_INSTALLATION.has(key)) {
    return `${key} is set in the environment only. Set it there and restart the server.`;
  }
  if (projectId !== INSTALLATION && !OF_PROJECTS.has(key)) {
    return `${key} holds for the whole installation. Leave \`projectId\` out to set it.`;
  }
  return undefined;
}
