import { secret } from './secret.ts';

/** The two secrets everything else is guarded by. */
export const securityVariables = {
  masterKey: secret({
    name: 'DB_MASTER_KEY',
    minLength: 32,
    defaultText:
      'created at the first start and kept in `$DATA_DIR/master.key`; required in production and with `DATABASE_URL`',
    help: 'The key that the database, the stored codes and the waiting messages are encrypted with.',
  }),
  masterPassword: secret({
    name: 'MASTER_PASSWORD',
    minLength: 12,
    // It travels in the X-Master-Key header, and HTTP drops spaces at either end of a header.
    allowed: 'a text of 12 characters or more without a space at either end and without control characters',
    accepts: (given) => given === given.trim() && !/\p{Cc}/u.test(given),
    defaultText: 'created at the first start and printed once; required in production',
    help: 'The password of the administrator, for the dashboard and the `X-Master-Key` header.',
  }),
};
