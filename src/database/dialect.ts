import { type DatabaseConnection, type Dialect, type Driver, Kysely } from 'kysely';
import type { Schema } from './schema.ts';

/** What Kysely has to know of an engine's SQL. */
type Sql = Omit<Dialect, 'createDriver'>;

const notHere = async () => {
  throw new Error('Transactions are begun and ended by the database itself.');
};

/** Makes an engine's way to put Kysely over one of its connections. Transactions are begun and ended around it. */
export function kyselyWith(sql: Sql): (connection: DatabaseConnection) => Kysely<Schema> {
  return (connection) => {
    const driver: Driver = {
      init: async () => {},
      acquireConnection: async () => connection,
      beginTransaction: notHere,
      commitTransaction: notHere,
      rollbackTransaction: notHere,
      releaseConnection: async () => {},
      destroy: async () => {},
    };
    return new Kysely<Schema>({ dialect: { ...sql, createDriver: () => driver } });
  };
}
