import { PostgresAdapter, PostgresIntrospector, PostgresQueryCompiler } from 'kysely';
import { kyselyWith } from '../dialect.ts';

/** Kysely over one connection, or over the pool; transactions are begun and ended around it. */
export const kyselyOver = kyselyWith({
  createAdapter: () => new PostgresAdapter(),
  createIntrospector: (db) => new PostgresIntrospector(db),
  createQueryCompiler: () => new PostgresQueryCompiler(),
});
