import type { Database, Executor, Transaction } from '../database/database.ts';
import type { EventFeed, StoredEvent } from '../events/feed.ts';
import { type EventPayload, eventId, eventPayload } from '../events/payload.ts';
import type { Deliveries, NewDelivery } from './deliveries.ts';
import { type EndpointRow, WEBHOOKS_LOCK } from './endpoints.ts';
import { wants } from './filter.ts';

/** Events that one step of a recovery looks at. */
const RECOVERED_TOGETHER = 100;

/** The addresses (E.164 or e-mail) of messages, by their ids; those that are no longer stored are left out. */
export type AddressesOf = (
  executor: Executor,
  messageIds: readonly string[],
) => Promise<ReadonlyMap<string, string>>;

/** Makes deliveries of events: of new ones as they come, and of earlier ones for an endpoint that is to get them again. */
export function fanOut(deps: {
  database: Database;
  feed: EventFeed;
  deliveries: Deliveries;
  addressesOf: AddressesOf;
  /** Called once deliveries are on disk. */
  onAdded: () => void;
}) {
  const { database, feed, deliveries, addressesOf, onAdded } = deps;

  const enabledEndpoints = database.prepare<object, EndpointRow>((db) =>
    db.selectFrom('webhook_endpoints').selectAll().where('enabled', '=', 1),
  );
  const recoveringEndpoints = database.prepare<object, { id: string }>((db) =>
    db.selectFrom('webhook_endpoints').select('id').where('recover_since', 'is not', null),
  );

  /** The deliveries of events to those endpoints that want them, in the order of the events. */
  async function deliveriesOf(
    executor: Executor,
    endpoints: readonly EndpointRow[],
    events: readonly StoredEvent[],
  ): Promise<NewDelivery[]> {
    const wanted = endpoints.map(({ id, project_id: projectId, origin, events: types }) => ({
      id,
      projectId,
      isOfV3: origin === 'setting',
      types: JSON.parse(types) as string[],
    }));
    const pairs = events.map((event) => ({
      event,
      own: wanted.filter(({ projectId, types }) => projectId === event.projectId && wants(types, event.type)),
    }));
    const ofV3 = pairs.filter(({ own }) => own.some(({ isOfV3 }) => isOfV3));
    const messageIds = new Set(ofV3.map(({ event }) => event.messageId).filter((id) => id !== null));
    const addresses =
      messageIds.size > 0 ? await addressesOf(executor, [...messageIds]) : new Map<string, string>();
    return pairs.flatMap(({ event, own }) => {
      if (own.length === 0) return [];
      const id = eventId(event);
      const payload = eventPayload(event);
      const text = JSON.stringify(payload);
      const address = addresses.get(event.messageId ?? '');
      return own.map((endpoint) => ({
        endpoint_id: endpoint.id,
        event_id: id,
        type: event.type,
        subject: event.subject ?? id,
        body: endpoint.isOfV3 && address !== undefined ? JSON.stringify(withAddress(payload, address)) : text,
        created_at: event.at,
      }));
    });
  }

  return {
    deliveriesOf,

    /** The endpoints that get events now. */
    enabled: (executor: Executor): Promise<EndpointRow[]> => enabledEndpoints(executor, {}),

    /** Whether there is an endpoint to deliver to is known before. */
    async handle(trx: Transaction, events: readonly StoredEvent[]): Promise<void> {
      await database.serialize(trx, WEBHOOKS_LOCK);
      const endpoints = await enabledEndpoints(trx, {});
      const rows = ofTheirTime(endpoints, await deliveriesOf(trx, endpoints, events));
      await deliveries.add(trx, rows);
      if (rows.length > 0) database.afterCommit(trx, onAdded);
    },

    /** One step for every endpoint that recovers; false where none does. */
    async recoverSome(): Promise<boolean> {
      const recovering = await recoveringEndpoints(database.reader, {});
      for (const { id } of recovering) {
        await database.transaction(async (trx) => {
          await database.serialize(trx, WEBHOOKS_LOCK);
          const endpoint = await trx
            .selectFrom('webhook_endpoints')
            .selectAll()
            .where('id', '=', id)
            .where('recover_since', 'is not', null)
            .executeTakeFirst();
          if (!endpoint) return;
          const since = endpoint.recover_since!;
          const cursor = endpoint.recover_cursor ?? (await feed.before(since, trx));
          const events = await feed.after(cursor, RECOVERED_TOGETHER, trx);
          const own = events.filter(({ at }) => at >= since);
          await deliveries.add(trx, await deliveriesOf(trx, [endpoint], own), { again: true });
          const isOver = events.length < RECOVERED_TOGETHER;
          await trx
            .updateTable('webhook_endpoints')
            .set(
              isOver
                ? { recover_since: null, recover_cursor: null }
                : { recover_cursor: events.at(-1)!.cursor },
            )
            .where('id', '=', id)
            .execute();
          database.afterCommit(trx, onAdded);
        });
      }
      return recovering.length > 0;
    },
  };
}

export type FanOut = ReturnType<typeof fanOut>;

/** Without those of events from before their endpoint was created. */
export function ofTheirTime(endpoints: readonly EndpointRow[], rows: readonly NewDelivery[]): NewDelivery[] {
  const since = new Map(endpoints.map(({ id, created_at }) => [id, created_at]));
  return rows.filter(({ endpoint_id, created_at }) => created_at >= since.get(endpoint_id)!);
}

/** v3 named the phone, and its receivers find their users by it. */
function withAddress(payload: EventPayload, address: string): EventPayload {
  return { ...payload, data: { ...payload.data, [address.includes('@') ? 'email' : 'phone']: address } };
}
