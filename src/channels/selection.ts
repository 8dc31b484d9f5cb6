import { ChannelError, ValidationError } from '../errors/errors.ts';
import type { Channel, ChannelName } from './channel.ts';

/** Why WhatsApp takes nothing where no number is linked. */
export const NO_NUMBER = 'No WhatsApp number is linked, so nothing can be sent.';

/** Which channel a send of a project to a phone (E.164) takes. */
export type ChannelSelection = (
  requested: 'auto' | ChannelName,
  projectId: string,
  phone: string,
) => ChannelName;

/** What is known of WhatsApp without asking it. */
export interface WhatsAppKnowledge {
  /** Whether the project has a linked number. */
  isLinked(projectId: string): boolean;
  /** Why nothing can be sent whatever is linked, and what to do. */
  libraryProblem?: string | undefined;
  /** Whether WhatsApp has lately said that nobody uses this number. */
  isAbsent(phone: string): boolean;
}

/**
 * In mock mode the virtual phone stands in for WhatsApp, and the answer says so; out of it the simulator does not
 * exist. A channel that is not set up is refused before anything is stored, and so is WhatsApp while the project has no
 * linked number, or, asked for by name, a number that WhatsApp has just said to be unused.
 */
export function channelSelection(
  channels: readonly Channel[],
  mockMode: boolean,
  whatsapp: WhatsAppKnowledge,
): ChannelSelection {
  const available = new Set(channels.map((channel) => channel.name));
  return (requested, projectId, phone) => {
    if (requested === 'simulator' && !mockMode) {
      const message = 'The `channel` simulator exists only with BOT_MOCK_MODE=true. Leave `channel` out.';
      throw new ValidationError(message, [{ path: 'channel', message }]);
    }
    const name = requested === 'auto' ? 'whatsapp' : requested;
    const taken = mockMode && name === 'whatsapp' ? 'simulator' : name;
    if (taken === 'whatsapp' && !(available.has(taken) && whatsapp.isLinked(projectId))) {
      const problem = whatsapp.libraryProblem ?? NO_NUMBER;
      throw new ChannelError(problem, 'WHATSAPP_OFFLINE');
    }
    if (taken === 'whatsapp' && requested === 'whatsapp' && whatsapp.isAbsent(phone)) {
      throw new ChannelError('Nobody uses WhatsApp with this number.', 'PHONE_NOT_ON_WHATSAPP');
    }
    if (available.has(taken)) return taken;
    throw new ChannelError(`The channel ${taken} is not set up on this server.`);
  };
}
