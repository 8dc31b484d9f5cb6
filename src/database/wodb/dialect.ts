import { SqliteAdapter, SqliteIntrospector, SqliteQueryCompiler } from 'kysely';
import { kyselyWith } from '../dialect.ts';

/**
 * Kysely over one WODB connection. Transactions are begun and ended around it: by the write queue for a whole group,
 * and when the database is opened for all missing migrations together.
 */
export const kyselyOver = kyselyWith({
  createAdapter: () => new SqliteAdapter(),
  createIntrospector: (db) => new SqliteIntrospector(db),
  createQueryCompiler: () => new SqliteQueryCompiler(),
});
