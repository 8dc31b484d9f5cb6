import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ValidationError } from '../errors/errors.ts';
import { readMessage } from './message-text.ts';

const rendered = (body: string, code: string) => body.replaceAll('{{code}}', code);

/** The sentence with which a text is refused, which is about `message`; fails when it is taken. */
function refusalOf(message: string, code?: string): string {
  try {
    readMessage(message, code);
  } catch (error) {
    expect(error).toBeInstanceOf(ValidationError);
    const { errors } = (error as ValidationError).details;
    expect(errors).toEqual([{ path: 'message', message: expect.any(String) }]);
    return errors![0]!.message;
  }
  throw new Error('the text was taken');
}

describe("the caller's text", () => {
  test.each([
    ['{{code}} stays', 'Use {{code}}.', undefined, 'Use {{code}}.', undefined],
    [
      '{{code}} stays beside other digits',
      '{{code}} for 123456',
      undefined,
      '{{code}} for 123456',
      undefined,
    ],
    ['{{code}} stands for the given code', 'Use {{code}}.', '481516', 'Use {{code}}.', undefined],
    ['the given code is found', 'Use 481516.', '481516', 'Use {{code}}.', undefined],
    ['the given code is found every time', '4815, 4815', '4815', '{{code}}, {{code}}', undefined],
    [
      'a given code beside {{code}} is found too',
      '{{code}} (4815)',
      '4815',
      '{{code}} ({{code}})',
      undefined,
    ],
    ['the first run of 4 digits is the code', 'Use 4815 16', undefined, 'Use {{code}} 16', '4815'],
    ['the first run of 8 digits is the code', '123 48151623!', undefined, '123 {{code}}!', '48151623'],
    ['letters may touch the run', 'G-481516x', undefined, 'G-{{code}}x', '481516'],
    ['a run of 9 digits is no code', '123456789 or 4815', undefined, '{{code}}', '4815'],
    ['and it is found again later', '4815 is 4815', undefined, '{{code}} is {{code}}', '4815'],
    ['blanks in the placeholder do not matter', 'Use {{ code }}.', undefined, 'Use {{code}}.', undefined],
    [
      'nor do tabs, newlines and no-break spaces',
      '{{\tcode\n}}{{\u00a0code}}',
      undefined,
      '{{code}}{{code}}',
      undefined,
    ],
    ['digits beside it are text', 'Order 20261: {{ code }}', undefined, 'Order 20261: {{code}}', undefined],
    [
      'digits beside the given code are text',
      'Order 20261: 481516',
      '481516',
      'Order 20261: {{code}}',
      undefined,
    ],
    ['single braces are text', '{x} }} %d 4815', undefined, '{x} }} %d {{code}}', '4815'],
    [
      'and so are words and marks',
      'OTP code: $5 or 20% of 4815',
      undefined,
      'OTP code: $5 or 20% of {{code}}',
      '4815',
    ],
    [
      "another system's placeholder is text beside {{code}}",
      '{code} is {{code}}',
      undefined,
      '{code} is {{code}}',
      undefined,
    ],
    ['and beside the given code', '%code% is 481516', '481516', '%code% is {{code}}', undefined],
  ])('%s', (_rule, message, code, body, codeInText) => {
    const read = readMessage(message, code);
    expect(read.codeInText).toBe(codeInText);
    expect(read.body).toContain(body);
  });

  test.each([
    ['there is no code', 'Hello', undefined, /^The text in `message` contains no code\. Add \{\{code\}\}/],
    [
      'its runs are too short',
      '12 345 678',
      undefined,
      /^The text in `message` contains no code\. Add \{\{code\}\}/,
    ],
    [
      'its runs are too long',
      '123456789',
      undefined,
      /^The text in `message` contains no code\. Add \{\{code\}\}/,
    ],
    [
      'its digits are not ASCII',
      'كود ١٢٣٤٥٦',
      undefined,
      /^The text in `message` contains no code\. Add \{\{code\}\}/,
    ],
    ['the given code is not in it', 'Use 123456', '654321', /^The code is not in/],
    [
      'it has several different runs',
      'Order 20261: your code is 482913',
      undefined,
      /^Several runs of 4 to 8/,
    ],
  ])('is refused when %s, and told what to write', (_rule, message, code, sentence) => {
    const refusal = refusalOf(message, code);
    expect(refusal).toMatch(sentence);
    expect(refusal).toContain('{{code}}');
  });

  test.each([
    ['Hello {{name}}, {{code}}', '{{name}}'],
    ['Hello {{ name }}, 482913', '{{ name }}'],
    ['{{Code}}', '{{Code}}'],
    ['{{code', '{{code…'],
    ['{{co de}}', '{{co de}}'],
    ['{{{code}}}', '{{{code}}'],
    ['{{#code}}x{{/code}} {{code}}', '{{#code}}'],
    ['{{code}} {{}}', '{{}}'],
    ['{{482913}} is your code', '{{…}}'],
    ['{{a \n b}}', '{{a b}}'],
    [`{{code}} {{${'x'.repeat(37)}}}`, `{{${'x'.repeat(37)}}}`],
    [`{{code}} {{${'x'.repeat(38)}}}`, `{{${'x'.repeat(38)}…`],
    [`{{code}} {{${'x'.repeat(100)}}}`, `{{${'x'.repeat(38)}…`],
  ])('is refused with any other placeholder, which is named: %s', (message, name) => {
    for (const code of [undefined, '482913']) {
      const told = refusalOf(message, code);
      expect(told).toMatch(/cannot be filled/);
      expect(told.split(' in `message` cannot')[0]).toBe(name);
      expect(told).not.toContain('482913');
    }
  });

  test.each(`{code}|{ CODE }|\${code}|#{otp}|%code%|%{pin}|%(code)s|<%= code %>|$otp`.split('|'))(
    'is refused with %s as its placeholder, so that no number beside it becomes the code',
    (placeholder) => {
      const refused = () => readMessage(`Order 20261: your code is ${placeholder}`, undefined);
      const sentence = `${placeholder} in \`message\` is not a placeholder. Write {{code}} in its place.`;
      expect(refused).toThrow(expect.objectContaining({ message: sentence }));
    },
  );

  test('with the code put back, it is the text as it was written', () => {
    const part = fc.string({ unit: fc.constantFrom(...'a1 }$&.-é🔑') });
    const given = fc.stringMatching(/^[a-z0-9]{4,10}$/);
    fc.assert(
      fc.property(part, part, given, fc.boolean(), (before, after, code, placeholder) => {
        const message = before + (placeholder ? '{{code}}' : code) + after;
        const { body } = readMessage(message, code);
        expect(rendered(body, code)).toBe(rendered(message, code));
      }),
    );
  });

  test('no longer holds the code, in any case of its letters', () => {
    const part = fc.string({ unit: fc.constantFrom(...'ab12 -') });
    const given = fc.stringMatching(/^[a-z0-9]{4,10}$/);
    const message = fc
      .tuple(part, given, part, fc.boolean(), fc.boolean())
      .map(([before, code, after, placeholder, upper]) => ({
        code,
        message: `${before}${placeholder ? '{{code}} ' : `${code} `}${upper ? code.toUpperCase() : code}${after}`,
      }));
    fc.assert(
      fc.property(message, ({ code, message }) => {
        const left = readMessage(message, code).body.replaceAll('{{code}}', ' ').toLowerCase();
        expect(left).not.toContain(code);
      }),
    );
  });
});
