import { describe, expect, test } from 'vitest';
import { PERMISSIONS } from '../keys/permissions.ts';
import { accessOf, isOpen, ROUTE_ACCESS } from './access.ts';

describe('the table of access', () => {
  test('is asked for every route: one that it does not name stops the start', () => {
    for (const [method, path] of [
      ['POST', '/api/v1/forgotten'],
      ['PUT', '/api/v1/otp/send'],
      ['GET', '/api/v1/otp/:phone'],
      ['GET', '/docsx'],
      ['GET', '/api/docs'],
      ['GET', ''],
    ] as const) {
      expect(() => accessOf(method, path), `${method} ${path}`).toThrow(/not in the table of access/);
    }
  });

  test('is not fooled by names that every object has', () => {
    for (const name of ['constructor', '__proto__', 'toString']) {
      expect(() => accessOf(name, '')).toThrow();
      expect(() => accessOf('GET', name)).toThrow();
    }
  });

  test('gives HEAD the access of GET', () => {
    for (const [route, access] of Object.entries(ROUTE_ACCESS)) {
      const [method = '', path = ''] = route.split(' ');
      expect(accessOf(method, path)).toBe(access);
      if (method === 'GET') expect(accessOf('HEAD', path)).toBe(access);
    }
  });

  test('leaves open only pages, documents, health and the sign-in', () => {
    const open = Object.entries(ROUTE_ACCESS).filter(([, access]) => isOpen(access));
    for (const [route] of open) {
      expect(route).toMatch(
        /^GET \/(assets\/\*|openapi\.(json|yaml)|docs(\/|\/errors)?|api\/v1\/health.*)?$|^POST \/api\/v1\/session$/,
      );
    }
    const known = [...PERMISSIONS, 'admin', 'any-key', 'public', 'page', 'sign-in', 'health', 'probe'];
    expect(Object.values(ROUTE_ACCESS).filter((access) => !known.includes(access))).toEqual([]);
  });

  test('lets no key change who may do what: keys, limits and sessions', () => {
    for (const [route, access] of Object.entries(ROUTE_ACCESS)) {
      if (/\/limits\/|\/simulator\/faults/.test(route)) expect(access, route).toBe('admin');
      if (/\/keys/.test(route)) expect(access, route).toBe('keys:manage');
      if (/\/api\/admin\//.test(route)) expect(access, route).toBe('admin');
    }
  });
});
