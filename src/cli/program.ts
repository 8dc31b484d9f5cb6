import { Command, type CommanderError } from 'commander';
import { outliveTerminal } from '../lib/closed-terminal.ts';
import { PROGRAM } from '../lib/program.ts';
import { write, writeJson, writeLine } from '../lib/terminal.ts';
import { VERSION } from '../lib/version.ts';

const WRONG_USAGE = 2;

/** Each command with what loads it: loading all of them takes longer than most of them work. */
export type CommandList = Readonly<Record<string, () => Promise<Command>>>;

/**
 * The program for these arguments (those after its name): with the one command that they name, or with every command of
 * the list where they name none.
 */
export async function programOf(commands: CommandList, args: readonly string[]): Promise<Command> {
  const program = new Command(PROGRAM)
    .description('WOTP, the self-hosted phone verification server')
    .version(VERSION, '--version', 'print the version')
    .helpOption('-h, --help', 'show this help')
    .helpCommand('help [command]', 'Show the help of a command')
    .configureHelp({ showGlobalOptions: true })
    .addHelpText(
      'after',
      `
Settings come from the environment and from .env in the working folder (docs/CONFIGURATION.md).
Exit codes: 0 done, 1 failed, 2 wrong usage.

Examples:
  $ ${PROGRAM} serve
  $ ${PROGRAM} token create --name checkout --permissions otp:send,otp:verify
  $ ${PROGRAM} limits show +6283834946034`,
    );
  const [named = ''] = args;
  const wanted =
    named === '--version' ? [] : Object.hasOwn(commands, named) ? [named] : Object.keys(commands);
  for (const name of wanted) program.addCommand(await commands[name]!());

  for (const command of everyCommand(program)) {
    command.configureOutput({
      writeOut: (text) => write(text),
      writeErr: (text) => write(text, 'stderr'),
      outputError: (text, writeError) => writeError(text.replace(/^error: /, 'wotp: ')),
    });
    command.showHelpAfterError(`Run \`${callOf(command)} --help\` to see how it is used.`);
    command.exitOverride((error) => {
      if (error.exitCode !== 0 && args.includes('--json')) writeJson(wrongUsage(command, error));
      process.exit(error.exitCode === 0 ? 0 : WRONG_USAGE);
    });
  }
  return program;
}

/** Runs the command that the arguments of this process name. Ends the process with 1 when it fails, with 2 for wrong usage. */
export async function runProgram(commands: CommandList): Promise<void> {
  outliveTerminal();
  const [first, ...rest] = process.argv.slice(2);
  // `help token create` is `token create --help`: the library's own way goes one level deep.
  const args = first === undefined ? [] : first === 'help' ? [...rest, '--help'] : [first, ...rest];
  try {
    const program = await programOf(commands, args);
    await program.parseAsync(args, { from: 'user' });
  } catch (error) {
    const { failure } = await import('./failure.ts');
    writeLine(failure(error), 'stderr');
    process.exit(1);
  }
}

/** For a program; the sentence for people is on standard error. */
function wrongUsage(command: Command, { code, message }: CommanderError): object {
  const sentence =
    code === 'commander.help'
      ? `A command is missing. Allowed: ${command.commands.map((each) => each.name()).join(', ')}.`
      : message.replace(/^error: /, '');
  return { error: { code: null, message: sentence } };
}

/** How a command is called from here: the program and the names down to it. */
function callOf(command: Command): string {
  return command.parent === null ? PROGRAM : `${callOf(command.parent)} ${command.name()}`;
}

function everyCommand(command: Command): Command[] {
  return [command, ...command.commands.flatMap(everyCommand)];
}
