import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { Database } from '../database/database.ts';
import { migrationStates } from '../database/migrate.ts';
import { problems, projectQuery, success, timestamp } from '../http/schemas.ts';
import { typed } from '../http/server.ts';

/** What the database is, whichever engine is behind it. */
export function migrationRoutes(server: FastifyInstance, database: Database): void {
  typed(server).get(
    '/api/v1/database/migrations',
    {
      config: { access: 'admin:database' },
      schema: {
        tags: ['Database'],
        operationId: 'getDatabaseSchema',
        summary: 'Get the engine and its migrations',
        querystring: projectQuery,
        response: {
          200: success(
            z
              .object({
                engine: z.enum(['wodb', 'postgres']),
                migrations: z.array(
                  z.object({
                    number: z.int(),
                    name: z.string(),
                    appliedAt: timestamp.nullable().meta({ description: 'Null while it is pending.' }),
                  }),
                ),
              })
              .meta({ title: 'DatabaseSchema', description: 'The engine and the state of each migration.' }),
          ),
          ...problems(),
        },
      },
    },
    async () => {
      const migrations = await migrationStates(database.reader);
      return { success: true as const, data: { engine: database.engine, migrations } };
    },
  );
}
