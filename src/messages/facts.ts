import type { Database, Executor } from '../database/database.ts';
import { isAmong } from '../database/id-list.ts';
import { timeOfId } from '../lib/id.ts';
import type { MessageRow } from './repository.ts';
import { timelineIn } from './timeline.ts';
import type { TimelineEntry } from './types.ts';

/** What figures are made of. */
export interface MessageFacts {
  /** E.164, or an e-mail address. */
  address: string;
  channel: string;
  /** When it was put into the outbox (Unix ms). */
  acceptedAt: number;
  /** The code of the template that it is made from; null for every other text. */
  template: string | null;
  /** When and why it entered each of these states, which it does once at most. */
  sent: TimelineEntry | undefined;
  delivered: TimelineEntry | undefined;
  read: TimelineEntry | undefined;
}

/** Reads what figures are made of. */
export function messageFacts(database: Database) {
  type Row = Pick<MessageRow, 'id' | 'address' | 'channel' | 'template' | 'timeline' | 'created_at'>;
  const rowsOf = database.prepare<{ ids: string }, Row>((db, value) =>
    db
      .selectFrom('messages')
      .select(['id', 'address', 'channel', 'template', 'timeline', 'created_at'])
      .where(isAmong(database.engine, 'id', value('ids'))),
  );

  async function factsOf(executor: Executor, ids: readonly string[]): Promise<Map<string, MessageFacts>> {
    const rows = ids.length === 0 ? [] : await rowsOf(executor, { ids: JSON.stringify(ids) });
    return new Map(
      rows.map(({ id, address, channel, template, timeline, created_at }) => {
        const facts: MessageFacts = {
          address,
          channel,
          acceptedAt: created_at,
          template: template === null ? null : (JSON.parse(template) as [string, string])[1],
          sent: undefined,
          delivered: undefined,
          read: undefined,
        };
        for (const entry of timelineIn(timeline)) {
          const { status } = entry;
          if (status === 'sent' || status === 'delivered' || status === 'read') facts[status] = entry;
        }
        return [id, facts];
      }),
    );
  }

  return {
    /** By the ids of messages; those that are no longer stored are left out. */
    factsOf,

    /** When the oldest message that is stored was accepted (Unix ms); undefined where there is none. */
    async oldestAt(): Promise<number | undefined> {
      const row = await database.reader
        .selectFrom('messages')
        .select('id')
        .orderBy('id')
        .limit(1)
        .executeTakeFirst();
      return row && timeOfId('msg', row.id);
    },
  };
}

export type MessageFactsOf = ReturnType<typeof messageFacts>['factsOf'];
