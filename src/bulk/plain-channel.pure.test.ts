import { expect, test } from 'vitest';
import { routing } from '../channels/route.ts';
import type { Channel, ChannelName } from '../messages/channel.ts';
import { plainChannel } from './plain-channel.ts';

const channel = (name: ChannelName) =>
  ({
    name,
    reaches: name === 'email' ? 'email' : 'phone',
    readiness: () => ({ state: 'ready' }),
  }) as unknown as Channel;
const routeOf = (...names: ChannelName[]) =>
  routing({
    channels: names.map(channel),
    mockMode: false,
    orderOf: () => undefined,
    whatsapp: { isLinked: () => true, isSetUp: () => true },
  });
const request = {
  projectId: 1,
  channel: 'auto' as const,
  reach: { phone: '+6283834946034', email: 'ayu@example.com' },
  isOptedOut: false,
};

test('a text without a code takes the first channel of the route that sends more than codes', () => {
  expect(plainChannel(routeOf('cloud_api', 'sms', 'email'), request)).toBe('sms');
  expect(plainChannel(routeOf('cloud_api', 'email'), { ...request, isOptedOut: true })).toBe('email');
});

test('an opt-out that bars all channels leaves none', () => {
  const reach = { phone: '+6283834946034' };
  expect(plainChannel(routeOf('sms'), { ...request, reach, isOptedOut: true })).toBeUndefined();
});

test('a route that sends codes only is refused with what is missing', () => {
  expect(() => plainChannel(routeOf('cloud_api'), request)).toThrow(/sends codes only/);
});
