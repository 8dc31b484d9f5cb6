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

  const wrongMethod = (methods: Set<string>) => {
    const allow = [...methods].sort();
    return new WotpError('METHOD_NOT_ALLOWED', `Method not allowed. Allowed: ${allow.join(', ')}.`, {
      allow,
    });
  };

  return {
    /**
     * The error for a request that a route with a parameter took though its address is one of its own, with other
     * methods: `GET /otp/send` asks for no verification with the id `send`. Undefined for every other request.
     */
    mistaken(request: FastifyRequest, route: string | undefined): WotpError | undefined {
      if (!route?.includes(':')) return undefined;
      const methods = methodsByPath.get(pathOf(request));
      return methods && !methods.has(request.method) ? wrongMethod(methods) : undefined;
    },

    /** The error for a request that no route took: 405 with the methods the address knows, or 404. */
    notFound(request: FastifyRequest): WotpError {
      const methods = router.find('GET', pathOf(request))?.store as Set<string> | undefined;
      if (!methods?.size || methods.has(request.method))
        return new NotFoundError(`There is nothing at this address. The reference is at /docs.`);
      return wrongMethod(methods);
    },
  };
}

function pathOf(request: FastifyRequest): string {
  return request.url.split('?')[0]!;
}
