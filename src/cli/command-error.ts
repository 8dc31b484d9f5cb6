import type { ErrorCode } from '../errors/codes.ts';
import type { FieldProblem } from '../errors/errors.ts';

/** A command could not do what it was asked; the message says why and what to do. */
export class CommandError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'CommandError';
  }
}

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
      !detail.includes(only.path)
        ? `${only.path}: `
        : '';
    super(`${subject}${detail} (${code})${places}`);
    this.name = 'RefusalError';
    this.code = code;
    this.words = `${subject}${detail}${places}`;
  }
}
