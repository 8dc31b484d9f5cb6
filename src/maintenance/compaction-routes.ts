import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { Database } from '../database/database.ts';
import type { EventRecorder } from '../events/record.ts';
import { actorOf } from '../http/caller.ts';
import { noBody, problems, success } from '../http/schemas.ts';
import { typed } from '../http/server.ts';
import type { Compaction } from './compaction.ts';

const bytes = z.int().nullable();

/** Making the database smaller. */
export function compactionRoutes(
  server: FastifyInstance,
  deps: { compaction: Compaction; database: Database; events: EventRecorder },
): void {
  const { compaction, database, events } = deps;
  typed(server).post(
    '/api/v1/database/compact',
    {
      config: { access: 'admin:database' },
      schema: {
        tags: ['Database'],
        operationId: 'compactDatabase',
        summary: 'Run one compaction step',
        description:
          'Deletes expired data and frees disk space for about a second, while the server stays available. Call it again until `done` is true.',
        body: noBody,
        response: {
          200: success(
            z
              .object({
                purged: z.record(z.string(), z.int()).meta({
                  description: 'How much was deleted, by what it was.',
                  example: { verifications: 50, messages: 61, events: 200 },
                }),
                bytesBefore: bytes.meta({
                  description: 'Size on disk before this step; null on PostgreSQL.',
                }),
                bytes: bytes.meta({ description: 'Size on disk after it.' }),
                freeBytes: bytes.meta({ description: 'How much of it is still unused.' }),
                done: z.boolean(),
              })
              .meta({
                title: 'CompactionStep',
                description: 'What this step did, and whether it was the last.',
              }),
          ),
          ...problems(),
        },
      },
    },
    async (request) => {
      const data = await compaction.step();
      if (data.done) {
        await database.transaction((trx) =>
          events.record(trx, {
            type: 'database.compacted',
            projectId: request.projectId,
            data: { purged: data.purged },
            by: actorOf(request),
          }),
        );
      }
      return { success: true as const, data };
    },
  );
}
