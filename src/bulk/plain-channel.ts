import type { RouteRequest, Routing } from '../channels/route.ts';
import { ChannelError } from '../errors/errors.ts';
import type { ChannelName } from '../messages/channel.ts';

/** Channels that take nothing but codes. */
const CODES_ONLY: readonly ChannelName[] = ['cloud_api'];

/**
 * The channel that a text without a code takes to a recipient: the first of the route that sends one. Undefined where the
 * opt-out bars all of them.
 * @throws WotpError as `Routing.choose`, and CHANNEL_UNAVAILABLE where the route sends codes only
 */
export function plainChannel(routing: Routing, request: RouteRequest): ChannelName | undefined {
  const route = routing.choose(request);
  const name = route.find((channel) => !CODES_ONLY.includes(channel));
  if (name !== undefined || route.length === 0) return name;
  throw new ChannelError(
    'No channel that is set up sends a text without {{code}}: the WhatsApp Cloud API sends codes only.',
  );
}
