import type { FastifyInstance, FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { Database } from '../database/database.ts';
import { actorOf } from '../http/caller.ts';
import {
  iso,
  isoOrNull,
  page,
  pageQuery,
  problems,
  projectId,
  projectQuery,
  timestamp,
} from '../http/schemas.ts';
import { typed } from '../http/server.ts';
import { INSTALLATION } from '../settings/layers.ts';
import type { LiveSettings, SettingView } from '../settings/live.ts';

const shown = z.union([z.string(), z.number(), z.boolean(), z.array(z.union([z.string(), z.number()]))]);
const given = z
  .union([z.string().max(4_096), z.number(), z.boolean(), z.array(z.string().max(100)).max(300), z.null()])
  .meta({ description: 'The value, as text or as JSON; null for what stands behind it.' });

const setting = z
  .object({
    key: z.string().meta({ description: 'The name of the environment variable.', example: 'OTP_LENGTH' }),
    value: shown.nullable().meta({
      description: 'The value in force; null where there is none, `***` for a secret that is set.',
      example: 8,
    }),
    default: shown.nullable().meta({ description: 'The value where nothing is set.', example: 6 }),
    setBy: z.enum(['default', 'environment', 'installation', 'project']).meta({
      description: 'Where the value in force comes from.',
      example: 'project',
    }),
    live: z.boolean().meta({
      description:
        'Whether it can be set here, and is in force with the next request; others need a restart.',
      example: true,
    }),
    secret: z.boolean().meta({ description: 'Whether the value is never shown.', example: false }),
    updatedAt: timestamp.nullable(),
    updatedBy: z
      .string()
      .nullable()
      .meta({ description: 'Who set it here: `admin` or `cli`.', example: 'admin' }),
    allowed: z.string().meta({ description: 'What may be set.', example: 'a whole number from 6 to 10' }),
    help: z.string().meta({
      description: 'What it does.',
      example: 'How many characters a code has when the request does not say.',
    }),
  })
  .meta({ title: 'Setting', description: 'A setting with where its value comes from.' });

const text = z.string().nullable();
const change = z
  .object({
    id: z.string().meta({ description: 'Grows with each change.', example: '17' }),
    key: z.string().meta({ description: 'The name of the environment variable.', example: 'OTP_LENGTH' }),
    from: text.meta({ description: 'What was set before; null where nothing was.', example: null }),
    to: text.meta({ description: 'What is set since; null where nothing is.', example: '8' }),
    at: timestamp,
    by: z.string().meta({ description: 'Who: `admin` or `cli`.', example: 'admin' }),
  })
  .meta({ title: 'SettingChange', description: 'A change of a setting.' });

const tags = ['Settings'];
const SCOPE =
  'With `projectId` the settings of that project; without it those of the installation, which hold for every project that has none of its own.';

/** The settings in force, changing them, and what was changed. */
export function settingRoutes(
  server: FastifyInstance,
  { settings, database }: { settings: LiveSettings; database: Database },
): void {
  const app = typed(server);
  const config = { access: 'admin:settings' as const };

  app.get(
    '/api/v1/settings',
    {
      config,
      schema: {
        tags,
        operationId: 'listSettings',
        summary: 'List the settings in force',
        description: `Every setting, with its value, where that comes from and who set it. ${SCOPE} In force is the project's value, else the environment's, else the installation's, else the default.`,
        querystring: projectQuery,
        response: { 200: page(setting), ...problems() },
      },
    },
    async (request) => ({
      success: true as const,
      data: settings.view(scopeOf(request, request.query.projectId)).map(toAnswer),
      page: { next: null },
    }),
  );

  app.put(
    '/api/v1/settings',
    {
      config,
      schema: {
        tags,
        operationId: 'changeSettings',
        summary: 'Change settings',
        description: `Each field is the name of a setting; null unsets it. ${SCOPE} In force with the next request here, and within a second on every node. One value that is not allowed changes nothing: \`errors\` lists them all, in the words of the start. Secrets, addresses, files and guards against abuse are set in the environment only.`,
        querystring: projectQuery,
        body: z
          .object({ projectId })
          .catchall(given)
          .meta({ title: 'SettingValues', example: { OTP_LENGTH: 8, BRAND_NAME: 'Acme', CHANNELS: null } }),
        response: { 200: page(setting), ...problems() },
      },
    },
    async (request) => {
      const { projectId: named, ...values } = request.body;
      const scope = scopeOf(request, named ?? request.query.projectId);
      const changed = await database.transaction((trx) => settings.set(trx, scope, values, actorOf(request)));
      return { success: true as const, data: changed().map(toAnswer), page: { next: null } };
    },
  );

  app.get(
    '/api/v1/settings/history',
    {
      config,
      schema: {
        tags,
        operationId: 'listSettingChanges',
        summary: 'List changes of settings, newest first',
        description: `${SCOPE} What was changed in the environment is not in it.`,
        querystring: z.strictObject({ ...pageQuery(/^\d{1,15}$/), projectId }),
        response: { 200: page(change), ...problems() },
      },
    },
    async (request) => {
      const { limit, cursor, projectId: named } = request.query;
      const before = cursor === undefined ? undefined : Number(cursor);
      const { changes, next } = await settings.history(scopeOf(request, named), { before, limit });
      const data = changes.map(({ seq, key, from, to, changedAt, changedBy }) => ({
        id: String(seq),
        key,
        from,
        to,
        at: iso(changedAt),
        by: changedBy,
      }));
      return { success: true as const, data, page: { next: next === null ? null : String(next) } };
    },
  );
}

/** The project that a request names, else the installation. */
const scopeOf = (request: FastifyRequest, named: string | undefined): number =>
  named === undefined ? INSTALLATION : request.projectId;

const toAnswer = ({ updatedAt, ...rest }: SettingView) => ({ ...rest, updatedAt: isoOrNull(updatedAt) });
