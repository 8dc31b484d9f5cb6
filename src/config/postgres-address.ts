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

/** The parameters that the client knows and WOTP leaves to the operator, with their values where not all are good. */
const PARAMETERS: Readonly<Record<string, readonly string[] | undefined>> = {
  host: undefined,
  port: undefined,
  user: undefined,
  password: undefined,
  application_name: undefined,
  options: undefined,
  ssl: ['true', '1', 'false', '0'],
  sslmode: ['disable', 'prefer', 'require', 'verify-ca', 'verify-full', 'no-verify'],
  sslcert: undefined,
  sslkey: undefined,
  sslrootcert: undefined,
  sslnegotiation: ['postgres', 'direct'],
};

/**
 * What is wrong with the parameters of a `DATABASE_URL`, worded to follow "allowed:"; undefined when nothing is. The
 * client ignores names that it does not know: `sslMode=require` would connect without TLS.
 */
export function parameterProblem(address: string): string | undefined {
  const { searchParams } = new URL(address);
  const names = [...searchParams.keys()];
  for (const name of names) {
    if (!Object.hasOwn(PARAMETERS, name)) {
      return `the parameters ${Object.keys(PARAMETERS).join(', ')}, in lower case; ${name} is not one of them`;
    }
    const values = PARAMETERS[name];
    if (values && !values.includes(searchParams.get(name)!)) return `${name} is one of ${values.join(', ')}`;
    if (searchParams.getAll(name).length > 1) return `each parameter once; ${name} is given twice`;
  }
  return undefined;
}
