import type { Database, Executor, Transaction } from '../../database/database.ts';
import type { Schema } from '../../database/schema.ts';

type ArrivedRow = Schema['simulator_messages'];

/** The virtual phones' memory. */
export interface ArrivedRepository {
  /** Keeps an arrival; false when this message had arrived before. */
  insert(trx: Transaction, row: ArrivedRow): Promise<boolean>;
  /** Newest first. */
  list(
    executor: Executor,
    filter: { projectId: string; phone?: string; before?: string; limit: number },
  ): Promise<ArrivedRow[]>;
  /** Arrivals since a message id, newest first. */
  since(executor: Executor, firstId: string, limit: number): Promise<ArrivedRow[]>;
  remove(trx: Transaction, messageIds: readonly string[]): Promise<void>;
}

export function arrivedRepository(database: Database): ArrivedRepository {
  const insert = database.prepare<ArrivedRow, { message_id: string }>((db, value) =>
    db
      .insertInto('simulator_messages')
      .values({
        message_id: value('message_id'),
        project_id: value('project_id'),
        phone: value('phone'),
        at: value('at'),
      })
      .onConflict((conflict) => conflict.column('message_id').doNothing())
      .returning('message_id'),
  );
  const remove = database.prepare<{ messageId: string }, unknown>((db, value) =>
    db.deleteFrom('simulator_messages').where('message_id', '=', value('messageId')),
  );

  return {
    async insert(trx, row) {
      return (await insert(trx, row)).length === 1;
    },
    list(executor, { projectId, phone, before, limit }) {
      let query = executor.selectFrom('simulator_messages').selectAll().where('project_id', '=', projectId);
      if (phone) query = query.where('phone', '=', phone);
      if (before) query = query.where('message_id', '<', before);
      return query.orderBy('message_id', 'desc').limit(limit).execute();
    },
    since: (executor, firstId, limit) =>
      executor
        .selectFrom('simulator_messages')
        .selectAll()
        .where('message_id', '>=', firstId)
        .orderBy('message_id', 'desc')
        .limit(limit)
        .execute(),
    async remove(trx, messageIds) {
      for (const messageId of messageIds) await remove(trx, { messageId });
    },
  };
}
