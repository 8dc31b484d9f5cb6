/** Errors that JavaScript and Node throw when a program is wrong. */
const BUILT_IN = [
  'Error',
  'TypeError',
  'RangeError',
  'ReferenceError',
  'SyntaxError',
  'URIError',
  'EvalError',
  'AssertionError',
];
const SQLITE_OUTAGE = /^SQLITE_(FULL|IOERR|BUSY|READONLY|CANTOPEN|NOMEM|PROTOCOL|CORRUPT|NOTADB)/;

interface Known extends Error {
  code?: unknown;
  isBoom?: boolean;
}

/**
 * Whether an error is one that the program expects of the world around it (a full disk, a connection that is refused, an
 * error with a class of its own), and not a bug, whose stack somebody will need.
 */
export function isForeseen(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const { name, message, code, cause, isBoom } = error as Known;
  // The database could not be used: what its driver said is not about a place in the program.
  if (name === 'DatabaseError') return true;
  if (cause instanceof Error && !isForeseen(cause)) return false;
  if (name === 'SqliteError') return SQLITE_OUTAGE.test(String(code));
  if (name === 'StatementError' || code === 'INTERNAL_ERROR') return false;
  if (!BUILT_IN.includes(name)) return true;
  // Of the operating system and its network, of WhatsApp's library, of fetch.
  return /^E[A-Z0-9]+$/.test(String(code)) || isBoom === true || message === 'fetch failed';
}
