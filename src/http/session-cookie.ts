import type { FastifyReply, FastifyRequest } from 'fastify';

const SECURE_NAME = '__Host-wotp';
const LOOPBACK_NAME = 'wotp';

/** The session's token in a request's cookie; undefined when there is none. */
export function readSessionCookie(request: FastifyRequest): string | undefined {
  return request.cookies[SECURE_NAME] ?? request.cookies[LOOPBACK_NAME];
}

/** Sets the session's cookie until `expiresAt` (Unix ms); over plain http (loopback) without `Secure`. */
export function setSessionCookie(
  reply: FastifyReply,
  token: string,
  expiresAt: number,
  secure: boolean,
): void {
  reply.setCookie(secure ? SECURE_NAME : LOOPBACK_NAME, token, {
    path: '/',
    httpOnly: true,
    sameSite: 'strict',
    secure,
    expires: new Date(expiresAt),
  });
}

/** Takes the session's cookie back. */
export function clearSessionCookie(reply: FastifyReply): void {
  for (const name of [SECURE_NAME, LOOPBACK_NAME]) {
    reply.clearCookie(name, { path: '/', httpOnly: true, sameSite: 'strict', secure: name === SECURE_NAME });
  }
}
