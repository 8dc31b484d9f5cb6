import type { FastifyInstance } from 'fastify';

/** How long a stop waits for requests that are still arriving or running, in ms. */
const REQUESTS_FINISH_MS = 3_000;
const IDLE_SWEEP_MS = 25;

/** Lets what is under way finish, then closes the server and its connections. */
export async function closeServer(server: FastifyInstance): Promise<void> {
  // A request that has not arrived whole by then will hardly be missed, and would hold the stop up.
  const cutOff = setTimeout(() => server.server.closeAllConnections(), REQUESTS_FINISH_MS);
  // Connections that were busy when the stop began become idle one by one.
  const sweep = setInterval(() => server.server.closeIdleConnections(), IDLE_SWEEP_MS);
  await server.close();
  clearInterval(sweep);
  clearTimeout(cutOff);
}
