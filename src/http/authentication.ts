import type { FastifyRequest } from 'fastify';
import { AuthenticationError, PermissionError, ValidationError } from '../errors/errors.ts';
import type { WotpEvent } from '../events/types.ts';
import type { AdminService } from '../keys/admin.ts';
import { grants } from '../keys/permissions.ts';
import { isKeyShaped, type KeyService, UNUSABLE } from '../keys/service.ts';
import { type Access, isOpen } from './access.ts';
import { type Caller, NOBODY } from './caller.ts';
import { readSessionCookie } from './session-cookie.ts';

const NOT_A_KEY =
  'The Authorization header has no API key. Write it as `Authorization: Bearer wotp_…`, with the whole key.';

/** Finds out who calls, and refuses whoever may not. */
export function authenticator(deps: {
  keys: KeyService;
  admin: AdminService;
  defaultProjectId: string;
  /** Keeps a refusal in the events; never rejects. */
  audit: (event: WotpEvent) => Promise<void>;
  /** `PUBLIC_URL`; undefined to take the request's own host. */
  publicUrl: URL | undefined;
}) {
  const { keys, admin, defaultProjectId, audit, publicUrl } = deps;
  const asAdmin = (name: string, sessionToken?: string): Caller => ({
    kind: 'admin',
    name,
    grants: ['*'],
    projectId: defaultProjectId,
    sessionToken,
  });

  /** A browser sends the cookie by itself, so a change has to come from our own page. */
  function requireSameOrigin(request: FastifyRequest): void {
    if (request.method === 'GET' || request.method === 'HEAD') return;
    const { origin } = request.headers;
    const own = publicUrl?.origin ?? `${request.protocol}://${request.host}`;
    // A browser that sends no Origin still says by itself where a request comes from (Fetch Metadata).
    const isOwn = origin === undefined ? request.headers['sec-fetch-site'] === 'same-origin' : origin === own;
    if (!isOwn) throw new AuthenticationError('A signed-in page may only be used from its own address.');
  }

  /**
   * Whether a session's cookie came from the page that signed in: a browser sends it to every port of this machine, so
   * whoever listens on another one has it too.
   */
  async function isAccompanied(request: FastifyRequest, token: string): Promise<boolean> {
    const secret = request.headers['x-session-secret'];
    if (secret !== undefined) return admin.sessions.isSecretOf(token, String(secret));
    if (request.method !== 'GET' && request.method !== 'HEAD') return false;
    // Pictures, downloads and streams that a page asks for by an address alone.
    const query = request.query as { ticket?: unknown };
    const { ticket } = query;
    delete query.ticket;
    return typeof ticket === 'string' && (await admin.sessions.useTicket(token, ticket));
  }

  return {
    /**
     * The caller of a request.
     * @throws AuthenticationError when nobody can be told, RateLimitError after too many wrong passwords
     */
    async identify(request: FastifyRequest, access: Access): Promise<Caller> {
      refuseRepeatedHeaders(request);
      if (isOpen(access)) return NOBODY;
      if (request.isControl) return asAdmin('cli');
      const masterKey = request.headers['x-master-key'];
      if (masterKey !== undefined) {
        const address = request.clientIdentity;
        // Node reads headers as Latin-1; clients write UTF-8 into them.
        const password = Buffer.from(String(masterKey), 'latin1').toString('utf8');
        if (await admin.checkPassword(password, address)) return asAdmin('admin');
        throw new AuthenticationError('The X-Master-Key is wrong.');
      }
      const { authorization } = request.headers;
      if (authorization !== undefined) {
        const given = /^bearer (.*)$/i.exec(authorization)?.[1]?.trim();
        if (given === undefined || !isKeyShaped(given)) throw new AuthenticationError(NOT_A_KEY);
        const key = await keys.authenticate(given);
        if (!key) throw new AuthenticationError(UNUSABLE);
        return { kind: 'key', name: key.id, grants: key.permissions, projectId: key.projectId, key };
      }
      const token = readSessionCookie(request, publicUrl);
      if (
        token !== undefined &&
        (await isAccompanied(request, token)) &&
        (await admin.sessions.endOf(token))
      ) {
        requireSameOrigin(request);
        return asAdmin('admin', token);
      }
      throw new AuthenticationError('Send an API key as `Authorization: Bearer wotp_…`, or sign in.');
    },

    /** Whether the caller may use a route with this access. Throws PermissionError, which is kept in the events. */
    async authorize({ caller, clientIdentity }: FastifyRequest, access: Access): Promise<void> {
      if (caller.kind !== 'key' || access === 'any-key') return;
      if (access !== 'admin' && !isOpen(access) && grants(caller.grants, access)) return;
      const { name: keyId, projectId } = caller;
      const data = { keyId, permission: access, address: clientIdentity };
      await audit({ type: 'key.refused', projectId, data });
      throw new PermissionError(access);
    },
  };
}

const SINGLE_HEADERS = new Set(['authorization', 'host', 'idempotency-key', 'x-master-key']);

/** Node keeps one of several equal headers; which one a proxy looked at is anybody's guess. */
function refuseRepeatedHeaders(request: FastifyRequest): void {
  const { rawHeaders } = request.raw;
  let seen = '';
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]!;
    if (name.length !== 13 && name.length !== 15 && name.length !== 12 && name.length !== 4) continue;
    const lower = name.toLowerCase();
    if (!SINGLE_HEADERS.has(lower)) continue;
    if (seen.includes(lower)) throw new ValidationError(`The header ${lower} was sent more than once.`);
    seen += `${lower} `;
  }
}
