import type { ChannelName } from '../channels/channel.ts';
import { ValidationError } from '../errors/errors.ts';

const PLACEHOLDER = '{{code}}';

/** A message's text with the place of its code, and the code where the text itself held one. */
export interface MessageText {
  /** Holds `{{code}}` wherever the code stands. */
  body: string;
  codeInText?: string;
}

/**
 * Finds the code's place in the caller's own text: `{{code}}`, else the given code, else (as v3 did) the first run
 * of 4 to 8 digits, which then is the code.
 * @throws ValidationError when the text holds none of these
 */
export function readMessage(message: string, code: string | undefined): MessageText {
  if (message.includes(PLACEHOLDER)) {
    return { body: code === undefined ? message : withoutCode(message, code) };
  }
  if (code !== undefined) {
    const body = withoutCode(message, code);
    if (body === message) throw noCodeIn('Put {{code}} or the code itself into `message`.');
    return { body };
  }
  const codeInText = /(?<!\d)\d{4,8}(?!\d)/.exec(message)?.[0];
  if (codeInText === undefined) {
    throw noCodeIn('Put {{code}} into `message`, or a code of 4 to 8 digits.');
  }
  return { body: message.replaceAll(codeInText, PLACEHOLDER), codeInText };
}

/** The text with `{{code}}` for the code, which is found in upper and lower case, as it is compared. */
function withoutCode(message: string, code: string): string {
  const everywhere = new RegExp(code, 'gi');
  return message
    .split(PLACEHOLDER)
    .map((part) => part.replace(everywhere, PLACEHOLDER))
    .join(PLACEHOLDER);
}

function noCodeIn(message: string): ValidationError {
  return new ValidationError('The message has no place for the code.', [{ path: 'message', message }]);
}

/** The text that is sent when the caller gives none. The code is its first run of digits; WhatsApp shows it in bold. */
export function defaultMessage(expiryMinutes: number, channel: ChannelName): string {
  const minutes = expiryMinutes === 1 ? '1 minute' : `${expiryMinutes} minutes`;
  const code = channel === 'whatsapp' ? `*${PLACEHOLDER}*` : PLACEHOLDER;
  return `Your verification code is ${code}. It is valid for ${minutes}. Do not share it with anyone.`;
}
