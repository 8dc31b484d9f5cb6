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

/** Those that open something by now; the others are kept for what is to come, and open nothing. */
export const OFFERED_PERMISSIONS: readonly Permission[] = [
  'otp:send',
  'otp:verify',
  'otp:read',
  'keys:manage',
];

export type Permission = (typeof PERMISSIONS)[number];

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
