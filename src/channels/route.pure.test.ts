import { describe, expect, test } from 'vitest';
import { ScriptedChannel } from '../../test/support/scripted-channel.ts';
import type { ChannelName } from '../messages/channel.ts';
import { type RouteRequest, routing } from './route.ts';
import { NO_NUMBER } from './whatsapp/no-number.ts';

const LINKED = 1;
/** Has a session that is not linked. */
const UNLINKED = 2;
const WITHOUT_SESSION = 3;
const PHONE = '+4915100000001';
const ABSENT = '+4915100000009';
const EMAIL = 'ayu@example.com';
const GONE = 'gone@example.com';

/** Routes over these channels; `offline` are those that send nothing for now. */
function over(
  names: readonly ChannelName[],
  {
    mockMode = false,
    order,
    offline = [],
    libraryProblem,
  }: {
    mockMode?: boolean;
    order?: ChannelName[];
    offline?: ChannelName[];
    libraryProblem?: string;
  } = {},
) {
  const channels = names.map((name) => {
    const channel = new ScriptedChannel(name);
    if (name === 'email') channel.refusal = (to) => (to === GONE ? 'PHONE_NOT_ON_WHATSAPP' : undefined);
    if (name === 'whatsapp') channel.refusal = (to) => (to === ABSENT ? 'PHONE_NOT_ON_WHATSAPP' : undefined);
    if (offline.includes(name)) channel.unready.set(LINKED, { state: 'offline', reason: 'gone' });
    return channel;
  });
  const routes = routing({
    channels,
    mockMode,
    orderOf: () => order,
    whatsapp: {
      isLinked: (projectId) => projectId === LINKED,
      isSetUp: (projectId) => projectId !== WITHOUT_SESSION,
      libraryProblem,
    },
  });
  const choose = (wanted: Partial<RouteRequest> = {}) =>
    routes.choose({
      projectId: LINKED,
      channel: 'auto',
      reach: { phone: PHONE, email: EMAIL },
      isOptedOut: false,
      ...wanted,
    });
  return { ...routes, choose };
}
const refused = (code: string, status: number) => expect.objectContaining({ code, status });

describe('the route of a send', () => {
  test('is every channel that is set up, the official way first', () => {
    const { choose } = over(['email', 'http', 'sms', 'whatsapp', 'cloud_api']);
    expect(choose()).toEqual(['cloud_api', 'whatsapp', 'sms', 'http', 'email']);
  });

  test('is what CHANNELS says, and what the request says in its place', () => {
    const { choose } = over(['email', 'sms', 'whatsapp'], { order: ['sms', 'whatsapp'] });
    expect(choose()).toEqual(['sms', 'whatsapp']);
    expect(choose({ channels: ['email', 'sms', 'email'] })).toEqual(['email', 'sms']);
    expect(choose({ channel: 'email' })).toEqual(['email']);
  });

  test('leaves out what cannot reach the person', () => {
    const { choose } = over(['whatsapp', 'email']);
    expect(choose({ reach: { phone: PHONE } })).toEqual(['whatsapp']);
    expect(choose({ reach: { email: EMAIL } })).toEqual(['email']);
    expect(choose({ isOptedOut: true })).toEqual(['email']);
    expect(choose({ isOptedOut: true, reach: { phone: PHONE } })).toEqual([]);
  });

  test('says which address is missing where every channel needs it', () => {
    expect(() => over(['email'], { order: ['email'] }).choose({ reach: { phone: PHONE } })).toThrow(
      expect.objectContaining({
        code: 'VALIDATION_ERROR',
        details: {
          errors: [
            {
              path: 'email',
              message: 'The field `email` is required, because messages go by email.',
            },
          ],
        },
      }),
    );
    expect(() => over(['sms']).choose({ reach: { email: EMAIL } })).toThrow(
      expect.objectContaining({ details: { errors: [expect.objectContaining({ path: 'phone' })] } }),
    );
  });

  test('leaves out a channel that is known to refuse the address, as WhatsApp does a number that does not use it, unless nothing else is there', () => {
    const reach = { phone: ABSENT, email: EMAIL };
    expect(over(['whatsapp', 'email']).choose({ reach })).toEqual(['email']);
    expect(over(['whatsapp']).choose({ reach })).toEqual(['whatsapp']);
    expect(() => over(['whatsapp', 'email']).choose({ reach, channel: 'whatsapp' })).toThrow(
      refused('PHONE_NOT_ON_WHATSAPP', 422),
    );
    expect(() => over(['whatsapp']).choose({ reach, channel: 'whatsapp' })).toThrow(
      'Nobody uses WhatsApp with this number.',
    );
    expect(over(['whatsapp']).choose({ reach, channels: ['whatsapp'] })).toEqual(['whatsapp']);
    expect(over(['whatsapp', 'email']).choose({ reach: { phone: PHONE, email: GONE } })).toEqual([
      'whatsapp',
    ]);
  });

  test('leaves out WhatsApp while the project has no linked number', () => {
    const { choose } = over(['whatsapp', 'email']);
    expect(choose({ projectId: UNLINKED })).toEqual(['email']);
    expect(() => choose({ projectId: UNLINKED, reach: { phone: PHONE } })).toThrow(
      refused('WHATSAPP_OFFLINE', 503),
    );
    expect(() => choose({ projectId: UNLINKED, channel: 'whatsapp' })).toThrow(
      refused('WHATSAPP_OFFLINE', 503),
    );
    expect(() => over([]).choose()).toThrow(refused('WHATSAPP_OFFLINE', 503));
  });

  test('has no WhatsApp while the project has no session, unless CHANNELS or the request names it or nothing else is set up', () => {
    const inPlace = { projectId: WITHOUT_SESSION, reach: { phone: PHONE } };
    const { choose, usual } = over(['whatsapp', 'sms', 'email']);
    expect(usual(UNLINKED)).toEqual(['whatsapp', 'sms', 'email']);
    expect(usual(WITHOUT_SESSION)).toEqual(['sms', 'email']);
    expect(choose({ projectId: WITHOUT_SESSION })).toEqual(['sms', 'email']);
    expect(() => over(['whatsapp', 'email']).choose(inPlace)).toThrow(
      expect.objectContaining({
        code: 'VALIDATION_ERROR',
        details: { errors: [expect.objectContaining({ path: 'email' })] },
      }),
    );
    const offline = refused('WHATSAPP_OFFLINE', 503);
    expect(() => over(['whatsapp', 'email']).choose({ ...inPlace, channel: 'whatsapp' })).toThrow(offline);
    expect(() => over(['whatsapp', 'email'], { order: ['whatsapp', 'email'] }).choose(inPlace)).toThrow(
      offline,
    );
    expect(() => over(['whatsapp']).choose(inPlace)).toThrow(offline);
  });

  test('leaves out e-mail to an address that is full, and is empty where nothing else is left', () => {
    const { choose } = over(['whatsapp', 'email']);
    expect(choose({ isEmailFull: true })).toEqual(['whatsapp']);
    expect(choose({ isEmailFull: true, channel: 'email' })).toEqual([]);
    expect(choose({ isEmailFull: true, isOptedOut: true })).toEqual([]);
  });

  test('says what to do where WhatsApp cannot send whatever is linked, else that no number is', () => {
    const libraryProblem = 'The library is missing. Install it.';
    expect(() => over(['whatsapp']).choose({ projectId: UNLINKED })).toThrow(NO_NUMBER);
    expect(() => over(['whatsapp'], { libraryProblem }).choose({ projectId: UNLINKED })).toThrow(
      libraryProblem,
    );
    expect(() => over([]).choose()).toThrow(NO_NUMBER);
    expect(() => over([], { libraryProblem }).choose()).toThrow(libraryProblem);
  });

  test('is refused for WhatsApp first, where nothing of it can be begun', () => {
    const { choose } = over([]);
    expect(() => choose({ channels: ['sms', 'whatsapp'] })).toThrow(refused('WHATSAPP_OFFLINE', 503));
    expect(() => choose({ channels: ['sms', 'http'] })).toThrow(/channel sms is not set up/);
  });

  test('begins with the first channel that is not offline, and with an offline one where all are', () => {
    expect(over(['whatsapp', 'email'], { offline: ['whatsapp'] }).choose()).toEqual(['email']);
    expect(over(['whatsapp', 'email'], { offline: ['whatsapp', 'email'] }).choose()).toEqual([
      'whatsapp',
      'email',
    ]);
  });

  test('is refused where a channel that is asked for is not set up', () => {
    for (const channel of ['cloud_api', 'email', 'sms', 'http'] as const) {
      expect(() => over(['whatsapp']).choose({ channel })).toThrow(refused('CHANNEL_UNAVAILABLE', 503));
    }
  });

  test('in mock mode may hold every channel, and the virtual phone delivers for each', () => {
    const { choose, deliverer } = over(['simulator'], { mockMode: true });
    expect(choose()).toEqual(['whatsapp', 'email']);
    expect(choose({ reach: { phone: PHONE } })).toEqual(['whatsapp']);
    expect(choose({ channel: 'simulator' })).toEqual(['whatsapp']);
    expect(choose({ channels: ['cloud_api', 'sms', 'http'] })).toEqual(['cloud_api', 'sms', 'http']);
    expect(deliverer('sms')).toBe('simulator');
    expect(over(['sms']).deliverer('sms')).toBe('sms');
  });

  test('out of mock mode never holds the virtual phone', () => {
    for (const [path, wanted] of [
      ['channel', { channel: 'simulator' }],
      ['channels', { channels: ['simulator'] }],
    ] as const) {
      expect(() => over(['whatsapp']).choose(wanted)).toThrow(
        expect.objectContaining({
          code: 'VALIDATION_ERROR',
          details: {
            errors: [
              { path, message: expect.stringContaining(`\`${path}\` simulator exists only with BOT`) },
            ],
          },
        }),
      );
    }
  });
});

test('a channel can follow when it is set up, reaches the person and is not offline', () => {
  const { isUsable } = over(['whatsapp', 'email', 'sms'], { offline: ['sms'] });
  const reach = { phone: PHONE, email: EMAIL };
  expect(isUsable('whatsapp', LINKED, reach)).toBe(true);
  expect(isUsable('whatsapp', UNLINKED, reach)).toBe(false);
  expect(isUsable('whatsapp', LINKED, { phone: ABSENT })).toBe(false);
  expect(isUsable('email', UNLINKED, reach)).toBe(true);
  expect(isUsable('email', LINKED, { phone: PHONE })).toBe(false);
  expect(isUsable('sms', LINKED, reach)).toBe(false);
  expect(isUsable('http', LINKED, reach)).toBe(false);
});

test('a channel is offline for a project while it can send nothing for it, and never in mock mode', () => {
  const { isOffline } = over(['whatsapp', 'email'], { offline: ['whatsapp'] });
  expect(isOffline('whatsapp', LINKED)).toBe(true);
  expect(isOffline('whatsapp', UNLINKED)).toBe(false);
  expect(isOffline('email', LINKED)).toBe(false);
  expect(isOffline('sms', LINKED)).toBe(false);
  expect(over(['whatsapp'], { offline: ['whatsapp'], mockMode: true }).isOffline('whatsapp', LINKED)).toBe(
    false,
  );
});

test('a channel is required to be possible: set up, and for WhatsApp with a number of the project', () => {
  const { requirePossible } = over(['whatsapp']);
  expect(() => requirePossible('whatsapp', LINKED)).not.toThrow();
  expect(() => requirePossible('whatsapp', UNLINKED)).toThrow(refused('WHATSAPP_OFFLINE', 503));
  expect(() => requirePossible('sms', LINKED)).toThrow(refused('CHANNEL_UNAVAILABLE', 503));
  expect(() => over([], { mockMode: true }).requirePossible('sms', UNLINKED)).not.toThrow();
});
