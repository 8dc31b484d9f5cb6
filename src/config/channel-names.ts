/** Every channel the product knows; which of them are set up is the server's configuration. */
export const CHANNEL_NAMES = ['whatsapp', 'cloud_api', 'email', 'sms', 'http', 'simulator'] as const;

export type ChannelName = (typeof CHANNEL_NAMES)[number];
