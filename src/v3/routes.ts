import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { entry as logEntry } from '../audit/schemas.ts';
import { actorOf } from '../http/caller.ts';
import type { RunOnce } from '../http/idempotency.ts';
import { PERMISSIONS } from '../http/permissions.ts';
import {
  grant,
  noBody,
  problems,
  projectId,
  projectQuery,
  success,
  time,
  timestamp,
} from '../http/schemas.ts';
import { typed } from '../http/server.ts';
import { type KeyService, keyActorOf } from '../keys/service.ts';
import type { V3Logs } from './logs.ts';
import { V3_BATCH_MAX } from './old-database.ts';
import { V3_TOKEN_PERMISSIONS, type V3Tokens } from './tokens.ts';

/** So many entries v3 showed. */
const V3_LOGS = 100;

type LogEntry = z.infer<typeof logEntry>;

const body = z.strictObject({
  tokens: z
    .array(
      z.strictObject({
        hash: z
          .string()
          .regex(/^[0-9a-f]{64}$/, '64 hexadecimal digits')
          .meta({ description: 'SHA-256 of the whole `otp_…` token, hex.', example: 'a'.repeat(64) }),
        createdAt: time.optional().meta({ description: 'When v3 created it; now when absent.' }),
      }),
    )
    .max(V3_BATCH_MAX)
    .default([])
    .meta({ description: 'They become API keys.' }),
  permissions: z
    .array(grant)
    .min(1)
    .max(PERMISSIONS.length + 1)
    .default([...V3_TOKEN_PERMISSIONS])
    .meta({ description: 'What the keys of these tokens may do; `*` is all of them.' }),
  logs: z
    .array(
      z.strictObject({
        at: time,
        action: z
          .string()
          .regex(/^[^\p{N}\p{Cc}]{1,100}$/u, '1 to 100 characters without digits')
          .meta({ description: "v3's name for what happened, without digits.", example: 'otp_sent' }),
        token: z
          .string()
          .regex(/^[0-9a-f]{8}$/, '8 hexadecimal digits')
          .optional()
          .meta({ description: "The beginning of its token's hash.", example: 'aaaaaaaa' }),
        phone: z
          .string()
          .regex(/^\+\*{4,11}\d{4}$/, 'a phone number masked but for its last four digits')
          .optional()
          .meta({ description: 'Masked but for its last four digits.', example: '+*********6034' }),
        repeat: z
          .int()
          .min(0)
          .default(0)
          .meta({ description: '1 for the second of two equal lines, 2 for the third.', example: 0 }),
      }),
    )
    .max(V3_BATCH_MAX)
    .default([])
    .meta({ description: 'They become events with their original time.' }),
  projectId,
});

const taken = z
  .object({
    tokens: z.int().meta({ description: 'New API keys.' }),
    logs: z.int().meta({ description: 'New events.' }),
    skipped: z.int().meta({ description: 'Entries that were already here, or are in the future.' }),
  })
  .meta({ title: 'ImportResult', description: 'How many entries were imported.' });

/** The requests of v3 that stay, and taking in what a v3 database held: `wotp migrate --from-v3` reads the file in portions. */
export function v3Routes(
  server: FastifyInstance,
  deps: {
    tokens: V3Tokens;
    logs: V3Logs;
    keys: KeyService;
    runOnce: RunOnce;
    /** The newest entries of the log, as an administrator sees them. */
    newestLogs: (projectId: number, limit: number) => Promise<LogEntry[]>;
    /** Whether a number is connected to WhatsApp, and since when the server runs. */
    link: (projectId: number) => { connected: boolean; uptime: number; mode?: 'mock' };
  },
): void {
  const { tokens, logs, keys, runOnce, newestLogs, link } = deps;
  const app = typed(server);

  app.post(
    '/api/admin/generate-token',
    {
      config: { access: 'admin:keys' },
      schema: {
        tags: ['API keys'],
        operationId: 'createV3Token',
        summary: 'Create a v3 token',
        description: 'As in WOTP v3, with `X-Master-Key`. The token may send and verify.',
        body: noBody,
        response: {
          200: z.object({ success: z.literal(true), token: z.string(), message: z.string() }),
          ...problems('IDEMPOTENCY_MISMATCH', 'IDEMPOTENCY_IN_PROGRESS'),
        },
      },
    },
    (request, reply) =>
      runOnce(request, reply, async (trx) => {
        const wanted = {
          projectId: request.projectId,
          name: 'v3 token',
          permissions: [...V3_TOKEN_PERMISSIONS],
        };
        const { key } = await keys.create(trx, wanted, keyActorOf(request), 'otp_');
        return {
          status: 200,
          body: { success: true as const, token: key, message: 'Keep this token; it is shown only once.' },
        };
      }),
  );

  app.get(
    '/api/admin/logs',
    {
      config: { access: 'admin:logs' },
      schema: {
        tags: ['Logs'],
        operationId: 'listV3Logs',
        summary: 'List the last 100 log entries (v3)',
        description:
          'As in WOTP v3, with `X-Master-Key`; `action` and `timestamp` are `type` and `at` under the names of v3. Use `/api/v1/logs` for filters and pages.',
        querystring: projectQuery,
        response: {
          200: success(
            z.array(logEntry.extend({ action: z.string(), timestamp }).meta({ title: 'V3LogEntry' })),
          ),
          ...problems(),
        },
      },
    },
    async (request) => {
      const entries = await newestLogs(request.projectId, V3_LOGS);
      const data = entries.map((entry) => ({ ...entry, action: entry.type, timestamp: entry.at }));
      return { success: true as const, data };
    },
  );

  app.get(
    '/api/v1/otp/status',
    {
      config: { access: 'any-key' },
      schema: {
        tags: ['Verifications'],
        operationId: 'getWhatsAppLink',
        summary: 'Check whether WhatsApp is connected (v3)',
        response: {
          200: success(
            z
              .object({
                connected: z.boolean(),
                uptime: z.int().meta({ description: 'Seconds since the start.' }),
                mode: z.literal('mock').optional(),
              })
              .meta({ title: 'WhatsAppLink', description: 'Whether a WhatsApp number is connected.' }),
          ),
          ...problems(),
        },
      },
    },
    async ({ projectId }) => ({ success: true as const, data: link(projectId) }),
  );

  app.post(
    '/api/v1/migrate/v3',
    {
      config: { access: 'admin:database' },
      schema: {
        tags: ['Migration'],
        operationId: 'importFromV3',
        summary: 'Import tokens and logs of WOTP v3',
        description:
          'The command `migrate --from-v3` calls this. An entry that is already here stays as it is, so running it again changes nothing.',
        body,
        response: {
          200: success(taken),
          ...problems('IDEMPOTENCY_MISMATCH', 'IDEMPOTENCY_IN_PROGRESS'),
        },
      },
    },
    (request, reply) =>
      runOnce(request, reply, async (trx) => {
        const given = request.body;
        const newTokens = await tokens.take(
          trx,
          request.projectId,
          given.tokens.map(({ hash, createdAt }) => ({ hash, createdAt: timeOf(createdAt) })),
          given.permissions,
          actorOf(request),
        );
        const newLogs = await logs.take(
          trx,
          request.projectId,
          given.logs.map((line) => ({ ...line, at: Date.parse(line.at) })),
        );
        const skipped = given.tokens.length + given.logs.length - newTokens - newLogs;
        const data = { tokens: newTokens, logs: newLogs, skipped };
        return { status: 200, body: { success: true as const, data } };
      }),
  );
}

function timeOf(at: string | undefined): number | undefined {
  return at === undefined ? undefined : Date.parse(at);
}
