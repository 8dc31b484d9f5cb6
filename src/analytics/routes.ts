import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { maskPhone } from '../addresses/phone.ts';
import type { Database } from '../database/database.ts';
import type { EventRecorder } from '../events/record.ts';
import { actorOf } from '../http/caller.ts';
import { grants } from '../http/permissions.ts';
import { problems, success } from '../http/schemas.ts';
import { typed } from '../http/server.ts';
import type { Clock } from '../lib/clock.ts';
import { csvLine } from '../lib/csv.ts';
import { DAY_MS } from '../lib/duration.ts';
import { QUARTER_MS, quarterOf } from './figures.ts';
import { readPeriod } from './period.ts';
import type { PhoneCount } from './phones.ts';
import type { AnalyticsReading, DayCounts, DeliveryTimes, Period } from './reading.ts';
import type { Rebuilding } from './rebuild.ts';
import {
  answers,
  conversion,
  conversionQuery,
  dashboard,
  dashboardQuery,
  datesQuery,
  deliveryTime,
  rebuildBody,
  rebuildStep,
  successRate,
  topPhones,
  topPhonesQuery,
} from './schemas.ts';
import { dateOf, timeZone } from './zone.ts';

/** Phones of a dashboard. */
const DASHBOARD_PHONES = 10;
/** Top phones are counted over so many days at most: mostly their verifications are not kept for longer. */
const PHONE_DAYS_MAX = 31;

const DATES: [string, string] = ['startDate', 'endDate'];
const TIMES = ['messages', 'averageMs', 'p50Ms', 'p90Ms', 'p95Ms', 'p99Ms'] as const;

/** Figures of a project, and the recount of all. */
export function analyticsRoutes(
  server: FastifyInstance,
  deps: {
    reading: AnalyticsReading;
    topPhones: (projectId: number, from: number, to: number, limit: number) => Promise<PhoneCount[]>;
    rebuild: Rebuilding;
    /** Counts what has happened since the last look. */
    catchUp: () => Promise<void>;
    database: Database;
    events: EventRecorder;
    clock: Clock;
  },
): void {
  const { reading, rebuild, catchUp, database, events, clock } = deps;
  const app = typed(server);
  const tags = ['Analytics'];
  const config = { access: 'analytics:read' } as const;

  async function phonesIn({ caller, projectId }: FastifyRequest, { from, to }: Period, limit: number) {
    const since = Math.max(from, to - PHONE_DAYS_MAX * DAY_MS);
    const found = await deps.topPhones(projectId, since, to, limit);
    const isOpen = grants(caller.grants, 'logs:read');
    return found.map(({ phone, count }) => ({ phone: isOpen ? phone : maskPhone(phone), count }));
  }

  app.get(
    '/api/v1/analytics/dashboard',
    {
      config,
      schema: {
        tags,
        operationId: 'getAnalyticsDashboard',
        summary: 'Get the figures of the last days',
        description:
          'Each day with its messages, and the figures of all of them. The top phones are those of the last 31 days at most. As CSV: the days.',
        querystring: dashboardQuery,
        response: answers(dashboard),
      },
    },
    async (request, reply) => {
      await catchUp();
      const { days, timezone, format } = request.query;
      const { projectId } = request;
      const zone = timeZone(timezone);
      const today = zone.dayAt(clock.now());
      const period = { from: zone.startOf(today - days + 1), to: quarterOf(clock.now()) + QUARTER_MS };
      const counted = new Map((await reading.days(projectId, period, zone)).map((each) => [each.day, each]));
      const dailyStats = Array.from({ length: days }, (_, at) => {
        const day = today - days + 1 + at;
        const { messages = 0, successful = 0, failed = 0 } = counted.get(day) ?? {};
        return { date: dateOf(day), total: messages, successful, failed };
      });
      if (format === 'csv') {
        const rows = dailyStats.map(({ date, total, successful, failed }) => [
          date,
          total,
          successful,
          failed,
        ]);
        return sendCsv(reply, 'dashboard', ['date', 'total', 'successful', 'failed'], rows);
      }
      const data = {
        dailyStats,
        topPhones: await phonesIn(request, period, DASHBOARD_PHONES),
        successRate: rateOf(await reading.messages(projectId, period)),
        averageDeliveryTime: inSeconds(await reading.averageDeliveryMs(projectId, period)),
        period: `${days} days`,
        timezone,
      };
      return { success: true as const, data };
    },
  );

  app.get(
    '/api/v1/analytics/success-rate',
    {
      config,
      schema: {
        tags,
        operationId: 'getSuccessRate',
        summary: 'Get the share of messages that were sent',
        querystring: datesQuery,
        response: answers(successRate),
      },
    },
    async (request, reply) => {
      await catchUp();
      const { startDate: from, endDate: to, timezone, format } = request.query;
      const zone = timeZone(timezone);
      const period = readPeriod({ from, to }, { zone, now: clock.now(), names: DATES });
      const data = rateOf(await reading.messages(request.projectId, period));
      if (format === 'csv') return sendCsv(reply, 'success-rate', Object.keys(data), [Object.values(data)]);
      return { success: true as const, data };
    },
  );

  app.get(
    '/api/v1/analytics/delivery-time',
    {
      config,
      schema: {
        tags,
        operationId: 'getDeliveryTime',
        summary: 'Get how long deliveries took',
        description:
          'From the acceptance of a message to the receipt that it arrived, in all, by channel and by country. Messages without such a receipt are not in it.',
        querystring: datesQuery,
        response: answers(deliveryTime),
      },
    },
    async (request, reply) => {
      await catchUp();
      const { startDate: from, endDate: to, timezone, format } = request.query;
      const zone = timeZone(timezone);
      const period = readPeriod({ from, to }, { zone, now: clock.now(), names: DATES });
      const channels = await reading.deliveryTimes(request.projectId, 'channel', period);
      const countries = await reading.deliveryTimes(request.projectId, 'country', period);
      if (format === 'csv') {
        const line = (dimension: string) => (times: DeliveryTimes) => [
          dimension,
          times.key,
          ...TIMES.map((name) => times[name]),
        ];
        const rows = [
          ...[channels.all].filter((all) => all !== undefined).map(line('all')),
          ...channels.byKey.map(line('channel')),
          ...countries.byKey.map(line('country')),
        ];
        return sendCsv(reply, 'delivery-time', ['dimension', 'key', ...TIMES], rows);
      }
      const { all } = channels;
      const data = {
        averageDeliveryTime: inSeconds(await reading.averageDeliveryMs(request.projectId, period)),
        messages: all?.messages ?? 0,
        averageMs: all?.averageMs ?? null,
        p50Ms: all?.p50Ms ?? null,
        p90Ms: all?.p90Ms ?? null,
        p95Ms: all?.p95Ms ?? null,
        p99Ms: all?.p99Ms ?? null,
        byChannel: channels.byKey,
        byCountry: countries.byKey,
      };
      return { success: true as const, data };
    },
  );

  app.get(
    '/api/v1/analytics/top-phones',
    {
      config,
      schema: {
        tags,
        operationId: 'listTopPhones',
        summary: 'List the numbers with most messages',
        description: `Of the last ${PHONE_DAYS_MAX} days of the period at most, and only as long as verifications are kept. Numbers are masked for keys without \`logs:read\`.`,
        querystring: topPhonesQuery,
        response: answers(topPhones),
      },
    },
    async (request, reply) => {
      await catchUp();
      const { startDate: from, endDate: to, timezone, format, limit } = request.query;
      const zone = timeZone(timezone);
      const period = readPeriod({ from, to }, { zone, now: clock.now(), names: DATES });
      const data = await phonesIn(request, period, limit);
      if (format === 'csv') {
        const rows = data.map(({ phone, count }) => [phone, count]);
        return sendCsv(reply, 'top-phones', ['phone', 'count'], rows);
      }
      return { success: true as const, data };
    },
  );

  app.get(
    '/api/v1/analytics/conversion',
    {
      config,
      schema: {
        tags,
        operationId: 'getConversion',
        summary: 'Get how many verifications succeeded',
        description:
          'Verifications by when they were created and by one property of them. However many messages a verification has, it counts once; by channel once for each channel it was sent by, and as verified for that of its newest message.',
        querystring: conversionQuery,
        response: answers(conversion),
      },
    },
    async (request, reply) => {
      await catchUp();
      const { by, from, to, timezone, format } = request.query;
      const { projectId } = request;
      const zone = timeZone(timezone);
      const period = readPeriod({ from, to }, { zone, now: clock.now(), names: ['from', 'to'] });
      const found =
        by === 'hour'
          ? await reading.conversionByHour(projectId, period, zone)
          : await reading.conversion(projectId, by, period);
      const rows = found.map(({ key, sent, delivered, verified }) => ({
        key,
        sent,
        delivered,
        verified,
        conversion: sent === 0 ? null : Math.round((verified / sent) * 10_000) / 10_000,
      }));
      if (format === 'csv') {
        const names = ['key', 'sent', 'delivered', 'verified', 'conversion'] as const;
        const lines = rows.map((row) => names.map((name) => row[name]));
        return sendCsv(reply, 'conversion', names, lines);
      }
      return { success: true as const, data: { rows } };
    },
  );

  app.post(
    '/api/v1/analytics/rebuild',
    {
      config: { access: 'admin:database' },
      schema: {
        tags,
        operationId: 'rebuildAnalytics',
        summary: 'Run one step of a recount',
        description:
          'Recounts up to seven days of all projects from the events, while the server stays available. Only days are recounted whose events, verifications and messages are all stored; the others stay as they are. Call it with the `next` of each answer until that is null.',
        body: rebuildBody,
        response: { 200: success(rebuildStep), ...problems() },
      },
    },
    async (request) => {
      const { body, projectId } = request;
      const from = body?.from === undefined ? undefined : Date.parse(body.from);
      const { rebuilt, left, next, first, total } = await rebuild.step(from);
      const inDays = (days: readonly number[]) => days.map((day) => dateOf(day / DAY_MS));
      if (next === undefined) {
        const event = { type: 'analytics.rebuilt' as const, projectId, data: {}, by: actorOf(request) };
        await database.transaction((trx) => events.record(trx, event));
      }
      const data = {
        rebuilt: inDays(rebuilt),
        left: inDays(left),
        next: next === undefined ? null : dateOf(next / DAY_MS),
        done: next === undefined ? total : (next - first) / DAY_MS,
        total,
      };
      return { success: true as const, data };
    },
  );
}

function rateOf({ messages: total, successful, failed }: Omit<DayCounts, 'day'>) {
  const percent = total === 0 ? 0 : (100 * successful) / total;
  return { total, successful, failed, successRate: percent.toFixed(2) };
}

const inSeconds = (ms: number | undefined): string => `${((ms ?? 0) / 1000).toFixed(2)}s`;

function sendCsv(
  reply: FastifyReply,
  name: string,
  columns: readonly string[],
  rows: readonly (readonly (string | number | null)[])[],
): never {
  reply.header('content-disposition', `attachment; filename="${name}.csv"`);
  reply.type('text/csv; charset=utf-8');
  return reply.send([columns, ...rows].map(csvLine).join('')) as never;
}
