import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { Database } from '../database/database.ts';
import { AuthenticationError } from '../errors/errors.ts';
import type { EventRecorder } from '../events/record.ts';
import { deleted, iso, problems, success, timestamp } from '../http/schemas.ts';
import { typed } from '../http/server.ts';
import { clearSessionCookie, setSessionCookie } from '../http/session-cookie.ts';
import type { AdminService } from './admin.ts';

const signInBody = z
  .strictObject({
    token: z.string().min(1).max(200).optional().meta({ description: 'From the one-time sign-in link.' }),
    password: z.string().min(1).max(1024).optional().meta({ description: 'The admin password.' }),
  })
  .refine((body) => (body.token === undefined) !== (body.password === undefined), {
    path: ['password'],
    message: 'Give either token or password.',
  });
const session = success(z.object({ expiresAt: timestamp }));

/** Signing in to the pages and out again. */
export function sessionRoutes(
  server: FastifyInstance,
  deps: {
    admin: AdminService;
    database: Database;
    events: EventRecorder;
    defaultProjectId: string;
    publicUrl: URL | undefined;
  },
): void {
  const { admin, database, events, defaultProjectId, publicUrl } = deps;
  const app = typed(server);
  const tags = ['Session'];

  app.get(
    '/api/v1/session',
    { schema: { tags, summary: 'Whether the page is signed in', response: { 200: session, ...problems() } } },
    async (request) => {
      const { sessionToken } = request.caller;
      const expiresAt = sessionToken === undefined ? undefined : await admin.sessionEnd(sessionToken);
      if (expiresAt === undefined)
        throw new AuthenticationError('There is no session; this call used a password.');
      return { success: true as const, data: { expiresAt: iso(expiresAt) } };
    },
  );

  app.post(
    '/api/v1/session',
    {
      schema: {
        tags,
        summary: 'Sign in',
        description: 'With the token of the sign-in link that the start prints, or with the admin password.',
        body: signInBody,
        response: { 200: session, ...problems() },
      },
    },
    async (request, reply) => {
      const { token, password } = request.body;
      const address = request.clientIdentity;
      const isRight =
        token === undefined
          ? await admin.checkPassword(password!, address)
          : await admin.useSignInToken(token, address);
      const audit = { projectId: defaultProjectId, data: { address } };
      if (!isRight) {
        await database.transaction((trx) => events.record(trx, { type: 'admin.sign_in_failed', ...audit }));
        throw new AuthenticationError(
          token === undefined ? 'The password is wrong.' : 'This link was already used or has expired.',
        );
      }
      const opened = await database.transaction(async (trx) => {
        await events.record(trx, { type: 'admin.signed_in', ...audit });
        return admin.openSession(trx);
      });
      setSessionCookie(reply, opened.token, opened.expiresAt, publicUrl);
      return { success: true as const, data: { expiresAt: iso(opened.expiresAt) } };
    },
  );

  app.delete(
    '/api/v1/session',
    {
      schema: {
        tags,
        summary: 'Sign out',
        response: { 200: deleted, ...problems() },
      },
    },
    async (request, reply) => {
      const { sessionToken } = request.caller;
      if (sessionToken !== undefined) {
        await database.transaction(async (trx) => {
          await admin.closeSession(trx, sessionToken);
          const address = request.clientIdentity;
          await events.record(trx, {
            type: 'admin.signed_out',
            projectId: defaultProjectId,
            data: { address },
          });
        });
      }
      clearSessionCookie(reply, publicUrl);
      return { success: true as const, data: { id: 'current' } };
    },
  );
}
