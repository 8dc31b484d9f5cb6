import { sql } from 'kysely';
import type { Database } from '../database/database.ts';
import type { DeliveryRow, TriedDelivery } from './deliveries.ts';
import type { EndpointRow } from './endpoints.ts';

/** The statements on the way of every delivery, compiled once. */
export function deliveryStatements(database: Database) {
  const insertTried = database.prepareChange<TriedDelivery>((db, value) =>
    db
      .insertInto('webhook_deliveries')
      .values({
        id: value('id'),
        endpoint_id: value('endpoint_id'),
        event_id: value('event_id'),
        type: value('type'),
        subject: value('subject'),
        body: value('body'),
        status: value('status'),
        due_at: value('due_at'),
        sending: value('sending'),
        claim: value('claim'),
        tries: value('tries'),
        attempts: value('attempts'),
        created_at: value('created_at'),
      })
      .onConflict((conflict) => conflict.columns(['endpoint_id', 'event_id']).doNothing()),
  );
  const byEvent = database.prepare<Pick<DeliveryRow, 'endpoint_id' | 'event_id'>, DeliveryRow>((db, value) =>
    db
      .selectFrom('webhook_deliveries')
      .selectAll()
      .where('endpoint_id', '=', value('endpoint_id'))
      .where('event_id', '=', value('event_id')),
  );
  const pendingSubjects = database.prepare<{ endpointId: string; limit: number }, { subject: string }>(
    (db, value) =>
      db
        .selectFrom('webhook_deliveries')
        .select('subject')
        .where('endpoint_id', '=', value('endpointId'))
        .where('status', '=', sql.lit('pending'))
        .limit(value('limit')),
  );
  const dueEndpoints = database.prepare<{ now: number }, EndpointRow>((db, value) =>
    db
      .selectFrom('webhook_endpoints as e')
      .selectAll('e')
      .where('e.enabled', '=', 1)
      .where((eb) =>
        eb.exists(
          eb
            .selectFrom('webhook_deliveries as d')
            .select('d.seq')
            .whereRef('d.endpoint_id', '=', 'e.id')
            .where('d.status', '=', sql.lit('pending'))
            .where('d.due_at', 'is not', null)
            .where('d.due_at', '<=', value('now')),
        ),
      ),
  );
  const claimDue = database.prepare<
    { endpointId: string; now: number; until: number; limit: number },
    DeliveryRow
  >((db, value) =>
    db
      .updateTable('webhook_deliveries')
      .set((eb) => ({ due_at: value('until'), sending: 1, claim: eb('claim', '+', 1) }))
      .where('seq', 'in', (eb) =>
        eb
          .selectFrom('webhook_deliveries')
          .select('seq')
          .where('endpoint_id', '=', value('endpointId'))
          .where('status', '=', sql.lit('pending'))
          .where('due_at', 'is not', null)
          .where('due_at', '<=', value('now'))
          .orderBy('due_at')
          .orderBy('seq')
          .limit(value('limit')),
      )
      .returningAll(),
  );
  const settleClaimed = database.prepareChange<
    Pick<DeliveryRow, 'seq' | 'claim' | 'status' | 'due_at' | 'tries' | 'attempts'>
  >((db, value) =>
    db
      .updateTable('webhook_deliveries')
      .set({
        status: value('status'),
        due_at: value('due_at'),
        sending: 0,
        tries: value('tries'),
        attempts: value('attempts'),
      })
      .where('seq', '=', value('seq'))
      .where('claim', '=', value('claim'))
      .where('sending', '=', 1),
  );
  const disabledEndpoints = database.prepare<object, { id: string }>((db) =>
    db.selectFrom('webhook_endpoints').select('id').where('enabled', '=', 0),
  );

  return {
    /** One that is there already stays. */
    insertTried,
    byEvent,
    pendingSubjects,
    dueEndpoints,
    claimDue,
    settleClaimed,
    disabledEndpoints,
  };
}
