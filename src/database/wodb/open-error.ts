import { ExpectedError } from '../../lib/expected-error.ts';

/** The database file cannot be opened as it is; the message says why and what to do. Nothing was changed. */
export class DatabaseOpenError extends ExpectedError {
  constructor(message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
  }
}
