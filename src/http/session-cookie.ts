import { parse, serialize } from 'cookie';
import type { FastifyReply, FastifyRequest } from 'fastify';

const SECURE_NAME = '__Host-wotp';
const LOOPBACK_NAME = 'wotp';

/** The session's token in a request's cookie; undefined when there is none. */
export function readSessionCookie(request: FastifyRequest): string | undefined {
  const { cookie } = request.headers;
  if (cookie === undefined) return undefined;
  const cookies = parse(cookie);
  return cookies[SECURE_NAME] ?? cookies[LOOPBACK_NAME];
}

/** Sets the session's cookie until `expiresAt` (Unix ms); over plain http (loopback) without `Secure`. */
export function setSessionCookie(
  reply: FastifyReply,
  token: string,
  expiresAt: number,
  secure: boolean,
): void {
  reply.header('set-cookie', cookieHeader(token, new Date(expiresAt), secure));
}

/** Takes the session's cookie back. */
export function clearSessionCookie(reply: FastifyReply, secure: boolean): void {
  reply.header('set-cookie', cookieHeader('', new Date(0), secure));
}

function cookieHeader(value: string, expires: Date, secure: boolean): string {
  const name = secure ? SECURE_NAME : LOOPBACK_NAME;
  return serialize(name, value, { path: '/', httpOnly: true, sameSite: 'strict', secure, expires });
}
