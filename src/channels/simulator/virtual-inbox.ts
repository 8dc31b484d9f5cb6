import type { Database, Executor, Transaction } from '../../database/database.ts';
import { DEFAULT_PROJECT, ofProject } from '../../database/project.ts';
import type { Schema } from '../../database/schema.ts';

/** Arrivals of all projects that are looked at for a page of the default one, which is found among them. */
const AMONG_OTHERS_MAX = 5_000;

type InboxRow = Schema['simulator_messages'];

/** The virtual phones' memory. */
export interface VirtualInbox {
  /** Keeps an arrival; false when this message had arrived before. */
  insert(trx: Transaction, row: InboxRow): Promise<boolean>;
  /** Newest first. `next` is the id after which the next page goes on; a page may be short, or empty, and have a next one. */
  list(
    executor: Executor,
    filter: { projectId: number; address?: string | undefined; before?: string | undefined; limit: number },
  ): Promise<{ rows: InboxRow[]; next: string | null }>;
  /** The messages that arrived, from a message id on, newest first. */
  idsSince(executor: Executor, firstId: string, limit: number): Promise<string[]>;
  remove(trx: Transaction, messageIds: readonly string[]): Promise<void>;
}

export function virtualInbox(database: Database): VirtualInbox {
  const insert = database.prepare<InboxRow, { message_id: string }>((db, value) =>
    db
      .insertInto('simulator_messages')
      .values({
        message_id: value('message_id'),
        project_id: value('project_id'),
        address: value('address'),
        channel: value('channel'),
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
    async list(executor, { projectId, address, before, limit }) {
      let newest = executor.selectFrom('simulator_messages').orderBy('message_id', 'desc');
      if (before !== undefined) newest = newest.where('message_id', '<', before);
      const isAmongOthers = projectId === DEFAULT_PROJECT && address === undefined;
      const found = await (isAmongOthers
        ? executor
            .selectFrom(newest.selectAll().limit(AMONG_OTHERS_MAX).as('newest'))
            .selectAll()
            .where('project_id', '=', projectId)
            .orderBy('message_id', 'desc')
            .limit(limit + 1)
            .execute()
        : newest
            .selectAll()
            .where(ofProject(projectId))
            .$if(address !== undefined, (all) => all.where('address', '=', address!))
            .limit(limit + 1)
            .execute());
      const rows = found.slice(0, limit);
      if (found.length > limit) return { rows, next: rows.at(-1)!.message_id };
      if (!isAmongOthers) return { rows, next: null };
      const last = newest.select('message_id').limit(1);
      const unseen = await last.offset(AMONG_OTHERS_MAX - 1).executeTakeFirst();
      return { rows, next: unseen?.message_id ?? null };
    },
    async idsSince(executor, firstId, limit) {
      const rows = await executor
        .selectFrom('simulator_messages')
        .select('message_id')
        .where('message_id', '>=', firstId)
        .orderBy('message_id', 'desc')
        .limit(limit)
        .execute();
      return rows.map(({ message_id }) => message_id);
    },
    async remove(trx, messageIds) {
      for (const messageId of messageIds) await remove(trx, { messageId });
    },
  };
}
