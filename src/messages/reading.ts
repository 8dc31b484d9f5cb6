import type { Database, Executor, Transaction } from '../database/database.ts';
import type { Clock } from '../lib/clock.ts';
import type { ChannelName } from './channel.ts';
import { filledIn, type messageContents, templateOf } from './contents.ts';
import type { MessageRepository, MessageRow } from './repository.ts';
import { timelineIn } from './timeline.ts';
import { type Content, LANES, type Lane, type MessageStatus, type MessageView, type Said } from './types.ts';

/** What a phone shows of a message. */
interface ShownText {
  text: string;
  /** Of an e-mail that has one of its own. */
  subject: string | undefined;
}

/** Messages as others may see them: their states, what they say, and to whom. */
export function messageReading(deps: {
  database: Database;
  clock: Clock;
  repository: MessageRepository;
  contents: ReturnType<typeof messageContents>;
}) {
  const { database, clock, repository, contents } = deps;

  /** What a message says while a person can still use its code. */
  async function liveContent(messageId: string): Promise<Content | undefined> {
    const row = await repository.byId(database.reader, messageId);
    if (!row || clock.now() >= row.expires_at) return undefined;
    const content = (await contents.of(database.reader, [row])).get(messageId);
    return content?.code === undefined ? undefined : content;
  }

  function toView(row: MessageRow): MessageView {
    return {
      id: row.id,
      channel: row.channel as ChannelName,
      plays: row.plays as ChannelName | null,
      status: row.status as MessageStatus,
      timeline: timelineIn(row.timeline),
      metadata: row.metadata === null ? null : (JSON.parse(row.metadata) as Record<string, unknown>),
      template: templateOf(row) ?? null,
    };
  }

  return {
    /** What was stored with a message, for another that says the same; undefined where it cannot be read. */
    async saidOf(executor: Executor, messageId: string): Promise<Said | undefined> {
      const row = await repository.byId(executor, messageId);
      return row && contents.saidOf(row);
    },

    /** The lane that a message is in; undefined when there is no such message. */
    async laneOf(executor: Executor, messageId: string): Promise<Lane | undefined> {
      const row = await repository.byId(executor, messageId);
      return row && (Object.keys(LANES) as Lane[]).find((lane) => LANES[lane] === row.lane);
    },

    /** The states of messages and why they are in them, by their ids; those that do not exist are left out. */
    async outcomes(
      executor: Executor,
      messageIds: readonly string[],
    ): Promise<Map<string, { status: MessageStatus; reason: string | null }>> {
      const rows = await repository.outcomes(executor, messageIds);
      return new Map(rows.map(({ id, status, reason }) => [id, { status: status as MessageStatus, reason }]));
    },

    /** The address that a message is for; undefined when there is no such message. */
    async addressOf(messageId: string): Promise<string | undefined> {
      return (await repository.byId(database.reader, messageId))?.address;
    },

    /** A text from outside without the code of the message that it is about. */
    async withoutCode(trx: Transaction, id: string, text: string): Promise<string> {
      const row = await repository.byId(trx, id);
      const code = row && (await contents.of(trx, [row])).get(id)?.code;
      return code === undefined ? text : text.replace(new RegExp(code, 'gi'), '••••');
    },

    /** What the phone shows of a message, with its code, while a person can still use it; undefined where it cannot be read, too. */
    async liveText(messageId: string): Promise<string | undefined> {
      const content = await liveContent(messageId);
      return content && filledIn(content);
    },

    /** The code of a message while a person can still use it; undefined afterwards. */
    liveCode: async (messageId: string): Promise<string | undefined> => (await liveContent(messageId))?.code,

    /** What phones show of messages, by their ids: with bullets in place of a code that is worth nothing any more. */
    async shown(executor: Executor, messageIds: readonly string[]): Promise<Map<string, ShownText>> {
      const said = await contents.of(executor, await repository.byIds(executor, messageIds));
      return new Map(
        [...said].map(([id, { text, code, subject }]) => [
          id,
          {
            text: filledIn({ text, code }),
            subject: subject === undefined ? undefined : filledIn({ text: subject, code }),
          },
        ]),
      );
    },

    /** The ids of the latest messages to an identity in a project that are counted against it; the newest first. */
    async idsFor(projectId: number, identity: string, limit: number): Promise<string[]> {
      const rows = await database.reader
        .selectFrom('messages')
        .select('id')
        .where('identity', '=', identity)
        .where('project_id', '=', projectId)
        .orderBy('created_at', 'desc')
        .limit(limit)
        .execute();
      return rows.map(({ id }) => id);
    },

    /** Messages by their ids, as others may see them. */
    async views(executor: Executor, messageIds: readonly string[]): Promise<Map<string, MessageView>> {
      const rows = await repository.byIds(executor, messageIds);
      return new Map(rows.map((row) => [row.id, toView(row)]));
    },
  };
}
