import { describe, expect, test } from 'vitest';
import { BUILT_IN_TEXTS } from './built-in-texts.ts';
import { lint } from './lint.ts';

/** How long it takes when nothing else wants the processor, in ms. */
function quickest(work: () => unknown): number {
  const times = Array.from({ length: 5 }, () => {
    const began = performance.now();
    work();
    return performance.now() - began;
  });
  return Math.min(...times);
}
const rulesOf = (content: string) =>
  lint({ content, translations: {} }).map(({ rule, isError }) => (isError ? `${rule}!` : rule));

describe('the linter', () => {
  test('finds nothing in a plain text', () => {
    expect(rulesOf('Hi {{name}}, your code is {{code}}. It is valid for {{expiry}} minutes.')).toEqual([]);
    expect(rulesOf('{{code}} ist Ihr Code. Größe, naïve, Übermut: l’été.')).toEqual([]);
  });

  test('finds no fault with the built-in texts', () => {
    for (const { code, valid, secret } of Object.values(BUILT_IN_TEXTS)) {
      const rules = rulesOf(`${code} ${valid} ${secret}`);
      expect(rules.filter((rule) => rule !== 'sms-parts')).toEqual([]);
    }
  });

  test.each([
    ['what would be refused', 'Hi {{#if}} {{code}}', ['syntax!']],
    ['a text without a code', 'Hi {{name}}', ['no-code']],
    ['a number before the code', 'Order 20261: {{code}}', ['two-codes!']],
    ['a number behind the code', '{{code}} or call 110110', ['two-codes']],
    ['short numbers', '{{code}}, 5 minutes, 24 hours, call 112', []],
    ['a letter at the code', 'G-{{code}}x', ['syntax!']],
    ['punctuation at the code', '({{code}})', []],
    ["another system's placeholder", 'Hi {name}, {{code}}', ['foreign-placeholder']],
    ['and another', 'Hi %(name)s, {{code}} %y%', Array(2).fill('foreign-placeholder')],
    ['a link', '{{code}} https://example.com/a', ['link']],
    ['a link without a scheme', '{{code}} bit.ly/x', ['link']],
    ['a link of any domain', '{{code}} kunjungi toko.co.id, evil.ru', ['link', 'link']],
    ['an IP address', '{{code}} 203.0.113.7/x [fe80::1]', ['link', 'link']],
    ['a price', '{{code}} 1.50 Rp1.000', []],
    ['an empty text', '', ['syntax!', 'no-code']],
    ['a number in groups', '{{code}} 123 456', ['two-codes']],
    ['a number with dashes, before the code', '1-2-3-4: {{code}}', ['two-codes!']],
    ["another script's digits", '{{code}} ١٢٣٤', ['two-codes']],
    ['a placeholder with a number', '{{code}} {{order20261}}', []],
    ['Cyrillic words that read as Latin', '{{code}} from аррӏе РАУРА', ['look-alike', 'look-alike']],
    ['Russian words among them', '{{code}} Apple: он сор', []],
    ['letters in full width', '{{code}} Ｐａｙ', ['look-alike']],
    ['mathematical letters', '{{code}} 𝐏𝐚𝐲', ['look-alike']],
    ['a Hangul filler', '{{code}} a\u3164b', ['invisible']],
    ['a sentence without a space', '{{code}} is your code.Do not share it', []],
    ['an emoji', '{{code}} 🔐', ['emoji']],
    ['a trademark', '{{code}} Toko™', []],
    ['letters that look alike', '{{code}} from Pаypal', ['look-alike']],
    ['a text in two scripts', '{{code}} код Example', []],
    ['a direction override', '{{code}} \u202eabc', ['invisible']],
    ['a zero-width space', '{{code}} a\u200bb', ['invisible']],
    ['joiners that scripts need', '{{code}} می‌خواهم', []],
    ['a long text', `{{code}} ${'long '.repeat(40)}`, ['sms-parts']],
    ['a text that Meta does not take', `{{code}} ${'long '.repeat(210)}`, ['meta-length', 'sms-parts']],
  ])('looks for %s', (_what, content, rules) => {
    expect(rulesOf(content)).toEqual(rules);
  });

  test.each([
    ['a script', '{{code}}<script>x</script>', ['html!']],
    ['an event handler', '<p onclick="x()">{{code}}</p>', ['html!']],
    ['a placeholder in an attribute without quotes', '<a title={{name}}>{{code}}</a>', ['html!']],
    ['another number', '<p style="color:#123456">{{code}} 20261</p>', ['two-codes']],
    ['a direction override', '<p>{{code}}</p>\u202e', ['invisible']],
    ['nothing else', '<p title="a={{name}}" style="width:1200px">&#8203;{{code}}</p>', []],
  ])('looks in HTML for %s', (_what, html, rules) => {
    const translations = { en: { email: { subject: 'Hi', text: '{{code}}', html } } };
    const findings = lint({ content: '{{code}}', translations });
    expect(findings.map(({ rule, isError }) => (isError ? `${rule}!` : rule))).toEqual(rules);
  });

  test('names the field and the place', () => {
    const translations = {
      id: {
        text: '{{code}}\nlihat www.example.id',
        email: { subject: 'Hi {{code}}', text: '{{code}}', html: '<p></p>' },
      },
    };
    expect(lint({ content: '{{code}}', translations })).toMatchObject([
      { rule: 'link', path: 'translations.id.text', line: 2, column: 7 },
      { rule: 'syntax', isError: true, path: 'translations.id.email.subject' },
      { rule: 'no-code', path: 'translations.id.email.html' },
    ]);
  });

  test('finds what is not declared', () => {
    expect(lint({ content: '{{code}} {{x}}', variables: ['name'], translations: {} })).toMatchObject([
      { rule: 'syntax', message: expect.stringContaining('{{x}} is not among the declared variables') },
    ]);
  });

  test('takes no longer than 50 ms for what somebody wrote to make it slow, and answers 100 findings at most', () => {
    const hostile = [
      'a.'.repeat(2_000),
      `${'a'.repeat(60)}.`.repeat(60),
      '{a'.repeat(2_000),
      '%a'.repeat(2_000),
      '{ '.repeat(2_000),
      'www.'.repeat(1_000),
      'аa '.repeat(1_300),
      '\u202e'.repeat(4_000),
      '{{a}}'.repeat(800),
      '1-'.repeat(2_000),
      '<a'.repeat(2_000),
      `<a ${'='.repeat(4_000)}`,
      `<a ${' on'.repeat(1_300)}`,
      '"'.repeat(4_000),
    ];
    for (const content of hostile) {
      const translations = { en: { email: { subject: 'x', text: 'x', html: content } } };
      expect(quickest(() => lint({ content, translations }))).toBeLessThan(50);
      expect(lint({ content, translations: {} }).length).toBeLessThanOrEqual(100);
      expect(
        quickest(() => lint({ content, translations: {} })),
        content.slice(0, 10),
      ).toBeLessThan(50);
    }
  });
});
