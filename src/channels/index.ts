import { z } from 'zod';
import type { Core } from '../core.ts';
import { DEFAULT_PROJECT } from '../database/project.ts';
import type { Check, Feature } from '../feature.ts';
import { CHANNEL_NAMES, type Channel, type ChannelName } from '../messages/channel.ts';
import { Dispatcher } from '../messages/dispatcher.ts';
import type { MessagesFeature } from '../messages/index.ts';
import type { OptOutsFeature } from '../opt-outs/index.ts';
import { OPEN_MS } from './circuit.ts';
import { routing as routingOf } from './route.ts';
import { channelRoutes } from './routes.ts';
import { type ChannelState, channelStates } from './states.ts';
import { channelStops } from './stops.ts';
import type { Figures } from './track-record.ts';
import { WatchedChannel } from './watched-channel.ts';
import type { WhatsAppFeature } from './whatsapp/index.ts';

/** WhatsApp has a check of its own, and the virtual phone is no channel to watch. */
const CHECKED = CHANNEL_NAMES.filter((name) => name !== 'whatsapp' && name !== 'simulator');

/** A channel as a project sees it, with how it did in its latest tries here. */
export interface ChannelOverview extends Pick<ChannelState, 'name' | 'state'>, Figures {}

const UNTRIED: Figures = { successRate: null, p95Ms: null };

/** How often the channels are looked at for what the operator is to know, in ms: a circuit is open for longer. */
const LOOK_MS = OPEN_MS.first - 1_000;

/** Sending from the outbox, which channel a send takes, and how the channels do. */
export function channelsFeature(
  { config, clock, log, troubles, database, events, settings, every }: Core,
  others: {
    messages: MessagesFeature;
    optOuts: OptOutsFeature;
    whatsapp: WhatsAppFeature;
    channels: readonly Channel[];
  },
) {
  const { messages, optOuts, whatsapp } = others;
  const { mockMode } = config.bot;
  const watched = mockMode
    ? []
    : others.channels.map((channel) => new WatchedChannel(channel, { clock, log }));
  const channels = mockMode ? others.channels : watched;
  const dispatcher = new Dispatcher({
    messages: messages.service,
    channels,
    clock,
    log,
    troubles,
    isOptedOut: optOuts.isOptedOut,
    isAlone: database.isExclusive,
  });
  const routing = routingOf({
    channels,
    mockMode,
    orderOf: (projectId) => settings.of(projectId).channelOrder,
    whatsapp: whatsapp.knowledge,
  });
  const setUp = channels.map(({ name }) => name);
  settings.check('CHANNELS', (names) =>
    mockMode || (names as ChannelName[]).every((name) => setUp.includes(name))
      ? undefined
      : `names of channels that are set up: ${setUp.join(', ') || 'none is'}`,
  );
  const stops = channelStops({ channels: watched, database, events, clock });
  const statesOf = channelStates({ channels, routing });

  function check(name: ChannelName): Check | undefined {
    const channel = watched.find((each) => each.name === name);
    if (!channel) return undefined;
    const { state, reason: detail } = channel.readiness(DEFAULT_PROJECT);
    const { figures } = channel;
    return state === 'ready' ? { status: 'healthy', ...figures } : { status: 'degraded', detail, ...figures };
  }

  return {
    name: 'channels',
    dispatcher,
    routing,
    /** The names of the channels that reach a person, in the order in which sends take them. */
    inUse: (): ChannelName[] =>
      mockMode
        ? []
        : statesOf(DEFAULT_PROJECT)
            .map(({ name }) => name)
            .filter((name) => routing.whyImpossible(name, DEFAULT_PROJECT) === undefined),
    /** Every channel, those of the usual route first and in its order. */
    overview: (projectId: number): ChannelOverview[] =>
      statesOf(projectId).map(({ name, state }) => {
        const channel = watched.find((each) => each.name === name);
        return { name, state, ...(channel?.figures ?? UNTRIED) };
      }),
    routes: (server) =>
      channelRoutes(server, {
        statesOf,
        aboutOf: async (name, signal) => {
          const channel = channels.find((each) => each.name === name);
          return (await channel?.about?.(signal)) ?? [];
        },
      }),
    work: [
      {
        start: () => dispatcher.prepare(),
        // What a provider reports of a message must find the server, whose address is in the request.
        whenListening: () => dispatcher.start(),
        stop: () => dispatcher.stop(),
      },
      every(LOOK_MS, 'recording what channels do', () => stops.look()),
    ],
    checks: CHECKED.map((name) => ({
      name,
      schema: { successRate: z.number().nullable(), p95Ms: z.number().nullable() },
      run: () => check(name),
    })),
    figures: () => ({ messagesInFlight: dispatcher.inFlight }),
  } satisfies Feature & Record<string, unknown>;
}

export type ChannelsFeature = ReturnType<typeof channelsFeature>;
