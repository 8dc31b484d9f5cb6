import { ChannelError, ValidationError, type WotpError } from '../errors/errors.ts';
import type { Channel, ChannelName } from '../messages/channel.ts';
import { NO_NUMBER } from './whatsapp/no-number.ts';

/** Where a person can be reached. */
export interface Reach {
  /** E.164. */
  phone?: string | undefined;
  email?: string | undefined;
}

/** What a send says of the channels it wants. */
export interface RouteRequest {
  projectId: number;
  channel: 'auto' | ChannelName;
  /** The channels in order, in place of the usual ones. */
  channels?: readonly ChannelName[] | undefined;
  reach: Reach;
  /** Whether the phone has opted out, which bars every channel to it. */
  isOptedOut: boolean;
  /** Whether the e-mail address has got as many messages as its limits allow, which bars e-mail. */
  isEmailFull?: boolean;
}

/** Which channels a send takes, one after the other. The names are those that callers use, also in mock mode. */
export interface Routing {
  /** The channels that a send of a project takes which names none, in order. */
  usual(projectId: number): readonly ChannelName[];
  /**
   * The channels that a send takes, in order, without those that cannot work; none where the opt-out or a full e-mail address
   * bars all.
   * @throws WotpError with what is missing where none is left
   */
  choose(request: RouteRequest): ChannelName[];
  /** Whether a channel can be begun for a person now. */
  isUsable(channel: ChannelName, projectId: number, reach: Reach): boolean;
  /** Whether a channel sends nothing until somebody does something about it. */
  isOffline(channel: ChannelName, projectId: number): boolean;
  /** The channel that delivers for one: the virtual phone in mock mode, else the channel itself. */
  deliverer(channel: ChannelName): ChannelName;
  /** Why a channel cannot take a message of a project at all; undefined where it can. */
  whyImpossible(channel: ChannelName, projectId: number): WotpError | undefined;
  /** Throws WotpError where a channel cannot take a message of a project at all. */
  requirePossible(channel: ChannelName, projectId: number): void;
}

/** What is known of WhatsApp without asking it. */
export interface WhatsAppKnowledge {
  /** Whether the project has a linked number. */
  isLinked(projectId: number): boolean;
  /** Whether the project has a session, linked or not. */
  isSetUp(projectId: number): boolean;
  /** Why nothing can be sent whatever is linked, and what to do. */
  libraryProblem?: string | undefined;
}

/** The usual order: the official way first. */
const USUAL_ORDER: readonly ChannelName[] = ['cloud_api', 'whatsapp', 'sms', 'http', 'email'];
const USUAL_IN_MOCK_MODE: readonly ChannelName[] = ['whatsapp', 'email'];

const needs = (channel: ChannelName): keyof Reach => (channel === 'email' ? 'email' : 'phone');

/**
 * @param channels those that are set up; the virtual phone alone in mock mode
 * @param orderOf the order that a project has set (CHANNELS); undefined for the usual one
 */
export function routing(deps: {
  channels: readonly Channel[];
  mockMode: boolean;
  orderOf: (projectId: number) => readonly ChannelName[] | undefined;
  whatsapp: WhatsAppKnowledge;
}): Routing {
  const { channels, mockMode, whatsapp } = deps;
  const byName = new Map(channels.map((channel) => [channel.name, channel]));
  const order = mockMode ? USUAL_IN_MOCK_MODE : USUAL_ORDER.filter((name) => byName.has(name));
  const beside = order.filter((name) => name !== 'whatsapp');

  /** WhatsApp is on the route without a session only where CHANNELS names it, or nothing else could be meant. */
  function usual(projectId: number): readonly ChannelName[] {
    const set = deps.orderOf(projectId);
    if (set) return set;
    return mockMode || beside.length === 0 || whatsapp.isSetUp(projectId) ? order : beside;
  }

  const deliverer = (channel: ChannelName): ChannelName => (mockMode ? 'simulator' : channel);

  function wanted({ projectId, channel, channels: named }: RouteRequest): readonly ChannelName[] {
    if (!mockMode && (channel === 'simulator' || named?.includes('simulator'))) {
      const path = named ? 'channels' : 'channel';
      const message = `The \`${path}\` simulator exists only with BOT_MOCK_MODE=true. Leave \`${path}\` out.`;
      throw new ValidationError(message, [{ path, message }]);
    }
    const names = named ?? (channel === 'auto' ? usual(projectId) : [channel]);
    return [...new Set(names.map((name) => (name === 'simulator' ? 'whatsapp' : name)))];
  }

  function whyImpossible(name: ChannelName, projectId: number): WotpError | undefined {
    if (mockMode) return undefined;
    if (name === 'whatsapp') {
      if (byName.has(name) && whatsapp.isLinked(projectId)) return undefined;
      return new ChannelError(whatsapp.libraryProblem ?? NO_NUMBER, 'WHATSAPP_OFFLINE');
    }
    return byName.has(name)
      ? undefined
      : new ChannelError(`The channel ${name} is not set up on this server.`);
  }

  function refuses(name: ChannelName, { phone, email }: Reach): boolean {
    const address = name === 'email' ? email : phone;
    return address !== undefined && byName.get(name)?.refuses?.(address) !== undefined;
  }

  const isOffline = (name: ChannelName, projectId: number) =>
    byName.get(deliverer(name))?.readiness(projectId, name).state === 'offline';

  function requireAddress(names: readonly ChannelName[], reach: Reach): ChannelName[] {
    const reached = names.filter((name) => reach[needs(name)] !== undefined);
    if (reached.length > 0 || names.length === 0) return reached;
    const path = needs(names[0]!);
    const message = `The field \`${path}\` is required, because messages go by ${names.join(' and ')}.`;
    throw new ValidationError(message, [{ path, message }]);
  }

  return {
    usual,
    deliverer,
    isOffline,
    whyImpossible,

    choose(request) {
      const { projectId, reach, isOptedOut, isEmailFull } = request;
      const names = wanted(request);
      const reached = requireAddress(names, reach);
      const isBarred = { phone: isOptedOut, email: isEmailFull ?? false };
      const allowed = reached.filter((name) => !isBarred[needs(name)]);
      if (allowed.length === 0 && reached.length > 0) return [];
      const problems = allowed.map((name) => whyImpossible(name, projectId));
      const possible = allowed.filter((_name, i) => problems[i] === undefined);
      if (possible.length === 0) {
        const offline = problems.find((problem) => problem?.code === 'WHATSAPP_OFFLINE');
        throw (
          offline ??
          problems[0] ??
          new ChannelError(`${whatsapp.libraryProblem ?? NO_NUMBER}`, 'WHATSAPP_OFFLINE')
        );
      }
      const promising = possible.filter((name) => !refuses(name, reach));
      if (promising.length === 0) {
        if (request.channel !== 'auto' && request.channels === undefined) {
          throw new ChannelError('Nobody uses WhatsApp with this number.', 'PHONE_NOT_ON_WHATSAPP');
        }
        return possible;
      }
      // One that is offline now is begun only where no other is there; it stays where it can still follow.
      const start = promising.findIndex((name) => !isOffline(name, projectId));
      return promising.slice(Math.max(0, start));
    },

    isUsable: (name, projectId, reach) =>
      reach[needs(name)] !== undefined &&
      whyImpossible(name, projectId) === undefined &&
      !refuses(name, reach) &&
      !isOffline(name, projectId),

    requirePossible(name, projectId) {
      const problem = whyImpossible(name, projectId);
      if (problem) throw problem;
    },
  };
}
