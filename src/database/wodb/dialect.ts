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

/**
 * Kysely over one WODB connection. Request transactions come from the write queue, which begins and commits for
 * a whole group; begin and commit here serve the migrations only.
 */
export function kyselyOver(connection: WodbConnection): Kysely<Schema> {
  const driver: Driver = {
    init: async () => {},
    acquireConnection: async () => connection,
    beginTransaction: async () => void connection.sqlite.exec('BEGIN IMMEDIATE'),
    commitTransaction: async () => void connection.sqlite.exec('COMMIT'),
    rollbackTransaction: async () => void connection.sqlite.exec('ROLLBACK'),
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
