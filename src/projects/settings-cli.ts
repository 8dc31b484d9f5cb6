import { type Command, InvalidArgumentError } from 'commander';
import { command, print, withApi } from '../cli/command.ts';
import { CommandError } from '../cli/command-error.ts';
import { tableOfFilled } from '../cli/table.ts';

const PATH = '/api/v1/settings';

interface Setting {
  key: string;
  value: string | number | boolean | (string | number)[] | null;
  default: Setting['value'];
  setBy: string;
  live: boolean;
  updatedAt: string | null;
  updatedBy: string | null;
  allowed: string;
  help: string;
}

interface Options {
  project?: string;
  json?: boolean;
}

interface ShowOptions extends Options {
  all?: boolean;
}

interface SetOptions extends Options {
  unset?: string[];
}

const projectOption = ['--project <id>', 'of this project (prj_…); without it, of the installation'] as const;

/** `settings show|set`. */
export function settingsCommand(): Command {
  const settings = command(
    'settings',
    'Show settings with their source, and change live ones',
    'wotp settings show',
    'wotp settings set OTP_LENGTH=8',
  );

  settings.addCommand(
    command(
      'show',
      'Show settings, where they come from and who set them',
      'wotp settings show',
      'wotp settings show OTP_LENGTH --project prj_01jd3x8zq2e6v9k5m7n0p4r8st',
    )
      .argument('[names...]', 'only these; without any, all that are set or can be set here')
      .option('--all', 'also those that are set in the environment only and have their default')
      .option(...projectOption)
      .option('--json', 'print one line of JSON')
      .action((names: string[], { project, all, json }: ShowOptions) =>
        withApi(async (api) => {
          const { data } = await api.call<{ data: Setting[] }>('GET', `${PATH}${queryOf(project)}`);
          const unknown = names.find((name) => !data.some(({ key }) => key === name));
          if (unknown !== undefined) throw new CommandError(`There is no setting ${unknown}.`);
          const shown = data.filter(({ key, live, setBy }) =>
            names.length > 0 ? names.includes(key) : all || live || setBy !== 'default',
          );
          print(json, { settings: shown }, names.length === 1 ? detailsOf(shown[0]!) : tableOf(shown));
        }),
      ),
  );

  settings.addCommand(
    command(
      'set',
      'Set settings while the server runs',
      'wotp settings set OTP_LENGTH=8 BRAND_NAME="Acme"',
      'wotp settings set MONTHLY_QUOTA=10000 --project prj_01jd3x8zq2e6v9k5m7n0p4r8st',
      'wotp settings set --unset OTP_LENGTH',
    )
      .argument('[values...]', 'NAME=VALUE; NAME= unsets it', withChange)
      .option('--unset <name...>', 'back to what stands behind it')
      .option(...projectOption)
      .option('--json', 'print one line of JSON')
      .action((values: Changes | undefined, { unset = [], project, json }: SetOptions, self: Command) => {
        const body = { ...values, ...Object.fromEntries(unset.map((name) => [name, null])) };
        if (Object.keys(body).length === 0)
          self.error('error: missing value: give NAME=VALUE, or --unset NAME');
        return withApi(async (api) => {
          const path = `${PATH}${queryOf(project)}`;
          const { data } = await api.call<{ data: Setting[] }>('PUT', path, body);
          print(json, { settings: data }, tableOf(data));
        });
      }),
  );
  return settings;
}

const queryOf = (project: string | undefined) =>
  project === undefined ? '' : `?projectId=${encodeURIComponent(project)}`;

type Changes = Record<string, string | null>;

function withChange(text: string, before: Changes = {}): Changes {
  const at = text.indexOf('=');
  if (at < 1) throw new InvalidArgumentError('Allowed: NAME=VALUE.');
  return { ...before, [text.slice(0, at)]: text.slice(at + 1) || null };
}

function textOf(value: Setting['value']): string {
  if (value === null || (Array.isArray(value) && value.length === 0)) return '–';
  return Array.isArray(value) ? value.join(',') : String(value);
}

const whoOf = ({ updatedBy, updatedAt }: Setting) => (updatedBy === null ? '' : `${updatedBy}, ${updatedAt}`);

function tableOf(settings: readonly Setting[]): string {
  const rows = settings.map((setting) => [
    setting.key,
    textOf(setting.value),
    setting.setBy,
    setting.live ? 'yes' : '',
    whoOf(setting),
  ]);
  return tableOfFilled(['name', 'value', 'set by', 'live', 'who and when'], rows);
}

function detailsOf(setting: Setting): string {
  const who = whoOf(setting);
  return [
    `${setting.key} = ${textOf(setting.value)}`,
    setting.help,
    `set by: ${setting.setBy}${who && ` (${who})`}`,
    `default: ${textOf(setting.default)}`,
    `allowed: ${setting.allowed}`,
    setting.live
      ? 'in force with the next request when it is set'
      : 'set in the environment only; needs a restart',
  ].join('\n');
}
