import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ValidationError } from '../errors/errors.ts';
import { generateCode } from './code.ts';
import { defaultMessage, readMessage } from './message-text.ts';

const rendered = (body: string, code: string) => body.replaceAll('{{code}}', code);

describe.each(['whatsapp', 'simulator', 'sms'] as const)('the text that WOTP makes for %s', (channel) => {
  test('holds the code once, as one unbroken run that touches no letter, digit or underscore', () => {
    const code = fc.stringMatching(/^[A-Za-z0-9]{4,10}$/);
    fc.assert(
      fc.property(code, fc.integer({ min: 1, max: 60 }), (code, minutes) => {
        const [before, after, ...more] = defaultMessage(minutes, channel).split('{{code}}');
        expect(more).toEqual([]);
        expect(before).not.toMatch(/[\p{L}\p{N}_]$/u);
        expect(after).not.toMatch(/^[\p{L}\p{N}_]/u);
        expect(rendered(defaultMessage(minutes, channel), code)).toBe(before + code + after);
      }),
    );
  });

  test('has the code as its first run of 4 to 10 digits', () => {
    for (let minutes = 1; minutes <= 60; minutes++) {
      for (let length = 4; length <= 10; length++) {
        const code = generateCode(length, 'numeric');
        expect(/\d{4,10}/.exec(rendered(defaultMessage(minutes, channel), code))?.[0]).toBe(code);
      }
    }
  });

  test('says how long the code lives', () => {
    expect(defaultMessage(1, channel)).toContain('1 minute.');
    expect(defaultMessage(5, channel)).toContain('5 minutes.');
  });

  test('has the code in bold on WhatsApp only', () => {
    expect(defaultMessage(5, channel).includes('*{{code}}*')).toBe(channel === 'whatsapp');
  });
});

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
    ['single braces are text', '{code} {x} }} 4815', undefined, '{code} {x} }} {{code}}', '4815'],
  ])('%s', (_rule, message, code, body, codeInText) => {
    const read = readMessage(message, code);
    expect(read.codeInText).toBe(codeInText);
    expect(read.body).toContain(body);
  });

  test.each([
    ['there is no code', 'Hello', undefined],
    ['its runs are too short', '12 345 678', undefined],
    ['its runs are too long', '123456789', undefined],
    ['its digits are not ASCII', 'كود ١٢٣٤٥٦', undefined],
    ['the given code is not in it', 'Use 123456', '654321'],
    ['it has several different runs', 'Order 20261: your code is 482913', undefined],
  ])('is refused when %s', (_rule, message, code) => {
    expect(() => readMessage(message, code)).toThrow(ValidationError);
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
    [`{{code}} {{${'x'.repeat(100)}}}`, `{{${'x'.repeat(38)}…`],
  ])('is refused with any other placeholder, which is named: %s', (message, name) => {
    for (const code of [undefined, '482913']) {
      let refusal: unknown;
      try {
        readMessage(message, code);
      } catch (error) {
        refusal = error;
      }
      expect(refusal).toBeInstanceOf(ValidationError);
      expect((refusal as ValidationError).details.errors).toEqual([
        { path: 'message', message: expect.stringMatching(/cannot be filled/) },
      ]);
      const told = (refusal as ValidationError).details.errors![0]!.message;
      expect(told.split(' in `message` cannot')[0]).toBe(name);
      expect(told).not.toContain('482913');
    }
  });

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
