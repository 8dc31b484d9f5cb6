import type { Variable } from './variable.ts';

/** Settings the server cannot start with. `problems` has one line for each, safe to print: secrets are masked. */
export class ConfigError extends Error {
  readonly problems: string[];

  constructor(problems: string[]) {
    super(problems.join('\n'));
    this.name = 'ConfigError';
    this.problems = problems;
  }
}

/** The line for a variable that holds what it must not: its name, what was given, what is allowed. */
export function problemLine(
  variable: Variable<unknown>,
  given: string | undefined,
  allowed = variable.allowed,
): string {
  return `${variable.name}: given ${shown(variable, given)}; allowed: ${allowed}`;
}

const SHOWN_CHARACTERS_MAX = 80;

function shown(variable: Variable<unknown>, given: string | undefined): string {
  if (given === undefined || given === '') return 'nothing';
  return variable.secret ? '***' : shownText(given);
}

/** A text as a problem may show it: on one line, without what acts on a terminal, a password in an address or a long end. */
export function shownText(given: string): string {
  const characters = [...given.replace(/[^/,\s]*@/g, '***@')];
  const short = characters.slice(0, SHOWN_CHARACTERS_MAX).join('');
  const plain = short.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, '�');
  return `"${plain}${characters.length > SHOWN_CHARACTERS_MAX ? '…' : ''}"`;
}
