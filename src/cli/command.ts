import { Command } from 'commander';
import { type Config, loadConfigOf } from '../config/config.ts';
import { type FileCommand, postgresToolsInstead } from '../database/postgres/own-tools.ts';
import { writeJson, writeLine } from '../lib/terminal.ts';
import { checkPlaces } from '../places.ts';
import { PROGRAM } from '../program.ts';
import { type ApiClient, openApi } from './api-client.ts';
import { CommandError } from './command-error.ts';

type Action = Parameters<Command['action']>[0];

/** With `--json`, a failure is a line of JSON on standard output as well; what follows on it is as without. */
class TellingCommand extends Command {
  override action(work: Action): this {
    return super.action(async (...args) => {
      try {
        await work.apply(this, args);
      } catch (error) {
        if (this.opts().json) {
          const { failureAsJson } = await import('./failure.ts');
          writeJson(failureAsJson(error));
        }
        throw error;
      }
    });
  }
}

/** A command with its help and an example, in which the word `wotp` becomes what calls this program here. */
export function command(name: string, description: string, example: string): Command {
  return new TellingCommand(name)
    .description(description)
    .helpOption('-h, --help', 'show this help')
    .addHelpText('after', `\nExample:\n  $ ${example.replaceAll(/(?<=^|\s)wotp(?=\s)/g, PROGRAM)}`);
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
