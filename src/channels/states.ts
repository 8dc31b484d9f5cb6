import {
  CHANNEL_NAMES,
  type Channel,
  type ChannelCapabilities,
  type ChannelName,
} from '../messages/channel.ts';
import type { Routing } from './route.ts';

/** A way to reach people, as a project sees it. */
export interface ChannelState {
  name: ChannelName;
  /** `waiting`: it will send in a moment. `off`: not until somebody does something about it, or it is not set up. */
  state: 'ready' | 'waiting' | 'off';
  /** Why it is not ready; null where it is. */
  reason: string | null;
  /** The most that it reports after the provider took a message; null where it is not set up. */
  receipts: ChannelCapabilities['receipts'] | null;
  /** Its place on the usual route, from 1; null where only a send that names it takes it. */
  route: number | null;
}

/** What sets a channel up. */
const NOT_SET_UP: Partial<Record<ChannelName, string>> = {
  cloud_api: 'Not set up. Set CLOUD_API_TOKEN and the other CLOUD_API settings.',
  email: 'Not set up. Set SMTP_URL and SMTP_FROM.',
  sms: 'Not set up. Set PROVIDERS_FILE to a file with a provider whose channel is sms.',
  http: 'Not set up. Set PROVIDERS_FILE to a file with a provider whose channel is http.',
};

/**
 * Every channel of the product with its state for a project: first those of the usual route, in its order.
 * @param channels those that are set up; the virtual phone alone in mock mode
 */
export function channelStates(deps: {
  channels: readonly Channel[];
  routing: Pick<Routing, 'usual' | 'deliverer' | 'whyImpossible'>;
}): (projectId: number) => ChannelState[] {
  const { routing } = deps;
  const byName = new Map(deps.channels.map((channel) => [channel.name, channel]));

  function stateOf(name: ChannelName, place: number, projectId: number): ChannelState {
    const channel = byName.get(routing.deliverer(name));
    const known = {
      name,
      receipts: channel?.capabilities.receipts ?? null,
      route: place < 0 ? null : place + 1,
    };
    const problem = routing.whyImpossible(name, projectId);
    if (problem) {
      const advice = channel ? undefined : NOT_SET_UP[name];
      return { ...known, state: 'off', reason: advice ?? problem.message };
    }
    const { state, reason = null } = channel!.readiness(projectId, name);
    return { ...known, state: state === 'offline' ? 'off' : state, reason };
  }

  return (projectId) => {
    const usual = routing.usual(projectId);
    const others = CHANNEL_NAMES.filter((name) => name !== 'simulator' && !usual.includes(name));
    return [...usual, ...others].map((name) => stateOf(name, usual.indexOf(name), projectId));
  };
}
