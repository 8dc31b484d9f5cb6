import { type Email, readEmail } from '../addresses/email.ts';
import type { Phone } from '../addresses/phone.ts';
import type { PhoneReader } from '../addresses/phone-reader.ts';
import type { Reach } from '../channels/route.ts';
import { ValidationError } from '../errors/errors.ts';
import type { DestinationRow } from './repository.ts';

/** Whom a send is to reach, and what it proves: the phone where one is given, else the e-mail address. */
export interface Person {
  phone: Phone | undefined;
  email: Email | undefined;
  /** What limits and guesses are counted by; those of phones are digits, those of e-mail addresses have an @. */
  identity: string;
}

/**
 * Reads the addresses of a request.
 * @throws WotpError PHONE_INVALID, PHONE_NOT_ALLOWED, EMAIL_INVALID; ValidationError where there is none
 */
export function readPerson(
  { phone: givenPhone, email: givenEmail }: { phone?: string | undefined; email?: string | undefined },
  readPhone: PhoneReader,
): Person {
  const phone = givenPhone === undefined ? undefined : readPhone(givenPhone);
  const email = givenEmail === undefined ? undefined : readEmail(givenEmail);
  const identity = phone?.identity ?? email?.identity;
  if (identity === undefined) {
    const message = 'The field `phone` is required: give `phone`, `email` or both.';
    throw new ValidationError(message, [{ path: 'phone', message }]);
  }
  return { phone, email, identity };
}

/** Where the person of a verification can be reached. */
export function reachOf({ phone, email }: Pick<DestinationRow, 'phone' | 'email'>): Reach {
  return { phone: phone ?? undefined, email: email ?? undefined };
}
