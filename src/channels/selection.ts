import { ChannelError, ValidationError } from '../errors/errors.ts';
import type { Channel, ChannelName } from './channel.ts';

/** Which channel a send of a project takes. */
export type ChannelSelection = (requested: 'auto' | ChannelName, projectId: string) => ChannelName;

/**
 * In mock mode the virtual phone stands in for WhatsApp, and the answer says so; out of it the simulator does not
 * exist. A channel that is not set up is refused before anything is stored, and so is WhatsApp while the project has no
 * linked number.
 */
export function channelSelection(
  channels: readonly Channel[],
  mockMode: boolean,
  isWhatsAppLinked: (projectId: string) => boolean,
): ChannelSelection {
  const available = new Set(channels.map((channel) => channel.name));
  return (requested, projectId) => {
    if (requested === 'simulator' && !mockMode) {
      throw new ValidationError('The simulator is off.', [
        { path: 'channel', message: 'The simulator exists only with BOT_MOCK_MODE=true. Leave channel out.' },
      ]);
    }
    const name = requested === 'auto' ? 'whatsapp' : requested;
    const taken = mockMode && name === 'whatsapp' ? 'simulator' : name;
    if (taken === 'whatsapp' && !(available.has(taken) && isWhatsAppLinked(projectId))) {
      throw new ChannelError('No WhatsApp number is linked, so nothing can be sent.', 'WHATSAPP_OFFLINE');
    }
    if (available.has(taken)) return taken;
    throw new ChannelError(`The channel ${taken} is not set up on this server.`);
  };
}
