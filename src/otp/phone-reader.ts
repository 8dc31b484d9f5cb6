import { WotpError } from '../errors/errors.ts';
import { type Phone, PhoneError, type PhoneRules, parsePhone } from '../lib/phone.ts';

/** Reads a phone number as a caller wrote it. Throws WotpError PHONE_INVALID or PHONE_NOT_ALLOWED. */
export type PhoneReader = (input: string) => Phone;

/** So many of the newest numbers are remembered, and as many of those before them. */
export const REMEMBERED = 20_000;

/**
 * Reads phone numbers by this server's rules on countries. What was read lately is remembered: a check comes soon
 * after its send, and reading a number costs as much as a query.
 */
export function phoneReader(rules: PhoneRules): PhoneReader {
  let newest = new Map<string, Phone>();
  let before = new Map<string, Phone>();
  return (input) => {
    const known = newest.get(input) ?? before.get(input);
    if (known) return known;
    try {
      const phone = parsePhone(input, rules);
      if (newest.size >= REMEMBERED) {
        before = newest;
        newest = new Map();
      }
      newest.set(input, phone);
      return phone;
    } catch (error) {
      if (!(error instanceof PhoneError)) throw error;
      const code = error.kind === 'invalid' ? 'PHONE_INVALID' : 'PHONE_NOT_ALLOWED';
      throw new WotpError(code, error.message, { errors: [{ path: 'phone', message: error.message }] });
    }
  };
}
