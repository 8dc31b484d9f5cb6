import { type Routing, routing } from '../../src/channels/route.ts';
import type { ChannelName } from '../../src/messages/channel.ts';
import type { ScriptedChannel } from './scripted-channel.ts';

/** Routes as in mock mode: everything goes to the virtual phone. */
export function mockRouting(order?: readonly ChannelName[]): Routing {
  return routing({
    channels: [],
    mockMode: true,
    orderOf: () => order,
    whatsapp: { isLinked: () => false, isSetUp: () => false },
  });
}

/** Routes over channels of which the test plays the far end. */
export function scriptedRouting(channels: readonly ScriptedChannel[]): Routing {
  return routing({
    channels,
    mockMode: false,
    orderOf: () => undefined,
    whatsapp: { isLinked: () => true, isSetUp: () => true },
  });
}
