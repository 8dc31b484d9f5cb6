import { ValidationError } from '../errors/errors.ts';
import { readMessage } from './message-text.ts';
import type { SendRequest } from './types.ts';

/** The code and the text that the caller asks for; what is undefined is WOTP's to choose. */
export function readText(request: SendRequest): { code: string | undefined; body: string | undefined } {
  const text = request.message === undefined ? undefined : readMessage(request.message, request.code);
  const code = request.code ?? text?.codeInText;
  if (code !== undefined && request.length !== undefined && request.length !== code.length) {
    const message = 'The `code` given does not have this `length`. Leave `length` out when you give `code`.';
    throw new ValidationError('The request is not valid.', [{ path: 'length', message }]);
  }
  return { code, body: text?.body };
}

/** The life of the code in minutes. Throws ValidationError where it is longer than allowed. */
export function expiryOf(
  request: SendRequest,
  rules: { expiryMinutes: number; maxExpiryMinutes: number },
): number {
  const minutes = request.expiryMinutes ?? rules.expiryMinutes;
  if (minutes > rules.maxExpiryMinutes) {
    const message = `The value of \`expiryMinutes\` must be at most ${rules.maxExpiryMinutes} (OTP_MAX_EXPIRY_MINUTES).`;
    throw new ValidationError('The request is not valid.', [{ path: 'expiryMinutes', message }]);
  }
  return minutes;
}
