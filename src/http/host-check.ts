import type { FastifyRequest } from 'fastify';
import { WotpError } from '../errors/errors.ts';
import type { KeyService } from '../keys/service.ts';
import { isLoopback } from '../lib/loopback.ts';
import { isOpen } from './access.ts';

/** Below this address stand callbacks of providers, which prove by their signature whom they come from. */
const CALLBACKS = '/api/v1/channels/';

/**
 * Refuses requests for another host name than this machine's and `PUBLIC_URL`'s, for a server that listens on loopback
 * only, and none for any other. A web page whose name is pointed at 127.0.0.1 (DNS rebinding) is of one origin with
 * the server for a browser, so it could read what is public. What comes under another name is marked as foreign.
 */
export function hostCheck(deps: {
  /** Where the server shall listen; where it does is asked of the server, since a name may stand for loopback too. */
  host: string;
  publicUrl: URL | undefined;
  keys: Pick<KeyService, 'authenticate'>;
}): (request: FastifyRequest) => Promise<void> {
  const { host, publicUrl, keys } = deps;
  let isHere: boolean | undefined = isLoopback(host) || undefined;

  const isOwn = (given: string): boolean => {
    const name = /^(\[[^\]]*\]|[^:]*)(?::\d*)?$/.exec(given)?.[1]?.toLowerCase();
    return name !== undefined && (isLoopback(name) || name === publicUrl?.hostname);
  };

  return async (request) => {
    isHere ??= isBoundHere(request);
    if (!isHere) return;
    const { host: given, authorization } = request.headers;
    if (given === undefined || isOwn(given) || request.isControl) return;
    request.isForeign = true;
    // A page of a stranger has neither a key nor a signature, but it can send a wrong password.
    if (request.headers['x-master-key'] === undefined) {
      if (request.url.startsWith(CALLBACKS)) return;
      const key = /^bearer (.+)$/i.exec(authorization ?? '')?.[1];
      if (key !== undefined && (asksForKey(request) || (await keys.authenticate(key.trim())))) return;
    }
    throw new WotpError(
      'MISDIRECTED_REQUEST',
      publicUrl === undefined
        ? 'This server answers to localhost only. Set PUBLIC_URL to the address that clients use.'
        : `This server answers to localhost and to PUBLIC_URL (${publicUrl.origin}) only. Use one of them, or change PUBLIC_URL.`,
    );
  };
}

/** Whether the server listens on loopback only. */
function isBoundHere({ server }: FastifyRequest): boolean {
  const bound = server.server.address();
  return typeof bound === 'object' && bound !== null && isLoopback(bound.address);
}

/** Whether the route itself will find out whose key it is. */
function asksForKey(request: FastifyRequest): boolean {
  return !isOpen(request.routeOptions.config?.access);
}
