import type { FastifyInstance } from 'fastify';
import type { Database } from '../database/database.ts';
import type { RunOnce } from '../http/idempotency.ts';
import { deleted, page, problems, projectQuery, success } from '../http/schemas.ts';
import { typed } from '../http/server.ts';
import {
  changeBody,
  idParams,
  listQuery,
  scheduleAnswer,
  scheduleBody,
  scheduleDetails,
  toAnswer,
} from './schemas.ts';
import type { SchedulerService } from './service.ts';

/** What a send may be refused for when it is scheduled. */
const OF_THE_SEND = [
  'PHONE_INVALID',
  'PHONE_NOT_ALLOWED',
  'EMAIL_INVALID',
  'PHONE_OPTED_OUT',
  'PHONE_NOT_ON_WHATSAPP',
  'TEMPLATE_NOT_FOUND',
  'WHATSAPP_OFFLINE',
  'CHANNEL_UNAVAILABLE',
  'QUEUE_FULL',
] as const;

/** Sends at a later time. */
export function schedulerRoutes(
  server: FastifyInstance,
  deps: { scheduler: SchedulerService; database: Database; runOnce: RunOnce },
): void {
  const { scheduler, database, runOnce } = deps;
  const app = typed(server);
  const tags = ['Schedules'];

  app.post(
    '/api/v1/scheduler/schedule',
    {
      config: { access: 'scheduler:write' },
      schema: {
        tags,
        operationId: 'scheduleVerification',
        summary: 'Schedule a verification code',
        description:
          'Keeps the body of a send until `scheduledTime`. It is checked as a send is, but for the limits of the phone, which count when it is sent. A code that WOTP creates is created then, and its life begins then. Sent once, also across restarts and on several nodes.',
        body: scheduleBody,
        response: {
          201: success(scheduleAnswer),
          ...problems(...OF_THE_SEND, 'IDEMPOTENCY_MISMATCH', 'IDEMPOTENCY_IN_PROGRESS'),
        },
      },
    },
    (request, reply) =>
      runOnce(request, reply, async (trx) => {
        const { projectId: _named, scheduledTime, maxAttempts, ...send } = request.body;
        const schedule = await scheduler.schedule(trx, {
          send: { ...send, projectId: request.projectId },
          scheduledAt: Date.parse(scheduledTime),
          maxAttempts,
        });
        return { status: 201, body: { success: true as const, data: toAnswer(schedule) } };
      }),
  );

  app.get(
    '/api/v1/scheduler/list',
    {
      config: { access: 'scheduler:read' },
      schema: {
        tags,
        operationId: 'listSchedules',
        summary: 'List schedules, newest first',
        querystring: listQuery,
        response: { 200: page(scheduleAnswer), ...problems() },
      },
    },
    async (request) => {
      const { status, cursor, limit } = request.query;
      const { schedules, next } = await scheduler.list(request.projectId, { status, cursor, limit });
      return { success: true as const, data: schedules.map(toAnswer), page: { next } };
    },
  );

  app.get(
    '/api/v1/scheduler/:id',
    {
      config: { access: 'scheduler:read' },
      schema: {
        tags,
        operationId: 'getSchedule',
        summary: 'Get a schedule',
        description: 'Never shows the text or the code.',
        params: idParams,
        querystring: projectQuery,
        response: { 200: success(scheduleDetails), ...problems('RESOURCE_NOT_FOUND') },
      },
    },
    async (request) => {
      const schedule = await scheduler.get(request.projectId, request.params.id);
      const data = { ...toAnswer(schedule), metadata: schedule.metadata };
      return { success: true as const, data };
    },
  );

  app.put(
    '/api/v1/scheduler/:id',
    {
      config: { access: 'scheduler:write' },
      schema: {
        tags,
        operationId: 'changeSchedule',
        summary: 'Change a pending schedule',
        description:
          'The fields given take the place of those stored; all others stay. `channel` replaces `channels`; `code` and `length`, and `message` and `template`, replace each other. It is checked again as a whole and has all its attempts again. 409 once it has ended.',
        params: idParams,
        body: changeBody,
        response: {
          200: success(scheduleAnswer),
          ...problems(...OF_THE_SEND, 'RESOURCE_NOT_FOUND', 'CONFLICT'),
        },
      },
    },
    async (request) => {
      const { projectId: _named, scheduledTime, maxAttempts, ...send } = request.body;
      const schedule = await database.transaction((trx) =>
        scheduler.change(trx, request.projectId, request.params.id, {
          send,
          scheduledAt: scheduledTime === undefined ? undefined : Date.parse(scheduledTime),
          maxAttempts,
        }),
      );
      return { success: true as const, data: toAnswer(schedule) };
    },
  );

  app.delete(
    '/api/v1/scheduler/cancel/:id',
    {
      config: { access: 'scheduler:write' },
      schema: {
        tags,
        operationId: 'cancelSchedule',
        summary: 'Cancel a schedule',
        description: 'Canceling twice is the same as once. 409 once it has fired, expired or failed.',
        params: idParams,
        querystring: projectQuery,
        response: { 200: deleted, ...problems('RESOURCE_NOT_FOUND', 'CONFLICT', 'QUEUE_FULL') },
      },
    },
    async (request) => {
      const { id } = request.params;
      await database.transaction((trx) => scheduler.cancel(trx, request.projectId, id));
      return { success: true as const, data: { id } };
    },
  );
}
