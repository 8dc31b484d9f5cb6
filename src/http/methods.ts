import type { FastifyInstance, FastifyRequest } from 'fastify';
import findMyWay from 'find-my-way';
import { NotFoundError, WotpError } from '../errors/errors.ts';

/** Remembers which methods each address knows, so that a wrong method is told from a wrong address. */
export function methodsOfRoutes(server: FastifyInstance) {
  const methodsByPath = new Map<string, Set<string>>();
  const router = findMyWay();

  server.addHook('onRoute', (route) => {
    // CORS answers preflight requests for every address, which makes none of them exist.
    if (route.url === '*') return;
    let methods = methodsByPath.get(route.url);
    if (!methods) {
      methods = new Set();
      methodsByPath.set(route.url, methods);
      router.on('GET', route.url, () => {}, methods);
    }
    for (const method of [route.method].flat()) methods.add(method);
  });

  return {
    /** The error for a request that no route took: 405 with the methods the address knows, or 404. */
    notFound(request: FastifyRequest): WotpError {
      const path = request.url.split('?')[0]!;
      const methods = router.find('GET', path)?.store as Set<string> | undefined;
      if (!methods?.size || methods.has(request.method))
        return new NotFoundError(`There is nothing at this address. The reference is at /docs.`);
      const allow = [...methods].sort();
      return new WotpError('METHOD_NOT_ALLOWED', `This address knows ${allow.join(', ')} only.`, { allow });
    },
  };
}
