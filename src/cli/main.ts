import { Command, type CommanderError } from 'commander';
import { write, writeJson, writeLine } from '../lib/terminal.ts';
import { PROGRAM } from '../program.ts';
import { VERSION } from '../version.ts';

const WRONG_USAGE = 2;

/** Each command with the file it is in. Loading all of them takes longer than most of them work. */
const COMMANDS: Readonly<Record<string, () => Promise<Command>>> = {
  serve: async () => (await import('./serve.ts')).serveCommand(),
  token: async () => (await import('./token.ts')).tokenCommand(),
  limits: async () => (await import('./limits.ts')).limitsCommand(),
  'opt-outs': async () => (await import('./opt-outs.ts')).optOutsCommand(),
  backup: async () => (await import('./backup.ts')).backupCommand(),
  restore: async () => (await import('./restore.ts')).restoreCommand(),
  verify: async () => (await import('./verify.ts')).verifyCommand(),
  bot: async () => (await import('./bot.ts')).botCommand(),
  health: async () => (await import('./health.ts')).healthCommand(),
  'master-key': async () => (await import('./master-key.ts')).masterKeyCommand(),
  migrate: async () => (await import('./migrate.ts')).migrateCommand(),
  compact: async () => (await import('./compact.ts')).compactCommand(),
  seed: async () => (await import('./seed.ts')).seedCommand(),
  reset: async () => (await import('./reset.ts')).resetCommand(),
};

const program = new Command(PROGRAM)
  .description('WOTP, the self-hosted phone verification server')
  .version(VERSION, '--version', 'print the version')
  .helpOption('-h, --help', 'show this help')
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

// `help token create` is `token create --help`: the library's own way goes one level deep.
if (process.argv[2] === 'help') process.argv.splice(2, 1, ...process.argv.splice(3), '--help');
const named = process.argv[2] ?? '';
const wanted = named === '--version' ? [] : Object.hasOwn(COMMANDS, named) ? [named] : Object.keys(COMMANDS);
for (const name of wanted) program.addCommand(await COMMANDS[name]!());

for (const command of everyCommand(program)) {
  command.configureOutput({
    writeOut: (text) => write(text),
    writeErr: (text) => write(text, 'stderr'),
    outputError: (text, writeError) => writeError(text.replace(/^error: /, 'wotp: ')),
  });
  command.showHelpAfterError(`Run \`${callOf(command)} --help\` to see how it is used.`);
  command.exitOverride((error) => {
    if (error.exitCode !== 0 && process.argv.includes('--json')) writeJson(wrongUsage(command, error));
    process.exit(error.exitCode === 0 ? 0 : WRONG_USAGE);
  });
}

program.parseAsync().catch(async (error: unknown) => {
  const { failure } = await import('./failure.ts');
  writeLine(failure(error), 'stderr');
  process.exit(1);
});

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
