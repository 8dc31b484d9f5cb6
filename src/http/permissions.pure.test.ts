import { describe, expect, test } from 'vitest';
import { ROUTE_ACCESS } from '../../test/support/routes.ts';
import { firstNotGrantable, type Grant, grants, PERMISSIONS, type Permission } from './permissions.ts';

describe('what a key may do', () => {
  test('is what it holds, and nothing more', () => {
    for (const held of PERMISSIONS) {
      const allowed = PERMISSIONS.filter((permission) => grants([held], permission));
      expect(allowed).toEqual([held]);
    }
    expect(PERMISSIONS.filter((permission) => grants([], permission))).toEqual([]);
  });

  test('is everything for *', () => {
    expect(PERMISSIONS.every((permission) => grants(['*'], permission))).toBe(true);
  });

  test('does not grow by a name that only looks like a permission', () => {
    const odd = ['otp', 'otp:', 'otp:*', 'OTP:SEND', 'otp:send ', '**', ''] as unknown as Grant[];
    expect(PERMISSIONS.filter((permission) => grants(odd, permission))).toEqual([]);
  });
});

describe('what a key may give on', () => {
  test('is what it holds itself', () => {
    expect(firstNotGrantable(['otp:send', 'otp:read'], ['otp:read', 'otp:send'])).toBeUndefined();
    expect(firstNotGrantable(['otp:send'], [])).toBeUndefined();
    expect(firstNotGrantable(['otp:send'], ['otp:send', 'otp:verify', 'otp:read'])).toBe('otp:verify');
    expect(firstNotGrantable([], ['otp:send'])).toBe('otp:send');
  });

  test('is everything for *, and * itself for nobody else, not even for who holds each permission', () => {
    expect(firstNotGrantable(['*'], [...PERMISSIONS, '*'])).toBeUndefined();
    expect(firstNotGrantable([...PERMISSIONS], ['*'])).toBe('*');
  });
});

test('each permission opens a route', () => {
  const opening = Object.values(ROUTE_ACCESS).filter((access): access is Permission =>
    PERMISSIONS.includes(access as Permission),
  );
  expect([...PERMISSIONS].sort()).toEqual([...new Set(opening)].sort());
});
