import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { editDistance } from '../lib/edit-distance.ts';
import { ExpectedError } from '../lib/expected-error.ts';
import { type Position, positionOf } from './template.ts';

/** A template as a file holds it. */
export interface TemplateFile {
  name?: string;
  /** BCP 47. */
  language?: string;
  /** Of the e-mail, which then has the same text. */
  subject?: string;
  content: string;
  /** Where the texts begin in the file. */
  begins: { content: Position; subject?: Position };
}

const FIELDS = ['name', 'language', 'subject'] as const;
/** Beside this file in dist/, else in the repository. */
const STARTERS = ['.', '../../templates'].map((path) => fileURLToPath(new URL(path, import.meta.url)));

/**
 * Reads a template's file: lines such as `Name: Welcome`, `Language: en` and `Subject: Your code`, an empty line, and the
 * text. A file that begins with another line is all text, as one that begins with an empty line is.
 * @throws ExpectedError for a line that is meant as a field and is none
 */
export function readTemplateFile(file: string): TemplateFile {
  const lines = file
    .replace(/^\ufeff/, '')
    .replaceAll('\r\n', '\n')
    .split('\n');
  const fields: Partial<Record<(typeof FIELDS)[number], string>> = {};
  let subject: Position | undefined;
  let at = 0;
  for (; at < lines.length; at++) {
    const [, name = '', before, value] = /^(\w+)(\s*:\s*)(.*)$/.exec(lines[at]!) ?? [];
    const given = name.toLowerCase();
    const field = FIELDS.find((known) => known === given);
    if (field === undefined || before === undefined || value === undefined) {
      if (before !== undefined && FIELDS.some((known) => isMisspelled(given, known)))
        throw new ExpectedError(
          `Line ${at + 1} of the template: ${name} is not a field. The fields are Name, Language and Subject. If it is text, put an empty line before it.`,
        );
      break;
    }
    if (fields[field] !== undefined)
      throw new ExpectedError(`Line ${at + 1} of the template: ${name} is there already. Give it once.`);
    fields[field] = value.trim();
    if (field === 'subject') subject = { line: at + 1, column: name.length + before.length + 1 };
  }
  if (at > 0 && lines[at]?.trim() !== '')
    throw new ExpectedError(
      `Line ${at + 1} of the template is neither a field (Name, Language, Subject) nor empty. Put an empty line before the text.`,
    );
  const rest = lines.slice(at).join('\n');
  const content = rest.trim();
  const first = positionOf(rest, rest.length - rest.trimStart().length, { line: at + 1, column: 1 });
  return { ...fields, content, begins: { content: first, ...(subject && { subject }) } };
}

/** Whether somebody who wrote this is likely to have meant that field. */
const isMisspelled = (given: string, field: string) =>
  editDistance(given, field) <= (field.length > 4 ? 2 : 1);

/** The templates that the first run creates, by their codes. */
export function starterTemplates(): Map<string, TemplateFile> {
  const filesIn = (folder: string) => readdirSync(folder).filter((name) => name.endsWith('.txt'));
  const folder = STARTERS.find((candidate) => filesIn(candidate).length > 0)!;
  return new Map(
    filesIn(folder)
      .sort()
      .map((name) => [
        name.slice(0, -'.txt'.length).replaceAll('-', '_'),
        readTemplateFile(readFileSync(join(folder, name), 'utf8')),
      ]),
  );
}

/** The texts of a file, as the API takes them. */
export function textsOf({ content, language = 'en', subject }: Omit<TemplateFile, 'begins'>) {
  const translations = subject === undefined ? {} : { [language]: { email: { subject, text: content } } };
  return { content, language, translations };
}
