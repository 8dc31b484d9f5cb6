import { ValidationError } from '../errors/errors.ts';
import { CODE_PLACEHOLDER as PLACEHOLDER } from '../messages/contents.ts';

/** How other systems write a placeholder for the code: `{code}`, `${OTP}`, `%code%`, `%(pin)s`. */
const FOREIGN_PLACEHOLDER =
  /(?:[$#]?\{|<?%[={(]?)\s*(?:code|otp|pin)\s*(?:\)s?|\}|%>?)|\$(?:code|otp|pin)\b/i;
/** So much of a placeholder is repeated in an error, in characters. */
const NAMED_MAX = 40;

/** A message's text with the place of its code, and the code where the text itself held one. */
export interface MessageText {
  /** Holds `{{code}}` wherever the code stands. */
  body: string;
  codeInText?: string;
}

/**
 * Finds the code's place in the caller's own text: `{{code}}`, else the given code, else (as v3 did) the only run of 4
 * to 8 digits, which then is the code, unless the text says elsewhere where the code is to stand.
 * @throws ValidationError when the text holds none of these, several different runs, or a `{{` that is not `{{code}}`;
 * and when digits would become the code of a text with another system's placeholder for it
 */
export function readMessage(message: string, code: string | undefined): MessageText {
  const text = withPlaceholders(message);
  if (text.includes(PLACEHOLDER)) return { body: code === undefined ? text : withoutCode(text, code) };
  if (code !== undefined) {
    const body = withoutCode(text, code);
    if (body === text)
      throw refused('The code is not in `message`. Put {{code}} or the code itself into it.');
    return { body };
  }
  const foreign = FOREIGN_PLACEHOLDER.exec(text)?.[0];
  if (foreign !== undefined) {
    const shown = foreign.replace(/\s+/gu, ' ');
    throw refused(`${shown} in \`message\` is not a placeholder. Write {{code}} in its place.`);
  }
  const [codeInText, ...others] = new Set(text.match(/(?<!\d)\d{4,8}(?!\d)/g));
  if (codeInText === undefined) {
    throw refused('The text in `message` contains no code. Add {{code}} to the text, or omit `message`.');
  }
  if (others.length > 0) {
    throw refused(
      'Several runs of 4 to 8 digits in `message` could be the code. Put {{code}} in its place, or give `code` as well.',
    );
  }
  return { body: text.replaceAll(codeInText, PLACEHOLDER), codeInText };
}

/** The text with every `{{ code }}` as `{{code}}`. Throws ValidationError that names any other `{{`. */
function withPlaceholders(message: string): string {
  const given = /\{\{\s*code\s*\}\}/y;
  let text = '';
  let end = 0;
  for (let at = message.indexOf('{{'); at !== -1; at = message.indexOf('{{', end)) {
    given.lastIndex = at;
    if (!given.test(message))
      throw refused(`${named(message.slice(at))} in \`message\` cannot be filled. Only {{code}} can.`);
    text += message.slice(end, at) + PLACEHOLDER;
    end = given.lastIndex;
  }
  return text + message.slice(end);
}

/** A placeholder at the beginning of a text, as an error may show it: short, and without what may be a code. */
function named(text: string): string {
  const close = text.indexOf('}}');
  const whole = close !== -1 && close < NAMED_MAX ? text.slice(0, close + 2) : `${text.slice(0, NAMED_MAX)}…`;
  return whole.replace(/\d{4,}/g, '…').replace(/\s+/gu, ' ');
}

/** The text with `{{code}}` for the code, which is found in upper and lower case, as it is compared. */
function withoutCode(message: string, code: string): string {
  const everywhere = new RegExp(code, 'gi');
  return message
    .split(PLACEHOLDER)
    .map((part) => part.replace(everywhere, PLACEHOLDER))
    .join(PLACEHOLDER);
}

function refused(message: string): ValidationError {
  return new ValidationError(message, [{ path: 'message', message }]);
}
