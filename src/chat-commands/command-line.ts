import { cleanTyped } from '../lib/typed-text.ts';

/** What begins a command; kept from version 3. */
const PREFIX = '|';

/** The commands by name, with their arguments as `help` shows them (those in [] may be left out). */
export const COMMANDS = {
  help: { usage: '', does: 'shows this list' },
  ping: { usage: '', does: 'answers pong' },
  status: { usage: '', does: 'shows the linked numbers and the queue' },
  sendotp: { usage: 'PHONE [PURPOSE]', does: 'sends a code' },
  verifyotp: { usage: 'PHONE CODE [PURPOSE]', does: 'checks a code' },
  resendotp: { usage: 'PHONE', does: 'sends the pending code again' },
  otpstatus: { usage: 'PHONE', does: 'shows the newest verification' },
  listotps: { usage: '', does: 'lists the newest verifications' },
  searchotp: { usage: 'PHONE', does: 'lists the verifications of a number' },
  deleteotp: { usage: 'PHONE', does: 'cancels the pending verification' },
  clearotps: { usage: '', does: 'cancels every pending verification' },
  otpstats: { usage: '', does: 'counts the verifications of the last 24 hours' },
} as const;

export type CommandName = keyof typeof COMMANDS;

/** A message that begins with the prefix. */
export type CommandLine =
  | { name: CommandName; args: string[] }
  /** Not a command, or not used as it must be; `problem` is the answer. */
  | { name: undefined; problem: string };

/**
 * Reads `|name argument …`. Where no code follows, a phone number may be written with spaces. Undefined when the text
 * is no command line at all.
 */
export function readCommandLine(text: string): CommandLine | undefined {
  const line = text.trim();
  if (!line.startsWith(PREFIX)) return undefined;
  const [word = '', ...rest] = line.slice(PREFIX.length).trim().split(/\s+/u);
  const name = word.toLowerCase();
  if (!isCommand(name)) {
    return { name: undefined, problem: `Unknown command. Write ${PREFIX}help for the list.` };
  }
  const wanted = COMMANDS[name].usage.split(' ').filter((part) => part !== '');
  const required = wanted.filter((part) => !part.startsWith('[')).length;
  // Where a code follows, nothing tells it from the digits of the number.
  const args = wanted[0] === 'PHONE' && !wanted.includes('CODE') ? joinPhone(rest) : rest;
  if (args.length < required || args.length > wanted.length) {
    return { name: undefined, problem: `Write it like this: ${usageOf(name)}` };
  }
  return { name, args };
}

/** How a command is written, with its arguments. */
function usageOf(name: CommandName): string {
  return `${PREFIX}${name} ${COMMANDS[name].usage}`.trim();
}

/** The list that `help` shows. */
export function helpText(): string {
  const names = Object.keys(COMMANDS) as CommandName[];
  return names.map((name) => `${usageOf(name)} – ${COMMANDS[name].does}`).join('\n');
}

function isCommand(name: string): name is CommandName {
  return Object.hasOwn(COMMANDS, name);
}

/** Puts the parts of a phone number that was written with spaces together. */
function joinPhone(parts: string[]): string[] {
  const end = parts.findIndex((part) => !/^[+(]?[\d().]*$/.test(cleanTyped(part)));
  const count = end === -1 ? parts.length : end;
  return count < 2 ? parts : [parts.slice(0, count).join(' '), ...parts.slice(count)];
}
