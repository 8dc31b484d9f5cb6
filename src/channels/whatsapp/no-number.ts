/** Why WhatsApp takes nothing where no number is linked. */
export const NO_NUMBER = 'No WhatsApp number is linked, so nothing can be sent.';
