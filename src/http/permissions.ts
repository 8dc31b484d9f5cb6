/** What an API key may be allowed to do. */
export const PERMISSIONS = [
  'otp:send',
  'otp:verify',
  'otp:read',
  'templates:read',
  'templates:write',
  'bulk:send',
  'scheduler:read',
  'scheduler:write',
  'analytics:read',
  'logs:read',
  'webhooks:manage',
  'keys:manage',
] as const;

export type Permission = (typeof PERMISSIONS)[number];

/** What only the administrator may do, by area; every administrator has all of them. */
export const ADMIN_AREAS = [
  'admin:bot',
  'admin:channels',
  'admin:database',
  'admin:keys',
  'admin:limits',
  'admin:logs',
  'admin:opt-outs',
  'admin:projects',
  'admin:session',
  'admin:settings',
  'admin:simulator',
  'admin:test-numbers',
] as const;

export type AdminArea = (typeof ADMIN_AREAS)[number];

/** A permission, or `*` for all of them. Neither opens the admin routes. */
export type Grant = Permission | '*';

/** Whether these grants include a permission. */
export function grants(held: readonly Grant[], permission: Permission): boolean {
  return held.includes('*') || held.includes(permission);
}

/** The first of `wanted` that whoever holds `held` cannot give on; undefined when all can be given. */
export function firstNotGrantable(held: readonly Grant[], wanted: readonly Grant[]): Grant | undefined {
  if (held.includes('*')) return undefined;
  return wanted.find((grant) => !held.includes(grant));
}
