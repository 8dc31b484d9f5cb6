import type { Declaration, Variable } from './variable.ts';

/** A secret text, taken exactly as given: nothing is trimmed, and spaces alone are not a secret. */
export function secret(
  declaration: Declaration & { minLength: number; allowed?: string; accepts?: (given: string) => boolean },
): Variable<string | undefined> {
  const { name, help, minLength, defaultText = '', accepts = () => true } = declaration;
  return {
    name,
    help,
    allowed: declaration.allowed ?? `a text of ${minLength} characters or more, not only spaces`,
    fallback: undefined,
    defaultText,
    secret: true,
    parse(given) {
      const isLongEnough = [...given].length >= minLength && given.trim() !== '';
      return isLongEnough && accepts(given) ? given : undefined;
    },
  };
}
