import type { FastifyInstance } from 'fastify';
import { NOBODY } from '../../src/http/caller.ts';
import { connectionRegistry } from '../../src/http/connections.ts';
import { createServer } from '../../src/http/server.ts';
import { silentLog, silentTroubles } from './silent-log.ts';
import type { TestClock } from './test-clock.ts';

/** The product's server with the callbacks of one channel, on a free port, without callers of any other kind. */
export async function startCallbackServer(clock: TestClock, routes: (server: FastifyInstance) => void) {
  const server = await createServer({
    log: silentLog,
    troubles: silentTroubles,
    authentication: {
      identify: async () => NOBODY,
      authorize: async () => {},
      countUse() {},
      isKey: async () => false,
    },
    limiter: { countHealth() {}, async countKey() {}, async countAddress() {}, async countPage() {} },
    connections: connectionRegistry(clock),
    projectNumberOf: async () => undefined,
    isStopping: () => false,
    trustProxyHops: 0,
    keepAliveSeconds: 75,
    corsOrigins: [],
    secure: false,
    hostCheck: () => undefined,
  });
  routes(server);
  const address = await server.listen({ host: '127.0.0.1', port: 0 });
  return { address, stop: () => server.close() };
}
