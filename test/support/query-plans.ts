import { CompiledQuery } from 'kysely';
import type { Database } from '../../src/database/database.ts';

/** How the engine runs each of the queries that `work` asks a database. */
export async function plansOf(
  database: Database,
  work: (database: Database) => Promise<unknown>,
): Promise<string[]> {
  const asked: CompiledQuery[] = [];
  const reader = database.reader.withPlugin({
    transformQuery({ node, queryId }) {
      asked.push(database.reader.getExecutor().compileQuery(node, queryId));
      return node;
    },
    transformResult: async ({ result }) => result,
  });
  await work(
    new Proxy(database, { get: (of, name) => (name === 'reader' ? reader : Reflect.get(of, name)) }),
  );
  const explain = database.engine === 'postgres' ? 'explain' : 'explain query plan';
  return Promise.all(
    asked.map(async (query) => {
      const { rows } = await database.reader.executeQuery<Record<string, unknown>>(
        CompiledQuery.raw(`${explain} ${query.sql}`, [...query.parameters]),
      );
      return rows.map((row) => row.detail ?? row['QUERY PLAN']).join('\n');
    }),
  );
}
