import { type FieldProblem, ValidationError } from '../errors/errors.ts';
import { CODE_PLACEHOLDER, withoutPlaceholders } from '../messages/contents.ts';

/** The most characters (UTF-16 code units) of a template, and of a text made from it. */
export const TEXT_MAX = 4_096;
/** The most characters (UTF-16 code units) of one variable's value. */
export const VALUE_MAX = 1_000;
/** The names of placeholders: a letter, then up to 39 letters, digits or underscores (ASCII). */
export const PLACEHOLDER_NAME = /^[A-Za-z][A-Za-z0-9_]{0,39}$/;

const NAME_RULE = 'A name is a letter followed by up to 39 letters, digits or underscores';
/** A refusal stays small, however much is wrong. */
const PROBLEMS_MAX = 20;
/** So much of a wrong placeholder is repeated, in characters. */
const SHOWN_MAX = 40;

/** What other template languages do behind `{{`, by its first character. */
const NOT_SUPPORTED: Record<string, string> = {
  '#': 'a section',
  '^': 'an inverted section',
  '/': 'the end of a section',
  '>': 'a partial',
  '<': 'a parent template',
  $: 'a block',
  '=': 'a change of delimiters',
  '&': 'an unescaped placeholder',
  '{': 'an unescaped placeholder',
  '!': 'a comment',
};

/** Controls (but tab and line breaks), and what makes text around it run in another direction. */
const UNFIT_IN_VALUE = /[^\P{Cc}\t\n\r]|[\u202a-\u202e\u2066-\u2069]/u;

/** What may not stand next to the code, where it would be read as a part of it. */
const TOUCHING_BEFORE = /(?:[\p{L}\p{N}\p{M}_]|\}\})$/u;
const TOUCHING_AFTER = /^(?:[\p{L}\p{N}\p{M}_]|\{\{)/u;

/** A text with placeholders, read once and rendered any number of times. */
export interface Template {
  /** Names in the order of their first use, each once; `code` is one of them where the text holds the code. */
  readonly placeholders: readonly string[];
  /** What the text consists of, in order. */
  readonly parts: readonly Part[];
}

/** A piece of text as it stands, or the name of the variable whose value stands there. */
type Part = { readonly text: string } | { readonly name: string };

/** Values by the names of placeholders. */
export type TemplateVariables = Readonly<Record<string, string | number>>;

/**
 * Reads a template: text with placeholders such as `{{name}}`, and nothing else. `{{code}}` is where the code will stand.
 * @param options.path the field that holds the text, for errors
 * @param options.declared the names that may be used, beside `code`; every name where left out
 * @param options.begins where in a file the text begins, in front of its first character; positions are then those of the file
 * @param options.isSubject whether it is the subject of an e-mail, which is read by others than the recipient
 * @throws ValidationError that names each problem with its line and column (from 1, in UTF-16 code units)
 */
export function parseTemplate(
  text: string,
  {
    path = 'content',
    declared,
    begins,
    isSubject = false,
  }: { path?: string; declared?: readonly string[]; begins?: Position; isSubject?: boolean } = {},
): Template {
  const problems: FieldProblem[] = [];
  const refuse = (at: number, what: string) =>
    problems.push({ path, message: `${placeOf(text, at, begins)} of \`${path}\`: ${what}` });
  if (text.length > TEXT_MAX) {
    const message = `The text in \`${path}\` has ${text.length} characters. At most ${TEXT_MAX} are allowed.`;
    throw new ValidationError(message, [{ path, message }]);
  }
  if (text.includes('\0')) refuse(text.indexOf('\0'), 'the character U+0000 is not allowed.');

  const parts: Part[] = [];
  const names = new Set<string>();
  let end = 0;
  for (let at = text.indexOf('{{'); at !== -1; at = text.indexOf('{{', end)) {
    const close = text.indexOf('}}', at);
    if (close === -1) {
      refuse(at, `the placeholder ${shown(text.slice(at))} is not closed. Close it with }}.`);
      break;
    }
    const inside = text.slice(at + 2, close);
    const name = inside.trim();
    const problem =
      name === 'code' && isSubject
        ? CODE_IN_SUBJECT
        : (problemOf(name, names, declared) ??
          (name === 'code' && isTouched(text, at, close + 2) ? CODE_TOUCHED : undefined));
    if (problem !== undefined) refuse(at, `${shown(text.slice(at, close + 2))} ${problem}`);
    if (problems.length >= PROBLEMS_MAX) break;
    if (at > end) parts.push({ text: text.slice(end, at) });
    parts.push({ name });
    names.add(name);
    end = close + 2;
  }
  if (problems.length > 0) throw new ValidationError(problems[0]!.message, problems);
  if (end < text.length) parts.push({ text: text.slice(end) });
  return { placeholders: [...names], parts };
}

/**
 * Fills a template. `{{code}}` stays, for the outbox to fill when the message leaves; nothing in a value is taken for it
 * or for another placeholder.
 * @param options.path the field that holds the values, for errors
 * @param options.written how a value stands in the text, such as escaped for HTML
 * @throws ValidationError that names each value that is missing, too long or holds controls, or a text that gets too long
 */
export function render(
  template: Template,
  variables: TemplateVariables,
  {
    path = 'variables',
    written = (value) => value,
  }: { path?: string; written?: (value: string) => string } = {},
): string {
  const values = new Map<string, string>();
  const problems: FieldProblem[] = [];
  for (const name of template.placeholders) {
    if (name === 'code') continue;
    const value = Object.hasOwn(variables, name) ? variables[name] : undefined;
    const problem = problemOfValue(value);
    if (problem === undefined) values.set(name, written(String(value)));
    else {
      const where = `${path}.${name}`;
      problems.push({ path: where, message: `The value of \`${where}\` ${problem}` });
    }
  }
  if (problems.length > 0) throw new ValidationError(problems[0]!.message, problems.slice(0, PROBLEMS_MAX));

  let length = 0;
  for (const part of template.parts) {
    const filled = 'text' in part ? part.text : (values.get(part.name) ?? CODE_PLACEHOLDER);
    length += filled.length;
  }
  if (length > TEXT_MAX) {
    const message = `With these \`${path}\` the text has ${length} characters. At most ${TEXT_MAX} are allowed.`;
    throw new ValidationError(message, [{ path, message }]);
  }
  return template.parts
    .map((part) => {
      if ('text' in part) return part.text;
      const value = values.get(part.name);
      return value === undefined ? CODE_PLACEHOLDER : withoutPlaceholders(value);
    })
    .join('');
}

const CODE_IN_SUBJECT =
  'is in a subject. Phones show subjects on locked screens, and mail servers log them: leave it out.';
const CODE_TOUCHED =
  'touches a letter, a digit, an underscore or a placeholder, which would be read as a part of the code. Put a space or a punctuation mark between them.';

/** Whether what stands next to the code would be read as a part of it. */
const isTouched = (text: string, from: number, to: number): boolean =>
  // Two code units hold any one character, and the braces of a placeholder.
  TOUCHING_BEFORE.test(text.slice(Math.max(0, from - 2), from)) ||
  TOUCHING_AFTER.test(text.slice(to, to + 2));

/** Why a placeholder cannot be taken, worded to follow it; undefined where it can. */
function problemOf(
  name: string,
  used: ReadonlySet<string>,
  declared: readonly string[] | undefined,
): string | undefined {
  const other = NOT_SUPPORTED[name.slice(0, 1)];
  if (other !== undefined)
    return `is ${other}. Only placeholders with a name, such as {{name}}, are allowed.`;
  if (name === '') return 'has no name. Write one, such as {{name}}.';
  if (!PLACEHOLDER_NAME.test(name)) return `is not a placeholder. ${NAME_RULE}.`;
  if (name === 'code')
    return used.has(name) ? 'is there already. The code can stand in a text once.' : undefined;
  if (declared === undefined || declared.includes(name)) return undefined;
  return `is not among the declared variables (${declared.join(', ') || 'none'}).`;
}

/** Why a value cannot be used, worded to follow its name; undefined where it can. */
function problemOfValue(value: unknown): string | undefined {
  if (value === undefined) return 'is missing. The template needs it.';
  if (typeof value === 'number') return Number.isFinite(value) ? undefined : 'is not a number.';
  if (typeof value !== 'string') return 'must be a text or a number.';
  if (value.length > VALUE_MAX) return `has ${value.length} characters. At most ${VALUE_MAX} are allowed.`;
  const unfit = UNFIT_IN_VALUE.exec(value)?.[0];
  if (unfit === undefined) return undefined;
  const codePoint = unfit.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0');
  return `contains the control character U+${codePoint}, which is not allowed.`;
}

/** A place in a text: both from 1, the column in UTF-16 code units. */
export interface Position {
  line: number;
  column: number;
}

/** Where the character at an index stands; `begins` is where the text itself does. */
export function positionOf(text: string, at: number, begins: Position = { line: 1, column: 1 }): Position {
  const lines = text.slice(0, at).split('\n');
  const column = lines.at(-1)!.length + 1;
  if (lines.length === 1) return { line: begins.line, column: begins.column + column - 1 };
  return { line: begins.line + lines.length - 1, column };
}

function placeOf(text: string, at: number, begins: Position | undefined): string {
  const { line, column } = positionOf(text, at, begins);
  return `Line ${line}, column ${column}`;
}

/** The beginning of a placeholder as an error may show it: short and on one line. */
function shown(placeholder: string): string {
  const whole = placeholder.length > SHOWN_MAX ? `${placeholder.slice(0, SHOWN_MAX)}…` : placeholder;
  return whole.replace(/\s+/gu, ' ').toWellFormed();
}
