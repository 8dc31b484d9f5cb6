import type { Kysely, Transaction as KyselyTransaction } from 'kysely';
import type { Database, Transaction } from '../../../src/database/database.ts';
import { WotpError } from '../../../src/errors/errors.ts';
import type { EventRecorder } from '../../../src/events/record.ts';
import type { WotpEvent } from '../../../src/events/types.ts';
import type { Clock } from '../../../src/lib/clock.ts';
import type { ToyTables } from './tables.ts';

/** Rows that one portion deletes. */
const PORTION = 2;

export type Toy = Omit<ToyTables['toys'], 'project_id'>;

/** What a project's toys are asked for. */
export type ToyService = ReturnType<typeof toyService>;

// The product's own tables and events are in `Schema` and `WotpEvent`; a toy stays out of them.
const tables = (trx: Transaction) => trx as unknown as KyselyTransaction<ToyTables>;

export function toyService(deps: { database: Database; events: EventRecorder; clock: Clock }) {
  const { database, events, clock } = deps;
  const reader = database.reader as unknown as Kysely<ToyTables>;
  let wound = 0;

  return {
    /** Makes a toy and records it. Throws WotpError CONFLICT when the project has one of this name. */
    make(projectId: number, name: string): Promise<Toy> {
      const toy = { name, made_at: clock.now(), windings: 0 };
      return database.transaction(async (trx) => {
        const { numInsertedOrUpdatedRows } = await tables(trx)
          .insertInto('toys')
          .values({ ...toy, project_id: projectId })
          .onConflict((conflict) => conflict.columns(['project_id', 'name']).doNothing())
          .executeTakeFirstOrThrow();
        if (!numInsertedOrUpdatedRows)
          throw new WotpError('CONFLICT', `There is a toy named ${name} already.`);
        await events.record(trx, { type: 'toy.made', projectId, data: { name } } as unknown as WotpEvent);
        return toy;
      });
    },

    list: (projectId: number): Promise<Toy[]> =>
      reader
        .selectFrom('toys')
        .select(['name', 'made_at', 'windings'])
        .where('project_id', '=', projectId)
        .orderBy('name')
        .execute(),

    /** Winds up every toy there is. */
    async wind(): Promise<void> {
      await database.transaction((trx) =>
        tables(trx)
          .updateTable('toys')
          .set((eb) => ({ windings: eb('windings', '+', 1) }))
          .execute(),
      );
      wound += 1;
    },

    /** How often the toys were wound up since the start. */
    get wound(): number {
      return wound;
    },

    async count(): Promise<number> {
      const { count } = await reader
        .selectFrom('toys')
        .select((eb) => eb.fn.countAll<number>().as('count'))
        .executeTakeFirstOrThrow();
      return Number(count);
    },

    /** Deletes a portion of the toys made before `time` (Unix ms), the oldest first; resolves to how many went. */
    async forget(trx: Transaction, time: number): Promise<number> {
      const old = await tables(trx)
        .selectFrom('toys')
        .select(['project_id', 'name'])
        .where('made_at', '<', time)
        .orderBy('made_at')
        .limit(PORTION)
        .execute();
      for (const { project_id, name } of old)
        await tables(trx)
          .deleteFrom('toys')
          .where('project_id', '=', project_id)
          .where('name', '=', name)
          .execute();
      return old.length;
    },
  };
}
