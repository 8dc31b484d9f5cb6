import Fastify from 'fastify';
import { describe, expect, test } from 'vitest';
import { ROUTE_ACCESS } from '../../test/support/routes.ts';
import { collectAccess, isForAdmin, isOpen } from './access.ts';
import { ADMIN_AREAS, PERMISSIONS } from './permissions.ts';

describe('the access of routes', () => {
  test('is named by each: one that does not name it stops the start', () => {
    const server = Fastify();
    collectAccess(server);
    expect(() => server.post('/api/v1/forgotten', async () => 'done')).toThrow(
      'The route POST /api/v1/forgotten does not name its access.',
    );
  });

  test('is collected as the routes name it, and the same for HEAD as for GET', () => {
    const server = Fastify();
    const access = collectAccess(server);
    server.get('/a', { config: { access: 'otp:read' } }, async (_request, reply) => reply.send());
    server.route({ method: ['PUT', 'PATCH'], url: '/b', config: { access: 'admin:bot' }, handler: () => {} });
    expect([...access]).toEqual([
      ['GET /a', 'otp:read'],
      ['PUT /b', 'admin:bot'],
      ['PATCH /b', 'admin:bot'],
    ]);
    expect(server.hasRoute({ method: 'HEAD', url: '/a' })).toBe(true);
  });

  test('of a callback comes with how the provider is recognized: one that does not say it stops the start', () => {
    const server = Fastify();
    collectAccess(server);
    expect(() => server.post('/in', { config: { access: 'callback' } }, async () => 'done')).toThrow(
      'The route POST /in does not say how it recognizes its provider.',
    );
    server.post('/in', { config: { access: 'callback', isFromProvider: () => false } }, async () => 'done');
  });

  test('is open only for pages, documents, health, metrics, the sign-in and callbacks', () => {
    const open = Object.entries(ROUTE_ACCESS).filter(([, access]) => isOpen(access));
    for (const [route] of open) {
      expect(route).toMatch(
        /^GET \/(assets\/\*|openapi\.(json|yaml)|docs(\/|\/errors)?|metrics|api\/v1\/(health.*|channels\/cloud-api\/webhook))?$|^POST \/api\/v1\/(session|channels\/(cloud-api\/webhook|email\/bounce|http\/:provider\/callback))$/,
      );
    }
    const words = ['any-key', 'public', 'page', 'sign-in', 'callback', 'health', 'probe', 'metrics'];
    const known: string[] = [...PERMISSIONS, ...ADMIN_AREAS, ...words];
    expect(Object.values(ROUTE_ACCESS).filter((access) => !known.includes(access))).toEqual([]);
  });

  test('lets no key change who may do what: keys, limits and sessions', () => {
    for (const [route, access] of Object.entries(ROUTE_ACCESS)) {
      if (/\/limits\/|\/simulator\/faults/.test(route)) expect(isForAdmin(access), route).toBe(true);
      if (/\/keys/.test(route)) expect(access, route).toBe('keys:manage');
      if (/\/api\/admin\//.test(route)) expect(isForAdmin(access), route).toBe(true);
    }
  });

  test('names every area of administration that there is', () => {
    expect([...new Set(Object.values(ROUTE_ACCESS).filter(isForAdmin))].sort()).toEqual([...ADMIN_AREAS]);
  });
});
