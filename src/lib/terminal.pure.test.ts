import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { asJson, printable, printableJson } from './terminal.ts';

const HARMFUL: [string, string][] = [
  ['an escape sequence of 7 bits', '\x1b[31m'],
  ['one of 8 bits', '\x9b31m'],
  ['a title of the window', '\x1b]0;owned\x07'],
  ['a return to the start of the line', '\r'],
  ['a backspace', '\b'],
  ['a tabulator', '\t'],
  ['a delete', '\x7f'],
  ['an override of the direction', '\u202e'],
  ['an isolate', '\u2066'],
  ['a mark of the direction', '\u200f'],
  ['an Arabic letter mark', '\u061c'],
  ['a zero-width space', '\u200b'],
  ['a byte order mark', '\ufeff'],
  ['a soft hyphen', '\u00ad'],
  ['a separator of lines', '\u2028'],
  ['a tag', '\u{e0041}'],
  ['half a character', '\ud800'],
];

it.each(HARMFUL)('what a terminal obeys or hides is replaced, or escaped in JSON: %s', (_what, text) => {
  const shown = printable(`a${text}b`);
  expect(shown).toMatch(/^a\ufffd.*b$/);
  const json = asJson({ name: `a${text}b` });
  for (const result of [shown, json]) expect(result).toMatch(/^[^\p{C}\p{Zl}\p{Zp}]*$/u);
  expect(JSON.parse(json)).toEqual({ name: `a${text}b` });
});

it('what people write stays, in every script, and so do the lines', () => {
  for (const text of [
    'Zürich – 東京\nالقاهرة',
    // Persian and Devanagari join and part letters, and families their members, with invisible marks.
    'می\u200cخواهم',
    'क्\u200dष',
    '👩\u200d👧',
  ]) {
    expect(printable(text)).toBe(text);
  }
});

it('lines of JSON stay lines, and plain ones stay as they are', () => {
  const plain = '{"msg":"a \\"name\\" on \\u001b[31m"}\n{"n":1}\n';
  expect(printableJson(plain)).toBe(plain);
  expect(printableJson('{"a":"\x9b"}\n{"b":"é"}\n')).toBe('{"a":"\\u009b"}\n{"b":"é"}\n');
});

it('nothing but this module writes to the terminal', () => {
  const src = fileURLToPath(new URL('..', import.meta.url));
  const files = readdirSync(src, { recursive: true, encoding: 'utf8' }).filter((file) =>
    /(?<!\.test)\.[jt]s$/.test(file),
  );
  // A call that stands by itself: what readers are shown to copy is none.
  const writes =
    /process\.stdout\.write|process\.stderr\.write|process\[|^\s+console\.(log|info|warn|error)\(/m;
  const examples = join('http', 'reference', 'introduction.ts');
  const writers = files.filter(
    (file) => file !== examples && writes.test(readFileSync(join(src, file), 'utf8')),
  );
  expect(writers).toEqual(['lib/terminal.ts']);
});
