import { describe, expect, test } from 'vitest';
import { readContent } from './content.ts';
import { readTemplateFile, starterTemplates, textsOf } from './file.ts';
import { lint } from './lint.ts';

describe("a template's file", () => {
  test('has fields, an empty line and the text', () => {
    const file = 'Name: Welcome\nlanguage: id\r\nSubject:  Your code \n\nHi {{name}},\n\n{{code}}\n';
    expect(readTemplateFile(file)).toEqual({
      name: 'Welcome',
      language: 'id',
      subject: 'Your code',
      content: 'Hi {{name}},\n\n{{code}}',
      begins: { subject: { line: 3, column: 11 }, content: { line: 5, column: 1 } },
    });
  });

  test.each([
    ['a text alone', 'Hi {{code}}\n', 'Hi {{code}}'],
    ['with a byte order mark', '\ufeffHi {{code}}', 'Hi {{code}}'],
    ['a text that begins with an empty line', '\nNames: {{code}}', 'Names: {{code}}'],
    ['a text that begins like a field', 'Code: {{code}}', 'Code: {{code}}'],
  ])('is %s', (_what, file, content) => {
    expect(readTemplateFile(file)).toEqual({ content, begins: expect.anything() });
  });

  test('without the empty line is refused', () => {
    expect(() => readTemplateFile('Name: Welcome\n{{code}}')).toThrow(/^Line 2 of the template/);
  });
});

test('the starters can be kept and used as they are', () => {
  const starters = starterTemplates();
  expect([...starters.keys()]).toEqual(['custom_otp', 'default_otp', 'email_otp']);
  for (const file of starters.values()) {
    const texts = textsOf(file);
    expect(readContent({ ...texts, variables: ['code', 'expiry', 'name'] }).size).toBe(1);
    expect(lint(texts).filter(({ rule }) => rule !== 'sms-parts')).toEqual([]);
  }
});
