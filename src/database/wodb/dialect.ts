import {
  type Dialect,
  type Driver,
  Kysely,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
} from 'kysely';
import type { Schema } from '../schema.ts';
import type { WodbConnection } from './connection.ts';

const notHere = async () => {
  throw new Error('Transactions on WODB are begun by the write queue.');
};

/**
 * Kysely over one WODB connection. Transactions are begun and ended around it: by the write queue for a whole group,
 * and when the database is opened for all missing migrations together.
 */
export function kyselyOver(connection: WodbConnection): Kysely<Schema> {
  const driver: Driver = {
    init: async () => {},
    acquireConnection: async () => connection,
    beginTransaction: notHere,
    commitTransaction: notHere,
    rollbackTransaction: notHere,
    releaseConnection: async () => {},
    destroy: async () => {},
  };
  const dialect: Dialect = {
    createAdapter: () => new SqliteAdapter(),
    createDriver: () => driver,
    createIntrospector: (db) => new SqliteIntrospector(db),
    createQueryCompiler: () => new SqliteQueryCompiler(),
  };
  return new Kysely<Schema>({ dialect });
}
