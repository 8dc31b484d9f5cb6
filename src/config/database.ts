import { path } from './variable.ts';

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
};
