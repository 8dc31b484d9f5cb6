import { lookup } from 'node:dns';
import type { LookupFunction } from 'node:net';
import { z } from 'zod';
import type { Core } from '../core.ts';
import { DEFAULT_PROJECT } from '../database/project.ts';
import { EventConsumer } from '../events/consumer.ts';
import { eventFeed } from '../events/feed.ts';
import type { Feature } from '../feature.ts';
import { DAY_MS } from '../lib/duration.ts';
import { outboundClient } from '../lib/outbound-client.ts';
import type { MessagesFeature } from '../messages/index.ts';
import { ANSWER_MAX_BYTES, ATTEMPT_MAX_MS, attemptDelivery } from './attempt.ts';
import { deliveryRepository, type Outcome } from './deliveries.ts';
import { directDeliveries } from './direct.ts';
import { endpointService } from './endpoints.ts';
import { fanOut } from './fan-out.ts';
import { webhookRoutes } from './routes.ts';
import { WebhookSender } from './sender.ts';
import { targetReader } from './target.ts';

/** Events that are made into deliveries in one transaction. */
const EVENTS_TOGETHER = 50;
/** So many where their deliveries are attempted first: after a crash they come again. */
const EVENTS_TRIED_TOGETHER = 20;

/** Webhooks: the events of a project, sent to the endpoints that it names. */
export function webhooksFeature(core: Core, { messages }: { messages: MessagesFeature }) {
  const { config, database, keyring, events, clock, machineClock, log, troubles } = core;
  const { allowedAddresses, retrySeconds, enabled, url } = config.webhooks;
  const rules = { allowedAddresses, isProduction: config.server.isProduction };
  const feed = eventFeed(database);
  const client = outboundClient({
    ...rules,
    clock: machineClock,
    totalMaxMs: ATTEMPT_MAX_MS,
    answerMaxBytes: ANSWER_MAX_BYTES,
    cutsAnswers: true,
    socketsMax: Number.POSITIVE_INFINITY,
  });
  const endpoints = endpointService({
    database,
    keyring,
    events,
    clock,
    beforeFirst: (trx) => consumer.skipToEnd(trx),
  });
  const deliveries = deliveryRepository({ database, clock, firstWaitMs: retrySeconds[0]! * 1000 });
  const source = fanOut({
    database,
    feed,
    deliveries,
    addressesOf: messages.service.addressesOf,
    onAdded: () => sender.wake(),
  });
  // A first attempt may have to wait.
  const triesFirst = database.isExclusive && retrySeconds[0] === 0;
  const consumer = new EventConsumer({
    database,
    feed,
    clock,
    troubles,
    name: 'webhooks',
    from: 'now',
    handle: (trx, events) => (triesFirst ? direct : source).handle(trx, events),
    beforehand: triesFirst ? (events) => direct.attempt(events) : undefined,
    isWanted: endpoints.anyEnabled,
    togetherMax: triesFirst ? EVENTS_TRIED_TOGETHER : EVENTS_TOGETHER,
  });
  const sender = new WebhookSender({
    database,
    endpoints,
    deliveries,
    fanOut: source,
    attempt: (endpoint, delivery, signal) =>
      attemptDelivery({ endpoint, delivery }, { client, endpoints, clock, machineClock }, signal),
    retrySeconds,
    clock,
    log,
    troubles,
  });
  const direct = directDeliveries({ database, fanOut: source, deliveries, sender, clock });
  const { webhookDays } = config.retention;

  return {
    name: 'webhooks',
    routes: (server) =>
      webhookRoutes(server, {
        endpoints,
        deliveries,
        readTarget: targetReader({ rules, lookup: lookup as LookupFunction, clock: machineClock }),
        database,
        clock,
        runOnce: core.idempotency.runOnce,
        wake: () => sender.wake(),
      }),
    work: [
      consumer,
      {
        start: () => endpoints.setByEnvironment(DEFAULT_PROJECT, enabled ? url : undefined),
        stop: async () => {},
      },
      { start() {}, stop: async () => client.close() },
      sender,
    ],
    keeps: [
      {
        async forgetSome(trx) {
          const old =
            webhookDays === 0 ? 0 : await deliveries.forget(trx, clock.now() - webhookDays * DAY_MS);
          const count = old > 0 ? old : await deliveries.forgetDeleted(trx);
          return { counts: { webhookDeliveries: count }, more: count > 0 };
        },
      },
    ],
    checks: [
      {
        name: 'webhooks',
        schema: { endpoints: z.int(), disabled: z.int() },
        async run() {
          const { ids, count } = await endpoints.disabled();
          if (count === 0) return undefined;
          const figures = { endpoints: count, disabled: ids.length };
          if (ids.length === 0) return { status: 'healthy', ...figures };
          const detail = `The server disabled ${ids.length === 1 ? 'a webhook endpoint' : `${ids.length} webhook endpoints`} that failed for days or answered 410 (${ids.slice(0, 5).join(', ')}). Repair and enable, or delete.`;
          return { status: 'degraded', ...figures, detail };
        },
      },
    ],
    figures: () => sender.figures,
    /** Calls `listener` with what comes of each attempt. */
    watchAttempts: (listener: (outcome: Outcome) => void) => sender.watch(listener),
  } satisfies Feature & Record<string, unknown>;
}

export type WebhooksFeature = ReturnType<typeof webhooksFeature>;
