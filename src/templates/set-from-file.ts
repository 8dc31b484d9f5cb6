import type { ApiClient } from '../cli/api-client.ts';
import { CommandError, RefusalError } from '../cli/command-error.ts';
import { canonicalLocale } from '../lib/languages.ts';
import { PATH, type ShownTemplate, templateWithCode } from './calls.ts';
import type { Texts } from './content.ts';
import type { TemplateFile } from './file.ts';

/** So often a change is made again from the template as somebody else has just changed it. */
const TRIES = 5;

/** What became of a template, and which of its texts the file says nothing about. */
export interface SetTemplate {
  template: ShownTemplate;
  language: string;
  /** Worded to stand in a list, such as `the SMS text`. */
  unchanged: string[];
}

/**
 * Creates a template from a file, or changes of it what the file holds: the text in one language, and with `Subject` its
 * e-mail. Everything else of it stays. What others change meanwhile is kept.
 * @param locale as the caller gave it: the language to set; that of the file, else of the template, where left out
 * @throws CommandError, RefusalError
 */
export async function setFromFile(
  api: ApiClient,
  code: string,
  file: TemplateFile,
  locale: string | undefined,
): Promise<SetTemplate> {
  const asked = locale === undefined ? undefined : languageTag(locale, '--locale');
  const own = file.language === undefined ? undefined : languageTag(file.language, 'Language');
  if (asked !== undefined && own !== undefined && asked !== own)
    throw new CommandError(
      `The file is in ${own} and --locale is ${asked}. Leave one of them out, or make them the same.`,
    );
  for (let tries = 1; ; tries++) {
    const before = await templateWithCode(api, code);
    try {
      return await setOnce(api, { code, file, before, asked, own });
    } catch (error) {
      const isOutdated = error instanceof RefusalError && error.code === 'CONFLICT';
      if (!isOutdated || tries === TRIES) throw error;
    }
  }
}

async function setOnce(
  api: ApiClient,
  wanted: {
    code: string;
    file: TemplateFile;
    before: ShownTemplate | undefined;
    asked: string | undefined;
    own: string | undefined;
  },
): Promise<SetTemplate> {
  const { code, before, asked, own } = wanted;
  const { name, content, subject } = wanted.file;
  if (!before && asked !== undefined)
    throw new CommandError(
      `There is no template ${code} to translate. Set its own text first, without --locale.`,
    );
  if (before && asked === undefined && own !== undefined && own !== before.language)
    throw new CommandError(
      `The file is in ${own}, and the language of ${code} is ${before.language}. Add --locale ${own} to set the translation.`,
    );
  const language = asked ?? own ?? before?.language ?? 'en';
  const isDefault = language === (before?.language ?? language);
  const { text: _replaced, sms, email } = before?.translations[language] ?? {};
  const mail = subject === undefined ? email : { ...email, subject, text: content };
  const texts: Partial<Texts> = { ...(!isDefault && { text: content }), sms, email: mail };
  const hasTexts = Object.values(texts).some((text) => text !== undefined);
  const body = {
    ...(isDefault && { content, language }),
    translations: { ...before?.translations, ...(hasTexts && { [language]: texts }) },
  };
  const { data } = before
    ? await api.call<{ data: ShownTemplate }>('PUT', `${PATH}/${before.id}`, {
        ...body,
        ...(name !== undefined && { name }),
        version: before.version,
      })
    : await api.call<{ data: ShownTemplate }>('POST', PATH, { ...body, code, name: name ?? code });
  const unchanged = [
    ...(sms === undefined ? [] : ['the SMS text']),
    ...(email === undefined || subject !== undefined ? [] : ['the e-mail']),
    ...(email?.html === undefined || subject === undefined ? [] : ['the HTML of the e-mail']),
  ];
  return { template: data, language, unchanged };
}

function languageTag(given: string, where: string): string {
  const tag = canonicalLocale(given);
  if (tag === undefined)
    throw new CommandError(
      `The value of ${where} must be a BCP 47 language tag, such as en, id or pt-BR, not ${given}.`,
    );
  return tag;
}
