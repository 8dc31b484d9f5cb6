import type { Socket } from 'node:net';
import type { FastifyRequest } from 'fastify';
import { AuthenticationError, PermissionError, ValidationError } from '../errors/errors.ts';
import type { AdminService } from '../keys/admin.ts';
import { grants, type Permission } from '../keys/permissions.ts';
import type { KeyService } from '../keys/service.ts';
import { addressIdentity } from '../lib/client-address.ts';
import type { Access } from './access.ts';
import { type Caller, NOBODY } from './caller.ts';
import { readSessionCookie } from './session-cookie.ts';

/** Connections to the control socket: only the machine's owner of the data folder can open one. */
export type ControlConnections = WeakSet<Socket>;

/** Finds out who calls, and refuses whoever may not. */
export function authenticator(deps: {
  keys: KeyService;
  admin: AdminService;
  defaultProjectId: string;
  controlConnections: ControlConnections;
  /** The origin of `PUBLIC_URL`; undefined to take the request's own host. */
  publicOrigin: string | undefined;
}) {
  const { keys, admin, defaultProjectId, controlConnections, publicOrigin } = deps;
  const asAdmin = (name: string, sessionToken?: string): Caller => ({
    kind: 'admin',
    name,
    grants: ['*'],
    projectId: defaultProjectId,
    sessionToken,
  });

  async function identify(request: FastifyRequest): Promise<Caller> {
    if (controlConnections.has(request.raw.socket)) return asAdmin('cli');
    const masterKey = request.headers['x-master-key'];
    if (masterKey !== undefined) {
      const address = addressIdentity(request.ip);
      if (typeof masterKey === 'string' && (await admin.checkPassword(masterKey, address)))
        return asAdmin('admin');
      throw new AuthenticationError('The X-Master-Key is wrong.');
    }
    const { authorization } = request.headers;
    if (authorization !== undefined) {
      const key = authorization.startsWith('Bearer ')
        ? await keys.authenticate(authorization.slice('Bearer '.length).trim())
        : undefined;
      if (!key) throw new AuthenticationError('The API key is unknown, revoked or expired.');
      return { kind: 'key', name: key.id, grants: key.permissions, projectId: key.projectId, key };
    }
    const token = readSessionCookie(request);
    if (token !== undefined && (await admin.sessionEnd(token)) !== undefined) {
      requireSameOrigin(request);
      return asAdmin('admin', token);
    }
    throw new AuthenticationError('Send an API key as `Authorization: Bearer wotp_…`, or sign in.');
  }

  /** A browser sends the cookie by itself, so a change has to come from our own page. */
  function requireSameOrigin(request: FastifyRequest): void {
    if (request.method === 'GET' || request.method === 'HEAD') return;
    const { origin } = request.headers;
    const own = publicOrigin ?? `${request.protocol}://${request.host}`;
    if (origin !== own)
      throw new AuthenticationError('A signed-in page may only be used from its own address.');
  }

  return {
    /**
     * The caller of a request to a route with this access.
     * @throws AuthenticationError, PermissionError, RateLimitError
     */
    async authenticate(request: FastifyRequest, access: Access): Promise<Caller> {
      refuseRepeatedHeaders(request);
      if (access === 'public' || access === 'health') return NOBODY;
      const caller = await identify(request);
      if (caller.kind === 'admin') return caller;
      if (access === 'admin') throw new PermissionError('admin');
      if (access !== 'any-key' && !grants(caller.grants, access satisfies Permission)) {
        throw new PermissionError(access);
      }
      return caller;
    },
  };
}

const SINGLE_HEADERS = new Set(['authorization', 'idempotency-key', 'x-master-key']);

/** Node keeps one of several equal headers; which one a proxy looked at is anybody's guess. */
function refuseRepeatedHeaders(request: FastifyRequest): void {
  const { rawHeaders } = request.raw;
  let seen = '';
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]!;
    if (name.length !== 13 && name.length !== 15 && name.length !== 12) continue;
    const lower = name.toLowerCase();
    if (!SINGLE_HEADERS.has(lower)) continue;
    if (seen.includes(lower)) throw new ValidationError(`The header ${lower} was sent more than once.`);
    seen += `${lower} `;
  }
}
