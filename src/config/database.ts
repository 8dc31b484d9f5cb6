import { type Declaration, integer, path, type Variable } from './variable.ts';

/** The address of a PostgreSQL database. It holds a password, so it is kept as a secret. */
function postgresUrl(declaration: Declaration & { defaultText: string }): Variable<string | undefined> {
  return {
    ...declaration,
    allowed: 'an address such as postgres://user:password@host:5432/database?sslmode=verify-full',
    fallback: undefined,
    secret: true,
    parse(given) {
      const url = given.trim();
      if (!/^postgres(ql)?:\/\/[^\s\p{Cc}]+$/u.test(url) || !URL.canParse(url)) return undefined;
      return new URL(url).pathname.length > 1 ? url : undefined;
    },
  };
}

/** Where data is kept. */
export const databaseVariables = {
  dataDir: path({
    name: 'DATA_DIR',
    fallback: './data',
    help: 'The folder of the database, its key when you gave none, and the control socket.',
  }),
  path: path({
    name: 'DB_PATH',
    defaultText: '$DATA_DIR/wotp.wodb',
    help: 'The database file.',
  }),
  url: postgresUrl({
    name: 'DATABASE_URL',
    defaultText: 'none: the embedded database in `DB_PATH`',
    help: 'The PostgreSQL database to use in place of the file, so that several servers can share it; needs `DB_MASTER_KEY`, the same on all of them.',
  }),
  poolSize: integer({
    name: 'DATABASE_POOL_SIZE',
    min: 2,
    max: 200,
    fallback: 10,
    help: 'Connections to PostgreSQL that this server opens at most.',
  }),
};
