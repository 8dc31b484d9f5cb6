import { parse, serialize } from 'cookie';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { isLoopback } from '../lib/loopback.ts';

const SECURE_NAME = '__Host-wotp';
const LOOPBACK_NAME = 'wotp';

/** The session's token in a request's cookie; undefined when there is none. */
export function readSessionCookie(request: FastifyRequest, publicUrl: URL | undefined): string | undefined {
  const { cookie } = request.headers;
  return cookie === undefined ? undefined : parse(cookie)[nameOf(request, publicUrl)];
}

/** Sets the session's cookie until `expiresAt` (Unix ms). Only on this machine and without https it lacks `Secure`. */
export function setSessionCookie(
  reply: FastifyReply,
  token: string,
  expiresAt: number,
  publicUrl: URL | undefined,
): void {
  reply.header('set-cookie', cookieHeader(reply.request, token, new Date(expiresAt), publicUrl));
}

/** Takes the session's cookie back. */
export function clearSessionCookie(reply: FastifyReply, publicUrl: URL | undefined): void {
  reply.header('set-cookie', cookieHeader(reply.request, '', new Date(0), publicUrl));
}

function cookieHeader(
  request: FastifyRequest,
  value: string,
  expires: Date,
  publicUrl: URL | undefined,
): string {
  const name = nameOf(request, publicUrl);
  const secure = name === SECURE_NAME;
  return serialize(name, value, { path: '/', httpOnly: true, sameSite: 'strict', secure, expires });
}

function nameOf(request: FastifyRequest, publicUrl: URL | undefined): string {
  const isHttps = publicUrl?.protocol === 'https:' || request.protocol === 'https';
  const isHere = isLoopback(publicUrl?.hostname ?? request.hostname);
  return isHttps || !isHere ? SECURE_NAME : LOOPBACK_NAME;
}
