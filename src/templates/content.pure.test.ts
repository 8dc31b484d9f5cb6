import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ValidationError } from '../errors/errors.ts';
import { filledIn } from '../messages/contents.ts';
import { namesIn, readContent, renderContent } from './content.ts';
import { TEXT_MAX } from './template.ts';

const text = fc
  .array(
    fc.oneof(
      fc.string({ maxLength: 20 }),
      fc.constantFrom(' {{a}} ', ' {{code}} ', ' {{ b }} ', 'x'.repeat(2_000), '{', '}}'),
    ),
    { minLength: 1, maxLength: 8 },
  )
  .map((parts) => parts.join(''));
const email = fc.record({ subject: text, text, html: text }, { requiredKeys: ['subject', 'text'] });
const texts = fc.record({ text, sms: text, email }, { requiredKeys: ['text'] });
const template = fc.record({
  content: text,
  translations: fc.dictionary(fc.constantFrom('id', 'pt-BR', 'ar'), texts),
});
const value = fc.oneof(
  fc.string({ maxLength: 40 }),
  fc.constantFrom('{{code}}', '{{a}}', '{{', '}}', 'x'.repeat(1_000)),
  fc.integer(),
);

describe('a template that is saved', () => {
  test('is in each language and on each channel a text without an open placeholder, within its limit, or refused', () => {
    let rendered = 0;
    const channel = fc.constantFrom('whatsapp', 'sms', 'email', 'http', 'simulator');
    const locale = fc.constantFrom('en', 'id', 'pt-PT', 'ar', 'ja');
    fc.assert(
      fc.property(template, channel, locale, value, value, (given, channel, locale, a, b) => {
        try {
          const whole = { ...given, language: 'en' };
          const content = readContent({ ...whole, variables: namesIn(whole) });
          const made = renderContent(content, { channel, locale, variables: { a, b } });
          for (const said of [made.text, made.subject, made.html]) {
            if (said === undefined) continue;
            const shown = filledIn({ text: said, code: '482913' });
            // HTML counts what values are escaped to.
            expect(shown.length).toBeLessThanOrEqual(TEXT_MAX);
            const own = shown.replaceAll(String(a), '').replaceAll(String(b), '');
            if (![a, b].some((it) => /[{}&]/.test(String(it))))
              expect(own).not.toMatch(/\{\{\s*(?:a|b|code)\s*\}\}/);
          }
          rendered += 1;
        } catch (error) {
          expect(error).toBeInstanceOf(ValidationError);
        }
      }),
    );
    // Else nothing above was looked at.
    expect(rendered).toBeGreaterThan(10);
  });
});
