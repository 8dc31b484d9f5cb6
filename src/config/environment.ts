import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { parseEnv } from 'node:util';
import { exposedSecrets, misreadValues, misspeltNames, swallowedSettings } from './misread.ts';
import { ConfigError } from './problems.ts';

/** Variables as a process has them: a name and its text. */
export type Environment = Record<string, string | undefined>;

/**
 * The variables of this process, with those of `.env` in the given folder below them: where both name one, the
 * process's own wins, also when it is empty (which turns the line of `.env` off).
 * @throws ConfigError when `.env` is there and cannot be read or is not made of `NAME=value` lines.
 */
export function readEnvironment(cwd: string): Environment {
  const { environment, problems } = environmentIn(cwd);
  if (problems.length > 0) throw new ConfigError(problems);
  return environment;
}

/** As `readEnvironment`, with what is wrong with `.env`, and what is probably not meant, beside what could be read. */
export function environmentIn(cwd: string): {
  environment: Environment;
  problems: string[];
  remarks: string[];
  /** The settings whose value is cut short, so that nothing more can be said of it. */
  cut: string[];
} {
  const file = readText(join(cwd, '.env'));
  const text = file.text.replace(/^\uFEFF/, '');
  const lines = parse(text);
  const written = linesWithSetting(text);
  const misread = misreadValues(written, process.env);
  const quoted = [...text.matchAll(QUOTED_VALUE)].map(([, name, value]) => ({ name: name!, value: value! }));
  return {
    cut: misread.cut,
    environment: { ...lines.variables, ...process.env },
    problems: [...file.problems, ...lines.problems, ...misread.problems],
    remarks: [
      ...misread.remarks,
      ...exposedSecrets(written, file.mode),
      ...swallowedSettings(quoted),
      ...misspeltNames(
        written.map(({ name }) => name),
        process.env,
      ),
    ],
  };
}

/** A setting whose value is in quotes, which may hold line breaks. */
const QUOTED_VALUE = /^([ \t]*(?:export[ \t]+)?[^\s#=]+[ \t]*=)[ \t]*((["'`])[\s\S]*?\3)/gm;

function parse(text: string): { variables: Environment; problems: string[] } {
  const spoiled = linesWithoutSetting(text);
  const rest = text.split('\n').filter((_, at) => !spoiled.includes(at + 1));
  return {
    variables: parseEnv(rest.join('\n')),
    problems: spoiled.map(
      (line) => `.env line ${line} is not a setting. Write NAME=value, or start the line with #.`,
    ),
  };
}

/**
 * The numbers of the lines that are neither a setting nor a comment. Node's parser says nothing of them, and some of its
 * versions join them to the name that follows, which loses that variable unseen.
 */
function linesWithoutSetting(text: string): number[] {
  const isSettingOrComment = /^\s*(#|$|(export\s+)?[^\s#=]+\s*=)/;
  return withoutQuoted(text)
    .split('\n')
    .flatMap((line, at) => (isSettingOrComment.test(line) ? [] : [at + 1]));
}

/** The settings as they are written, those in quotes as empty quotes with what stands behind them. */
function linesWithSetting(text: string): { number: number; name: string; written: string }[] {
  return withoutQuoted(text)
    .split('\n')
    .flatMap((line, at) => {
      const [, name, written] = /^\s*(?:export\s+)?([^\s#=]+)\s*=[ \t]*(.*)$/.exec(line) ?? [];
      return name === undefined ? [] : [{ number: at + 1, name, written: written! }];
    });
}

/** The text with every value in quotes empty but for its line ends, so that each line has its number. */
function withoutQuoted(text: string): string {
  return text.replace(
    QUOTED_VALUE,
    (_, name: string, value: string) => `${name}""${value.replace(/[^\n]/g, '')}`,
  );
}

/** No text where there is no file. */
function readText(file: string): { text: string; mode: number; problems: string[] } {
  try {
    return { text: readFileSync(file, 'utf8'), mode: statSync(file).mode & 0o777, problems: [] };
  } catch (error) {
    const reason = error instanceof Error && 'code' in error ? String(error.code) : String(error);
    const problem = `.env: cannot be read (${reason}); allowed: a readable file, or none`;
    return { text: '', mode: 0, problems: reason === 'ENOENT' ? [] : [problem] };
  }
}
