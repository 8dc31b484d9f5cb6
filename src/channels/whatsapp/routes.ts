import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { NotFoundError } from '../../errors/errors.ts';
import { actorOf } from '../../http/caller.ts';
import { LONG_READING_MAX_MS } from '../../http/connections.ts';
import type { RunOnce } from '../../http/idempotency.ts';
import { preferredMediaType } from '../../http/media-type.ts';
import {
  deleted,
  iso,
  noBody,
  page,
  pageQuery,
  problems,
  projectId,
  projectQuery,
  success,
  timestamp,
} from '../../http/schemas.ts';
import { typed } from '../../http/server.ts';
import type { Settings } from '../../settings/settings.ts';
import { qrPng, qrSvg } from './link/qr-image.ts';
import type { SessionView, WhatsAppSessions } from './link/sessions.ts';
import { answerOf, exportedFiles, idParams, linkingCode, name, picture, proxy, view } from './schemas.ts';
import type { WhatsAppChannel } from './send/channel.ts';

/** A folder of credentials holds two files for each number that was ever written to. */
const IMPORT_MAX_BYTES = 64 * 1024 * 1024;

const QR_TYPES = ['application/json', 'image/png', 'image/svg+xml'] as const;

const COMMANDS = {
  restart: {
    operationId: 'restartSession',
    summary: 'Reconnect a session',
    description: 'Ends the connection and opens a new one; a session without a phone starts linking.',
  },
  pause: {
    operationId: 'pauseSession',
    summary: 'Pause a session',
    description: 'The phone stays linked; messages wait.',
  },
  resume: {
    operationId: 'resumeSession',
    summary: 'Resume a paused session',
    description: 'Only a paused session can be resumed.',
  },
  logout: {
    operationId: 'logOutSession',
    summary: 'Unlink the phone of a session',
    description:
      'Removes this device from the phone and deletes its keys. Messages go to another number or wait.',
  },
} as const;

/** Linking and operating WhatsApp sessions. */
export function whatsappRoutes(
  server: FastifyInstance,
  deps: {
    sessions: WhatsAppSessions;
    senders: Pick<WhatsAppChannel, 'sender'>;
    settings: Settings;
    runOnce: RunOnce;
  },
): void {
  const { sessions, senders, settings, runOnce } = deps;
  const toAnswer = (session: SessionView) => answerOf(session, senders.sender(session.id));
  const app = typed(server);
  const tags = ['WhatsApp sessions'];

  app.get(
    '/api/v1/bot/sessions',
    {
      config: { access: 'admin:bot' },
      schema: {
        tags,
        operationId: 'listSessions',
        summary: 'List sessions, oldest first',
        querystring: z.strictObject({ ...pageQuery('ses'), projectId }),
        response: { 200: page(view), ...problems() },
      },
    },
    async (request) => {
      const { limit, cursor } = request.query;
      const { sessions: found, next } = await sessions.list(request.projectId, { limit, cursor });
      return { success: true as const, data: found.map(toAnswer), page: { next } };
    },
  );

  app.post(
    '/api/v1/bot/sessions',
    {
      config: { access: 'admin:bot' },
      schema: {
        tags,
        operationId: 'createSession',
        summary: 'Create a session and start linking',
        description: 'Then show what `GET …/qr` returns to the phone, or ask for a pairing code.',
        body: z.strictObject({
          name: name.optional(),
          proxy: proxy.optional(),
          link: z
            .boolean()
            .default(true)
            .meta({ description: 'False for a session that gets its credentials by import.' }),
          projectId,
        }),
        response: {
          201: success(view),
          ...problems('CONFLICT', 'IDEMPOTENCY_MISMATCH', 'IDEMPOTENCY_IN_PROGRESS'),
        },
      },
    },
    async (request, reply) => {
      const { link } = request.body;
      if (link) sessions.status.requireWhatsApp();
      let made: string | undefined;
      const answer = await runOnce(request, reply, async (trx) => {
        const wanted = {
          projectId: request.projectId,
          name: request.body.name ?? null,
          proxy: request.body.proxy ?? null,
        };
        const session = await sessions.create(trx, wanted, actorOf(request));
        made = session.id;
        const state = link ? ('pairing' as const) : session.state;
        const data = toAnswer({ ...session, state, warning: null, pairingCode: null });
        return { status: 201, body: { success: true as const, data } };
      });
      // A repetition has made nothing, and links nothing.
      if (link && made !== undefined) await sessions.beginLinking(request.projectId, made);
      return answer;
    },
  );

  app.get(
    '/api/v1/bot/sessions/:id',
    {
      config: { access: 'admin:bot' },
      schema: {
        tags,
        operationId: 'getSession',
        summary: 'Get a session',
        params: idParams,
        querystring: projectQuery,
        response: { 200: success(view), ...problems('RESOURCE_NOT_FOUND') },
      },
    },
    async (request) => ({
      success: true as const,
      data: toAnswer(await sessions.get(request.projectId, request.params.id)),
    }),
  );

  app.patch(
    '/api/v1/bot/sessions/:id',
    {
      config: { access: 'admin:bot' },
      schema: {
        tags,
        operationId: 'updateSession',
        summary: 'Rename a session or change its proxy',
        description: 'A new proxy is used from the next connection on; `restart` opens one.',
        params: idParams,
        body: z.strictObject({ name: name.optional(), proxy: proxy.optional(), projectId }),
        response: { 200: success(view), ...problems('RESOURCE_NOT_FOUND', 'CONFLICT') },
      },
    },
    async (request) => {
      const { name, proxy } = request.body;
      const changed = await sessions.change(
        request.projectId,
        request.params.id,
        { name, proxy },
        actorOf(request),
      );
      return { success: true as const, data: toAnswer(changed) };
    },
  );

  app.get(
    '/api/v1/bot/sessions/:id/qr',
    {
      config: { access: 'admin:bot' },
      schema: {
        tags,
        operationId: 'getSessionQrCode',
        summary: 'Get the QR code to scan',
        description:
          'JSON, or a picture for `Accept: image/png` or `image/svg+xml`. A new one comes after `expiresAt`. 404 while there is none.',
        params: idParams,
        querystring: projectQuery,
        response: {
          200: {
            description: 'What to show to the phone, or a picture of it.',
            content: {
              'application/json': { schema: success(z.object({ qr: z.string(), expiresAt: timestamp })) },
              'image/png': { schema: picture },
              'image/svg+xml': { schema: picture },
            },
          },
          ...problems('RESOURCE_NOT_FOUND'),
        },
      },
    },
    async (request, reply) => {
      const qr = await sessions.qr(request.projectId, request.params.id);
      if (!qr) throw new NotFoundError('There is no QR code at the moment.');
      const type = preferredMediaType(request.headers.accept, QR_TYPES);
      reply.header('vary', 'accept');
      if (type === 'image/png') return reply.type(type).send(await qrPng(qr.text));
      if (type === 'image/svg+xml') return reply.type(type).send(Buffer.from(await qrSvg(qr.text)));
      return { success: true as const, data: { qr: qr.text, expiresAt: iso(qr.expiresAt) } };
    },
  );

  app.post(
    '/api/v1/bot/sessions/:id/pairing-code',
    {
      config: { access: 'admin:bot' },
      schema: {
        tags,
        operationId: 'createPairingCode',
        summary: 'Create a pairing code',
        description: 'On the phone: Linked devices, Link a device, Link with phone number instead.',
        params: idParams,
        body: z.strictObject({
          phone: z.string().meta({ description: 'The number to link.', example: '+62 838 3494 6034' }),
          projectId,
        }),
        response: {
          200: success(linkingCode),
          ...problems(
            'RESOURCE_NOT_FOUND',
            'CONFLICT',
            'PHONE_INVALID',
            'PHONE_NOT_ALLOWED',
            'CHANNEL_UNAVAILABLE',
          ),
        },
      },
    },
    async (request) => {
      const { projectId: project, params } = request;
      const digits = settings.of(project).readAnyPhone(request.body.phone).e164.slice(1);
      const { text, expiresAt } = await sessions.requestPairingCode(
        project,
        params.id,
        digits,
        actorOf(request),
      );
      return { success: true as const, data: { code: text, expiresAt: iso(expiresAt) } };
    },
  );

  for (const command of ['restart', 'pause', 'resume', 'logout'] as const) {
    app.post(
      `/api/v1/bot/sessions/:id/${command}`,
      {
        config: { access: 'admin:bot' },
        schema: {
          tags,
          ...COMMANDS[command],
          params: idParams,
          body: noBody,
          querystring: projectQuery,
          response: { 200: success(view), ...problems('RESOURCE_NOT_FOUND', 'CONFLICT') },
        },
      },
      async (request) => {
        const { projectId: project, params } = request;
        const changed = await sessions.command(project, params.id, command, actorOf(request));
        return { success: true as const, data: toAnswer(changed) };
      },
    );
  }

  app.post(
    '/api/v1/bot/sessions/:id/import',
    {
      bodyLimit: IMPORT_MAX_BYTES,
      config: { access: 'admin:bot', bodyMaxMembers: 500_000 },
      schema: {
        tags,
        operationId: 'importSession',
        summary: 'Import credentials into a session',
        description:
          'The files of a Baileys multi-file folder (`auth_info_baileys` of WOTP v3), each with its text. Stop the other installation first: two of them disconnect each other. Up to 64 MB.',
        params: idParams,
        body: z.strictObject({
          files: z.record(z.string().max(300), z.string()).meta({ example: { 'creds.json': '{…}' } }),
          projectId,
        }),
        response: { 200: success(view), ...problems('RESOURCE_NOT_FOUND', 'CONFLICT') },
      },
    },
    async (request) => {
      const { projectId: project, params } = request;
      const imported = await sessions.importFiles(project, params.id, request.body.files, actorOf(request));
      return { success: true as const, data: toAnswer(imported) };
    },
  );

  app.post(
    '/api/v1/bot/sessions/:id/export',
    {
      config: { access: 'admin:bot', readingMaxMs: LONG_READING_MAX_MS },
      schema: {
        tags,
        operationId: 'exportSession',
        summary: 'Export the credentials of a session',
        description:
          'As the files of a Baileys multi-file folder. Anyone who has them can read and send as this number; pause the session before another installation uses them.',
        params: idParams,
        body: noBody,
        querystring: projectQuery,
        response: {
          200: success(exportedFiles),
          ...problems('RESOURCE_NOT_FOUND', 'CONFLICT'),
        },
      },
    },
    async (request) => {
      const { projectId: project, params } = request;
      const files = await sessions.exportFiles(project, params.id, actorOf(request));
      return { success: true as const, data: { files } };
    },
  );

  app.delete(
    '/api/v1/bot/sessions/:id',
    {
      config: { access: 'admin:bot' },
      schema: {
        tags,
        operationId: 'deleteSession',
        summary: 'Unlink the phone and delete the session',
        params: idParams,
        querystring: projectQuery,
        response: { 200: deleted, ...problems('RESOURCE_NOT_FOUND', 'CONFLICT') },
      },
    },
    async (request) => {
      const { id } = request.params;
      await sessions.remove(request.projectId, id, actorOf(request));
      return { success: true as const, data: { id } };
    },
  );
}
