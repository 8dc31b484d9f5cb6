import type { Declaration, Variable } from './variable.ts';

const NAME_LENGTH_MAX = 64;

/** A name as a line of a mail can show it: short, and without control characters and invisible marks. */
export function displayName(declaration: Declaration): Variable<string | undefined> {
  return {
    defaultText: '',
    ...declaration,
    allowed: `a name of at most ${NAME_LENGTH_MAX} characters on one line`,
    fallback: undefined,
    secret: false,
    parse: (given) => (isDisplayName(given.trim()) ? given.trim() : undefined),
  };
}

/** Whether a text, without spaces around it, is such a name. */
export function isDisplayName(text: string): boolean {
  return text !== '' && [...text].length <= NAME_LENGTH_MAX && !/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u.test(text);
}
