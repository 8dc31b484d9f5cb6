import type { FastifyInstance } from 'fastify';
import type { Insertable } from 'kysely';
import { z } from 'zod';
import type { Database, Transaction } from '../database/database.ts';
import type { Keyring } from '../database/keyring.ts';
import type { Schema } from '../database/schema.ts';
import type { EventRecorder } from '../events/record.ts';
import { actorOf } from '../http/caller.ts';
import type { RunLongOnce } from '../http/idempotency.ts';
import { problems, projectId, success } from '../http/schemas.ts';
import { typed } from '../http/server.ts';
import type { Clock } from '../lib/clock.ts';
import { demoVerifications } from './verifications.ts';

/** Verifications a request may ask for; what is more takes several requests. */
const DEMO_COUNT_MAX = 1_000;
/** Verifications a transaction writes, so that the server goes on answering in between. */
const PORTION = 50;
/** Rows one statement writes: an engine takes only so many parameters. */
const ROWS_MAX = 200;

/** Demo data. This route does not exist in production. */
export function demoRoutes(
  server: FastifyInstance,
  deps: {
    database: Database;
    events: EventRecorder;
    keyring: Keyring;
    clock: Clock;
    runLongOnce: RunLongOnce;
  },
): void {
  const { database, events, keyring, clock, runLongOnce } = deps;

  typed(server).post(
    '/api/v1/database/demo-data',
    {
      config: { access: 'admin:database' },
      schema: {
        tags: ['Database'],
        operationId: 'createDemoData',
        summary: 'Create demo data',
        description:
          'Verifications with their messages and events; nothing is sent. `metadata` marks them with `demo`. Not in production.',
        body: z.strictObject({
          count: z
            .int()
            .min(1)
            .max(DEMO_COUNT_MAX)
            .meta({ description: 'How many verifications to create.', example: 200 }),
          projectId,
        }),
        response: {
          201: success(
            z
              .object({ verifications: z.int(), messages: z.int(), events: z.int() })
              .meta({ title: 'DemoData' }),
          ).describe('How many rows were created.'),
          ...problems('IDEMPOTENCY_MISMATCH', 'IDEMPOTENCY_IN_PROGRESS'),
        },
      },
    },
    (request, reply) =>
      runLongOnce(request, reply, async () => {
        const made = { verifications: 0, messages: 0, events: 0 };
        while (made.verifications < request.body.count) {
          const count = Math.min(PORTION, request.body.count - made.verifications);
          const rows = demoVerifications(count, {
            now: clock.now(),
            projectId: request.projectId,
            keyring,
          });
          await database.transaction(async (trx) => {
            await insertAll(trx, 'verifications', rows.verifications);
            await insertAll(trx, 'messages', rows.messages);
            await insertAll(trx, 'events', rows.events);
          });
          made.verifications += rows.verifications.length;
          made.messages += rows.messages.length;
          made.events += rows.events.length;
        }
        await database.transaction((trx) =>
          events.record(trx, {
            type: 'database.seeded',
            projectId: request.projectId,
            data: { verifications: made.verifications },
            by: actorOf(request),
          }),
        );
        return { status: 201, body: { success: true as const, data: made } };
      }),
  );
}

async function insertAll<T extends 'verifications' | 'messages' | 'events'>(
  trx: Transaction,
  table: T,
  rows: Insertable<Schema[T]>[],
): Promise<void> {
  for (let at = 0; at < rows.length; at += ROWS_MAX) {
    await trx
      .insertInto(table)
      .values(rows.slice(at, at + ROWS_MAX) as never)
      .execute();
  }
}
