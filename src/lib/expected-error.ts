/** A failure of which the message says all: what happened and what to do. Whoever reads it needs no stack. */
export class ExpectedError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
  }
}
