import type { FastifyInstance } from 'fastify';
import type { AdminArea, Permission } from './permissions.ts';

type Open = 'probe' | 'health' | 'metrics' | 'page' | 'sign-in' | 'callback' | 'public';
const OPEN: ReadonlySet<string> = new Set<Open>([
  'probe',
  'health',
  'metrics',
  'page',
  'sign-in',
  'callback',
  'public',
]);

/**
 * Who may call a route: `probe`, `health`, `page`, `sign-in`, `callback` and `public` need no key, `any-key` any valid key or the
 * administrator, an area of administration (`admin:…`) the administrator only, and a permission a key that has it, or the
 * administrator. A `probe` is not limited, `health` has a limit of its own, and both answer while the server stops; so
 * does `metrics`, with the limit of `health`, whose route itself checks the token. A
 * `page` has a limit of its own too, and `sign-in` those of guesses, so that no other request keeps anybody from signing in.
 * A `callback` is for a provider, which the route itself recognizes by a signature or a token, and for the administrator;
 * all others get 401. Only those others are limited.
 */
export type Access = Open | 'any-key' | AdminArea | Permission;

/** The access of each route, `POST /api/v1/otp/send` for example; a route for GET answers HEAD under the same. */
export type RouteAccess = ReadonlyMap<string, Access>;

/**
 * Collects the access of every route that is added from now on.
 * @throws Error from the adding of a route that does not name its access, or as a `callback` not how it recognizes its
 *   provider, so that a forgotten one stops the start
 */
export function collectAccess(server: FastifyInstance): RouteAccess {
  const known = new Map<string, Access>();
  server.addHook('onRoute', ({ method, url, config }) => {
    for (const each of [method].flat()) {
      if (each === 'HEAD') continue;
      // Preflight requests; the route is there only where CORS is configured.
      if (each === 'OPTIONS' && url === '*') continue;
      if (config?.access === undefined) throw new Error(`The route ${each} ${url} does not name its access.`);
      if (config.access === 'callback' && config.isFromProvider === undefined) {
        throw new Error(`The route ${each} ${url} does not say how it recognizes its provider.`);
      }
      known.set(`${each} ${url}`, config.access);
    }
  });
  return known;
}

/** Whether only the administrator may call a route. */
export function isForAdmin(access: Access | undefined): access is AdminArea {
  return access?.startsWith('admin:') === true;
}

/** What a caller has to have, in the word that callers know. */
export function neededFor(access: Access): string {
  return isForAdmin(access) ? 'admin' : access;
}

/** Whether a route tells about the server itself: it needs no key, is logged at `debug` and answers to the last. */
export function isOfHealth(access: Access | undefined): boolean {
  return access === 'probe' || access === 'health' || access === 'metrics';
}

/** Whether a route is open to everybody. */
export function isOpen(access: Access | undefined): access is Open | undefined {
  return access === undefined || OPEN.has(access);
}

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Who may call the route. */
    access?: Access;
    /** Of a `callback`: whether a request proves that it comes from the provider; asked when its body has been read. */
    isFromProvider?: (request: FastifyRequest) => boolean | Promise<boolean>;
  }
}
