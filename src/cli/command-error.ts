import type { ErrorCode } from '../errors/codes.ts';
import type { FieldProblem } from '../errors/errors.ts';
import { ExpectedError } from '../lib/expected-error.ts';

/** A command could not do what it was asked; the message says why and what to do. */
export class CommandError extends ExpectedError {}

/** The server has refused what a command asked of it. */
export class RefusalError extends CommandError {
  readonly code: ErrorCode;
  /** The message without the code. */
  readonly words: string;

  constructor({ code, detail, errors = [] }: { code: ErrorCode; detail: string; errors?: FieldProblem[] }) {
    const places = errors
      .filter(({ message }) => message !== detail)
      .map(({ path, message }) => `\n  ${path}: ${message}`)
      .join('');
    // The sentence about the only field may leave its name out.
    const [only] = errors;
    const subject =
      code === 'VALIDATION_ERROR' &&
      errors.length === 1 &&
      only?.message === detail &&
      !isNamedIn(detail, only.path)
        ? `${only.path}: `
        : '';
    super(`${subject}${detail} (${code})${places}`);
    this.code = code;
    this.words = `${subject}${detail}${places}`;
  }
}

/** Whether a sentence names a field, at the least by the end of its path. */
function isNamedIn(sentence: string, path: string): boolean {
  const named = [...sentence.matchAll(/`([^`]+)`/g)].map(([, name]) => name!);
  return sentence.includes(path) || named.some((name) => path.endsWith(`.${name}`));
}
