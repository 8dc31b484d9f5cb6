import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { filledIn } from '../messages/contents.ts';
import type { Style } from '../settings/settings.ts';
import { builtInText } from './built-in.ts';
import { BUILT_IN_TEXTS } from './built-in-texts.ts';
import { readContent, renderContent } from './content.ts';

const LOCALES = Object.keys(BUILT_IN_TEXTS);
const CHANNELS = ['whatsapp', 'simulator', 'sms', 'email'] as const;
const PLAIN: Style = { brand: undefined, warnsOfSharing: true, webOtpHost: undefined };
const STYLES: Style[] = [
  PLAIN,
  { ...PLAIN, warnsOfSharing: false },
  { ...PLAIN, brand: 'Toko 2026' },
  { ...PLAIN, brand: '100000 {{code}} $& Größe' },
  { ...PLAIN, webOtpHost: 'login.example.com' },
];
const read = (text: string, code: string) => filledIn({ text, code });
const asSms = (text: string) => (/[^\u0020-\u024f–—]/.test(text) ? 'other script' : 'Latin');

test('there are texts in 20 languages', () => {
  expect(LOCALES).toHaveLength(20);
  for (const locale of LOCALES) expect(new Intl.Locale(locale).baseName).toBe(locale);
});

describe.each(LOCALES)('the built-in text in %s', (locale) => {
  const texts = STYLES.map((style) => builtInText(style));
  const each = CHANNELS.flatMap((channel) =>
    texts.map((made) => ({ channel, made: made.textFor({ locale, channel, minutes: 5 }) })),
  );

  test('is found by its locale', () => {
    expect(each.map(({ made }) => made.locale)).toEqual(each.map(() => locale));
  });

  test('has the code as its first run of digits, which touches no letter, digit or underscore', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^\d{4,10}$/), fc.integer({ min: 1, max: 60 }), (code, minutes) => {
        for (const channel of CHANNELS) {
          for (const made of texts) {
            const text = read(made.textFor({ locale, channel, minutes }).text, code);
            expect(/\d{4,10}/.exec(text)?.[0]).toBe(code);
            const at = text.indexOf(code);
            expect(text.slice(0, at)).not.toMatch(/[\p{L}\p{N}\p{M}_]$/u);
            expect(text.slice(at + code.length)).not.toMatch(/^[\p{L}\p{N}\p{M}_]/u);
          }
        }
      }),
      { numRuns: 20 },
    );
  });

  test('has the code once, but for the line that browsers read', () => {
    for (const { channel, made } of each) {
      const hasWebOtp = /\n\n@login\.example\.com #\{\{code\}\}$/.test(made.text);
      expect(made.text.split('{{code}}')).toHaveLength(hasWebOtp ? 3 : 2);
      if (hasWebOtp) expect(channel).toBe('sms');
    }
    expect(each.filter(({ made }) => made.text.includes('@login'))).toHaveLength(1);
  });

  test('leaves no other placeholder open, and is short, without links, emoji, controls or direction marks', () => {
    for (const { made } of each) {
      const text = made.text.replaceAll('{{code}}', '');
      if (!text.includes('{\0{')) expect(text).not.toMatch(/[{}]/);
      expect(text.length).toBeLessThanOrEqual(160);
      expect(text).not.toMatch(/https?:|www\.|\p{Extended_Pictographic}/u);
      expect(text.replaceAll('\n', '').replaceAll('\0', '')).not.toMatch(
        /[\p{Cc}\u200e\u200f\u202a-\u202e\u2066-\u2069]/u,
      );
    }
  });

  test('is one SMS part in scripts of Latin letters, three at most in others', () => {
    const text = read(builtInText(PLAIN).textFor({ locale, channel: 'sms', minutes: 5 }).text, '482913');
    expect(text.length).toBeLessThanOrEqual(asSms(text) === 'Latin' ? 160 : 201);
  });

  test('says how long the code lives', () => {
    for (const minutes of [1, 2, 5, 60]) {
      const { text } = builtInText(PLAIN).textFor({ locale, channel: 'sms', minutes });
      expect(text.replace('{{code}}', '')).toContain(String(minutes));
    }
  });

  test('has a subject for e-mail, without the code', () => {
    for (const { channel, made } of each) {
      expect(made.subject !== undefined).toBe(channel === 'email');
      if (!made.subject?.includes('100000')) expect(made.subject ?? '').not.toMatch(/[{}\n]/);
    }
  });

  test('is the same as a template', () => {
    const { content, textFor } = builtInText(PLAIN);
    const variables = { expiry: 5 };
    const rendered = renderContent(readContent(content), { locale, channel: 'sms', variables });
    expect(rendered).toEqual(textFor({ locale, channel: 'sms', minutes: 5 }));
  });
});

describe('the built-in text', () => {
  const { textFor } = builtInText(PLAIN);

  test('in English', () => {
    expect(textFor({ channel: 'simulator', minutes: 5 })).toEqual({
      locale: 'en',
      text: 'Your verification code is {{code}}. It is valid for 5 minutes. Do not share it with anyone.',
    });
    expect(textFor({ channel: 'simulator', minutes: 1 }).text).toContain('for 1 minute.');
  });

  test('has the code in bold on WhatsApp only', () => {
    for (const channel of CHANNELS)
      expect(textFor({ channel, minutes: 5 }).text.includes('*{{code}}*')).toBe(channel === 'whatsapp');
  });

  test.each([
    ['the locale', { locale: 'pt-PT', country: 'ID' }, 'pt'],
    ['the country where the locale has no text', { locale: 'ja', country: 'ID' }, 'id'],
    ['the country', { country: 'MX' }, 'es'],
    ['the likeliest language of the country', { country: 'IN' }, 'hi'],
    ['English where neither has a text', { locale: 'ja', country: 'JP' }, 'en'],
    ['English where nobody has said', {}, 'en'],
    ['English for numbers of no country', { country: '001' }, 'en'],
  ])('is in the language of %s', (_what, reader, locale) => {
    expect(textFor({ ...reader, channel: 'sms', minutes: 5 }).locale).toBe(locale);
  });

  test('names the brand behind the code, as it is', () => {
    const made = builtInText({ ...PLAIN, brand: '100000 {{code}} $&' });
    const { text } = made.textFor({ locale: 'en', channel: 'sms', minutes: 5 });
    expect(read(text, '482913')).toMatch(/^482913 is your verification code for 100000 \{\{code\}\} \$&\. /);
  });
});
