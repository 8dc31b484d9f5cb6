import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { postgresToolsInstead } from '../database/postgres/own-tools.ts';
import type { WodbMaintenance } from '../database/wodb/maintenance.ts';
import { ConflictError, WotpError } from '../errors/errors.ts';
import { actorOf } from '../http/caller.ts';
import { LONG_READING_MAX_MS } from '../http/connections.ts';
import type { RunLongOnce } from '../http/idempotency.ts';
import { noBody, problems, projectId, projectQuery, success } from '../http/schemas.ts';
import { typed } from '../http/server.ts';

const hex = (bytes: number) =>
  z.string().regex(new RegExp(`^[0-9a-f]{${bytes * 2}}$`), `${bytes * 2} hexadecimal digits`);

const backupRequest = z
  .strictObject({
    projectId,
    to: z.string().min(1).max(4096).optional().meta({
      description:
        'Command line only: a folder, or a file that does not exist, by its whole path (default: `backups` in the data folder).',
      example: '/var/backups/wotp',
    }),
    keep: z.int().min(1).max(10_000).optional().meta({
      description:
        'Command line only: how many backups the folder keeps; older ones that WOTP has named are removed.',
      example: 7,
    }),
    backupKey: z
      .strictObject({ key: hex(32), salt: hex(16) })
      .optional()
      .meta({
        description:
          'Command line only: the key of the file and its salt, hex, derived from another master key.',
        example: { key: '00'.repeat(32), salt: '00'.repeat(16) },
      }),
  })
  .nullish();

const backup = z
  .object({
    file: z.string().meta({ description: 'Its path on the server.' }),
    bytes: z.int(),
    sha256: z.string().meta({ description: 'Hex.' }),
    removed: z.array(z.string()).meta({ description: 'Names of older backups that were removed.' }),
  })
  .meta({ title: 'Backup', description: 'The backup that was created.' });

const verdict = z
  .object({
    findings: z
      .array(z.string())
      .meta({ description: 'Problems, one sentence each; empty when there are none.' }),
    schemaVersion: z.int(),
    rows: z.record(z.string(), z.int()).meta({ description: 'How many rows each table holds.' }),
  })
  .meta({ title: 'DatabaseVerdict', description: 'What the check of the database found.' });

const job = z
  .object({ name: z.string(), phase: z.string(), percent: z.int() })
  .meta({ title: 'DatabaseJob' })
  .nullable()
  .meta({ description: 'Null when none runs.' });

/** Long work on the database: backups and checks, and how far they are. On PostgreSQL its own tools serve for both. */
export function databaseRoutes(
  server: FastifyInstance,
  deps: { maintenance: WodbMaintenance | undefined; runLongOnce: RunLongOnce },
): void {
  const { maintenance, runLongOnce } = deps;
  const app = typed(server);
  const tags = ['Database'];
  const maintenanceFor = (command: 'backup' | 'verify'): WodbMaintenance => {
    if (!maintenance) throw new ConflictError(postgresToolsInstead(command));
    return maintenance;
  };

  app.post(
    '/api/v1/database/backups',
    {
      config: { access: 'admin:database', readingMaxMs: LONG_READING_MAX_MS },
      schema: {
        tags,
        operationId: 'createBackup',
        summary: 'Back up the database',
        description:
          'A complete, checked copy of everything that was committed when it began. Answers when it is complete; sends and checks continue meanwhile.',
        body: backupRequest,
        response: {
          201: success(backup),
          ...problems('CONFLICT', 'IDEMPOTENCY_MISMATCH', 'IDEMPOTENCY_IN_PROGRESS'),
        },
      },
    },
    async (request, reply) => {
      const { body, caller } = request;
      const { to, keep, backupKey } = body ?? {};
      // Who holds the admin password from afar may not choose what is written where, nor delete what others have kept.
      const isChoice = to !== undefined || keep !== undefined || backupKey !== undefined;
      if (isChoice && caller.name !== 'cli') {
        throw new WotpError(
          'FORBIDDEN',
          'The fields to, keep and backupKey are accepted from the command line on the server only. Set BACKUP_KEEP to remove old backups on a schedule.',
        );
      }
      const wanted = {
        ...(to === undefined ? {} : { to }),
        ...(keep === undefined ? {} : { keep }),
        ...(backupKey
          ? {
              backupKey: {
                key: Buffer.from(backupKey.key, 'hex'),
                salt: Buffer.from(backupKey.salt, 'hex'),
              },
            }
          : {}),
      };
      return runLongOnce(request, reply, async () => {
        const made = await maintenanceFor('backup').backup(wanted, actorOf(request));
        return { status: 201, body: { success: true as const, data: made } };
      });
    },
  );

  app.post(
    '/api/v1/database/verify',
    {
      config: { access: 'admin:database' },
      schema: {
        tags,
        operationId: 'verifyDatabase',
        summary: 'Verify the database',
        description:
          'Reads every page in use, with its HMAC, and checks references and rules of the data. Sends and checks continue meanwhile.',
        body: noBody,
        response: { 200: success(verdict), ...problems('CONFLICT') },
      },
    },
    async () => {
      const { findings, schemaVersion, rows } = await maintenanceFor('verify').verify();
      return { success: true as const, data: { findings, schemaVersion, rows } };
    },
  );

  app.get(
    '/api/v1/database/job',
    {
      config: { access: 'admin:database' },
      schema: {
        tags,
        operationId: 'getDatabaseJob',
        summary: 'Get the progress of the running job',
        querystring: projectQuery,
        response: { 200: success(job), ...problems() },
      },
    },
    async () => ({ success: true as const, data: maintenance?.job() ?? null }),
  );
}
