import type { FastifyInstance } from 'fastify';
import type { Clock } from '../lib/clock.ts';
import type { Logger } from '../lib/logger.ts';

/** One line a request. Health probes are logged at `debug`. Bodies, queries and headers never are. */
export function logRequests(server: FastifyInstance, log: Logger, clock: Clock): void {
  server.addHook('onResponse', (request, reply, done) => {
    const line = {
      requestId: request.id,
      method: request.method,
      path: maskNumbers(request.url.split('?')[0]!),
      status: reply.statusCode,
      ms: Math.round(reply.elapsedTime * 10) / 10,
      caller: request.caller?.name ?? 'nobody',
      address: request.ip,
      at: clock.now(),
    };
    if (request.routeOptions.config.access === 'health') log.debug(line, 'request');
    else log.info(line, 'request');
    done();
  });
}

/** A path as it may be logged: of any run of 7 digits or more, such as a phone number, only the last 4 are kept. */
function maskNumbers(path: string): string {
  return path.replace(/\d{7,}/g, (digits) => '*'.repeat(digits.length - 4) + digits.slice(-4));
}
