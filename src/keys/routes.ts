import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { RunOnce } from '../http/idempotency.ts';
import { PERMISSIONS } from '../http/permissions.ts';
import {
  deleted,
  grant,
  iso,
  isoOrNull,
  page,
  pageQuery,
  problems,
  projectId,
  projectQuery,
  success,
  time,
  timestamp,
} from '../http/schemas.ts';
import { typed } from '../http/server.ts';
import type { Clock } from '../lib/clock.ts';
import { type ApiKey, type KeyService, keyActorOf } from './service.ts';

const keyId = z.string().max(64).meta({ example: 'key_01jd3x8zq2e6v9k5m7n0p4r8st' });

const createBody = z
  .strictObject({
    name: z.string().trim().min(1).max(100).meta({ example: 'checkout service' }),
    permissions: z
      .array(grant)
      .min(1)
      .max(PERMISSIONS.length + 1)
      .meta({ description: '`*` is all of them.', example: ['otp:send', 'otp:verify'] }),
    rateLimit: z
      .int()
      .min(1)
      .max(1_000_000_000)
      .optional()
      .meta({ description: "Requests a window, in place of the server's RATE_LIMIT_MAX.", example: 1000 }),
    expiresAt: time
      .optional()
      .meta({ description: 'The key is refused from then on; RFC 3339, with any offset.' }),
    projectId,
  })
  .meta({ title: 'CreateApiKeyRequest' });

const created = z
  .object({
    id: keyId,
    name: z.string(),
    key: z.string().meta({ description: 'Shown only now.', example: `wotp_${'0'.repeat(64)}` }),
    permissions: z.array(grant),
    rateLimit: z.int().nullable(),
    expiresAt: timestamp.nullable(),
  })
  .meta({ title: 'CreatedApiKey', description: 'The new API key. Its value is shown only now.' });
const listed = z
  .object({
    id: keyId,
    name: z.string(),
    keyPreview: z.string().meta({ example: 'wotp_...0a1b2c3d' }),
    permissions: z.array(grant),
    rateLimit: z.int().nullable(),
    usageCount: z.int(),
    lastUsed: timestamp.nullable(),
    expiresAt: timestamp.nullable(),
    createdAt: timestamp,
    parentId: keyId
      .nullable()
      .meta({ description: 'The key that created it; revoking that one revokes it too.' }),
  })
  .meta({ title: 'ApiKey', description: 'An API key without its value.' });

/** Making, listing and revoking API keys. */
export function keyRoutes(
  server: FastifyInstance,
  deps: { keys: KeyService; clock: Clock; runOnce: RunOnce },
): void {
  const { keys, clock, runOnce } = deps;
  const app = typed(server);
  const tags = ['API keys'];

  app.get(
    '/api/v1/keys',
    {
      config: { access: 'keys:manage' },
      schema: {
        tags,
        operationId: 'listApiKeys',
        summary: 'List API keys, newest first',
        querystring: z.strictObject({ ...pageQuery('key'), projectId }),
        response: { 200: page(listed), ...problems() },
      },
    },
    async (request) => {
      const { limit, cursor } = request.query;
      const { keys: found, next } = await keys.list(request.projectId, { limit, cursor });
      return { success: true as const, data: found.map(toListed), page: { next } };
    },
  );

  app.post(
    '/api/v1/keys',
    {
      config: { access: 'keys:manage' },
      schema: {
        tags,
        operationId: 'createApiKey',
        summary: 'Create an API key',
        description:
          'The key is shown once. A key can create only keys that have no permission it lacks, expire no later and have no higher `rateLimit` than itself (else 403); where they are left out, its own apply. When it is revoked, the keys it created are revoked with it.',
        body: createBody.refine(
          (body) => body.expiresAt === undefined || Date.parse(body.expiresAt) > clock.now(),
          {
            path: ['expiresAt'],
            message: 'a time in the future',
          },
        ),
        response: { 201: success(created), ...problems('IDEMPOTENCY_MISMATCH', 'IDEMPOTENCY_IN_PROGRESS') },
      },
    },
    (request, reply) =>
      runOnce(request, reply, async (trx) => {
        const { name, permissions, rateLimit, expiresAt } = request.body;
        const made = await keys.create(
          trx,
          {
            projectId: request.projectId,
            name,
            permissions,
            rateLimit,
            expiresAt: expiresAt === undefined ? null : Date.parse(expiresAt),
          },
          keyActorOf(request),
        );
        const data = {
          id: made.id,
          name: made.name,
          key: made.key,
          permissions: made.permissions,
          rateLimit: made.rateLimit,
          expiresAt: isoOrNull(made.expiresAt),
        };
        return { status: 201, body: { success: true as const, data } };
      }),
  );

  app.delete(
    '/api/v1/keys/:id',
    {
      config: { access: 'keys:manage' },
      schema: {
        tags,
        operationId: 'revokeApiKey',
        summary: 'Revoke an API key',
        description:
          'From the next request on, the key is refused, and so are the keys that it created (their `parentId` is its id), and those that they created.',
        params: z.object({ id: keyId }),
        querystring: projectQuery,
        response: { 200: deleted, ...problems('RESOURCE_NOT_FOUND') },
      },
    },
    async (request) => {
      const { id } = request.params;
      await keys.revoke(request.projectId, id, keyActorOf(request));
      return { success: true as const, data: { id } };
    },
  );
}

function toListed(key: ApiKey) {
  const { id, name, keyPreview, permissions, rateLimit, usageCount } = key;
  return {
    id,
    name,
    keyPreview,
    permissions,
    rateLimit,
    usageCount,
    lastUsed: isoOrNull(key.lastUsed),
    expiresAt: isoOrNull(key.expiresAt),
    createdAt: iso(key.createdAt),
    parentId: key.parentId,
  };
}
