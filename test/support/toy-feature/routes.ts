import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { iso, problems, projectId, projectQuery, success, timestamp } from '../../../src/http/schemas.ts';
import { typed } from '../../../src/http/server.ts';
import type { Toy, ToyService } from './service.ts';

const toy = z
  .object({ name: z.string(), madeAt: timestamp, windings: z.int() })
  .meta({ title: 'Toy', description: 'A toy of the project.' });

/** Making and listing toys. */
export function toyRoutes(server: FastifyInstance, toys: ToyService): void {
  const app = typed(server);
  const tags = ['Database'];

  app.get(
    '/api/v1/toys',
    {
      config: { access: 'otp:read' },
      schema: {
        tags,
        operationId: 'listToys',
        summary: 'List toys',
        querystring: projectQuery,
        response: { 200: success(z.array(toy)), ...problems() },
      },
    },
    async (request) => ({
      success: true as const,
      data: (await toys.list(request.projectId)).map(answerOf),
    }),
  );

  app.post(
    '/api/v1/toys',
    {
      config: { access: 'admin:database' },
      schema: {
        tags,
        operationId: 'createToy',
        summary: 'Create a toy',
        body: z.strictObject({
          name: z.string().min(1).max(40).meta({ description: 'Its name.', example: 'train' }),
          projectId,
        }),
        response: { 201: success(toy), ...problems('CONFLICT') },
      },
    },
    async (request, reply) => {
      const made = await toys.make(request.projectId, request.body.name);
      return reply.code(201).send({ success: true as const, data: answerOf(made) });
    },
  );
}

function answerOf({ name, made_at, windings }: Toy) {
  return { name, madeAt: iso(made_at), windings };
}
