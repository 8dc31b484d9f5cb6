import { Command } from 'commander';
import { VERSION } from '../version.ts';
import { botCommand } from './bot.ts';
import { failure } from './failure.ts';
import { healthCommand } from './health.ts';
import { limitsCommand } from './limits.ts';
import { masterKeyCommand } from './master-key.ts';
import { serveCommand } from './serve.ts';
import { tokenCommand } from './token.ts';

const WRONG_USAGE = 2;

const program = new Command('wotp')
  .description('WOTP, the self-hosted phone verification server')
  .version(VERSION, '--version', 'print the version')
  .helpOption('--help', 'show this help')
  .configureHelp({ showGlobalOptions: true })
  .addHelpText(
    'after',
    `
Settings come from the environment and from .env in the working folder (docs/CONFIGURATION.md).
Exit codes: 0 done, 1 failed, 2 wrong usage.

Examples:
  $ wotp serve
  $ wotp token create --name checkout --permissions otp:send,otp:verify
  $ wotp limits show +6283834946034`,
  );

for (const command of [
  serveCommand(),
  tokenCommand(),
  limitsCommand(),
  botCommand(),
  healthCommand(),
  masterKeyCommand(),
]) {
  program.addCommand(command);
}

for (const command of everyCommand(program)) {
  command.showHelpAfterError('Run it with --help to see how it is used.');
  command.exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : WRONG_USAGE));
}

program.parseAsync().catch((error: unknown) => {
  process.stderr.write(`${failure(error)}\n`);
  process.exit(1);
});

function everyCommand(command: Command): Command[] {
  return [command, ...command.commands.flatMap(everyCommand)];
}
