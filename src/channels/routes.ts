import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { NotFoundError } from '../errors/errors.ts';
import { page, problems, projectQuery, success } from '../http/schemas.ts';
import { typed } from '../http/server.ts';
import { CHANNEL_NAMES, type ChannelName } from '../messages/channel.ts';
import type { ChannelState } from './states.ts';

/** How long a provider is waited for that is asked about its sender, in ms. */
const ASKED_MAX_MS = 10_000;

const channel = z
  .object({
    name: z.enum(CHANNEL_NAMES).meta({ example: 'email' }),
    state: z.enum(['ready', 'waiting', 'off']).meta({
      description:
        '`waiting`: it sends again in a moment. `off`: not set up, or not until somebody does something about it.',
    }),
    reason: z.string().nullable().meta({ description: 'Why it is not ready; null where it is.' }),
    receipts: z.enum(['none', 'delivered', 'read']).nullable().meta({
      description: 'The most it reports after the provider took a message; null where it is not set up.',
    }),
    route: z.int().nullable().meta({
      description: 'Its place on the usual route, from 1; null where only a send that names it takes it.',
    }),
  })
  .meta({
    title: 'Channel',
    description: 'A way to reach recipients.',
    example: { name: 'email', state: 'ready', reason: null, receipts: 'none', route: 2 },
  });

const details = channel
  .extend({
    details: z.array(z.string()).meta({
      description:
        'What the provider reports about the sender at this moment, one sentence each: for the Cloud API the quality and limit of each number, and the state of the template.',
    }),
  })
  .meta({
    title: 'ChannelDetails',
    description: 'A way to reach recipients, with what its provider reports about the sender.',
    example: {
      name: 'cloud_api',
      state: 'ready',
      reason: null,
      receipts: 'read',
      route: 1,
      details: [
        'Number 106540352242922: +1 555-078-3881, Acme, quality GREEN, limit TIER_250.',
        'Template verification_code: en_US APPROVED.',
      ],
    },
  });

/** The channels, as a project sees them. */
export function channelRoutes(
  server: FastifyInstance,
  {
    statesOf,
    aboutOf,
  }: {
    statesOf: (projectId: number) => ChannelState[];
    aboutOf: (name: ChannelName, signal: AbortSignal) => Promise<readonly string[]>;
  },
): void {
  typed(server).get(
    '/api/v1/channels',
    {
      config: { access: 'otp:read' },
      schema: {
        tags: ['Channels'],
        operationId: 'listChannels',
        summary: 'List the channels and their state',
        description:
          'Every channel, those of the usual route first and in its order. In mock mode the virtual phone stands in for each.',
        querystring: projectQuery,
        response: { 200: page(channel), ...problems() },
      },
    },
    async ({ projectId }) => ({ success: true as const, data: statesOf(projectId), page: { next: null } }),
  );

  typed(server).get(
    '/api/v1/channels/:name',
    {
      config: { access: 'admin:channels' },
      schema: {
        tags: ['Channels'],
        operationId: 'showChannel',
        summary: 'Get a channel and its sender status',
        description: 'Asks the provider, where it can be asked. What it does not tell closes no channel.',
        params: z.strictObject({ name: z.string().max(40).meta({ example: 'cloud_api' }) }),
        querystring: projectQuery,
        response: { 200: success(details), ...problems('RESOURCE_NOT_FOUND') },
      },
    },
    async ({ params: { name }, projectId }) => {
      const state = statesOf(projectId).find((each) => each.name === name);
      if (!state) throw new NotFoundError('There is no channel with this name.');
      const data = { ...state, details: [...(await aboutOf(state.name, AbortSignal.timeout(ASKED_MAX_MS)))] };
      return { success: true as const, data };
    },
  );
}
