import { type FieldProblem, ValidationError } from '../errors/errors.ts';

/** The refusal of an address that holds U+0000: PostgreSQL keeps no such text, and WODB shall not differ. */
export function nulInAddress(url: string): ValidationError | undefined {
  return url.includes('%00')
    ? new ValidationError('The address contains the character U+0000 (%00), which is not allowed.')
    : undefined;
}

/**
 * The refusal of a JSON body whose texts nobody could keep or show: with U+0000, or with half of a surrogate pair, which
 * no UTF-8 has and which people would see as U+FFFD. Takes the text and what it was parsed to.
 */
export function unfitTextInBody(text: string, value: unknown): ValidationError | undefined {
  // Both can only be written as escapes. An escaped backslash before one looks the same, so the text does not tell.
  if (!/\\u(?:0000|d[89a-f])/i.test(text)) return undefined;
  const problems = problemsOf(value, []);
  return problems.length === 0
    ? undefined
    : new ValidationError(problems[0]!.message, problems.slice(0, PROBLEMS_SHOWN));
}

/** A refusal stays small, however much is wrong. */
const PROBLEMS_SHOWN = 20;

/** What is wrong with the strings of a value, and with the names in its objects, for which the object stands. */
function problemsOf(value: unknown, path: readonly string[]): FieldProblem[] {
  const here = (text: string): FieldProblem[] => {
    const what = unfit(text);
    if (what === undefined) return [];
    const name = path.length === 0 ? 'The body' : `The value of \`${path.join('.')}\``;
    return [{ path: path.join('.') || 'body', message: `${name} contains ${what}, which is not allowed.` }];
  };
  if (typeof value === 'string') return here(value);
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, member]) => {
    const ofName = here(name);
    return ofName.length > 0 ? ofName : problemsOf(member, [...path, name]);
  });
}

function unfit(text: string): string | undefined {
  if (text.includes('\0')) return 'the character U+0000';
  return text.isWellFormed() ? undefined : 'half of a surrogate pair';
}
