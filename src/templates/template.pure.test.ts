import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ValidationError } from '../errors/errors.ts';
import { filledIn } from '../messages/contents.ts';
import { parseTemplate, render, TEXT_MAX, type Template, VALUE_MAX } from './template.ts';

/** What a template is refused for; fails when it is taken. */
function refusalsOf(work: () => unknown) {
  try {
    work();
  } catch (error) {
    expect(error).toBeInstanceOf(ValidationError);
    return (error as ValidationError).details.errors!;
  }
  throw new Error('nothing was refused');
}
const refusedText = (text: string, declared?: string[]) =>
  refusalsOf(() => parseTemplate(text, { path: 'content', ...(declared && { declared }) })).map(
    ({ message }) => message,
  );

/** The text that the recipient reads. */
const read = (template: Template, variables: Record<string, string | number>, code = '482913') =>
  filledIn({ text: render(template, variables), code });

describe('a template', () => {
  test("names its placeholders once each, as v3's do", () => {
    const template = parseTemplate(
      'Welcome {{name}}! Your code is {{code}}. Valid for {{ expiry }} minutes, {{name}}.',
    );
    expect(template.placeholders).toEqual(['name', 'code', 'expiry']);
    expect(read(template, { name: 'Ayu', expiry: 5 })).toBe(
      'Welcome Ayu! Your code is 482913. Valid for 5 minutes, Ayu.',
    );
  });

  test('may hold no placeholder, single braces, and braces that close nothing', () => {
    for (const text of ['', 'Hello', '{name} }} } {', 'a\nb'])
      expect(read(parseTemplate(text), {})).toBe(text);
  });

  test('may have spaces, punctuation and marks of WhatsApp at the code', () => {
    for (const text of [
      '*{{code}}*',
      '({{code}})',
      '{{code}}. {{name}}',
      '<b>{{code}}</b>',
      '{{name}}: {{code}}',
    ])
      expect(parseTemplate(text).placeholders).toContain('code');
  });

  test('that is a subject has no code', () => {
    expect(
      refusalsOf(() => parseTemplate('Hi {{ code }}', { path: 'subject', isSubject: true }))[0]!.message,
    ).toMatch(/^Line 1, column 4 of `subject`: {{ code }} is in a subject/);
  });

  test('may leave declared variables out', () => {
    expect(parseTemplate('Hi {{name}}', { declared: ['name', 'code', 'expiry'] }).placeholders).toEqual([
      'name',
    ]);
  });

  test.each([
    ['a section', 'a {{#if}}', 'Line 1, column 3 of `content`: {{#if}} is a section.'],
    ['an inverted section', '{{^no}}', '{{^no}} is an inverted section.'],
    ['a partial', 'a\nb {{> header}}', 'Line 2, column 3 of `content`: {{> header}} is a partial.'],
    ['a change of delimiters', '{{=<% %>=}}', 'is a change of delimiters.'],
    ['triple braces', '{{{name}}}', '{{{name}} is an unescaped placeholder.'],
    ['an unescaped placeholder', '{{&name}}', 'is an unescaped placeholder.'],
    ['a comment', '{{! later }}', 'is a comment.'],
    ['an expression', '{{name | upper}}', '{{name | upper}} is not a placeholder.'],
    ['a path', '{{user.name}}', 'is not a placeholder.'],
    ['a function', '{{name()}}', 'is not a placeholder.'],
    ['__proto__', '{{__proto__}}', '{{__proto__}} is not a placeholder.'],
    ['no name', 'x {{ }}', 'Line 1, column 3 of `content`: {{ }} has no name.'],
    [
      'an unclosed placeholder',
      'Hi\n\n{{name',
      'Line 3, column 1 of `content`: the placeholder {{name is not closed.',
    ],
    ['the code twice', '{{code}} {{code}}', 'Line 1, column 10 of `content`: {{code}} is there already.'],
    ['a letter at the code', 'a G{{code}}', 'Line 1, column 4 of `content`: {{code}} touches a letter'],
    ['a digit at the code', '{{code}}0', '{{code}} touches'],
    ['an underscore at the code', '_{{code}}_', '{{code}} touches'],
    ['a placeholder before the code', '{{name}}{{code}}', 'Line 1, column 9 of `content`: {{code}} touches'],
    ['a placeholder behind the code', '{{code}}{{name}}', '{{code}} touches'],
    ['a letter of another script at the code', 'код{{code}}', '{{code}} touches'],
    ['a letter outside the BMP at the code', '{{code}}𝐀', '{{code}} touches'],
    ['U+0000', 'a\0b', 'Line 1, column 2 of `content`: the character U+0000'],
  ])('with %s is refused with its position', (_what, text, sentence) => {
    expect(refusedText(text)).toEqual([expect.stringContaining(sentence)]);
  });

  test('with a placeholder that is not declared is refused; {{code}} needs no declaration', () => {
    expect(refusedText('{{code}} {{nme}}', ['name', 'expiry'])).toEqual([
      'Line 1, column 10 of `content`: {{nme}} is not among the declared variables (name, expiry).',
    ]);
    expect(parseTemplate('{{code}}', { declared: [] }).placeholders).toEqual(['code']);
  });

  test('with several problems is refused with each of them, 20 at most', () => {
    expect(refusedText('{{#a}}{{b.c}}')).toHaveLength(2);
    expect(refusedText('{{#a}}'.repeat(600))).toHaveLength(20);
  });

  test('is refused above 4,096 characters', () => {
    expect(parseTemplate('x'.repeat(TEXT_MAX)).placeholders).toEqual([]);
    expect(refusedText('x'.repeat(TEXT_MAX + 1))).toEqual([
      'The text in `content` has 4097 characters. At most 4096 are allowed.',
    ]);
  });
});

describe('rendering', () => {
  const greeting = parseTemplate('Hi {{name}}, {{code}}');
  const refused = (variables: object, template = greeting) =>
    refusalsOf(() => render(template, variables as Record<string, string>));

  test('leaves the place of the code for the outbox', () => {
    expect(render(greeting, { name: 'Ayu' })).toBe('Hi Ayu, {{code}}');
  });

  test('takes no code from the variables', () => {
    expect(render(greeting, { name: 'Ayu', code: '000000' })).toBe('Hi Ayu, {{code}}');
  });

  test('names every value that is missing', () => {
    expect(refused({}, parseTemplate('{{a}} {{b}}'))).toEqual([
      { path: 'variables.a', message: 'The value of `variables.a` is missing. The template needs it.' },
      { path: 'variables.b', message: 'The value of `variables.b` is missing. The template needs it.' },
    ]);
  });

  test('reads own properties only', () => {
    for (const name of ['constructor', 'toString', 'hasOwnProperty']) {
      expect(refused({}, parseTemplate(`{{${name}}}`))).toHaveLength(1);
      expect(read(parseTemplate(`{{${name}}}`), { [name]: 'x' })).toBe('x');
    }
    expect(refused(Object.create({ name: 'inherited' }))).toHaveLength(1);
  });

  test('refuses what is neither a text nor a number', () => {
    for (const name of [{}, [], null, true, () => 'x', Number.NaN, { toString: () => 'x' }])
      expect(refused({ name })).toHaveLength(1);
  });

  test('refuses a value that is too long, and never cuts it', () => {
    expect(read(greeting, { name: 'x'.repeat(VALUE_MAX) })).toContain('x'.repeat(VALUE_MAX));
    expect(refused({ name: 'x'.repeat(1_000_000) })).toEqual([
      {
        path: 'variables.name',
        message: 'The value of `variables.name` has 1000000 characters. At most 1000 are allowed.',
      },
    ]);
  });

  test('refuses a text that gets too long', () => {
    const repeated = parseTemplate('{{a}}'.repeat(5));
    expect(refused({ a: 'x'.repeat(1_000) }, repeated)).toEqual([
      {
        path: 'variables',
        message: 'With these `variables` the text has 5000 characters. At most 4096 are allowed.',
      },
    ]);
  });

  test('refuses controls that would change how the code is shown; line breaks are taken', () => {
    for (const control of ['\0', '\u001b', '\u202e', '\u2066', '\u0085'])
      expect(refused({ name: `a${control}b` })[0]!.message).toMatch(/control character U\+/);
    expect(read(greeting, { name: 'a\nb\u200f' })).toBe('Hi a\nb\u200f, 482913');
  });

  test.each([
    ['the code', 'x {{code}} y'],
    ['another placeholder', '{{name}} {{#x}} {{> y}}'],
    ['triple braces', '{{{code}}}'],
    ['braces alone', '{'],
  ])('takes %s in a value as text', (_what, name) => {
    expect(read(parseTemplate('{{name}}{code}} | {{code}}'), { name })).toBe(`${name}{code}} | 482913`);
  });

  test('is the same for any text and values: the text around them, each value as it is, the code in its place', () => {
    const literal = fc.string({ maxLength: 12 }).map((text) => text.replace(/[{}\0]/g, ''));
    const value = fc.oneof(
      fc.string({ maxLength: 40 }).map((text) => text.replace(/[^\P{Cc}\t\n\r]/gu, '')),
      fc.constantFrom('{{code}}', '{', '{{', '}}', '{{code', 'code}}', '{{a}}', '$&', "$'"),
    );
    fc.assert(
      fc.property(
        fc.array(literal, { minLength: 4, maxLength: 4 }),
        value,
        value,
        ([w = '', x = '', y = '', z = ''], a, b) => {
          const template = parseTemplate(`${w}{{a}}${x} {{code}}.${y}{{ b }}${z}`);
          expect(read(template, { a, b }, 'A7KQ2M')).toBe(`${w}${a}${x} A7KQ2M.${y}${b}${z}`);
        },
      ),
    );
  });

  test('of any template that is taken, with any values, gives a bounded text or a ValidationError', () => {
    const piece = fc.oneof(
      fc.string(),
      fc.constantFrom('{{a}}', '{{code}}', '{{ b }}', '{', '}}', '{{', '{{#a}}', '{{constructor}}'),
    );
    const anything = fc.dictionary(fc.constantFrom('a', 'b', 'constructor'), fc.anything());
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 20 }), anything, (pieces, variables) => {
        try {
          const template = parseTemplate(pieces.join(''));
          const text = render(template, variables as Record<string, string>);
          expect(text.replaceAll('\0', '').length).toBeLessThanOrEqual(TEXT_MAX);
        } catch (error) {
          expect(error).toBeInstanceOf(ValidationError);
        }
      }),
    );
  });

  test('takes less than 50 ms for the worst that is taken', () => {
    const hostile = [
      '{'.repeat(TEXT_MAX),
      '{{a}}'.repeat(819),
      `{{${' '.repeat(4_000)}`,
      '{{}}'.repeat(1_024),
    ];
    for (const text of hostile) {
      const times = Array.from({ length: 5 }, () => {
        const began = performance.now();
        try {
          render(parseTemplate(text), { a: '{{{{' });
        } catch (error) {
          expect(error).toBeInstanceOf(ValidationError);
        }
        return performance.now() - began;
      });
      // Without what else wants the processor.
      expect(Math.min(...times)).toBeLessThan(50);
    }
  });
});
