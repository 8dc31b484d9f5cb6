import { secret } from './secret.ts';

/** The two secrets everything else is guarded by. */
export const securityVariables = {
  masterKey: secret({
    name: 'DB_MASTER_KEY',
    minLength: 32,
    defaultText:
      'made at the first start and kept in `$DATA_DIR/master.key`; required in production and with `DATABASE_URL`',
    help: 'The key that the database, the stored codes and the waiting messages are encrypted with.',
  }),
  masterPassword: secret({
    name: 'MASTER_PASSWORD',
    minLength: 12,
    // It travels in the X-Master-Key header, and HTTP drops spaces at either end of a header.
    allowed: 'a text of 12 characters or more without a space at either end and without control characters',
    accepts: (given) => given === given.trim() && !/\p{Cc}/u.test(given),
    defaultText: 'made at the first start and printed once; required in production',
    help: 'The password of the administrator, for the dashboard and the `X-Master-Key` header.',
  }),
};

const EXAMPLE_BEGINNINGS =
  /^(change[-_ ]?(me|this|it)|replace[-_ ]?(me|this|with)|your[-_ ]|example|placeholder)/i;
const EXAMPLES = ['password', 'administrator', 'masterpassword', '1234567890', 'qwertyuiop', 'letmein'];

/**
 * Whether a password is one that samples and tutorials show: a "change me", one character over and over, or
 * a famous word with nothing but digits and marks around it.
 */
export function isExamplePassword(password: string): boolean {
  const text = password.toLowerCase();
  const letters = text.replace(/[^\p{L}]/gu, '');
  const isOneCharacter = new Set(text).size === 1;
  const isFamous = EXAMPLES.some((example) => repeats(text, example) || repeats(letters, example));
  return isOneCharacter || isFamous || EXAMPLE_BEGINNINGS.test(password);
}

function repeats(text: string, word: string): boolean {
  return text.length >= word.length && word.repeat(Math.ceil(text.length / word.length)).startsWith(text);
}
