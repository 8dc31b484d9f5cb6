import type { Executor } from '../database/database.ts';
import { ValidationError } from '../errors/errors.ts';
import type { Said } from '../messages/types.ts';
import type { CodeRules, Settings } from '../settings/settings.ts';
import type { MessageTexts } from '../templates/message-texts.ts';
import type { TemplateVariables } from '../templates/template.ts';
import { generateCode } from './code.ts';
import { readMessage } from './message-text.ts';
import { type Person, readPerson } from './person.ts';
import type { SendRequest } from './types.ts';

/** A send as it was read; what is undefined is WOTP's to choose. */
interface ReadSend {
  person: Person;
  expiryMinutes: number;
  code: string | undefined;
  said: Said | undefined;
}

/** Reads sends by the rules of their projects. What it gives throws WotpError where a field cannot be used. */
export function sendReader({ settings, texts }: { settings: Settings; texts: MessageTexts }) {
  /** What a request wants to be said; undefined where it names neither a text nor a template. */
  function saidIn(
    executor: Executor,
    { projectId, template, variables = {}, locale }: SendRequest,
    given: { content: string | undefined; person: Person; expiryMinutes: number },
  ): Promise<Said> | Said | undefined {
    const { content, person, expiryMinutes: minutes } = given;
    if (content !== undefined) return { content, locale };
    if (template === undefined) return undefined;
    const country = person.phone?.country;
    return texts.forSend(executor, projectId, { template, variables, locale, country, minutes });
  }

  return async (executor: Executor, request: SendRequest): Promise<ReadSend> => {
    const { readPhone, code: rules } = settings.of(request.projectId);
    const person = readPerson(request, readPhone);
    const expiryMinutes = expiryOf(request, rules);
    const { code, body: content } = readText(request);
    if (code !== undefined) refuseCodeInValues(request.variables, code);
    const said = await saidIn(executor, request, { content, person, expiryMinutes });
    return { person, expiryMinutes, code, said };
  };
}

/**
 * The code and the text that the caller asks for; what is undefined is WOTP's to choose.
 * @throws ValidationError, also where there is a template as well
 */
export function readText(request: SendRequest): { code: string | undefined; body: string | undefined } {
  refuseTwoTexts(request);
  const text = request.message === undefined ? undefined : readMessage(request.message, request.code);
  const code = request.code ?? text?.codeInText;
  if (code !== undefined && request.length !== undefined && request.length !== code.length) {
    const message = 'The `code` given does not have this `length`. Leave `length` out when you give `code`.';
    throw new ValidationError(message, [{ path: 'length', message }]);
  }
  return { code, body: text?.body };
}

/**
 * The name of a variable whose value has the code in it, in upper or lower case; undefined where none has. Such a value
 * would keep the code readable where it is hidden once the verification has ended.
 */
export function variableWithCode(variables: TemplateVariables = {}, code: string): string | undefined {
  const wanted = code.toLowerCase();
  return Object.keys(variables).find((name) => String(variables[name]).toLowerCase().includes(wanted));
}

/** A code that is in none of the values which its message shows. */
export function newCode(length: number, { alphabet = 'numeric', variables }: SendRequest): string {
  for (;;) {
    const code = generateCode(length, alphabet);
    if (variableWithCode(variables, code) === undefined) return code;
  }
}

/** Throws ValidationError where a value of a template has the code in it. */
export function refuseCodeInValues(variables: TemplateVariables | undefined, code: string): void {
  const name = variableWithCode(variables, code);
  if (name === undefined) return;
  const path = `variables.${name}`;
  const message = `The value of \`${path}\` contains the code. Leave the code out of \`variables\`: {{code}} in the template is where it stands.`;
  throw new ValidationError(message, [{ path, message }]);
}

/** One text is sent, so one can be given; values belong to a template. */
function refuseTwoTexts({ message, template, variables }: SendRequest): void {
  if (template !== undefined && message !== undefined) {
    const what = 'Give either `template` or `message`.';
    throw new ValidationError(what, [{ path: 'template', message: what }]);
  }
  if (template === undefined && variables !== undefined) {
    const what = 'The field `variables` is allowed only with `template`.';
    throw new ValidationError(what, [{ path: 'variables', message: what }]);
  }
}

/** The life of the code in minutes. Throws ValidationError where it is longer than allowed. */
export function expiryOf(
  request: Pick<SendRequest, 'expiryMinutes'>,
  rules: Pick<CodeRules, 'expiryMinutes' | 'maxExpiryMinutes'>,
): number {
  const minutes = request.expiryMinutes ?? rules.expiryMinutes;
  if (minutes > rules.maxExpiryMinutes) {
    const message = `The value of \`expiryMinutes\` must be a whole number from 1 to ${rules.maxExpiryMinutes} (OTP_MAX_EXPIRY_MINUTES).`;
    throw new ValidationError(message, [{ path: 'expiryMinutes', message }]);
  }
  return minutes;
}
