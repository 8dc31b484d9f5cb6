import { languageFor } from '../lib/languages.ts';
import type { ChannelName } from '../messages/channel.ts';
import { CODE_PLACEHOLDER, withoutPlaceholders } from '../messages/contents.ts';
import type { Style } from '../settings/settings.ts';
import { BUILT_IN_TEXTS, type Sentences } from './built-in-texts.ts';
import type { Reader, RenderedTexts, TemplateContent } from './content.ts';

/** What a send names the built-in text by. */
export const BUILT_IN = 'default';

const LANGUAGES = Object.keys(BUILT_IN_TEXTS) as [string, ...string[]];
/** Texts that stay made. */
const MADE_MAX = 2_000;

/**
 * An SMS with the line by which browsers know whose code it is (WICG, Origin-bound one-time codes delivered via SMS):
 * the last one, `@host #code`. Other channels have no such line.
 */
export function withWebOtp(text: string, channel: ChannelName, host: string | undefined): string {
  const isSms = channel === 'sms' || channel === 'http';
  return isSms && host !== undefined ? `${text}\n\n@${host} #${CODE_PLACEHOLDER}` : text;
}

/** The text that is sent when a caller gives none, in the language of the reader. The code is its first run of digits. */
export function builtInText(style: Style) {
  const { brand, warnsOfSharing, webOtpHost } = style;
  const made = new Map<string, RenderedTexts>();

  /** The sentences with `{{expiry}}` left open. */
  function bodyOf({ code, codeFor, valid, validOne, secret }: Sentences, minutes?: number): string {
    const parts = [
      brand === undefined ? code : codeFor.replace('{{brand}}', () => withoutPlaceholders(brand)),
      minutes === 1 ? (validOne ?? valid) : valid,
      ...(warnsOfSharing ? [secret] : []),
    ];
    return parts.join(' ');
  }

  function subjectOf({ subject, subjectFor }: Sentences): string {
    return brand === undefined ? subject : subjectFor.replace('{{brand}}', () => brand);
  }

  function make({ locale: asked, country }: Reader, channel: ChannelName, minutes: number): RenderedTexts {
    const locale = languageFor(LANGUAGES, { locale: asked, country });
    const sentences = BUILT_IN_TEXTS[locale]!;
    const body = bodyOf(sentences, minutes).replaceAll('{{expiry}}', String(minutes));
    // WhatsApp shows what stands between asterisks in bold.
    const text = channel === 'whatsapp' ? body.replace(CODE_PLACEHOLDER, `*${CODE_PLACEHOLDER}*`) : body;
    return {
      locale,
      text: withWebOtp(text, channel, webOtpHost),
      ...(channel === 'email' && { subject: subjectOf(sentences) }),
    };
  }

  const contentOf = (sentences: Sentences) => ({
    text: bodyOf(sentences),
    email: { subject: subjectOf(sentences), text: bodyOf(sentences) },
  });
  const [english, ...others] = LANGUAGES;
  const { text: content, email } = contentOf(BUILT_IN_TEXTS[english]!);

  return {
    /** What a channel sends of it. `minutes`: how long the code lives. */
    textFor({ locale, country, channel, minutes }: Reader & { channel: ChannelName; minutes: number }) {
      const key = `${channel} ${locale} ${country} ${minutes}`;
      const known = made.get(key);
      if (known) return known;
      const text = make({ locale, country }, channel, minutes);
      if (made.size >= MADE_MAX) made.clear();
      made.set(key, text);
      return text;
    },

    /** The same as a template. */
    content: {
      content,
      language: english,
      variables: ['code', 'expiry'],
      translations: Object.fromEntries([
        [english, { email }],
        ...others.map((locale) => [locale, contentOf(BUILT_IN_TEXTS[locale]!)]),
      ]),
    } satisfies TemplateContent as TemplateContent,
  };
}
