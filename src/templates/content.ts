import { type FieldProblem, ValidationError } from '../errors/errors.ts';
import { escapeHtml } from '../lib/html.ts';
import { languageFor } from '../lib/languages.ts';
import type { ChannelName } from '../messages/channel.ts';
import { parseTemplate, render, type Template, type TemplateVariables } from './template.ts';

/** The texts of one language. */
export interface Texts {
  text: string;
  /** In place of `text` by SMS and HTTP providers. */
  sms?: string | undefined;
  /** In place of `text` by e-mail. */
  email?: { subject: string; text: string; html?: string | undefined } | undefined;
}

/** What a template says; a version of it keeps one of these. */
export interface TemplateContent {
  /** The text in the default language. */
  content: string;
  /** The default language, BCP 47. */
  language: string;
  /** The names that may stand in the texts. */
  variables: string[];
  /** Texts by their language; what stands under the default one adds to `content`. */
  translations: Record<string, Partial<Texts>>;
}

/** The texts of one language, read. */
interface ReadTexts {
  text: Template;
  sms?: Template;
  email?: { subject: Template; text: Template; html?: Template };
}

/** A template as it is used: the texts by their languages, the default one first. */
export type ReadContent = ReadonlyMap<string, ReadTexts>;

/** Whom a text is for. */
export interface Reader {
  /** BCP 47, as the caller asked for it. */
  locale?: string | undefined;
  /** ISO 3166-1 alpha-2: the country of the phone. */
  country?: string | undefined;
}

/** What a message says, with `{{code}}` where the code will stand. */
export interface RenderedTexts {
  /** The language of the text, BCP 47. */
  locale: string;
  text: string;
  subject?: string;
  html?: string;
}

/** The most characters (UTF-16 code units) of all texts of a template together. */
export const WHOLE_MAX = 65_536;
/** The most variables of a template, `code` included. */
export const VARIABLES_MAX = 50;

/** Texts by their languages, as a template or the linter has them. */
type AllTexts = Pick<TemplateContent, 'content' | 'translations'>;

/** Every text, with the field that holds it. A text in the default language that repeats `content` is left out. */
function* textsIn({ content, translations }: AllTexts): Generator<{ path: string; text: string }> {
  yield { path: 'content', text: content };
  for (const [locale, { text, sms, email }] of Object.entries(translations)) {
    const path = `translations.${locale}`;
    if (text !== undefined && text !== content) yield { path: `${path}.text`, text };
    if (sms !== undefined) yield { path: `${path}.sms`, text: sms };
    if (!email) continue;
    yield { path: `${path}.email.subject`, text: email.subject };
    yield { path: `${path}.email.text`, text: email.text };
    if (email.html !== undefined) yield { path: `${path}.email.html`, text: email.html };
  }
}

/** Refuses texts that are too long together, before anything looks into them. Throws ValidationError. */
export function requireBounded(texts: AllTexts): void {
  let total = 0;
  for (const { text } of textsIn(texts)) total += text.length;
  if (total <= WHOLE_MAX) return;
  const message = `The texts in \`content\` and \`translations\` have ${total} characters together. At most ${WHOLE_MAX} are allowed.`;
  throw new ValidationError(message, [{ path: 'translations', message }]);
}

/**
 * Reads every text of a template.
 * @throws ValidationError that names each problem with its field and its place in the text
 */
export function readContent({ content, language, variables, translations }: TemplateContent): ReadContent {
  const problems: FieldProblem[] = [];
  const read = (text: string, path: string, isSubject = false): Template => {
    try {
      return parseTemplate(text, { path, declared: variables, isSubject });
    } catch (error) {
      if (!(error instanceof ValidationError)) throw error;
      problems.push(...(error.details.errors ?? []));
      return { placeholders: [], parts: [] };
    }
  };
  const readTexts = (text: Template, { sms, email }: Partial<Texts>, path: string): ReadTexts => {
    return {
      text,
      ...(sms !== undefined && { sms: read(sms, `${path}.sms`) }),
      ...(email && {
        email: {
          subject: read(email.subject, `${path}.email.subject`, true),
          text: read(email.text, `${path}.email.text`),
          ...(email.html !== undefined && { html: read(email.html, `${path}.email.html`) }),
        },
      }),
    };
  };

  const own = translations[language] ?? {};
  if (own.text !== undefined && own.text !== content) {
    const path = `translations.${language}.text`;
    problems.push({
      path,
      message: `The field \`${path}\` differs from \`content\`, which is the text in this language. Leave it out.`,
    });
  }
  const all = new Map([[language, readTexts(read(content, 'content'), own, `translations.${language}`)]]);
  for (const [locale, texts] of Object.entries(translations)) {
    if (locale === language) continue;
    const path = `translations.${locale}`;
    if (texts.text === undefined)
      problems.push({ path: `${path}.text`, message: `The field \`${path}.text\` is required.` });
    all.set(locale, readTexts(read(texts.text ?? '', `${path}.text`), texts, path));
  }
  if (problems.length > 0) throw new ValidationError(problems[0]!.message, problems.slice(0, PROBLEMS_MAX));
  return all;
}

const PROBLEMS_MAX = 20;

/** The names that stand in any of the texts, in the order of their first use. */
export function namesIn(texts: AllTexts): string[] {
  const names = new Set<string>();
  for (const { path, text } of textsIn(texts))
    for (const name of parseTemplate(text, { path }).placeholders) names.add(name);
  return [...names];
}

/** The language of a template that somebody reads best: by the locale asked for, else by the country, else the default. */
export function localeFor(content: ReadContent, reader: Reader): string {
  return languageFor([...content.keys()] as [string, ...string[]], reader);
}

/** The texts of a template that a channel sends. */
function textsOf({ text, sms, email }: ReadTexts, channel: ChannelName) {
  if (channel === 'email' && email) return email;
  return { text: (channel === 'sms' || channel === 'http' ? sms : undefined) ?? text };
}

/**
 * What a channel sends of a template, in the language of the reader.
 * @throws ValidationError that names each value that is missing or cannot be used
 */
export function renderContent(
  content: ReadContent,
  { channel, variables, ...reader }: Reader & { channel: ChannelName; variables: TemplateVariables },
): RenderedTexts {
  const locale = localeFor(content, reader);
  const texts = textsOf(content.get(locale)!, channel);
  const text = render(texts.text, variables);
  if (!('subject' in texts)) return { locale, text };
  return {
    locale,
    text,
    // A subject is one line.
    subject: render(texts.subject, variables).replace(/\s+/gu, ' ').trim(),
    ...(texts.html && { html: render(texts.html, variables, { written: escapeHtml }) }),
  };
}

/**
 * Sees that each text which a verification may be sent with holds its code.
 * @throws ValidationError
 */
export function requireCode(content: ReadContent, locale: string, code: string): void {
  const { text, sms, email } = content.get(locale)!;
  const bodies = [text, sms, email?.text, email?.html];
  if (bodies.every((body) => body === undefined || body.placeholders.includes('code'))) return;
  const message = `The template ${code} has a text (${locale}) without {{code}}, so no code can be sent with it.`;
  throw new ValidationError(message, [{ path: 'template', message }]);
}
