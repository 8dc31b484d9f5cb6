import { readEmail } from '../addresses/email.ts';
import type { Phone } from '../addresses/phone.ts';
import { ValidationError, WotpError } from '../errors/errors.ts';
import type { ProjectSettings } from '../settings/settings.ts';
import type { GivenRow } from './csv.ts';
import type { BulkText } from './text.ts';
import type { Recipient } from './types.ts';

const CODE = /^[A-Za-z0-9]{4,10}$/;
const LOCALE = /^[A-Za-z]{2,3}(?:-[A-Za-z0-9]{2,8})*$/;
/** A number that a spreadsheet has rounded: `6.28E+11`, `6,28E+11`. */
const ROUNDED = /^\d[.,]?\d*E\+?\d+$/i;
/** What our own results, and people, write before a cell so that a spreadsheet takes it for text. */
const TEXT_MARK = /^'(?=[+\d])/;
const GIVEN_LENGTH_MAX = 40;

/** Reads the recipients of one bulk job, with the values that its text may use. */
export function recipientReader(
  { withCode, names }: Pick<BulkText, 'withCode' | 'names'>,
  settings: ProjectSettings,
) {
  /** The number where it may be sent to; else why nothing is sent to it. Throws where it is no number. */
  function phoneOf(given: string): { phone?: Phone; refused?: { address: string; reason: string } } {
    const typed = given.replace(TEXT_MARK, '');
    if (ROUNDED.test(typed)) {
      throw problem(
        'phone',
        `A spreadsheet has rounded the number to ${typed.slice(0, GIVEN_LENGTH_MAX)}. Format the column as text and fill it again.`,
      );
    }
    try {
      return { phone: settings.readPhone(typed) };
    } catch (error) {
      if (!(error instanceof WotpError) || error.code !== 'PHONE_NOT_ALLOWED') throw error;
      return { refused: { address: anyNumber(typed), reason: `${error.code}: ${error.message}` } };
    }
  }

  /** E.164 of a number that is refused for its country; as it was given where it is refused for its kind. */
  function anyNumber(given: string): string {
    try {
      return settings.readAnyPhone(given).e164;
    } catch {
      return given.slice(0, GIVEN_LENGTH_MAX);
    }
  }

  /**
   * The recipient that a row names.
   * @throws WotpError that says what of the row cannot be read: the whole bulk job is refused then
   */
  return function readRecipient({ line, cells }: GivenRow): Recipient {
    const givenPhone = cells.get('phone');
    const givenEmail = cells.get('email');
    if (givenPhone === undefined && givenEmail === undefined) {
      throw problem('phone', 'There is no address. Give `phone` or `email`.');
    }
    const { phone, refused } = givenPhone === undefined ? {} : phoneOf(givenPhone);
    const email = givenEmail === undefined ? undefined : readEmail(givenEmail);
    const code = cells.get('code');
    if (code !== undefined && !CODE.test(code)) {
      throw problem('code', 'The value of `code` must be 4 to 10 ASCII letters or digits.');
    }
    if (code !== undefined && !withCode) {
      throw problem('code', 'There is a `code`, but no {{code}} in the text.');
    }
    const locale = cells.get('locale');
    if (locale !== undefined && !LOCALE.test(locale)) {
      throw problem('locale', 'The value of `locale` must be a language tag such as pt-BR.');
    }
    const variables = Object.fromEntries(
      names.filter((name) => cells.has(name)).map((name) => [name, cells.get(name)!]),
    );
    return {
      line,
      phone: phone?.e164 ?? refused?.address ?? null,
      email: email?.address ?? null,
      identity: phone?.identity ?? refused?.address ?? email!.identity,
      details: { ...(code !== undefined && { code }), ...(locale !== undefined && { locale }), variables },
      ...(refused && { rejection: refused.reason }),
    };
  };
}

function problem(path: string, message: string): ValidationError {
  return new ValidationError(message, [{ path, message }]);
}
