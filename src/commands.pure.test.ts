import type { Command } from 'commander';
import { expect, test } from 'vitest';
import { programOf } from './cli/program.ts';
import { COMMANDS } from './commands.ts';
import { PROGRAM } from './lib/program.ts';

const every = (command: Command): Command[] => [command, ...command.commands.flatMap(every)];
const commands = every(await programOf(COMMANDS, []));

/** The help as it is printed, with what follows the options. */
function helpOf(command: Command): string {
  const parts: string[] = [];
  command.configureOutput({ writeOut: (part) => void parts.push(part) }).outputHelp();
  return parts.join('');
}

test('every command says in one line what it does, and shows two examples or more', () => {
  for (const command of commands) {
    expect(command.description()).toMatch(/^[A-Z][^\n]{0,68}[^.]$/);
    const examples = helpOf(command).split('Examples:\n')[1]!.trimEnd().split('\n');
    expect(examples.length).toBeGreaterThan(1);
    for (const example of examples) expect(example).toMatch(/^ {2}\$ ([A-Z]+=\S+ )?/);
    for (const example of examples) expect(example).toContain(PROGRAM);
  }
});

test('no help shows a default or a choice as code', () => {
  for (const command of commands) expect(helpOf(command)).not.toMatch(/default: [[{"]|choices: "/);
});

test('the command that shows help is described like the others', () => {
  for (const command of commands.filter((each) => each.commands.length > 0))
    expect(helpOf(command)).toContain('Show the help of a command');
});
