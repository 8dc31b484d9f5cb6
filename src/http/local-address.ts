import type { AddressInfo } from 'node:net';
import type { FastifyInstance } from 'fastify';

/** Where this machine itself reaches the server, which listens already. */
export function localAddress(server: FastifyInstance): string {
  const { address, port, family } = server.server.address() as AddressInfo;
  if (address === '0.0.0.0' || address === '::') return `http://127.0.0.1:${port}`;
  return `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`;
}
