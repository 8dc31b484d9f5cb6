import { type Command, InvalidArgumentError, Option } from 'commander';
import type { ApiClient } from '../cli/api-client.ts';
import { command, print, withApi } from '../cli/command.ts';
import { CommandError } from '../cli/command-error.ts';
import { table } from '../cli/table.ts';
import { ValidationError } from '../errors/errors.ts';
import { isUnfitFile, readBounded } from '../lib/bounded-file.ts';
import { counted } from '../lib/counted.ts';
import { PROGRAM } from '../lib/program.ts';
import { CHANNEL_NAMES } from '../messages/channel.ts';
import { BUILT_IN } from './built-in.ts';
import { allTemplates, PATH, type ShownTemplate, templateWithCode } from './calls.ts';
import { readTemplateFile, type TemplateFile, textsOf } from './file.ts';
import type { Finding } from './lint.ts';
import type { Preview } from './preview.ts';
import { setFromFile } from './set-from-file.ts';
import { parseTemplate } from './template.ts';

/** A file may hold no more bytes: four for each character of the longest text, and its fields. */
const FILE_MAX_BYTES = 20_000;

type FoundFinding = Omit<Finding, 'isError'> & { severity: 'error' | 'warning' };

export function templateCommand(): Command {
  const template = command(
    'template',
    'Show, set, preview and check templates',
    'wotp template list',
    'wotp template preview default --locale id',
  );

  template.addCommand(
    command('list', 'List the templates, newest first', 'wotp template list', 'wotp template list --json')
      .option('--json', 'print one line of JSON')
      .action(({ json }: { json?: boolean }) =>
        withApi(async (api) => {
          const templates = await allTemplates(api);
          const rows = templates.map(
            ({ code, name, language, translations, version, usageCount, isActive }) => [
              code,
              name,
              [language, ...Object.keys(translations).filter((locale) => locale !== language)].join(', '),
              version,
              usageCount,
              isActive ? 'active' : 'not active',
            ],
          );
          const head = ['code', 'name', 'languages', 'version', 'messages', 'state'];
          const text =
            templates.length === 0
              ? `There is no template yet. Create one with: ${PROGRAM} template set welcome_otp FILE`
              : table(head, rows);
          print(json, { templates }, text);
        }),
      ),
  );

  template.addCommand(
    command(
      'show',
      'Show a template and its texts',
      'wotp template show custom_otp',
      'wotp template show custom_otp --json',
    )
      .argument('<code>', 'the code of the template')
      .option('--json', 'print one line of JSON')
      .action((code: string, { json }: { json?: boolean }) =>
        withApi(async (api) => {
          const found = await byCode(api, code);
          print(json, found, textOf(found));
        }),
      ),
  );

  template.addCommand(
    command(
      'set',
      'Create a template, or change it, from a file',
      'wotp template set welcome_otp welcome.txt',
      'wotp template set welcome_otp welcome-id.txt --locale id',
    )
      .argument('<code>', 'the code of the template: a-z, 0-9 and _')
      .argument('<file>', 'a text file: lines such as "Name: Welcome", an empty line, then the text')
      .option('--locale <tag>', 'the text is the translation into this language')
      .option('--json', 'print one line of JSON')
      .action((code: string, path: string, { locale, json }: { locale?: string; json?: boolean }) =>
        withApi(async (api) => {
          const file = fileAt(path);
          const { template, language, unchanged } = await setFromFile(api, code, file, locale);
          const left =
            unchanged.length === 0
              ? ''
              : `\nUnchanged (${language}), because the file does not contain it: ${unchanged.join(', ')}.`;
          print(json, template, `${template.code} is now at version ${template.version}.${left}`);
        }),
      ),
  );

  template.addCommand(
    command(
      'preview',
      'Show what a channel would send',
      'wotp template preview custom_otp --channel sms --value name=Ayu',
      'wotp template preview default --locale pt-BR',
    )
      .argument('<code>', 'the code of the template; default is the built-in text')
      .addOption(new Option('--channel <name>', 'the channel').choices(CHANNEL_NAMES).default('whatsapp'))
      .option('--locale <tag>', 'the language, such as id or pt-BR')
      .option('--value <name=value>', 'the value of a variable; may be repeated', addValue, {})
      .option('--json', 'print one line of JSON')
      .action(
        (
          code: string,
          wanted: { channel: string; locale?: string; value: Record<string, string>; json?: boolean },
        ) =>
          withApi(async (api) => {
            const { channel, locale, value: variables, json } = wanted;
            const id = code === BUILT_IN ? BUILT_IN : (await byCode(api, code)).id;
            const { data } = await api.call<{ data: Preview }>('POST', `${PATH}/${id}/preview`, {
              channel,
              locale,
              variables,
            });
            print(json, data, previewText(data));
          }),
      ),
  );

  template.addCommand(
    command(
      'lint',
      'Check a template, or a file, for what channels or filters refuse',
      'wotp template lint custom_otp',
      'wotp template lint ./welcome.txt',
    )
      .argument('<what>', 'the code of a template, or the path of a file (with a . or / in it)')
      .option('--json', 'print one line of JSON')
      .action((what: string, { json }: { json?: boolean }) =>
        withApi(async (api) => {
          const file = /[./]/.test(what) ? fileAt(what) : undefined;
          const { content, translations } = file ? textsOf(file) : await byCode(api, what);
          const { data } = await api.call<{ data: { findings: FoundFinding[] } }>('POST', `${PATH}/lint`, {
            content,
            translations,
          });
          // The e-mail of a file has the same text.
          if (file)
            data.findings = data.findings
              .filter(({ path }) => !path.endsWith('.email.text'))
              .map((finding) => inFile(finding, what, file));
          const { findings } = data;
          print(json, data, findings.length === 0 ? 'Nothing was found.' : findings.map(lineOf).join('\n'));
          if (findings.some(({ severity }) => severity === 'error')) process.exitCode = 1;
        }),
      ),
  );
  return template;
}

/**
 * A template's file, whose texts can be saved.
 * @throws CommandError with what is wrong, by its place in the file; what the operating system throws
 */
function fileAt(path: string): TemplateFile {
  const file = readTemplateFile(textAt(path));
  const { content, subject, begins } = file;
  if (content === '') throw new CommandError(`${path} has no text.`);
  try {
    if (subject !== undefined) parseTemplate(subject, { path, begins: begins.subject!, isSubject: true });
    parseTemplate(content, { path, begins: begins.content });
  } catch (error) {
    if (!(error instanceof ValidationError)) throw error;
    throw new CommandError(error.details.errors!.map(({ message }) => message).join('\n'));
  }
  return file;
}

function textAt(path: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(readBounded(path, FILE_MAX_BYTES));
  } catch (error) {
    if (isUnfitFile(error)) throw new CommandError((error as Error).message);
    if ((error as NodeJS.ErrnoException).code === 'ERR_ENCODING_INVALID_ENCODED_DATA')
      throw new CommandError(`${path} is not UTF-8. Save it as UTF-8, and try again.`);
    throw error;
  }
}

/** A template by its code, also the built-in one. Throws CommandError where there is none. */
async function byCode(api: ApiClient, code: string): Promise<ShownTemplate> {
  if (code === BUILT_IN) return (await api.call<{ data: ShownTemplate }>('GET', `${PATH}/${BUILT_IN}`)).data;
  const found = await templateWithCode(api, code);
  if (found) return found;
  throw new CommandError(`There is no template ${code}. List them with: ${PROGRAM} template list`);
}

function textOf({
  code,
  name,
  version,
  usageCount,
  isActive,
  content,
  language,
  translations,
}: ShownTemplate): string {
  const parts = [
    `${code}: ${name}, version ${version}, ${counted(usageCount, 'message')}, ${isActive ? 'active' : 'not active'}`,
    part(language, content),
  ];
  for (const [locale, { text, sms, email }] of Object.entries(translations)) {
    if (text !== undefined && text !== content) parts.push(part(locale, text));
    if (sms !== undefined) parts.push(part(`${locale}, SMS`, sms));
    if (email) parts.push(part(`${locale}, e-mail: ${email.subject}`, email.text));
    if (email?.html !== undefined) parts.push(part(`${locale}, HTML of the e-mail`, email.html));
  }
  return parts.join('\n\n');
}

const part = (heading: string, text: string) => `${heading}\n${text}`;

function previewText(preview: Preview): string {
  const { channel, locale, subject, text, html, characters, encoding, segments } = preview;
  const size =
    segments === undefined
      ? counted(characters, 'character')
      : `${counted(characters, 'character')} of ${encoding}, ${counted(segments, 'part')}`;
  return [
    ...(subject === undefined ? [] : [`Subject: ${subject}`, '']),
    text,
    '',
    `(${channel}, ${locale}, ${size})`,
    ...(html === undefined ? [] : ['', 'HTML:', html.trimEnd()]),
  ].join('\n');
}

function lineOf({ severity, path, line, column, message }: FoundFinding): string {
  const place = line === undefined ? path : `${path}:${line}:${column}`;
  return `${severity}: ${place}: ${message}`;
}

/** A finding with its place in the file that the texts are from. */
function inFile(finding: FoundFinding, path: string, { begins }: TemplateFile): FoundFinding {
  const { line, column = 1 } = finding;
  const start = finding.path.endsWith('.subject') ? begins.subject : begins.content;
  if (line === undefined || start === undefined) return { ...finding, path };
  return {
    ...finding,
    path,
    line: start.line + line - 1,
    column: line === 1 ? start.column + column - 1 : column,
  };
}

/** Adds `name=value` to the values given so far. */
function addValue(given: string, before: Record<string, string>): Record<string, string> {
  const at = given.indexOf('=');
  if (at < 1) throw new InvalidArgumentError('Write it as name=value.');
  return { ...before, [given.slice(0, at)]: given.slice(at + 1) };
}
