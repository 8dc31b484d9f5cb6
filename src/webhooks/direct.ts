import type { Database, Transaction } from '../database/database.ts';
import type { StoredEvent } from '../events/feed.ts';
import type { Clock } from '../lib/clock.ts';
import { newId } from '../lib/id.ts';
import { pause } from '../lib/pause.ts';
import { type Deliveries, LEASE_MS, type NewDelivery, type TriedDelivery } from './deliveries.ts';
import { type EndpointRow, WEBHOOKS_LOCK } from './endpoints.ts';
import { type FanOut, ofTheirTime } from './fan-out.ts';
import type { AttemptOutcome, WebhookSender } from './sender.ts';

/** How long events wait for their first attempts to end before they are stored, in ms. */
const WINDOW_MS = 250;
/** An endpoint that failed, or took longer than that, gets stored deliveries for so long, in ms. */
const SLOW_MS = 5_000;

/** An attempt at a delivery that is not stored yet. */
interface Flight {
  ending: Promise<AttemptOutcome>;
  /** Once it has ended. */
  outcome?: AttemptOutcome;
}

/** What is to be made of events, as read before their transaction. */
interface Plan {
  events: readonly StoredEvent[];
  /** Tells whether the endpoints are still those. */
  endpoints: string;
  rows: NewDelivery[];
}

/**
 * Attempts deliveries before they are stored, where no other process can do the same: each takes one write, with its outcome,
 * in place of three. The reader of the feed moves on in that same transaction, so that after a crash the events come again.
 * Deliveries that have not ended in time are stored as under way; what has to wait for them or for an endpoint that fails is
 * stored as pending, and all of these are the sender's.
 */
export function directDeliveries(deps: {
  database: Database;
  fanOut: FanOut;
  deliveries: Deliveries;
  sender: WebhookSender;
  clock: Clock;
}) {
  const { database, fanOut, deliveries, sender, clock } = deps;
  /** By endpoint and event, until their deliveries are stored. */
  const flights = new Map<string, Flight>();
  const slowUntil = new Map<string, number>();
  let plan: Plan | undefined;

  function launch(endpoint: EndpointRow, row: NewDelivery): Flight | undefined {
    const ending = sender.begin(endpoint, row);
    if (!ending) return undefined;
    const flight: Flight = { ending };
    void ending.then((outcome) => {
      flight.outcome = outcome;
    });
    flights.set(keyOf(row), flight);
    return flight;
  }

  /** Attempts the deliveries of one subject one after another, while each succeeds. */
  async function attemptInOrder(
    endpoint: EndpointRow,
    rows: readonly NewDelivery[],
    signal: AbortSignal,
  ): Promise<void> {
    for (const row of rows) {
      const flight = flights.get(keyOf(row)) ?? launch(endpoint, row);
      if (!flight) return;
      const { status } = await flight.ending;
      if (status !== 'delivered') slowUntil.set(endpoint.id, clock.now() + SLOW_MS);
      if (status !== 'delivered' || signal.aborted) return;
    }
  }

  /** The subjects of an endpoint whose deliveries may begin at once, each with its deliveries in order. */
  async function readySubjects(
    endpoint: EndpointRow,
    rows: readonly NewDelivery[],
  ): Promise<NewDelivery[][]> {
    if ((slowUntil.get(endpoint.id) ?? 0) > clock.now() || !sender.isIdle(endpoint.id)) return [];
    const pending = await deliveries.pendingSubjects(endpoint.id);
    if (!pending) return [];
    const bySubject = new Map<string, NewDelivery[]>();
    for (const row of rows) {
      if (row.endpoint_id !== endpoint.id || pending.has(row.subject)) continue;
      const own = bySubject.get(row.subject);
      if (own) own.push(row);
      else bySubject.set(row.subject, [row]);
    }
    return [...bySubject.values()];
  }

  function tried(row: NewDelivery): TriedDelivery {
    const flight = flights.get(keyOf(row));
    const waiting = { due_at: null, sending: 0, claim: 0, tries: 0, attempts: '[]' };
    const pending = { ...row, ...waiting, id: newId('dlv', clock.now()), status: 'pending' };
    if (!flight) return pending;
    if (!flight.outcome) return { ...pending, due_at: clock.now() + LEASE_MS, sending: 1, claim: 1 };
    const { delivery, attempt, status, dueAt } = flight.outcome;
    const attempts = JSON.stringify(attempt ? [attempt] : []);
    return { ...pending, id: delivery.id, status, due_at: dueAt, claim: 1, tries: attempt ? 1 : 0, attempts };
  }

  return {
    /** Attempts what may begin at once; resolves when that has ended, and in 250 ms at the latest. */
    async attempt(events: readonly StoredEvent[]): Promise<void> {
      const endpoints = await fanOut.enabled(database.reader);
      const all = await fanOut.deliveriesOf(database.reader, endpoints, events);
      const rows = ofTheirTime(endpoints, all);
      plan = { events, endpoints: fingerprint(endpoints), rows };
      const over = new AbortController();
      const running = new Set<string>();
      const chains: Promise<void>[] = [];
      for (const endpoint of endpoints) {
        const subjects = await readySubjects(endpoint, rows);
        const ended = Promise.all(subjects.map((own) => attemptInOrder(endpoint, own, over.signal)));
        running.add(endpoint.id);
        chains.push(ended.then(() => void running.delete(endpoint.id)));
      }
      const isDone = new AbortController();
      const done = Promise.all(chains).then(() => isDone.abort());
      await Promise.race([done, pause(clock, WINDOW_MS, isDone.signal)]);
      over.abort();
      for (const id of running) slowUntil.set(id, clock.now() + SLOW_MS);
    },

    /** Stores the deliveries of events, with what has come of them so far. */
    async handle(trx: Transaction, events: readonly StoredEvent[]): Promise<void> {
      await database.serialize(trx, WEBHOOKS_LOCK);
      const endpoints = await fanOut.enabled(trx);
      const isPlanned = plan?.events === events && plan.endpoints === fingerprint(endpoints);
      const rows = isPlanned
        ? plan!.rows
        : ofTheirTime(endpoints, await fanOut.deliveriesOf(trx, endpoints, events));
      const all = rows.map(tried);
      await deliveries.addTried(trx, all);
      const outcomes = rows.flatMap((row) => flights.get(keyOf(row))?.outcome ?? []);
      const failing = new Set(endpoints.filter((each) => each.failing_since !== null).map(({ id }) => id));
      await sender.note(
        trx,
        outcomes.filter(
          ({ delivery, status }) => status !== 'delivered' || failing.has(delivery.endpoint_id),
        ),
      );
      for (const row of all) {
        const flight = row.sending === 1 ? flights.get(keyOf(row)) : undefined;
        const stored = flight && (await deliveries.stored(trx, row));
        if (stored?.id === row.id)
          database.afterCommit(trx, () => sender.settleLater(flight!.ending, stored));
      }
      database.afterCommit(trx, () => {
        // Also those of endpoints that were disabled meanwhile.
        flights.clear();
        if (all.some(({ status }) => status === 'pending')) sender.wake();
      });
    },
  };
}

const keyOf = ({ endpoint_id, event_id }: NewDelivery) => `${endpoint_id} ${event_id}`;

/** Differs when an endpoint was created, changed, enabled or disabled. */
const fingerprint = (endpoints: readonly EndpointRow[]) =>
  endpoints.map(({ id, url, events, updated_at }) => `${id} ${url} ${events} ${updated_at}`).join('\n');
