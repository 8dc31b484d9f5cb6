import { isLoopback } from '../lib/loopback.ts';
import type { Environment } from './environment.ts';

/** How the way to a PostgreSQL server is protected: `unverified` is TLS with whoever answers. */
type Protection = 'none' | 'unverified' | 'verified';

/**
 * What a `DATABASE_URL` says of the way to its server, read as the PostgreSQL client reads it: parameters first, then
 * the address, and libpq's variables for what neither says.
 */
export function wayToPostgres(
  address: string,
  env: Environment,
): { host: string; isRemote: boolean; protection: Protection } {
  const { hostname, searchParams } = new URL(address);
  const host = searchParams.get('host') || decodeURIComponent(hostname) || env.PGHOST || 'localhost';
  const isRemote = !host.startsWith('/') && !isLoopback(host);
  return { host, isRemote, protection: protectionBy(searchParams, env) };
}

function protectionBy(parameters: URLSearchParams, env: Environment): Protection {
  const given = parameters.get('sslmode') ?? parameters.get('ssl');
  const hasFiles = ['sslcert', 'sslkey', 'sslrootcert'].some((name) => parameters.get(name));
  const mode = given ?? (hasFiles || parameters.get('sslnegotiation') === 'direct' ? 'true' : env.PGSSLMODE);
  if (mode === 'no-verify') return 'unverified';
  return [undefined, '', 'disable', 'false', '0'].includes(mode) ? 'none' : 'verified';
}
