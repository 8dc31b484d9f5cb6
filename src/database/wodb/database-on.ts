import type { Database } from '../database.ts';
import { preparedQueries } from '../prepared.ts';
import type { WodbConnection } from './connection.ts';
import { kyselyOver } from './dialect.ts';

/** One connection to a file that nobody else uses, as features know a database. The caller closes the connection. */
export function databaseOn(connection: WodbConnection): Database {
  const { sqlite } = connection;
  const db = kyselyOver(connection);
  let followUps: (() => void)[] = [];
  return {
    engine: 'wodb',
    reader: db,
    async transaction(work) {
      followUps = [];
      sqlite.exec('BEGIN IMMEDIATE');
      try {
        const result = await work(db);
        sqlite.exec('COMMIT');
        for (const followUp of followUps) followUp();
        return result;
      } catch (error) {
        if (sqlite.inTransaction) sqlite.exec('ROLLBACK');
        throw error;
      }
    },
    afterCommit: (_trx, work) => void followUps.push(work),
    serialize: async () => {},
    trySerialize: async () => true,
    ...preparedQueries(db, {
      rows: async (_executor, sql, parameters) => connection.run(sql, parameters).rows,
      changes: async (_executor, sql, parameters) => connection.run(sql, parameters).changes,
    }),
    isExclusive: true,
    waitingWrites: 0,
    checkWritable: async () => {},
    close: async () => {},
  };
}
