import type { Command } from 'commander';
import { openWith } from '../../src/cli/api-client.ts';
import { ownServer } from '../../src/own-server.ts';

/**
 * Runs a command in this process, in a folder and with just these settings, and resolves to what it printed. For what
 * a process of its own cannot show: which lines of a command ran. Rejects with the error that the command ends with.
 * `onPrint` gets what it prints as it does.
 */
export async function runHere(
  command: Command,
  args: readonly string[],
  { cwd, settings = {} }: { cwd: string; settings?: Record<string, string> },
  onPrint: (text: string) => void = () => {},
): Promise<string> {
  openWith(ownServer);
  const before = { cwd: process.cwd(), env: process.env, write: process.stdout.write };
  let printed = '';
  process.chdir(cwd);
  process.env = { PATH: before.env.PATH, ...settings };
  process.stdout.write = ((text: string) => {
    printed += text;
    onPrint(text);
    return true;
  }) as typeof process.stdout.write;
  try {
    await command.parseAsync([...args], { from: 'user' });
    return printed;
  } finally {
    process.chdir(before.cwd);
    process.env = before.env;
    process.stdout.write = before.write;
  }
}
