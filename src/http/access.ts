import type { Permission } from '../keys/permissions.ts';

type Open = 'probe' | 'health' | 'page' | 'sign-in' | 'public';
const OPEN: ReadonlySet<string> = new Set<Open>(['probe', 'health', 'page', 'sign-in', 'public']);

/**
 * Who may call a route: `probe`, `health`, `page`, `sign-in` and `public` need no key, `any-key` any valid key or the administrator,
 * `admin` the administrator only, and a permission a key that has it, or the administrator. A `probe` is not limited,
 * `health` has a limit of its own, and both answer while the server stops. A `page` has a limit of its own too, and
 * `sign-in` those of guesses, so that no other request keeps anybody from signing in.
 */
export type Access = Open | 'any-key' | 'admin' | Permission;

/** Every route and its access. A route that is not in this table does not start. */
export const ROUTE_ACCESS: Readonly<Record<string, Access>> = {
  'POST /api/v1/otp/send': 'otp:send',
  'POST /api/v1/otp/verify': 'otp:verify',
  'POST /api/v1/otp/:id/resend': 'otp:send',
  'POST /api/v1/otp/:id/cancel': 'otp:send',
  'GET /api/v1/otp/status': 'any-key',
  'GET /api/v1/otp/:id': 'otp:read',
  'GET /api/v1/otp': 'otp:read',

  'GET /api/v1/keys': 'keys:manage',
  'POST /api/v1/keys': 'keys:manage',
  'DELETE /api/v1/keys/:id': 'keys:manage',
  'POST /api/admin/generate-token': 'admin',
  'POST /api/v1/migrate/v3': 'admin',

  'GET /api/v1/session': 'admin',
  'POST /api/v1/session': 'sign-in',
  'DELETE /api/v1/session': 'admin',
  'POST /api/v1/session/ticket': 'admin',

  'GET /api/v1/limits/:phone': 'admin',
  'DELETE /api/v1/limits/:phone': 'admin',

  'POST /api/v1/database/backups': 'admin',
  'POST /api/v1/database/verify': 'admin',
  'GET /api/v1/database/job': 'admin',

  'GET /api/v1/opt-outs': 'admin',
  'POST /api/v1/opt-outs': 'admin',
  'DELETE /api/v1/opt-outs/:phone': 'admin',
  'GET /api/v1/bot/opt-outs': 'admin',
  'POST /api/v1/bot/opt-outs': 'admin',
  'DELETE /api/v1/bot/opt-outs/:phone': 'admin',
  'GET /api/v1/bot/sessions': 'admin',
  'POST /api/v1/bot/sessions': 'admin',
  'GET /api/v1/bot/sessions/:id': 'admin',
  'PATCH /api/v1/bot/sessions/:id': 'admin',
  'DELETE /api/v1/bot/sessions/:id': 'admin',
  'GET /api/v1/bot/sessions/:id/qr': 'admin',
  'POST /api/v1/bot/sessions/:id/pairing-code': 'admin',
  'POST /api/v1/bot/sessions/:id/restart': 'admin',
  'POST /api/v1/bot/sessions/:id/pause': 'admin',
  'POST /api/v1/bot/sessions/:id/resume': 'admin',
  'POST /api/v1/bot/sessions/:id/logout': 'admin',
  'POST /api/v1/bot/sessions/:id/import': 'admin',
  'POST /api/v1/bot/sessions/:id/export': 'admin',

  'GET /api/v1/simulator/messages': 'otp:read',
  'PUT /api/v1/simulator/faults': 'admin',

  'GET /api/v1/database/migrations': 'admin',
  'POST /api/v1/database/compact': 'admin',
  'POST /api/v1/database/demo-data': 'admin',

  'GET /api/v1/health': 'health',
  'GET /api/v1/health/live': 'probe',
  'GET /api/v1/health/ready': 'probe',
  'GET /api/v1/health/metrics': 'health',

  'GET /': 'page',
  'GET /assets/*': 'page',
  'GET /openapi.json': 'public',
  'GET /openapi.yaml': 'public',
  'GET /docs': 'public',
  'GET /docs/': 'public',
  'GET /docs/errors': 'public',
};

/**
 * The access of a route.
 * @throws Error when the table does not name it, so that a forgotten route stops the start
 */
export function accessOf(method: string, path: string): Access {
  const access = ROUTE_ACCESS[`${method === 'HEAD' ? 'GET' : method} ${path}`];
  if (access) return access;
  // Preflight requests; the route is there only where CORS is configured.
  if (method === 'OPTIONS' && path === '*') return 'public';
  throw new Error(`The route ${method} ${path} is not in the table of access.`);
}

/** Whether a route tells about the server itself: it needs no key, is logged at `debug` and answers to the last. */
export function isOfHealth(access: Access | undefined): boolean {
  return access === 'probe' || access === 'health';
}

/** Whether a route is open to everybody. */
export function isOpen(access: Access | undefined): access is Open | undefined {
  return access === undefined || OPEN.has(access);
}
