import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { maskEmail, readEmail } from '../addresses/email.ts';
import { maskPhone } from '../addresses/phone.ts';
import type { Database } from '../database/database.ts';
import { actorOf } from '../http/caller.ts';
import type { RunOnce } from '../http/idempotency.ts';
import { deleted, iso, problems, projectId, projectQuery, success, timestamp } from '../http/schemas.ts';
import { typed } from '../http/server.ts';
import type { Settings } from '../settings/settings.ts';
import { TEST_NUMBERS_MAX, type TestNumber, type TestNumberService } from './service.ts';

const code = z
  .string()
  .regex(/^[A-Za-z0-9]{4,10}$/, '4 to 10 ASCII letters or digits')
  .meta({ description: 'The code that verifies it.', example: '482913' });
const note = z
  .string()
  .trim()
  .min(1)
  .max(500)
  .meta({ description: 'What it is for.', example: 'Review of the app store' });
const testNumber = z
  .object({
    id: z.string().meta({ example: 'tst_01jd3x8zq2e6v9k5m7n0p4r8st' }),
    phone: z.string().optional().meta({ description: 'E.164.', example: '+6283834946034' }),
    email: z.string().optional().meta({ example: 'review@example.com' }),
    code,
    note: note.nullable(),
    createdAt: timestamp,
  })
  .meta({ title: 'TestNumber', description: 'An address with a fixed code, to which nothing is sent.' });

const newTestNumber = z
  .strictObject({
    phone: z
      .string()
      .max(100)
      .optional()
      .meta({ description: 'In any usual notation. Give this or `email`.', example: '+6283834946034' }),
    email: z.string().min(1).max(1_000).optional().meta({ example: 'review@example.com' }),
    code,
    note: note.optional(),
    projectId,
  })
  .refine(({ phone, email }) => (phone === undefined) !== (email === undefined), {
    path: ['phone'],
    message: 'Give either `phone` or `email`.',
  })
  .meta({
    title: 'AddTestNumberRequest',
    example: { phone: '+6283834946034', code: '482913', note: 'Review of the app store' },
  });

/** The test numbers of a project: list them, add one, remove one. */
export function testNumberRoutes(
  server: FastifyInstance,
  deps: { service: TestNumberService; database: Database; settings: Settings; runOnce: RunOnce },
): void {
  const { service, database, settings, runOnce } = deps;
  const app = typed(server);
  const tags = ['Test numbers'];

  app.get(
    '/api/v1/test-numbers',
    {
      config: { access: 'admin:test-numbers' },
      schema: {
        tags,
        operationId: 'listTestNumbers',
        summary: 'List test numbers',
        description: `With their codes, the oldest first; a project has ${TEST_NUMBERS_MAX} at most.`,
        querystring: projectQuery,
        response: { 200: success(z.array(testNumber)), ...problems() },
      },
    },
    async (request) => ({
      success: true as const,
      data: (await service.list(request.projectId)).map(toAnswer),
    }),
  );

  app.post(
    '/api/v1/test-numbers',
    {
      config: { access: 'admin:test-numbers' },
      schema: {
        tags,
        operationId: 'addTestNumber',
        summary: 'Add a test number',
        description:
          'Every verification of this address has the given code, and no message is sent: for reviewers of app stores, and tests of your own. All answers about such a verification have `test: true`. In production only with TEST_NUMBERS=true. Recorded in the events.',
        body: newTestNumber,
        response: {
          201: success(testNumber),
          ...problems(
            'PHONE_INVALID',
            'PHONE_NOT_ALLOWED',
            'EMAIL_INVALID',
            'CONFLICT',
            'IDEMPOTENCY_MISMATCH',
            'IDEMPOTENCY_IN_PROGRESS',
          ),
        },
      },
    },
    async (request, reply) => {
      const { phone, email, code, note = null } = request.body;
      const { projectId: project } = request;
      const read =
        phone === undefined ? addressOf(readEmail(email!)) : addressOf(settings.of(project).readPhone(phone));
      return runOnce(request, reply, async (trx) => {
        const wanted = { projectId: project, ...read, code: code.toUpperCase(), note };
        const added = await service.add(trx, wanted, actorOf(request));
        return { status: 201, body: { success: true as const, data: toAnswer(added) } };
      });
    },
  );

  app.delete(
    '/api/v1/test-numbers/:id',
    {
      config: { access: 'admin:test-numbers' },
      schema: {
        tags,
        operationId: 'removeTestNumber',
        summary: 'Remove a test number',
        description: 'From then on it gets messages like every other. Recorded in the events.',
        params: z.object({ id: z.string().max(64).meta({ example: 'tst_01jd3x8zq2e6v9k5m7n0p4r8st' }) }),
        querystring: projectQuery,
        response: { 200: deleted, ...problems('RESOURCE_NOT_FOUND') },
      },
    },
    async (request) => {
      const { id } = request.params;
      await database.transaction((trx) => service.remove(trx, request.projectId, id, actorOf(request)));
      return { success: true as const, data: { id } };
    },
  );
}

function addressOf(read: { e164: string; identity: string } | { address: string; identity: string }) {
  return 'e164' in read
    ? { address: read.e164, identity: read.identity, masked: maskPhone(read.e164) }
    : { address: read.address, identity: read.identity, masked: maskEmail(read.address) };
}

function toAnswer({ id, address, code, note, createdAt }: TestNumber) {
  const isEmail = address.includes('@');
  return {
    id,
    phone: isEmail ? undefined : address,
    email: isEmail ? address : undefined,
    code,
    note,
    createdAt: iso(createdAt),
  };
}
