import { SystemError } from './system-error.ts';

/**
 * What a terminal obeys, reorders its text by, or hides: control and format characters, separators of lines, halves of
 * characters. Line feeds stay, and so do the joiners (U+200C, U+200D) that words of some scripts and emoji are made of.
 */
const UNPRINTABLE = /(?![\n\u200c\u200d])[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;

const BEYOND_ASCII = /[^\n -~]/;

/** The text as a terminal may be given it: names in it are chosen by others. */
export function printable(text: string): string {
  return text.replace(UNPRINTABLE, '\ufffd');
}

/** A value as one line of JSON that says the same to a parser and nothing to a terminal. */
export function asJson(value: unknown): string {
  return printableJson(JSON.stringify(value));
}

/** JSON text, lines of it too, with whatever a terminal obeys escaped. */
export function printableJson(json: string): string {
  // Nearly all of it is plain, and that is seen ten times as fast.
  if (!BEYOND_ASCII.test(json)) return json;
  return json.replace(UNPRINTABLE, (character) =>
    Array.from(
      { length: character.length },
      (_, i) => `\\u${character.charCodeAt(i).toString(16).padStart(4, '0')}`,
    ).join(''),
  );
}

type Output = 'stdout' | 'stderr';

const watched = new Set<Output>();

/** Lets the program end with 1 and a sentence when what it prints is lost. That nobody reads on is no failure. */
function watch(output: Output): void {
  if (watched.has(output)) return;
  watched.add(output);
  let isSaid = false;
  const lost = (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') return;
    process.exitCode = 1;
    if (isSaid || output === 'stderr') return;
    isSaid = true;
    const { message } = new SystemError(error.code ?? '', 'write', 'to standard output', error);
    writeLine(`wotp: ${message}`, 'stderr');
  };
  process[output].on('error', lost);
  // The stream tells of it in the next turn, which a program that exits at once has no time for.
  process.once('exit', () => {
    const { errored } = process[output];
    if (errored) lost(errored);
  });
}

/** Writes a text for people. Everything that the program prints, but its log, goes through here. */
export function write(text: string, to: Output = 'stdout'): void {
  watch(to);
  process[to].write(printable(text));
}

/** Writes a text for people and ends its line. */
export function writeLine(text: string, to?: Output): void {
  write(`${text}\n`, to);
}

/** Writes a value for programs, as one line of JSON. */
export function writeJson(value: unknown): void {
  write(`${asJson(value)}\n`);
}
