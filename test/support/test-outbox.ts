import type { Transaction } from '../../src/database/database.ts';
import { openKeyring } from '../../src/database/keyring.ts';
import { eventRecorder } from '../../src/events/record.ts';
import { newId } from '../../src/lib/id.ts';
import type { MessageOwner } from '../../src/messages/owner.ts';
import { messageService } from '../../src/messages/service.ts';
import type { Lane } from '../../src/messages/types.ts';
import { messageTexts } from '../../src/templates/message-texts.ts';
import { templateService } from '../../src/templates/service.ts';
import { testSettings } from './settings.ts';
import { testClock } from './test-clock.ts';
import { openTestDatabase } from './test-database.ts';

/** Messages that share a transaction where many are put in. */
const FILLED_TOGETHER = 100;

interface Wanted {
  projectId?: number;
  channel?: 'simulator' | 'sms';
  lane?: Lane;
  phone?: string;
  code?: string;
  lifeMs?: number;
}

/** The outbox over a real database, for tests that need no server around it. */
export async function openTestOutbox() {
  const { database, close } = await openTestDatabase();
  const clock = testClock();
  const keyring = await openKeyring(database, 'a master key of the tests, long enough', clock);
  const events = eventRecorder(database, clock, keyring);
  const messages = messageService({ database, keyring, events, clock, quota: { take: () => undefined } });
  const templates = templateService({ database, events, clock });
  const texts = messageTexts({ templates, settings: testSettings() });
  /** The codes of the owners, as long as they are worth something. */
  const codes = new Map<string, string>();
  /** Messages that failed for good, as their owners were told; a test may let what follows fail. */
  const undeliverable: { id: string; reason: string }[] = [];
  const whenUndeliverable = { run: async () => {} };
  const owner: MessageOwner = {
    contentOf: async (_executor, wanted) =>
      new Map(
        wanted.map(({ id, ownerId, content = '' }) => [id, { text: content, code: codes.get(ownerId) }]),
      ),
    async failed(_trx, { id }, reason) {
      await whenUndeliverable.run();
      undeliverable.push({ id, reason });
    },
  };
  messages.ownedBy('ver', owner);

  async function put(trx: Transaction, wanted: Wanted): Promise<string> {
    const {
      projectId = 1,
      channel = 'simulator',
      lane = 'code',
      phone = '+6281234500001',
      code = '481516',
      lifeMs = 300_000,
    } = wanted;
    const id = newId('msg', clock.now());
    const ownerId = id.replace('msg', 'ver');
    codes.set(ownerId, code);
    await messages.enqueue(trx, {
      id,
      projectId,
      ownerId,
      address: phone,
      channel,
      lane,
      content: 'Code {{code}}',
      expiresAt: clock.now() + lifeMs,
    });
    return id;
  }

  return {
    undeliverable,
    whenUndeliverable,
    codes,
    database,
    clock,
    keyring,
    events,
    messages,
    texts,
    close,

    /** The outbox as another process opens it, or this one after it was killed. */
    reopened() {
      const other = messageService({ database, keyring, events, clock, quota: { take: () => undefined } });
      other.ownedBy('ver', owner);
      return other;
    },

    /** Forgets every message and event. */
    async clear(): Promise<void> {
      undeliverable.length = 0;
      codes.clear();
      whenUndeliverable.run = async () => {};
      await database.transaction(async (trx) => {
        await trx.deleteFrom('messages').execute();
        await trx.deleteFrom('early_receipts').execute();
        await trx.deleteFrom('events').execute();
        await trx.deleteFrom('audit_log').execute();
      });
    },

    /** Puts a message into the outbox; resolves to its id. */
    enqueue: (wanted: Wanted = {}): Promise<string> => database.transaction((trx) => put(trx, wanted)),

    /**
     * Puts many messages into the outbox, in short transactions: on PostgreSQL a long one would hold back the events of
     * every other test on that server.
     */
    async fill({ lane, count }: { lane: Lane; count: number }): Promise<void> {
      for (let left = count; left > 0; left -= FILLED_TOGETHER) {
        await database.transaction(async (trx) => {
          for (let i = 0; i < Math.min(left, FILLED_TOGETHER); i++) await put(trx, { lane });
        });
      }
    },

    /** Ends the verification of messages, as far as they feel it. */
    async stopMessages(
      ids: readonly string[],
      { status = 'canceled', arrived = false }: { status?: 'canceled' | 'expired'; arrived?: boolean } = {},
    ): Promise<void> {
      for (const id of ids) codes.delete(id.replace('msg', 'ver'));
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
