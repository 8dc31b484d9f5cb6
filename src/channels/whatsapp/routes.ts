import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { NotFoundError } from '../../errors/errors.ts';
import { LONG_READING_MAX_MS } from '../../http/connections.ts';
import type { RunOnce } from '../../http/idempotency.ts';
import { preferredMediaType } from '../../http/media-type.ts';
import {
  deleted,
  iso,
  isoOrNull,
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
import type { PhoneReader } from '../../otp/phone-reader.ts';
import type { SenderView, WhatsAppChannel } from './channel.ts';
import { proxyProblem, withoutPassword } from './proxy-agent.ts';
import { qrPng, qrSvg } from './qr-image.ts';
import { SESSION_STATES } from './session.ts';
import type { SessionView, WhatsAppSessions } from './sessions.ts';

/** A folder of credentials holds two files for each number that was ever written to. */
const IMPORT_MAX_BYTES = 64 * 1024 * 1024;

const QR_TYPES = ['application/json', 'image/png', 'image/svg+xml'] as const;

const sessionId = z.string().max(64).meta({ example: 'ses_01jd3x8zq2e6v9k5m7n0p4r8st' });
const idParams = z.object({ id: sessionId });
const name = z.string().trim().min(1).max(100).nullable().meta({ example: 'Support phone' });
const proxy = z
  .string()
  .max(500)
  .superRefine((text, check) => {
    const message = proxyProblem(text);
    if (message !== undefined) check.addIssue({ code: 'custom', message });
  })
  .nullable()
  .meta({
    description: 'The way to WhatsApp; null for none.',
    example: 'socks5://user:password@10.0.0.1:1080',
  });
const picture = z.instanceof(Buffer);
const linkingCode = z
  .object({ code: z.string().meta({ example: 'K7RM-2QXP' }), expiresAt: timestamp })
  .meta({ title: 'PairingCode', description: 'The code to type into the phone.' });

const health = z
  .object({
    score: z.int().min(0).max(100).meta({ description: '100: nothing is known against the number.' }),
    reasons: z.array(z.string()).meta({ description: 'What takes away from the score, the gravest first.' }),
    newChats: z
      .enum(['open', 'stopped'])
      .meta({ description: 'Whether it writes to people it has not written to before.' }),
    newChatsReason: z.string().nullable(),
    newChatsStoppedUntil: timestamp.nullable(),
    leftToday: z.int().meta({ description: 'Messages it may still send today (UTC).' }),
    inHand: z.int().meta({ description: 'Messages it is sending.' }),
  })
  .meta({ title: 'SendingHealth' });

const view = z
  .object({
    id: sessionId,
    name: z.string().nullable(),
    state: z.enum(SESSION_STATES),
    phone: z
      .string()
      .nullable()
      .meta({ description: 'The number linked last, E.164.', example: '+6283834946034' }),
    reason: z.string().nullable().meta({ description: 'Why it is in this state, in plain words.' }),
    nextAttemptAt: timestamp.nullable().meta({ description: 'When it connects again by itself.' }),
    warning: z.string().nullable().meta({ description: 'What to do soon though it works.' }),
    proxy: z.string().nullable().meta({ description: 'Without its password.' }),
    linkedAt: timestamp.nullable(),
    phoneSeenAt: timestamp
      .nullable()
      .meta({ description: 'When the phone itself was last seen, to the hour.' }),
    pairingCode: linkingCode.nullable(),
    health: health.nullable().meta({ description: 'Sending health; null until it has connected.' }),
    createdAt: timestamp,
  })
  .meta({ title: 'Session', description: 'A WhatsApp session.' });

const exportedFiles = z.object({ files: z.record(z.string(), z.string()) }).meta({
  title: 'ExportedSession',
  description: 'The files of a Baileys multi-file folder.',
});

const COMMANDS = {
  restart: {
    operationId: 'restartSession',
    summary: 'Reconnect a session',
    description: 'Ends the connection and makes a new one; a session without a phone begins to link one.',
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
      'Removes this device from the phone and forgets its keys. Messages go to another number or wait.',
  },
} as const;

/** Linking and operating WhatsApp sessions. */
export function whatsappRoutes(
  server: FastifyInstance,
  deps: {
    sessions: WhatsAppSessions;
    senders: Pick<WhatsAppChannel, 'sender'>;
    readPhone: PhoneReader;
    runOnce: RunOnce;
  },
): void {
  const { sessions, senders, readPhone, runOnce } = deps;
  const toAnswer = (session: SessionView) => answerOf(session, senders.sender(session.id));
  const app = typed(server);
  const tags = ['WhatsApp sessions'];

  app.get(
    '/api/v1/bot/sessions',
    {
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
      if (link) sessions.requireWhatsApp();
      let made: string | undefined;
      const answer = await runOnce(request, reply, async (trx) => {
        const wanted = {
          projectId: request.projectId,
          name: request.body.name ?? null,
          proxy: request.body.proxy ?? null,
        };
        const session = await sessions.create(trx, wanted, request.caller.name);
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
      schema: {
        tags,
        operationId: 'updateSession',
        summary: 'Rename a session or change its proxy',
        description: 'Another proxy is used from the next connection on; `restart` makes one.',
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
        request.caller.name,
      );
      return { success: true as const, data: toAnswer(changed) };
    },
  );

  app.get(
    '/api/v1/bot/sessions/:id/qr',
    {
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
      const digits = readPhone(request.body.phone).e164.slice(1);
      const { projectId: project, params, caller } = request;
      const { text, expiresAt } = await sessions.requestPairingCode(project, params.id, digits, caller.name);
      return { success: true as const, data: { code: text, expiresAt: iso(expiresAt) } };
    },
  );

  for (const command of ['restart', 'pause', 'resume', 'logout'] as const) {
    app.post(
      `/api/v1/bot/sessions/:id/${command}`,
      {
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
        const { projectId: project, params, caller } = request;
        const changed = await sessions.command(project, params.id, command, caller.name);
        return { success: true as const, data: toAnswer(changed) };
      },
    );
  }

  app.post(
    '/api/v1/bot/sessions/:id/import',
    {
      bodyLimit: IMPORT_MAX_BYTES,
      config: { bodyMaxMembers: 500_000 },
      schema: {
        tags,
        operationId: 'importSession',
        summary: 'Import credentials into a session',
        description:
          'The files of a Baileys multi-file folder (`auth_info_baileys` of WOTP v3), each with its text. The other installation has to be stopped: two of them throw each other out. Up to 64 MB.',
        params: idParams,
        body: z.strictObject({
          files: z.record(z.string().max(300), z.string()).meta({ example: { 'creds.json': '{…}' } }),
          projectId,
        }),
        response: { 200: success(view), ...problems('RESOURCE_NOT_FOUND', 'CONFLICT') },
      },
    },
    async (request) => {
      const { projectId: project, params, caller } = request;
      const imported = await sessions.importFiles(project, params.id, request.body.files, caller.name);
      return { success: true as const, data: toAnswer(imported) };
    },
  );

  app.post(
    '/api/v1/bot/sessions/:id/export',
    {
      config: { readingMaxMs: LONG_READING_MAX_MS },
      schema: {
        tags,
        operationId: 'exportSession',
        summary: 'Export the credentials of a session',
        description:
          'As the files of a Baileys multi-file folder. Whoever has them can read and send as this number; pause the session before another installation uses them.',
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
      const { projectId: project, params, caller } = request;
      const files = await sessions.exportFiles(project, params.id, caller.name);
      return { success: true as const, data: { files } };
    },
  );

  app.delete(
    '/api/v1/bot/sessions/:id',
    {
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
      await sessions.remove(request.projectId, id, request.caller.name);
      return { success: true as const, data: { id } };
    },
  );
}

function answerOf(session: SessionView, sender: SenderView | undefined) {
  const { id, name, state, phone, reason, warning, proxy, pairingCode } = session;
  return {
    id,
    name,
    state,
    phone,
    reason,
    nextAttemptAt: isoOrNull(session.nextAttemptAt),
    warning,
    proxy: proxy === null ? null : withoutPassword(proxy),
    linkedAt: isoOrNull(session.linkedAt),
    phoneSeenAt: isoOrNull(session.phoneSeenAt),
    pairingCode: pairingCode && { code: pairingCode.text, expiresAt: iso(pairingCode.expiresAt) },
    health: sender ? healthOf(sender) : null,
    createdAt: iso(session.createdAt),
  };
}

function healthOf({ health: { score, reasons, newChats }, leftToday, inHand }: SenderView) {
  return {
    score,
    reasons,
    newChats: newChats.open ? ('open' as const) : ('stopped' as const),
    newChatsReason: newChats.open ? null : newChats.reason,
    newChatsStoppedUntil: newChats.open ? null : iso(newChats.until),
    leftToday,
    inHand,
  };
}
