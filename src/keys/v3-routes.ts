import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { V3_BATCH_MAX } from '../database/wodb/v3-import.ts';
import type { V3Logs } from '../events/v3-logs.ts';
import type { RunOnce } from '../http/idempotency.ts';
import { problems, projectId, success, time } from '../http/schemas.ts';
import { typed } from '../http/server.ts';
import type { V3Tokens } from './v3-tokens.ts';

const body = z.strictObject({
  tokens: z
    .array(
      z.strictObject({
        hash: z
          .string()
          .regex(/^[0-9a-f]{64}$/, '64 hexadecimal digits')
          .meta({ description: 'SHA-256 of the whole `otp_…` token, hex.', example: 'a'.repeat(64) }),
        createdAt: time.optional().meta({ description: 'When v3 made it; now when absent.' }),
      }),
    )
    .max(V3_BATCH_MAX)
    .default([])
    .meta({ description: 'They become API keys that may send and verify.' }),
  logs: z
    .array(
      z.strictObject({
        at: time,
        action: z
          .string()
          .regex(/^[^\p{N}\p{Cc}]{1,100}$/u, '1 to 100 characters without digits')
          .meta({ description: "v3's word for what happened, without any digit.", example: 'otp_sent' }),
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
    .meta({ description: 'They become events with the time they had.' }),
  projectId,
});

const taken = z
  .object({
    tokens: z.int().meta({ description: 'New API keys.' }),
    logs: z.int().meta({ description: 'New events.' }),
    skipped: z.int().meta({ description: 'Entries that were here already, or lie in the future.' }),
  })
  .meta({ title: 'ImportResult', description: 'How many entries were imported.' });

/** Taking in what a v3 database held; `wotp migrate --from-v3` reads the file and calls this in portions. */
export function v3Routes(
  server: FastifyInstance,
  deps: { tokens: V3Tokens; logs: V3Logs; runOnce: RunOnce },
): void {
  const { tokens, logs, runOnce } = deps;

  typed(server).post(
    '/api/v1/migrate/v3',
    {
      schema: {
        tags: ['Migration'],
        operationId: 'importFromV3',
        summary: 'Import tokens and logs of WOTP v3',
        description:
          'What the command `migrate --from-v3` calls with what it read. An entry that is here already is left as it is, so a repetition changes nothing.',
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
          request.caller,
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
