import { sql } from 'kysely';
import type { Database } from '../database/database.ts';

/** Messages of one channel and lane that have not been sent yet. */
export interface Backlog {
  status: 'queued' | 'sending';
  channel: string;
  lane: number;
  count: number;
  /** When the oldest of them was accepted (Unix ms). */
  oldestAt: number;
}

/**
 * What waits and what is being sent, in one project or in all. It reads the partial indexes of queued and sending messages,
 * so it costs as much as there are of these, however many messages are stored.
 */
export function messageBacklog(database: Database) {
  async function backlogOf(status: Backlog['status'], projectId: number | undefined): Promise<Backlog[]> {
    let query = database.reader
      .selectFrom('messages')
      .select((eb) => [
        'channel',
        'lane',
        eb.fn.countAll<number>().as('count'),
        eb.fn.min('created_at').as('oldestAt'),
      ])
      // A literal: a partial index serves only queries that repeat its condition.
      .where(sql<boolean>`status = ${sql.lit(status)}`)
      .groupBy(['channel', 'lane']);
    if (projectId !== undefined) query = query.where('project_id', '=', projectId);
    const rows = await query.execute();
    return rows.map((row) => ({ ...row, count: Number(row.count), status }));
  }

  return async (projectId?: number): Promise<Backlog[]> => [
    ...(await backlogOf('queued', projectId)),
    ...(await backlogOf('sending', projectId)),
  ];
}
