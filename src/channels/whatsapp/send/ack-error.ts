import { SendError } from '../../../messages/channel.ts';

/** WhatsApp has refused a message, with its own code. */
export class RefusedByWhatsApp extends SendError {
  /** WhatsApp's code, as it came. */
  readonly code: string;

  constructor(failure: SendError['failure'], code: string, reason: string) {
    super(failure, reason);
    this.name = 'RefusedByWhatsApp';
    this.code = code;
  }
}

/** WhatsApp refuses to open this chat: the account is restricted, or the chat lacks a token. */
export const NEW_CHAT_REFUSED = '463';
/** The message was not built as the recipient's devices expect it; mostly an encryption session that is out of date. */
export const STANZA_REFUSED = '479';
/** Too much at once. */
export const TOO_MANY = '429';

type Refusal = { failure: SendError['failure']; name: string; sentence: string };

const REFUSALS: Readonly<Record<string, Refusal>> = {
  [NEW_CHAT_REFUSED]: {
    failure: 'unavailable',
    name: 'WHATSAPP_NEW_CHAT_REFUSED',
    sentence: 'WhatsApp does not allow this number to open the chat; the account may be restricted.',
  },
  [STANZA_REFUSED]: {
    failure: 'temporary',
    name: 'WHATSAPP_STANZA_REFUSED',
    sentence: 'WhatsApp found the message out of step with the recipient’s devices; it is sent again.',
  },
  [TOO_MANY]: {
    failure: 'unavailable',
    name: 'WHATSAPP_TOO_MANY',
    sentence: 'WhatsApp says that this number sends too fast; it pauses for a minute.',
  },
  '400': {
    failure: 'permanent',
    name: 'WHATSAPP_BAD_REQUEST',
    sentence: 'WhatsApp does not understand the message.',
  },
  '404': {
    failure: 'permanent',
    name: 'WHATSAPP_NO_SUCH_ADDRESS',
    sentence: 'WhatsApp does not know the recipient’s address.',
  },
  '500': {
    failure: 'temporary',
    name: 'WHATSAPP_SERVER_ERROR',
    sentence: 'WhatsApp reported an internal error.',
  },
  '503': {
    failure: 'temporary',
    name: 'WHATSAPP_SERVER_BUSY',
    sentence: 'WhatsApp cannot accept the message at the moment.',
  },
};

/** What a refusal with this code means, with the code and a plain sentence for the timeline. */
export function refusalOf(code: string): RefusedByWhatsApp {
  const known = REFUSALS[code];
  const { failure, name, sentence } = known ?? {
    failure: 'temporary',
    name: 'WHATSAPP_REFUSED',
    sentence: 'WhatsApp refused the message.',
  };
  return new RefusedByWhatsApp(failure, code, `${name} (${code}): ${sentence}`);
}
