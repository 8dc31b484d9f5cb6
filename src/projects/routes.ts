import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { Database } from '../database/database.ts';
import { actorOf } from '../http/caller.ts';
import type { RunOnce } from '../http/idempotency.ts';
import { deleted, iso, page, pageQuery, problems, success, timestamp } from '../http/schemas.ts';
import { typed } from '../http/server.ts';
import type { Project, ProjectService } from './service.ts';

const name = z
  .string()
  .trim()
  .min(1)
  .max(100)
  .meta({ description: 'What the project is for; shown to administrators only.', example: 'Checkout' });
const project = z
  .object({
    id: z
      .string()
      .meta({ description: 'The id to name as `projectId`.', example: 'prj_01jd3x8zq2e6v9k5m7n0p4r8st' }),
    name,
    isDefault: z.boolean().meta({
      description: 'Whether calls of an administrator act on it that name no project.',
      example: false,
    }),
    createdAt: timestamp,
  })
  .meta({ title: 'Project', description: 'A tenant. Nothing of it is visible to another one.' });
const params = z.object({
  id: z
    .string()
    .max(64)
    .meta({ description: 'The id of the project.', example: 'prj_01jd3x8zq2e6v9k5m7n0p4r8st' }),
});
const tags = ['Projects'];

/** Creating, listing, renaming and deleting projects. */
export function projectRoutes(
  server: FastifyInstance,
  { projects, database, runOnce }: { projects: ProjectService; database: Database; runOnce: RunOnce },
): void {
  const app = typed(server);
  const config = { access: 'admin:projects' as const };

  app.get(
    '/api/v1/projects',
    {
      config,
      schema: {
        tags,
        operationId: 'listProjects',
        summary: 'List projects, oldest first',
        description: 'The default project is the first.',
        querystring: z.strictObject(pageQuery('prj')),
        response: { 200: page(project), ...problems() },
      },
    },
    async ({ query: { limit, cursor } }) => {
      const { projects: found, next } = await projects.list({ limit, cursor });
      return { success: true as const, data: found.map(toAnswer), page: { next } };
    },
  );

  app.post(
    '/api/v1/projects',
    {
      config,
      schema: {
        tags,
        operationId: 'createProject',
        summary: 'Create a project',
        description:
          'Then create a key for it with `POST /api/v1/keys` and its `projectId`. Keys, verifications, templates, bulk jobs, schedules, webhooks, limits, opt-outs and linked numbers belong to one project; settings may.',
        body: z.strictObject({ name }),
        response: {
          201: success(project),
          ...problems('IDEMPOTENCY_MISMATCH', 'IDEMPOTENCY_IN_PROGRESS'),
        },
      },
    },
    (request, reply) =>
      runOnce(request, reply, async (trx) => {
        const made = await projects.create(trx, request.body.name, actorOf(request));
        return { status: 201, body: { success: true as const, data: toAnswer(made) } };
      }),
  );

  app.get(
    '/api/v1/projects/:id',
    {
      config,
      schema: {
        tags,
        operationId: 'getProject',
        summary: 'Read a project',
        params,
        response: { 200: success(project), ...problems('RESOURCE_NOT_FOUND') },
      },
    },
    async ({ params: { id } }) => ({ success: true as const, data: toAnswer(await projects.get(id)) }),
  );

  app.patch(
    '/api/v1/projects/:id',
    {
      config,
      schema: {
        tags,
        operationId: 'renameProject',
        summary: 'Rename a project',
        params,
        body: z.strictObject({ name }),
        response: { 200: success(project), ...problems('RESOURCE_NOT_FOUND') },
      },
    },
    async (request) => {
      const { id } = request.params;
      const renamed = await database.transaction((trx) =>
        projects.rename(trx, id, request.body.name, actorOf(request)),
      );
      return { success: true as const, data: toAnswer(renamed) };
    },
  );

  app.delete(
    '/api/v1/projects/:id',
    {
      config,
      schema: {
        tags,
        operationId: 'deleteProject',
        summary: 'Delete a project',
        description:
          'Only when it is empty, or with `erase=true`, which deletes all of its data with it. Its keys stop with the answer and its id is unknown from then on. The data are erased in the background, in small portions, and the linked numbers logged out; messages that are queued may still be sent until then. Events and an audit of the installation stay. The default project cannot be deleted.',
        params,
        querystring: z.strictObject({
          erase: z
            .enum(['true', 'false'])
            .default('false')
            .meta({ description: '`true` deletes everything that the project has.', example: 'true' }),
        }),
        response: { 200: deleted, ...problems('RESOURCE_NOT_FOUND', 'CONFLICT') },
      },
    },
    async (request) => {
      const { id } = request.params;
      const how = { erase: request.query.erase === 'true', by: actorOf(request) };
      await database.transaction((trx) => projects.remove(trx, id, how));
      return { success: true as const, data: { id } };
    },
  );
}

const toAnswer = ({ id, name, isDefault, createdAt }: Project) => ({
  id,
  name,
  isDefault,
  createdAt: iso(createdAt),
});
