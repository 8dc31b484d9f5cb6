import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { noBody, problems, success } from '../http/schemas.ts';
import { typed } from '../http/server.ts';
import type { Compaction } from './compaction.ts';

const bytes = z.int().nullable();

/** Making the database smaller. */
export function compactionRoutes(server: FastifyInstance, compaction: Compaction): void {
  typed(server).post(
    '/api/v1/database/compact',
    {
      schema: {
        tags: ['Database'],
        summary: 'Delete what is over and give its space back, one step of it',
        description:
          'Works for about a second, while the server goes on answering. Call it again until `done` is true.',
        body: noBody,
        response: {
          200: success(
            z.object({
              purged: z.object({ verifications: z.int(), messages: z.int(), events: z.int() }),
              bytesBefore: bytes.meta({ description: 'Size on disk before this step; null on PostgreSQL.' }),
              bytes: bytes.meta({ description: 'Size on disk after it.' }),
              freeBytes: bytes.meta({ description: 'What of it is empty still.' }),
              done: z.boolean(),
            }),
          ),
          ...problems(),
        },
      },
    },
    async () => ({ success: true as const, data: await compaction.step() }),
  );
}
