import { openKeyring } from '../../src/database/keyring.ts';
import { eventRecorder } from '../../src/events/record.ts';
import { newId } from '../../src/lib/id.ts';
import { messageService } from '../../src/messages/service.ts';
import type { Lane } from '../../src/messages/types.ts';
import { testClock } from './test-clock.ts';
import { openTestDatabase } from './test-database.ts';

/** The outbox over a real database, for tests that need no server around it. */
export async function openTestOutbox() {
  const { database, close } = await openTestDatabase();
  const clock = testClock();
  const keyring = await openKeyring(database, 'a master key of the tests, long enough', clock);
  const events = eventRecorder(database, clock);
  const messages = messageService({ database, keyring, events, clock });
  return {
    database,
    clock,
    keyring,
    events,
    messages,
    close,

    /** Forgets every message and event. */
    async clear(): Promise<void> {
      await database.transaction(async (trx) => {
        await trx.deleteFrom('messages').execute();
        await trx.deleteFrom('events').execute();
      });
    },

    /** Puts a message into the outbox; resolves to its id. */
    async enqueue(
      wanted: {
        channel?: 'simulator' | 'sms';
        lane?: Lane;
        phone?: string;
        code?: string;
        lifeMs?: number;
      } = {},
    ): Promise<string> {
      const {
        channel = 'simulator',
        lane = 'code',
        phone = '+6281234500001',
        code = '481516',
        lifeMs = 300_000,
      } = wanted;
      const id = newId('msg', clock.now());
      await database.transaction((trx) =>
        messages.enqueue(trx, {
          id,
          projectId: 'prj_test',
          verificationId: id.replace('msg', 'ver'),
          phone,
          channel,
          lane,
          body: 'Code {{code}}',
          code,
          expiresAt: clock.now() + lifeMs,
        }),
      );
      return id;
    },

    /** Puts many messages into the outbox at once. */
    async fill({ lane, count }: { lane: Lane; count: number }): Promise<void> {
      await database.transaction(async (trx) => {
        for (let i = 0; i < count; i++) {
          const id = newId('msg', clock.now());
          await messages.enqueue(trx, {
            id,
            projectId: 'prj_test',
            verificationId: id.replace('msg', 'ver'),
            phone: '+6281234500001',
            channel: 'simulator',
            lane,
            body: 'Code {{code}}',
            code: '481516',
            expiresAt: clock.now() + 300_000,
          });
        }
      });
    },

    /** Ends the verification of messages, as far as they feel it. */
    async stopMessages(
      ids: readonly string[],
      { status = 'canceled', arrived = false }: { status?: 'canceled' | 'expired'; arrived?: boolean } = {},
    ): Promise<void> {
      const end = { status, reason: `verification ${status}`, arrived };
      await database.transaction((trx) => messages.stop(trx, ids, end));
    },

    /** The row of a message. */
    row: (id: string) =>
      database.reader.selectFrom('messages').selectAll().where('id', '=', id).executeTakeFirstOrThrow(),

    /** The states a message has been in, with the reasons that were given: `queued`, `queued: channel down`. */
    async history(id: string): Promise<string[]> {
      const view = (await messages.views(database.reader, [id])).get(id)!;
      return view.timeline.map(({ status, reason }) => (reason === null ? status : `${status}: ${reason}`));
    },

    /** The changes that have an event: all but `sending`. */
    async changes(id: string): Promise<string[]> {
      return (await this.history(id)).filter((change) => change !== 'sending');
    },

    /** The same changes as the events report them. */
    async eventHistory(id: string): Promise<string[]> {
      const rows = await database.reader
        .selectFrom('events')
        .selectAll()
        .where('message_id', '=', id)
        .orderBy('seq')
        .execute();
      return rows.map(({ type, data }) => {
        const status = type.replace('message.', '');
        return data === null ? status : `${status}: ${JSON.parse(data).reason}`;
      });
    },
  };
}

export type TestOutbox = Awaited<ReturnType<typeof openTestOutbox>>;
