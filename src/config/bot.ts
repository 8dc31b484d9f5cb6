import { boolean } from './variable.ts';

/** The link to WhatsApp. */
export const botVariables = {
  mockMode: boolean({
    name: 'BOT_MOCK_MODE',
    defaultText: 'true outside production',
    help: 'Send to the virtual phone instead of WhatsApp; refused in production.',
  }),
};
