import { WotpError } from '../errors/errors.ts';
import { type Phone, PhoneError, type PhoneRules, parsePhone } from './phone.ts';

/**
 * Reads a phone number as a caller wrote it; `path` is the field it was in, if not `phone`. Throws WotpError
 * PHONE_INVALID or PHONE_NOT_ALLOWED.
 */
export type PhoneReader = (input: string, path?: string) => Phone;

/** Reads phone numbers by this server's rules on countries. */
export function phoneReader(rules: PhoneRules): PhoneReader {
  return (input, path = 'phone') => {
    try {
      return parsePhone(input, rules);
    } catch (error) {
      if (!(error instanceof PhoneError)) throw error;
      const code = error.kind === 'invalid' ? 'PHONE_INVALID' : 'PHONE_NOT_ALLOWED';
      // Its sentences are about a phone number; another field is named as well.
      const message =
        path === 'phone' ? error.message : `The value of \`${path}\` is refused. ${error.message}`;
      throw new WotpError(code, message, { errors: [{ path, message }] });
    }
  };
}
