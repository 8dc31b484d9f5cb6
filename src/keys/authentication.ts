import type { FastifyRequest } from 'fastify';
import type { AdminService } from '../admin/service.ts';
import { readSessionCookie } from '../admin/session-cookie.ts';
import { DEFAULT_PROJECT } from '../database/project.ts';
import { AuthenticationError, PermissionError, ValidationError } from '../errors/errors.ts';
import type { WotpEvent } from '../events/types.ts';
import { isForAdmin, isOpen, neededFor } from '../http/access.ts';
import { type Authentication, actorOf, type Caller, NOBODY } from '../http/caller.ts';
import { grants } from '../http/permissions.ts';
import { isKeyShaped, type KeyService, UNUSABLE } from './service.ts';

const NOT_A_KEY =
  'The Authorization header has no API key. Write it as `Authorization: Bearer wotp_…`, with the whole key.';

/** Finds out who calls, and refuses whoever may not. */
export function authenticator(deps: {
  keys: KeyService;
  admin: AdminService;
  /** The id of the default project in the API, which an administrator acts on. */
  defaultProject: string;
  /** Keeps a refusal in the events; never rejects. */
  audit: (event: WotpEvent) => Promise<void>;
  /** `PUBLIC_URL`; undefined to take the request's own host. */
  publicUrl: URL | undefined;
}): Authentication {
  const { keys, admin, defaultProject, audit, publicUrl } = deps;
  const asAdmin = (name: string, sessionToken?: string): Caller => ({
    kind: 'admin',
    name,
    grants: ['*'],
    projectId: DEFAULT_PROJECT,
    publicProjectId: defaultProject,
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
    async identify(request, access) {
      refuseRepeatedHeaders(request);
      const masterKey = request.headers['x-master-key'];
      const isInPlaceOfProvider = access === 'callback' && (request.isControl || masterKey !== undefined);
      if (isOpen(access) && !isInPlaceOfProvider) return NOBODY;
      if (request.isControl) return asAdmin('cli');
      if (masterKey !== undefined) {
        const address = request.clientIdentity;
        // Node reads headers as Latin-1; clients write UTF-8 into them.
        const password = Buffer.from(String(masterKey), 'latin1').toString('utf8');
        if (await admin.checkPassword(password, address)) return asAdmin('admin');
        throw new AuthenticationError('The X-Master-Key is wrong.');
      }
      const { authorization } = request.headers;
      if (authorization !== undefined) {
        const given = /^bearer /i.test(authorization) ? authorization.slice('bearer '.length).trim() : '';
        const key = await keys.authenticate(given);
        if (!key) throw new AuthenticationError(isKeyShaped(given) ? UNUSABLE : NOT_A_KEY);
        const { id: name, permissions, projectId, publicProjectId } = key;
        return { kind: 'key', name, grants: permissions, projectId, publicProjectId, key };
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

    // A refusal is kept in the events.
    async authorize(request, access) {
      const { caller } = request;
      if (caller.kind !== 'key' || access === 'any-key') return;
      if (!isForAdmin(access) && !isOpen(access) && grants(caller.grants, access)) return;
      const { name: keyId, projectId } = caller;
      const data = { keyId, permission: neededFor(access), address: request.clientIdentity };
      await audit({ type: 'key.refused', projectId, data, by: actorOf(request) });
      throw new PermissionError(neededFor(access));
    },

    countUse({ key }) {
      if (key) keys.countUse(key.id);
    },

    isKey: async (text) => (await keys.authenticate(text)) !== undefined,
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
