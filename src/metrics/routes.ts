import type { FastifyInstance, FastifyRequest } from 'fastify';
import { AuthenticationError } from '../errors/errors.ts';
import { isLoopback } from '../lib/loopback.ts';
import { isSameSecret } from '../lib/same-secret.ts';

export interface MetricsRouteOptions {
  /** METRICS_TOKEN; undefined where none is set. */
  token: string | undefined;
  isProduction: boolean;
  contentType: string;
  text: () => Promise<string>;
}

/** The metrics, outside of the API: Prometheus asks for them at the usual place. */
export function metricsRoutes(server: FastifyInstance, options: MetricsRouteOptions): void {
  server.get(
    '/metrics',
    { config: { access: 'metrics' }, schema: { hide: true } },
    async (request, reply) => {
      const refusal = refusalOf(request, options);
      if (refusal !== undefined) throw new AuthenticationError(refusal);
      return reply
        .header('content-type', options.contentType)
        .header('cache-control', 'no-store')
        .send(await options.text());
    },
  );
}

/** Why somebody may not read the metrics; undefined when they may. */
function refusalOf(
  request: FastifyRequest,
  { token, isProduction }: MetricsRouteOptions,
): string | undefined {
  if (request.isControl) return undefined;
  const { authorization = '' } = request.headers;
  if (token !== undefined) {
    const isRight =
      /^bearer /i.test(authorization) && isSameSecret(authorization.slice('bearer '.length).trim(), token);
    return isRight ? undefined : 'Send METRICS_TOKEN as `Authorization: Bearer …`.';
  }
  if (isProduction) return 'Set METRICS_TOKEN to make the metrics readable.';
  // What a proxy on this machine forwards comes from somewhere else.
  const isForwarded =
    request.headers['x-forwarded-for'] !== undefined || request.headers.forwarded !== undefined;
  const isHere = !isForwarded && !request.isForeign && isLoopback(request.clientAddress ?? '');
  return isHere ? undefined : 'Without METRICS_TOKEN only programs on this machine may read the metrics.';
}
