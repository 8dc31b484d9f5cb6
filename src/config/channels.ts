import { CHANNEL_NAMES, type ChannelName } from './channel-names.ts';
import { integer, list } from './variable.ts';

/** The way between channels. */
export const channelsVariables = {
  order: list({
    name: 'CHANNELS',
    allowed: `names of channels in order, separated by commas: ${CHANNEL_NAMES.filter((name) => name !== 'simulator').join(', ')}`,
    defaultText: 'every channel that is set up: cloud_api, whatsapp, sms, http, email',
    help: 'The order in which channels are used; a later one where those before refuse, are offline or report no delivery in time.',
    parseEntry: (entry): ChannelName | undefined =>
      CHANNEL_NAMES.find((name) => name === entry.toLowerCase() && name !== 'simulator'),
  }),
  waitSeconds: integer({
    name: 'CHANNEL_WAIT_SECONDS',
    min: 5,
    max: 600,
    fallback: 25,
    help: 'Seconds a message may go without a report of its delivery before the next channel is used.',
  }),
};
