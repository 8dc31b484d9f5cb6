import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { Database } from '../database/database.ts';
import { actorOf } from '../http/caller.ts';
import type { RunOnce } from '../http/idempotency.ts';
import {
  deleted,
  noBody,
  page,
  pageQuery,
  problems,
  projectId,
  projectQuery,
  success,
} from '../http/schemas.ts';
import { typed } from '../http/server.ts';
import type { Clock } from '../lib/clock.ts';
import { newId } from '../lib/id.ts';
import type { Deliveries } from './deliveries.ts';
import type { EndpointService } from './endpoints.ts';
import {
  changeBody,
  createBody,
  deliveryAnswer,
  deliveryId,
  endpointAnswer,
  endpointWithSecret,
  inLowerCase,
  recoverBody,
  statusFilter,
  toDeliveryAnswer,
  toEndpointAnswer,
  webhookId,
} from './schemas.ts';
import type { ReadTarget } from './target.ts';

/** The type of a test event, which no other event has. */
const TEST_TYPE = 'webhook.test';

/** Webhook endpoints and what was delivered to them. */
export function webhookRoutes(
  server: FastifyInstance,
  deps: {
    endpoints: EndpointService;
    deliveries: Deliveries;
    readTarget: ReadTarget;
    database: Database;
    clock: Clock;
    runOnce: RunOnce;
    /** Something may be due. */
    wake: () => void;
  },
): void {
  const { endpoints, deliveries, readTarget, database, clock, runOnce, wake } = deps;
  const app = typed(server);
  const config = { access: 'webhooks:manage' } as const;
  const tags = ['Webhooks'];
  const params = z.object({ id: webhookId });
  const once = ['IDEMPOTENCY_MISMATCH', 'IDEMPOTENCY_IN_PROGRESS'] as const;

  app.get(
    '/api/v1/webhooks',
    {
      config,
      schema: {
        tags,
        operationId: 'listWebhooks',
        summary: 'List webhook endpoints, newest first',
        querystring: z.strictObject({ ...pageQuery('whk'), projectId }),
        response: { 200: page(endpointAnswer), ...problems() },
      },
    },
    async (request) => {
      const { limit, cursor } = request.query;
      const found = await endpoints.list(request.projectId, { limit, cursor });
      return {
        success: true as const,
        data: found.endpoints.map(toEndpointAnswer),
        page: { next: found.next },
      };
    },
  );

  app.post(
    '/api/v1/webhooks',
    {
      config,
      schema: {
        tags,
        operationId: 'createWebhook',
        summary: 'Create a webhook endpoint',
        description:
          'Events from now on are sent to `url`, signed by the Standard Webhooks rules. The secret to verify them with is shown once. A project has 50 endpoints at most.',
        body: createBody,
        response: { 201: success(endpointWithSecret), ...problems('CONFLICT', ...once) },
      },
    },
    async (request, reply) => {
      const { events, description, enabled, headers } = request.body;
      const url = await readTarget(request.body.url);
      const owner = { projectId: request.projectId, origin: 'api' as const, by: actorOf(request) };
      return runOnce(request, reply, async (trx) => {
        const settings = { url, events, description, enabled, headers: inLowerCase(headers) };
        const { endpoint, secret } = await endpoints.create(trx, owner, settings);
        return {
          status: 201,
          body: { success: true as const, data: { ...toEndpointAnswer(endpoint), secret } },
        };
      });
    },
  );

  app.get(
    '/api/v1/webhooks/:id',
    {
      config,
      schema: {
        tags,
        operationId: 'getWebhook',
        summary: 'Get a webhook endpoint',
        params,
        querystring: projectQuery,
        response: { 200: success(endpointAnswer), ...problems('RESOURCE_NOT_FOUND') },
      },
    },
    async (request) => ({
      success: true as const,
      data: toEndpointAnswer(await endpoints.get(request.projectId, request.params.id)),
    }),
  );

  app.patch(
    '/api/v1/webhooks/:id',
    {
      config,
      schema: {
        tags,
        operationId: 'updateWebhook',
        summary: 'Change a webhook endpoint',
        description:
          'Fields that are left out stay. `headers` replaces all of them. Enabling an endpoint that was disabled sends nothing of before: use *recover* for that.',
        params,
        body: changeBody,
        response: { 200: success(endpointAnswer), ...problems('RESOURCE_NOT_FOUND') },
      },
    },
    async (request) => {
      const { url: given, events, description, enabled, headers } = request.body;
      const url = given === undefined ? undefined : await readTarget(given);
      const which = { projectId: request.projectId, id: request.params.id, by: actorOf(request) };
      const change = {
        ...(url !== undefined && { url }),
        ...(events !== undefined && { events }),
        description,
        enabled,
        headers: inLowerCase(headers),
      };
      const endpoint = await database.transaction((trx) => endpoints.change(trx, which, change));
      return { success: true as const, data: toEndpointAnswer(endpoint) };
    },
  );

  app.delete(
    '/api/v1/webhooks/:id',
    {
      config,
      schema: {
        tags,
        operationId: 'deleteWebhook',
        summary: 'Delete a webhook endpoint',
        description: 'Nothing more is sent to it, and its deliveries are deleted.',
        params,
        querystring: projectQuery,
        response: { 200: deleted, ...problems('RESOURCE_NOT_FOUND') },
      },
    },
    async (request) => {
      const { id } = request.params;
      await database.transaction((trx) => endpoints.remove(trx, request.projectId, id, actorOf(request)));
      return { success: true as const, data: { id } };
    },
  );

  app.post(
    '/api/v1/webhooks/:id/test',
    {
      config,
      schema: {
        tags,
        operationId: 'testWebhook',
        summary: 'Send a test event',
        description:
          'Sends one event of the type `webhook.test`, signed and retried like any other. What came of it is in the list of deliveries.',
        params,
        body: noBody,
        response: {
          202: success(deliveryAnswer),
          ...problems('RESOURCE_NOT_FOUND', 'CONFLICT', ...once),
        },
      },
    },
    async (request, reply) => {
      const { id } = request.params;
      return runOnce(request, reply, async (trx) => {
        await endpoints.requireEnabled(trx, request.projectId, id);
        await endpoints.recordAct(trx, request.projectId, id, 'tested', actorOf(request));
        const now = clock.now();
        const eventId = newId('evt', now);
        const timestamp = new Date(now).toISOString();
        const body = { type: TEST_TYPE, timestamp, data: { webhookId: id }, event: TEST_TYPE };
        const delivery = await deliveries.addOne(trx, {
          endpoint_id: id,
          event_id: eventId,
          type: TEST_TYPE,
          subject: eventId,
          body: JSON.stringify(body),
          created_at: now,
        });
        database.afterCommit(trx, wake);
        return { status: 202, body: { success: true as const, data: toDeliveryAnswer(delivery) } };
      });
    },
  );

  app.post(
    '/api/v1/webhooks/:id/rotate-secret',
    {
      config,
      schema: {
        tags,
        operationId: 'rotateWebhookSecret',
        summary: 'Rotate the secret of an endpoint',
        description:
          'The new secret is shown once. For 24 hours the one before signs as well, so that both verify; one that is older still ends at once.',
        params,
        body: noBody,
        response: { 200: success(endpointWithSecret), ...problems('RESOURCE_NOT_FOUND', ...once) },
      },
    },
    async (request, reply) => {
      const { id } = request.params;
      return runOnce(request, reply, async (trx) => {
        const by = actorOf(request);
        const { endpoint, secret } = await endpoints.rotateSecret(trx, request.projectId, id, by);
        return {
          status: 200,
          body: { success: true as const, data: { ...toEndpointAnswer(endpoint), secret } },
        };
      });
    },
  );

  app.post(
    '/api/v1/webhooks/:id/recover',
    {
      config,
      schema: {
        tags,
        operationId: 'recoverWebhook',
        summary: 'Send missed events again',
        description:
          'Sends every event since a time that failed or was never tried, those from before the endpoint existed too, as far as events are kept (`RETENTION_DAYS_EVENTS`). What was delivered is not sent again. Runs in the background: `recovering` of the endpoint says whether it still does.',
        params,
        body: recoverBody,
        response: { 202: success(endpointAnswer), ...problems('RESOURCE_NOT_FOUND', 'CONFLICT') },
      },
    },
    async (request, reply) => {
      const { id } = request.params;
      const since = Date.parse(request.body.since);
      const endpoint = await database.transaction(async (trx) => {
        await endpoints.recover(trx, request.projectId, id, since, actorOf(request));
        database.afterCommit(trx, wake);
        return endpoints.get(request.projectId, id, trx);
      });
      return reply.code(202).send({ success: true as const, data: toEndpointAnswer(endpoint) });
    },
  );

  app.get(
    '/api/v1/webhooks/:id/deliveries',
    {
      config,
      schema: {
        tags,
        operationId: 'listWebhookDeliveries',
        summary: 'List deliveries of an endpoint, newest first',
        description: 'Each with the status, time and first kilobyte of the answer to every attempt.',
        params,
        querystring: z.strictObject({ ...pageQuery('evt'), status: statusFilter, projectId }),
        response: { 200: page(deliveryAnswer), ...problems('RESOURCE_NOT_FOUND') },
      },
    },
    async (request) => {
      const { limit, cursor, status } = request.query;
      const { id } = await endpoints.get(request.projectId, request.params.id);
      const found = await deliveries.list(id, { limit, cursor, status });
      return {
        success: true as const,
        data: found.deliveries.map(toDeliveryAnswer),
        page: { next: found.next },
      };
    },
  );

  app.post(
    '/api/v1/webhooks/deliveries/:id/retry',
    {
      config,
      schema: {
        tags,
        operationId: 'retryWebhookDelivery',
        summary: 'Send one delivery again',
        description:
          'Whatever became of it, under the same `webhook-id`, and with the whole retry schedule. While an attempt is under way, nothing changes.',
        params: z.object({ id: deliveryId }),
        body: noBody,
        response: { 202: success(deliveryAnswer), ...problems('RESOURCE_NOT_FOUND', 'CONFLICT') },
      },
    },
    async (request, reply) => {
      const delivery = await database.transaction(async (trx) => {
        database.afterCommit(trx, wake);
        const retried = await deliveries.retry(trx, request.projectId, request.params.id);
        const by = actorOf(request);
        await endpoints.recordAct(trx, request.projectId, retried.endpoint_id, 'delivery retried', by);
        return retried;
      });
      return reply.code(202).send({ success: true as const, data: toDeliveryAnswer(delivery) });
    },
  );
}
