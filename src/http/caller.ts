import type { FastifyRequest } from 'fastify';
import type { Actor } from '../database/acts.ts';
import type { Access } from './access.ts';
import type { Grant } from './permissions.ts';

/** A key that makes a request. */
export interface CallingKey {
  id: string;
  projectId: number;
  /** The id of its project in the API. */
  publicProjectId: string;
  permissions: Grant[];
  /** Requests a window; null for the server's default. */
  rateLimit: number | null;
  /** Unix ms; null for no end. */
  expiresAt: number | null;
  /** The first of the keys that led to this one, against whose limit its requests count as well. */
  root: { id: string; rateLimit: number | null } | null;
}

/** Who makes a request. */
export interface Caller {
  kind: 'nobody' | 'key' | 'admin';
  /** For the log and the audit: `key_…`, `admin`, `cli` or `nobody`. */
  name: string;
  grants: readonly Grant[];
  /** The project the caller acts on unless an administrator names another: its number, and its id in the API. */
  projectId: number;
  publicProjectId: string;
  key?: CallingKey;
  /** The cookie of a page's session. */
  sessionToken?: string;
}

/** Finds out who calls, and refuses whoever may not. */
export interface Authentication {
  /**
   * The caller of a request; the administrator may call in place of a provider.
   * @throws AuthenticationError when nobody can be told, RateLimitError after too many wrong passwords
   */
  identify(request: FastifyRequest, access: Access): Promise<Caller>;
  /** Whether the caller may use a route with this access. Throws PermissionError. */
  authorize(request: FastifyRequest, access: Access): Promise<void>;
  /** Counts a request of a caller that has been let through. */
  countUse(caller: Caller): void;
  /** Whether a text is an API key that is good now. */
  isKey(text: string): Promise<boolean>;
}

/** Who makes a request, and from where, for what it records. */
export function actorOf(request: FastifyRequest): Actor {
  return { name: request.caller.name, address: request.clientIdentity };
}

export const NOBODY: Caller = {
  kind: 'nobody',
  name: 'nobody',
  grants: [],
  projectId: 0,
  publicProjectId: '',
};

declare module 'fastify' {
  interface FastifyRequest {
    caller: Caller;
    /** Whether a page of another site sent it, or it came under a host name that is not the server's. */
    isForeign: boolean;
    /** The project this request acts on, by its number. */
    projectId: number;
    /** The same project as the API calls it: `prj_…`. */
    publicProjectId: string;
  }
  interface FastifyContextConfig {
    /** How many members a JSON body may have where that is more than elsewhere. */
    bodyMaxMembers?: number;
    /** The most bytes of a body that is a file and not JSON, as its parser allows them. */
    fileMaxBytes?: number;
  }
}
