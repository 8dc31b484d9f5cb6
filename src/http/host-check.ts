import type { FastifyRequest } from 'fastify';
import { WotpError } from '../errors/errors.ts';
import { isLoopback } from '../lib/loopback.ts';
import { isOpen } from './access.ts';

/** Below this address stand callbacks of providers, which prove by their signature whom they come from. */
const CALLBACKS = '/api/v1/channels/';

/**
 * Refuses requests for another host name than this machine's and `PUBLIC_URL`'s, for a server that listens on loopback
 * only, and none for any other. A web page whose name is pointed at 127.0.0.1 (DNS rebinding) is of one origin with
 * the server for a browser, so it could read what is public. What comes under another name is marked as foreign.
 * Undefined at once for the server's own names, which nearly all requests have.
 */
export function hostCheck(deps: {
  /** Where the server shall listen; where it does is asked of the server, since a name may stand for loopback too. */
  host: string;
  publicUrl: URL | undefined;
  /** Whether a text is an API key that is good now. */
  isKey: (text: string) => Promise<boolean>;
}): (request: FastifyRequest) => Promise<void> | undefined {
  const { host, publicUrl, isKey } = deps;
  let isHere: boolean | undefined = isLoopback(host) || undefined;

  const isOwn = (given: string): boolean => {
    const name = /^(\[[^\]]*\]|[^:]*)(?::\d*)?$/.exec(given)?.[1]?.toLowerCase();
    return name !== undefined && (isLoopback(name) || name === publicUrl?.hostname);
  };

  async function refuseStranger(request: FastifyRequest): Promise<void> {
    request.isForeign = true;
    const { authorization } = request.headers;
    // A page of a stranger has neither a key nor a signature, but it can send a wrong password.
    if (request.headers['x-master-key'] === undefined) {
      if (request.url.startsWith(CALLBACKS)) return;
      const key = /^bearer (.+)$/i.exec(authorization ?? '')?.[1];
      if (key !== undefined && (asksForKey(request) || (await isKey(key.trim())))) return;
    }
    throw new WotpError(
      'MISDIRECTED_REQUEST',
      publicUrl === undefined
        ? 'This server answers to localhost only. Set PUBLIC_URL to the address that clients use.'
        : `This server answers to localhost and to PUBLIC_URL (${publicUrl.origin}) only. Use one of them, or change PUBLIC_URL.`,
    );
  }

  return (request) => {
    isHere ??= isBoundHere(request);
    if (!isHere) return undefined;
    const { host: given } = request.headers;
    if (given === undefined || isOwn(given) || request.isControl) return undefined;
    return refuseStranger(request);
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
