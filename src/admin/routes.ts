import type { FastifyInstance, FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { Database } from '../database/database.ts';
import { DEFAULT_PROJECT } from '../database/project.ts';
import { AuthenticationError } from '../errors/errors.ts';
import type { EventRecorder } from '../events/record.ts';
import { actorOf } from '../http/caller.ts';
import { deleted, iso, noBody, problems, success, timestamp } from '../http/schemas.ts';
import { typed } from '../http/server.ts';
import type { AdminService } from './service.ts';
import { clearSessionCookie, setSessionCookie } from './session-cookie.ts';

const signInBody = z
  .strictObject({
    token: z.string().min(1).max(200).optional().meta({ description: 'From the one-time sign-in link.' }),
    password: z.string().min(1).max(1024).optional().meta({ description: 'The admin password.' }),
  })
  .refine((body) => (body.token === undefined) !== (body.password === undefined), {
    path: ['password'],
    message: 'Give either `token` or `password`.',
  });
const session = success(
  z
    .object({ expiresAt: timestamp })
    .meta({ title: 'PageSession', description: 'When the session ends at the latest.' }),
);
const opened = success(
  z
    .object({
      secret: z.string().meta({
        description: 'Send it as `X-Session-Secret` with every call: the cookie alone opens nothing.',
      }),
      expiresAt: timestamp,
    })
    .meta({ title: 'OpenedPageSession', description: 'The secret of the session and when it ends.' }),
);
const ticket = success(
  z
    .object({
      ticket: z.string().meta({ description: 'Append it as `?ticket=` to the address of one GET request.' }),
      expiresAt: timestamp,
    })
    .meta({ title: 'Ticket', description: 'A ticket for one GET request.' }),
);

/** Signing in to the pages and out again. */
export function sessionRoutes(
  server: FastifyInstance,
  deps: {
    admin: AdminService;
    database: Database;
    events: EventRecorder;
    publicUrl: URL | undefined;
  },
): void {
  const { admin, database, events, publicUrl } = deps;
  const app = typed(server);
  const tags = ['Session'];

  app.get(
    '/api/v1/session',
    {
      config: { access: 'admin:session' },
      schema: {
        tags,
        operationId: 'getPageSession',
        summary: 'Get the session of the page',
        response: { 200: session, ...problems() },
      },
    },
    async (request) => {
      const expiresAt = await admin.sessions.endOf(tokenOf(request));
      if (expiresAt === undefined) throw new AuthenticationError('The session has ended. Sign in again.');
      return { success: true as const, data: { expiresAt: iso(expiresAt) } };
    },
  );

  app.post(
    '/api/v1/session',
    {
      config: { access: 'sign-in' },
      schema: {
        tags,
        operationId: 'signIn',
        summary: 'Sign in',
        description:
          'With the token of the sign-in link that the start prints, or with the admin password. Sets a cookie, and returns the secret that has to accompany it in the header `X-Session-Secret`.',
        body: signInBody,
        response: { 200: opened, ...problems() },
      },
    },
    async (request, reply) => {
      const { token, password } = request.body;
      const address = request.clientIdentity;
      const passwordIsRight = (given: string) =>
        request.isControl ? admin.checkLocalPassword(given) : admin.checkPassword(given, address);
      const isRight = await (token === undefined
        ? passwordIsRight(password!)
        : admin.useSignInToken(token, address));
      if (!isRight) {
        throw new AuthenticationError(
          token === undefined ? 'The password is wrong.' : 'This link was already used or has expired.',
        );
      }
      const { secret, expiresAt, ...cookie } = await database.transaction(async (trx) => {
        await events.record(trx, {
          type: 'admin.signed_in',
          projectId: DEFAULT_PROJECT,
          data: { address },
          by: { name: 'admin', address },
        });
        return admin.sessions.open(trx);
      });
      setSessionCookie(reply, cookie.token, expiresAt, publicUrl);
      return { success: true as const, data: { secret, expiresAt: iso(expiresAt) } };
    },
  );

  app.delete(
    '/api/v1/session',
    {
      config: { access: 'admin:session' },
      schema: {
        tags,
        operationId: 'signOut',
        summary: 'Sign out',
        response: { 200: deleted, ...problems() },
      },
    },
    async (request, reply) => {
      const { sessionToken } = request.caller;
      if (sessionToken !== undefined) {
        await database.transaction(async (trx) => {
          await admin.sessions.close(trx, sessionToken);
          const address = request.clientIdentity;
          await events.record(trx, {
            type: 'admin.signed_out',
            projectId: DEFAULT_PROJECT,
            data: { address },
            by: actorOf(request),
          });
        });
      }
      clearSessionCookie(reply, publicUrl);
      return { success: true as const, data: { id: 'current' } };
    },
  );

  app.post(
    '/api/v1/session/ticket',
    {
      config: { access: 'admin:session' },
      schema: {
        tags,
        operationId: 'createTicket',
        summary: 'Create a ticket for one GET request',
        description:
          'For pictures, downloads and streams, whose address a page can name but whose headers it cannot set. With the cookie, the ticket takes the place of `X-Session-Secret` once, within 30 seconds.',
        body: noBody,
        response: { 201: ticket, ...problems() },
      },
    },
    async (request, reply) => {
      const made = admin.sessions.newTicket(tokenOf(request));
      reply.code(201);
      return { success: true as const, data: { ticket: made.ticket, expiresAt: iso(made.expiresAt) } };
    },
  );
}

/** @throws AuthenticationError where the caller is the administrator, but no page */
function tokenOf({ caller }: FastifyRequest): string {
  if (caller.sessionToken === undefined) {
    throw new AuthenticationError('There is no session; this call used a password.');
  }
  return caller.sessionToken;
}
