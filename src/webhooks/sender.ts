import { setMaxListeners } from 'node:events';
import type { Troubles } from '../background/troubles.ts';
import type { Work } from '../background/work.ts';
import type { Database, Transaction } from '../database/database.ts';
import { DatabaseError } from '../errors/errors.ts';
import type { Clock, Timer } from '../lib/clock.ts';
import { DAY_MS } from '../lib/duration.ts';
import { newId } from '../lib/id.ts';
import type { Logger } from '../lib/logger.ts';
import { pause } from '../lib/pause.ts';
import type { AttemptResult } from './attempt.ts';
import type { Deliveries, DeliveryRow, NewDelivery, Outcome } from './deliveries.ts';
import { type EndpointRow, type EndpointService, WEBHOOKS_LOCK } from './endpoints.ts';
import type { FanOut } from './fan-out.ts';
import { retryInMs } from './retry-schedule.ts';

/** Without any word from others the deliveries are looked at this often, in ms. */
const POLL_MS = 1_000;
/** Wake-ups that come close together share one look, in ms. */
const GATHER_MS = 10;
/**
 * Attempts to one endpoint that a process has under way at most, those included whose outcome is not on disk yet: so many
 * events can come again after a crash.
 */
const CONCURRENCY = 20;
/** An endpoint that has failed for so long (in ms) gets fewer at a time, until one succeeds. */
const FAILING_MS = 60_000;
const CONCURRENCY_WHERE_FAILING = 2;
/** An endpoint of which every attempt has failed for so long is disabled, in ms. */
const DISABLE_AFTER_MS = 5 * DAY_MS;
/** Outcomes that share a transaction at most. */
const OUTCOMES_TOGETHER = 200;
/** With so many attempts under way, outcomes wait so long (in ms) for each other: a sync to disk costs far more than a row. */
const MANY_IN_FLIGHT = 4;
const OUTCOMES_GATHER_MS = 10;
/** While the database cannot take outcomes, it is asked again this often, in ms. */
const RECORD_AGAIN_MS = 1_000;
/** How long stop waits for attempts under way before it gives them up, in ms. */
const STOP_GRACE_MS = 5_000;

const LOOK = 'reading webhook deliveries';
const RECORD = 'recording webhook deliveries';

/** What came of an attempt, and whether the endpoint is gone for good. */
export type AttemptOutcome = Outcome & { isGone: boolean };

export interface WebhookSenderOptions {
  database: Database;
  endpoints: EndpointService;
  deliveries: Deliveries;
  fanOut: FanOut;
  /** One attempt; rejects when the signal is aborted. */
  attempt: (endpoint: EndpointRow, delivery: DeliveryRow, signal: AbortSignal) => Promise<AttemptResult>;
  retrySeconds: readonly number[];
  clock: Clock;
  log: Logger;
  troubles: Troubles;
}

/**
 * Sends what is due to its endpoints. Each endpoint has its own room, so a dead one delays no other. Claims are leases: on
 * many nodes they share the work, and what a killed one had under way is sent again by another.
 */
export class WebhookSender implements Work {
  readonly #options: WebhookSenderOptions;
  readonly #stopBegun = new AbortController();
  readonly #stopSignal = new AbortController();
  /** Attempts under way, by endpoint. */
  readonly #flights = new Map<string, Set<Promise<AttemptOutcome>>>();
  /** Those that are reported when they end, of deliveries that were stored meanwhile. */
  readonly #late = new Set<Promise<void>>();
  readonly #outcomes: AttemptOutcome[] = [];
  /** How many outcomes are not on disk yet, by endpoint. */
  readonly #unrecorded = new Map<string, number>();
  readonly #listeners: ((outcome: Outcome) => void)[] = [];
  #state: 'new' | 'running' | 'stopped' = 'new';
  #timer: { timer: Timer; at: number } | undefined;
  #pass: Promise<void> | undefined;
  #recording: Promise<void> | undefined;
  #stopping: Promise<void> | undefined;
  #delivered = 0;
  #failed = 0;

  constructor(options: WebhookSenderOptions) {
    // Every attempt under way listens.
    setMaxListeners(0, this.#stopSignal.signal);
    this.#options = options;
  }

  /** Since the start: attempts that succeeded and that failed, and those under way. */
  get figures() {
    const webhooksInFlight = [...this.#flights.values()].reduce((sum, { size }) => sum + size, 0);
    return { webhooksDelivered: this.#delivered, webhookAttemptsFailed: this.#failed, webhooksInFlight };
  }

  async start(): Promise<void> {
    if (this.#state !== 'new') return;
    this.#state = 'running';
    const { database, deliveries } = this.#options;
    if (database.isExclusive) await deliveries.freeClaims();
    this.#lookAgainIn(0);
  }

  /** Begins nothing more, waits a moment for attempts under way, and leaves the rest for the next start. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  async #stop(): Promise<void> {
    this.#state = 'stopped';
    this.#stopBegun.abort();
    this.#timer?.timer.cancel();
    await this.#pass;
    const grace = this.#options.clock.setTimeout(() => this.#stopSignal.abort(), STOP_GRACE_MS);
    await Promise.all([...this.#flights.values()].flatMap((flights) => [...flights]));
    await Promise.all(this.#late);
    grace.cancel();
    await this.#recording;
  }

  /** Something may be due: look soon. */
  wake(): void {
    this.#lookAgainIn(GATHER_MS);
  }

  #lookAgainIn(delayMs: number): void {
    if (this.#state !== 'running') return;
    const { clock } = this.#options;
    const at = clock.now() + delayMs;
    if (this.#timer && this.#timer.at <= at) return;
    this.#timer?.timer.cancel();
    const timer = clock.setTimeout(() => {
      this.#timer = undefined;
      this.#pass ??= this.#look().finally(() => {
        this.#pass = undefined;
      });
    }, delayMs);
    this.#timer = { timer, at };
  }

  async #look(): Promise<void> {
    const { deliveries, fanOut, troubles } = this.#options;
    let more = false;
    try {
      await this.#launchDue();
      more = await deliveries.failWhereDisabled();
      more = (await fanOut.recoverSome()) || more;
      troubles.succeeded(LOOK);
    } catch (error) {
      troubles.failed(LOOK, error, { message: 'webhook deliveries not read; trying again' });
    }
    this.#lookAgainIn(more ? GATHER_MS : POLL_MS);
  }

  async #launchDue(): Promise<void> {
    const { database, deliveries, clock } = this.#options;
    const due = await deliveries.dueEndpoints(clock.now());
    const free = due
      .map((endpoint) => ({ endpoint, room: this.#roomOf(endpoint) }))
      .filter(({ room }) => room > 0);
    if (free.length === 0) return;
    const claimed = await database.transaction(async (trx) => {
      await database.serialize(trx, WEBHOOKS_LOCK);
      const all: { endpoint: EndpointRow; delivery: DeliveryRow }[] = [];
      for (const { endpoint, room } of free) {
        for (const delivery of await deliveries.claim(trx, endpoint.id, room))
          all.push({ endpoint, delivery });
      }
      return all;
    });
    for (const { endpoint, delivery } of claimed) this.#launch(endpoint, delivery);
  }

  #roomOf({ id, failing_since }: EndpointRow): number {
    const isFailing = failing_since !== null && this.#options.clock.now() - failing_since >= FAILING_MS;
    const underWay = (this.#flights.get(id)?.size ?? 0) + (this.#unrecorded.get(id) ?? 0);
    return (isFailing ? CONCURRENCY_WHERE_FAILING : CONCURRENCY) - underWay;
  }

  /** Whether nothing is under way to an endpoint. */
  isIdle(endpointId: string): boolean {
    return !this.#flights.has(endpointId);
  }

  /** Attempts a delivery before it is stored; undefined unless the sender runs. Its outcome is for whoever stores it. */
  begin(endpoint: EndpointRow, row: NewDelivery): Promise<AttemptOutcome> | undefined {
    if (this.#state !== 'running') return undefined;
    const id = newId('dlv', this.#options.clock.now());
    const fresh = { status: 'pending', due_at: null, sending: 1, claim: 1, tries: 0, attempts: '[]' };
    return this.#fly(endpoint, this.#attempt(endpoint, { ...row, ...fresh, id, seq: 0 }));
  }

  /** Writes the outcome of an attempt down once it has ended: that of a delivery that was stored meanwhile. */
  settleLater(ending: Promise<AttemptOutcome>, delivery: DeliveryRow): void {
    const late = ending
      .then((outcome) => this.#report({ ...outcome, delivery }))
      .finally(() => this.#late.delete(late));
    this.#late.add(late);
  }

  #launch(endpoint: EndpointRow, delivery: DeliveryRow): void {
    void this.#fly(
      endpoint,
      this.#attempt(endpoint, delivery).then((outcome) => {
        this.#report(outcome);
        return outcome;
      }),
    );
  }

  /** Counts an attempt among those under way until it has ended. */
  #fly(endpoint: EndpointRow, ending: Promise<AttemptOutcome>): Promise<AttemptOutcome> {
    const flights = this.#flights.get(endpoint.id) ?? new Set();
    this.#flights.set(endpoint.id, flights);
    flights.add(ending);
    return ending.finally(() => {
      flights.delete(ending);
      if (flights.size === 0) this.#flights.delete(endpoint.id);
    });
  }

  #report(outcome: AttemptOutcome): void {
    this.#outcomes.push(outcome);
    this.#countUnrecorded(outcome, 1);
    this.#recording ??= this.#record();
  }

  /** Calls `listener` with what comes of each attempt. */
  watch(listener: (outcome: Outcome) => void): void {
    this.#listeners.push(listener);
  }

  async #attempt(endpoint: EndpointRow, delivery: DeliveryRow): Promise<AttemptOutcome> {
    const outcome = await this.#outcomeOf(endpoint, delivery);
    for (const listener of this.#listeners) listener(outcome);
    return outcome;
  }

  async #outcomeOf(endpoint: EndpointRow, delivery: DeliveryRow): Promise<AttemptOutcome> {
    const { attempt, retrySeconds, clock, log } = this.#options;
    let result: AttemptResult;
    try {
      result = await attempt(endpoint, delivery, this.#stopSignal.signal);
    } catch (error) {
      if (!this.#stopSignal.signal.aborted) {
        log.error({ err: error, deliveryId: delivery.id }, 'webhook attempt failed unexpectedly');
        const failed = { at: clock.now(), status: null, durationMs: 0, error: 'Unexpected error.' };
        result = { attempt: failed, isDelivered: false, isGone: false, retryAfterMs: undefined };
      } else return { delivery, status: 'pending', dueAt: clock.now(), isGone: false };
    }
    if (result.isDelivered) this.#delivered += 1;
    else this.#failed += 1;
    const { attempt: made, isDelivered, isGone } = result;
    if (isDelivered) return { delivery, attempt: made, status: 'delivered', dueAt: null, isGone };
    const waitMs = isGone
      ? undefined
      : retryInMs(retrySeconds, {
          tries: delivery.tries + 1,
          retryAfterMs: result.retryAfterMs,
          random: Math.random(),
        });
    const outcome = { delivery, attempt: made, isGone };
    return waitMs === undefined
      ? { ...outcome, status: 'failed', dueAt: null }
      : { ...outcome, status: 'pending', dueAt: clock.now() + waitMs };
  }

  #countUnrecorded({ delivery: { endpoint_id: id } }: AttemptOutcome, change: 1 | -1): void {
    const count = (this.#unrecorded.get(id) ?? 0) + change;
    if (count > 0) this.#unrecorded.set(id, count);
    else this.#unrecorded.delete(id);
  }

  /** Outcomes that come while others are being written share the next transaction. */
  async #record(): Promise<void> {
    const { database, clock, troubles } = this.#options;
    while (this.#outcomes.length > 0) {
      if (this.figures.webhooksInFlight >= MANY_IN_FLIGHT) {
        await pause(clock, OUTCOMES_GATHER_MS, this.#stopBegun.signal);
      }
      const outcomes = this.#outcomes.splice(0, OUTCOMES_TOGETHER);
      try {
        await database.transaction((trx) => this.#settle(trx, outcomes));
        troubles.succeeded(RECORD);
      } catch (error) {
        troubles.failed(RECORD, error, { message: 'webhook deliveries not recorded' });
        // Else their claims end, and they are sent again.
        if (error instanceof DatabaseError && this.#state === 'running') {
          this.#outcomes.unshift(...outcomes);
          await pause(clock, RECORD_AGAIN_MS, this.#stopBegun.signal);
          continue;
        }
      }
      for (const outcome of outcomes) this.#countUnrecorded(outcome, -1);
      this.wake();
    }
    // In the same step that saw nothing waiting.
    this.#recording = undefined;
  }

  async #settle(trx: Transaction, outcomes: readonly AttemptOutcome[]): Promise<void> {
    const { database, deliveries } = this.#options;
    await database.serialize(trx, WEBHOOKS_LOCK);
    const held = new Set(await deliveries.settle(trx, outcomes));
    await this.note(
      trx,
      outcomes.filter((outcome) => held.has(outcome)),
    );
  }

  /** Writes down what outcomes say about their endpoints: since when they fail, and whether they are disabled. */
  async note(trx: Transaction, outcomes: readonly AttemptOutcome[]): Promise<void> {
    const { endpoints, clock } = this.#options;
    const made = outcomes.filter(({ attempt }) => attempt);
    for (const id of new Set(made.map(({ delivery }) => delivery.endpoint_id))) {
      const own = made.filter(({ delivery }) => delivery.endpoint_id === id);
      const row = await endpoints.find(trx, id);
      if (!row) continue;
      const hasSucceeded = own.some(({ status }) => status === 'delivered');
      const failingSince = hasSucceeded ? null : (row.failing_since ?? clock.now());
      if (failingSince !== row.failing_since) await endpoints.setFailingSince(trx, id, failingSince);
      if (own.some(({ isGone }) => isGone)) await endpoints.disable(trx, row, 'gone');
      else if (failingSince !== null && clock.now() - failingSince >= DISABLE_AFTER_MS) {
        await endpoints.disable(trx, row, 'failing');
      }
    }
  }
}
