import type { FastifyInstance } from 'fastify';
import type { Database } from '../database/database.ts';
import { actorOf } from '../http/caller.ts';
import type { RunOnce } from '../http/idempotency.ts';
import { deleted, page, problems, projectQuery, success } from '../http/schemas.ts';
import { typed } from '../http/server.ts';
import type { Settings } from '../settings/settings.ts';
import { BUILT_IN } from './built-in.ts';
import { readContent, requireBounded } from './content.ts';
import { lint } from './lint.ts';
import type { MessageTexts } from './message-texts.ts';
import { previewOf, requireOwnText } from './preview.ts';
import {
  builtInAnswer,
  createBody,
  idParams,
  lintBody,
  lintResult,
  listQuery,
  preview,
  previewBody,
  restoreBody,
  template,
  toAnswer,
  toVersionAnswer,
  updateBody,
  version,
  versionsQuery,
} from './schemas.ts';
import type { TemplateService } from './service.ts';

/** Keeping templates, their versions and previews. */
export function templateRoutes(
  server: FastifyInstance,
  deps: {
    templates: TemplateService;
    texts: MessageTexts;
    settings: Settings;
    database: Database;
    runOnce: RunOnce;
  },
): void {
  const { templates, texts, settings, database, runOnce } = deps;
  const app = typed(server);
  const tags = ['Templates'];

  app.get(
    '/api/v1/templates',
    {
      config: { access: 'templates:read' },
      schema: {
        tags,
        operationId: 'listTemplates',
        summary: 'List templates, newest first',
        description:
          'A page has fewer than `limit` where the texts are long; `page.next` says whether there are more.',
        querystring: listQuery,
        response: { 200: page(template), ...problems() },
      },
    },
    async (request) => {
      const { limit, cursor, code } = request.query;
      const { templates: found, next } = await templates.list(request.projectId, { limit, cursor, code });
      return { success: true as const, data: found.map(toAnswer), page: { next } };
    },
  );

  app.post(
    '/api/v1/templates',
    {
      config: { access: 'templates:write' },
      schema: {
        tags,
        operationId: 'createTemplate',
        summary: 'Create a template',
        description:
          'Texts have placeholders such as `{{name}}` and no logic. Without `variables` they are read from the texts; with them, a placeholder that is not among them is refused. `{{code}}` stands in a text once at most. Each refusal names the line and column. 409 where the code is taken.',
        body: createBody,
        response: {
          201: success(template),
          ...problems('CONFLICT', 'IDEMPOTENCY_MISMATCH', 'IDEMPOTENCY_IN_PROGRESS'),
        },
      },
    },
    (request, reply) =>
      runOnce(request, reply, async (trx) => {
        const { projectId: _named, translations = {}, ...given } = request.body;
        const made = await templates.create(
          trx,
          request.projectId,
          { ...given, translations },
          actorOf(request),
        );
        return { status: 201, body: { success: true as const, data: toAnswer(made) } };
      }),
  );

  app.post(
    '/api/v1/templates/lint',
    {
      config: { access: 'templates:read' },
      schema: {
        tags,
        operationId: 'lintTemplate',
        summary: 'Check texts before they are saved',
        description:
          'Finds what saving would refuse, what a channel would refuse (links, emoji and length in Meta’s authentication templates), what filters distrust (links, look-alike letters, invisible characters), and what makes people type the wrong number. Nothing is saved.',
        body: lintBody,
        response: { 200: success(lintResult), ...problems() },
      },
    },
    async (request) => {
      const { content, variables, translations = {} } = request.body;
      requireBounded({ content, translations });
      const findings = lint({ content, variables, translations }).map(({ isError, ...finding }) => ({
        ...finding,
        severity: isError ? ('error' as const) : ('warning' as const),
      }));
      return { success: true as const, data: { findings } };
    },
  );

  app.get(
    '/api/v1/templates/:id',
    {
      config: { access: 'templates:read' },
      schema: {
        tags,
        operationId: 'getTemplate',
        summary: 'Get a template',
        description: 'The id `default` is the built-in text.',
        params: idParams,
        querystring: projectQuery,
        response: { 200: success(template), ...problems('TEMPLATE_NOT_FOUND') },
      },
    },
    async (request) => {
      const { id } = request.params;
      const data =
        id === BUILT_IN
          ? builtInAnswer(texts.builtInContent(request.projectId))
          : toAnswer(await templates.get(request.projectId, id));
      return { success: true as const, data };
    },
  );

  app.put(
    '/api/v1/templates/:id',
    {
      config: { access: 'templates:write' },
      schema: {
        tags,
        operationId: 'updateTemplate',
        summary: 'Change a template',
        description:
          'What is left out stays; where the texts change without `variables`, these are read from the texts. A change of the texts is a new version. Messages that wait to be sent keep the version they were made from. With `version` a change that somebody else made meanwhile is not overwritten but answered with 409.',
        params: idParams,
        body: updateBody,
        response: { 200: success(template), ...problems('TEMPLATE_NOT_FOUND', 'CONFLICT') },
      },
    },
    async (request) => {
      const { projectId: _named, ...change } = request.body;
      const { id } = request.params;
      const changed = await database.transaction((trx) =>
        templates.update(trx, request.projectId, id, change, actorOf(request)),
      );
      return { success: true as const, data: toAnswer(changed) };
    },
  );

  app.delete(
    '/api/v1/templates/:id',
    {
      config: { access: 'templates:write' },
      schema: {
        tags,
        operationId: 'deleteTemplate',
        summary: 'Delete a template',
        description:
          'Its code can be used for another one. Messages that were made from it are still sent, and sent again.',
        params: idParams,
        querystring: projectQuery,
        response: { 200: deleted, ...problems('TEMPLATE_NOT_FOUND') },
      },
    },
    async (request) => {
      const { id } = request.params;
      await database.transaction((trx) => templates.remove(trx, request.projectId, id, actorOf(request)));
      return { success: true as const, data: { id } };
    },
  );

  app.get(
    '/api/v1/templates/:id/versions',
    {
      config: { access: 'templates:read' },
      schema: {
        tags,
        operationId: 'listTemplateVersions',
        summary: 'List the versions of a template, newest first',
        description:
          'The newest 50 are kept, and older ones while messages that were made from them may wait to be sent. A page has fewer than `limit` where the texts are long.',
        params: idParams,
        querystring: versionsQuery,
        response: { 200: page(version), ...problems('TEMPLATE_NOT_FOUND') },
      },
    },
    async (request) => {
      const { limit, cursor } = request.query;
      const { versions, next } = await templates.versions(request.projectId, request.params.id, {
        limit,
        ...(cursor !== undefined && { cursor: Number(cursor) }),
      });
      return { success: true as const, data: versions.map(toVersionAnswer), page: { next } };
    },
  );

  app.post(
    '/api/v1/templates/:id/restore',
    {
      config: { access: 'templates:write' },
      schema: {
        tags,
        operationId: 'restoreTemplateVersion',
        summary: 'Restore an earlier version',
        description: 'Its texts become a new version; nothing of the history is lost.',
        params: idParams,
        body: restoreBody,
        response: {
          200: success(template),
          ...problems(
            'TEMPLATE_NOT_FOUND',
            'RESOURCE_NOT_FOUND',
            'IDEMPOTENCY_MISMATCH',
            'IDEMPOTENCY_IN_PROGRESS',
          ),
        },
      },
    },
    (request, reply) =>
      runOnce(request, reply, async (trx) => {
        const { id } = request.params;
        const { version: number } = request.body;
        const restored = await templates.restore(trx, request.projectId, id, number, actorOf(request));
        return { status: 200, body: { success: true as const, data: toAnswer(restored) } };
      }),
  );

  app.post(
    '/api/v1/templates/:id/preview',
    {
      config: { access: 'templates:read' },
      schema: {
        tags,
        operationId: 'previewTemplate',
        summary: 'Preview a template on a channel',
        description:
          'Shows what the channel would send, with a sample code; the id `default` is the built-in text. A variable without a value is shown as its name in brackets. SMS has its encoding and segments, e-mail its subject and HTML. WhatsApp shows what is between asterisks in bold. Nothing is sent.',
        params: idParams,
        body: previewBody,
        response: { 200: success(preview), ...problems('TEMPLATE_NOT_FOUND') },
      },
    },
    async (request) => {
      const { channel = 'whatsapp', locale, variables = {} } = request.body ?? {};
      const { id } = request.params;
      requireOwnText(channel);
      const { projectId } = request;
      const { code, style } = settings.of(projectId);
      const wanted = { channel, locale, minutes: code.expiryMinutes };
      if (id === BUILT_IN) {
        const built = texts.builtIn(projectId, wanted);
        return { success: true as const, data: previewOf(built, channel, style.brand) };
      }
      const stored = await templates.get(projectId, id);
      const rendered = texts.sample(projectId, readContent(stored), stored.variables, {
        ...wanted,
        variables,
      });
      return { success: true as const, data: previewOf(rendered, channel, style.brand) };
    },
  );
}
