import type { Grant } from '../keys/permissions.ts';
import type { CallingKey } from '../keys/service.ts';

/** Who makes a request. */
export interface Caller {
  kind: 'nobody' | 'key' | 'admin';
  /** For the log and the audit: `key_…`, `admin`, `cli` or `nobody`. */
  name: string;
  grants: readonly Grant[];
  /** The project the caller acts on unless an administrator names another. */
  projectId: string;
  key?: CallingKey;
  /** The cookie of a page's session. */
  sessionToken?: string;
}

export const NOBODY: Caller = { kind: 'nobody', name: 'nobody', grants: [], projectId: '' };

declare module 'fastify' {
  interface FastifyRequest {
    caller: Caller;
    /** Whether a page of another site sent it, or it came under a host name that is not the server's. */
    isForeign: boolean;
    /** The project this request acts on. */
    projectId: string;
  }
  interface FastifyContextConfig {
    access?: import('./access.ts').Access;
    /** How many members a JSON body may have where that is more than elsewhere. */
    bodyMaxMembers?: number;
  }
}
