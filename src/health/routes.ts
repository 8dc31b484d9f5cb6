import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { HealthCheck } from '../feature.ts';
import { onlyProblems, timestamp } from '../http/schemas.ts';
import { typed } from '../http/server.ts';
import type { HealthService } from './service.ts';

const status = z.enum(['healthy', 'degraded', 'unhealthy']);
const detail = z.string().optional();

/** The report, with the entries that the features add. */
function reportOf(checks: readonly HealthCheck[]) {
  const added = checks.map(({ name, schema = {} }) => [
    name,
    z.object({ status, detail, ...schema }).optional(),
  ]);
  return z
    .object({
      status,
      timestamp,
      version: z.string(),
      uptime: z.int().meta({ description: 'Seconds since the start.' }),
      checks: z.object({
        database: z.object({
          status,
          detail,
          engine: z.enum(['wodb', 'postgres']),
          waitingWrites: z.int(),
        }),
        memory: z.object({ status, residentBytes: z.int(), heapUsed: z.int(), heapTotal: z.int() }),
        disk: z.object({ status, freeBytes: z.int() }),
        ...(Object.fromEntries(added) as Record<string, z.ZodType>),
      }),
    })
    .meta({ title: 'HealthReport', description: 'The state of the server and its parts.' });
}

const simple = z
  .object({ status })
  .meta({ title: 'ProbeResult', description: 'Whether the probe succeeded.' });
/** What the routes that are limited may refuse with. */
const healthProblems = onlyProblems('VALIDATION_ERROR', 'RATE_LIMIT_EXCEEDED', 'INTERNAL_ERROR');
const probeProblems = onlyProblems('VALIDATION_ERROR', 'INTERNAL_ERROR');
const metrics = z
  .object({
    timestamp,
    uptime: z.int(),
    memory: z.record(z.string(), z.number()),
    cpu: z.object({ user: z.number(), system: z.number() }),
    process: z.object({ platform: z.string(), arch: z.string() }),
    figures: z.record(z.string(), z.number()).meta({
      description: 'What each part of the server counts; times are Unix ms.',
      example: { waitingWrites: 0, messagesInFlight: 3, backupsSucceeded: 12 },
    }),
  })
  .meta({ title: 'ProcessMetrics', description: 'Metrics of the process and of the parts of the server.' });

/** Health for people, probes and v3's clients; none of it needs a key, none is wrapped in `data`. */
export function healthRoutes(
  server: FastifyInstance,
  health: HealthService,
  checks: readonly HealthCheck[],
): void {
  const report = reportOf(checks);
  const app = typed(server);
  const tags = ['Health'];

  app.get(
    '/api/v1/health',
    {
      config: { access: 'health' },
      schema: {
        tags,
        operationId: 'getHealth',
        summary: 'Get the health report',
        description:
          '503 only when the server cannot accept work; a missing WhatsApp link is `degraded`, and so is one where every linked number is paused.',
        response: { 200: report, 503: report, ...healthProblems },
      },
    },
    async (_request, reply) => {
      const state = await health.report();
      return reply.code(state.status === 'unhealthy' ? 503 : 200).send(state);
    },
  );

  app.get(
    '/api/v1/health/live',
    {
      config: { access: 'probe' },
      schema: {
        tags,
        operationId: 'getLiveness',
        summary: 'Liveness probe',
        response: { 200: simple, ...probeProblems },
      },
    },
    async () => ({ status: 'healthy' as const }),
  );

  app.get(
    '/api/v1/health/ready',
    {
      config: { access: 'probe' },
      schema: {
        tags,
        operationId: 'getReadiness',
        summary: 'Readiness probe',
        response: { 200: simple, 503: simple, ...probeProblems },
      },
    },
    async (_request, reply) => {
      const isReady = await health.ready();
      return reply.code(isReady ? 200 : 503).send({ status: isReady ? 'healthy' : 'unhealthy' });
    },
  );

  app.get(
    '/api/v1/health/metrics',
    {
      config: { access: 'health' },
      schema: {
        tags,
        operationId: 'getMetrics',
        summary: 'Get process metrics',
        response: { 200: metrics, ...healthProblems },
      },
    },
    async () => health.metrics(),
  );
}
