import { type Argument, Command, type Option } from 'commander';
import { type Config, loadConfigOf } from '../config/config.ts';
import { checkPlaces } from '../config/places.ts';
import { type FileCommand, postgresToolsInstead } from '../database/postgres/own-tools.ts';
import { PROGRAM } from '../lib/program.ts';
import { writeJson, writeLine } from '../lib/terminal.ts';
import { type ApiClient, openApi } from './api-client.ts';
import { CommandError } from './command-error.ts';

type Action = Parameters<Command['action']>[0];

/** With `--json`, a failure is a line of JSON on standard output as well; what follows on it is as without. */
class JsonFailureCommand extends Command {
  override addCommand(...added: Parameters<Command['addCommand']>): this {
    return super.addCommand(...added).helpCommand('help [command]', 'Show the help of a command');
  }

  override action(work: Action): this {
    return super.action(async (...args) => {
      try {
        await work.apply(this, args);
      } catch (error) {
        if (this.optsWithGlobals().json) {
          const { failureAsJson } = await import('./failure.ts');
          writeJson(failureAsJson(error));
        }
        throw error;
      }
    });
  }
}

/** A command with its help and two examples or more, in which the word `wotp` becomes what calls this program here. */
export function command(
  name: string,
  description: string,
  ...examples: [first: string, second: string, ...more: string[]]
): Command {
  const lines = examples.map((example) => `  $ ${example.replace(/(?<=^|\s)wotp(?=\s)/, PROGRAM)}`);
  return new JsonFailureCommand(name)
    .description(description)
    .helpOption('-h, --help', 'show this help')
    .configureHelp({ optionDescription: described, argumentDescription: described })
    .addHelpText('after', ['\nExamples:', ...lines].join('\n'));
}

/** What the help says of an option or an argument: what it is, then what may be given and what counts without it. */
function described({ description, argChoices, defaultValue }: Option | Argument): string {
  const text = defaultText(defaultValue);
  const notes = [argChoices && `one of ${argChoices.join(', ')}`, text && `default: ${text}`].filter(Boolean);
  return notes.length === 0 ? description : `${description} (${notes.join('; ')})`;
}

function defaultText(value: unknown): string | undefined {
  if (Array.isArray(value)) return value.join(',');
  return ['string', 'number'].includes(typeof value) ? `${value}` : undefined;
}

/** The settings of this folder and environment, for a command that looks into the places they name. */
export function settings(): Config {
  const config = loadConfigOf(process.cwd());
  checkPlaces(config);
  return config;
}

/**
 * The settings, for a command that looks after the database file.
 * @throws CommandError with what serves instead when the data is in PostgreSQL
 */
export function settingsOfFile(name: FileCommand): Config {
  const config = settings();
  if (config.database.url !== undefined) throw new CommandError(postgresToolsInstead(name));
  return config;
}

/**
 * Runs `work` with the API as administrator, and lets go of it afterwards. `creates` is for commands that make sense
 * before the first start: they create the database when there is none.
 * @throws CommandError when there is no database, unless it `creates` one
 */
export async function withApi(
  work: (api: ApiClient) => Promise<void>,
  { creates = false } = {},
): Promise<void> {
  const api = await openApi(settings(), { creates });
  try {
    await work(api);
  } finally {
    await api.close();
  }
}

/** Prints one line of JSON for machines, or the text for people. */
export function print(asJson: boolean | undefined, value: object, text: string): void {
  if (asJson) writeJson(value);
  else writeLine(text);
}
