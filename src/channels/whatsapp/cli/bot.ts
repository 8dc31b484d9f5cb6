import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import type { ApiClient } from '../../../cli/api-client.ts';
import { command, print, withApi } from '../../../cli/command.ts';
import { CommandError } from '../../../cli/command-error.ts';
import { tableOfFilled } from '../../../cli/table.ts';
import { readBounded } from '../../../lib/bounded-file.ts';
import { counted } from '../../../lib/counted.ts';
import { botPairCommand } from './pair.ts';
import { botSendCommand } from './send.ts';
import { EXAMPLE_ID, removingOnFailure, type Session, sessionPath } from './session.ts';

/** As the API takes them. */
const IMPORT_MAX_BYTES = 64 * 1024 * 1024;

export function botCommand(): Command {
  const bot = command('bot', 'Link and operate WhatsApp numbers', 'wotp bot pair', 'wotp bot status');

  bot.addCommand(
    command('status', 'Show the linked numbers and their state', 'wotp bot status', 'wotp bot status --json')
      .option('--json', 'print one line of JSON')
      .action(({ json }: { json?: boolean }) =>
        withApi(async (api) => {
          const sessions = await listSessions(api);
          print(json, { sessions }, sessions.length === 0 ? 'No number is linked.' : sessionTable(sessions));
        }),
      ),
  );

  bot.addCommand(botPairCommand());

  for (const [name, description] of [
    ['logout', 'Unlink a number and delete its keys'],
    ['restart', 'Reconnect a session'],
    ['pause', 'Disconnect a session until it is resumed'],
    ['resume', 'Connect a paused session again'],
  ] as const) {
    bot.addCommand(
      command(name, description, `wotp bot ${name} ${EXAMPLE_ID}`, `wotp bot ${name} ${EXAMPLE_ID} --json`)
        .argument('<id>', 'the id of the session, as `bot status` shows it')
        .option('--json', 'print one line of JSON')
        .action((id: string, { json }: { json?: boolean }) =>
          withApi(async (api) => {
            const { data } = await api.call<{ data: Session }>('POST', `${sessionPath(id)}/${name}`);
            print(json, data, inWords(data));
          }),
        ),
    );
  }

  bot.addCommand(
    command(
      'remove',
      'Unlink a number and remove its session',
      `wotp bot remove ${EXAMPLE_ID}`,
      `wotp bot remove ${EXAMPLE_ID} --json`,
    )
      .argument('<id>', 'the id of the session, as `bot status` shows it')
      .option('--json', 'print one line of JSON')
      .action((id: string, { json }: { json?: boolean }) =>
        withApi(async (api) => {
          const { data } = await api.call<{ data: { id: string } }>('DELETE', sessionPath(id));
          print(json, data, `${data.id} is removed.`);
        }),
      ),
  );

  bot.addCommand(
    command(
      'import',
      'Import a number from a Baileys multi-file folder',
      'wotp bot import auth_info_baileys',
      'wotp bot import auth_info_baileys --name Support',
    )
      .argument('<dir>', 'the folder with creds.json; stop the program that uses it first')
      .option('--name <name>', 'a name for the new session')
      .option('--json', 'print one line of JSON')
      .action((dir: string, { name, json }: { name?: string; json?: boolean }) =>
        withApi(
          async (api) => {
            const files = readFolder(dir);
            const { data: made } = await api.call<{ data: Session }>('POST', '/api/v1/bot/sessions', {
              name,
              link: false,
            });
            const { data } = await removingOnFailure(api, made.id, () =>
              api.call<{ data: Session }>('POST', `${sessionPath(made.id)}/import`, { files }),
            );
            print(json, data, `${data.phone} is imported as ${data.id}. No QR code is needed.`);
          },
          { creates: true },
        ),
      ),
  );

  bot.addCommand(
    command(
      'export',
      'Write the credentials of a number to a Baileys folder',
      `wotp bot export ${EXAMPLE_ID} auth_info_baileys`,
      `wotp bot export ${EXAMPLE_ID} auth_info_baileys --json`,
    )
      .argument('<id>', 'the id of the session, as `bot status` shows it')
      .argument('<dir>', 'a folder that does not exist yet')
      .option('--json', 'print one line of JSON')
      .action((id: string, dir: string, { json }: { json?: boolean }) =>
        withApi(async (api) => {
          const { data } = await api.call<{ data: { files: Record<string, string> } }>(
            'POST',
            `${sessionPath(id)}/export`,
          );
          const names = Object.keys(data.files);
          writeFolder(dir, data.files);
          const words = `Wrote ${counted(names.length, 'file')} to ${dir}. Whoever has them can send as this number.`;
          print(json, { dir, files: names.length }, words);
        }),
      ),
  );
  bot.addCommand(botSendCommand());
  return bot;
}

/** All sessions, however many pages they fill. */
async function listSessions(api: ApiClient): Promise<Session[]> {
  const found: Session[] = [];
  let cursor: string | null = '';
  do {
    const query: string = cursor === '' ? '' : `&cursor=${cursor}`;
    const path = `/api/v1/bot/sessions?limit=200${query}`;
    const answer = await api.call<{ data: Session[]; page: { next: string | null } }>('GET', path);
    found.push(...answer.data);
    cursor = answer.page.next;
  } while (cursor !== null);
  return found;
}

/** The files of a folder of credentials; no more of them than the API takes. */
function readFolder(dir: string): Record<string, string> {
  let left = IMPORT_MAX_BYTES;
  try {
    const names = readdirSync(dir).filter((name) => name.endsWith('.json'));
    const files = names.map((name) => {
      const content = readBounded(join(dir, name), left);
      left -= content.length;
      return [name, content.toString('utf8')];
    });
    return Object.fromEntries(files);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'EFBIG') throw new CommandError(`${dir} cannot be read (${code}).`);
    throw new CommandError(
      `${dir} holds more than ${IMPORT_MAX_BYTES / 1024 ** 2} MB of credentials, which no number has. Name the folder with creds.json.`,
    );
  }
}

function writeFolder(dir: string, files: Record<string, string>): void {
  try {
    mkdirSync(dir, { mode: 0o700 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    throw new CommandError(`${dir} already exists. Name a new folder.`);
  }
  for (const [name, text] of Object.entries(files)) writeFileSync(join(dir, name), text, { mode: 0o600 });
}

function inWords({ id, phone, state, reason, nextAttemptAt, warning }: Session): string {
  const next = nextAttemptAt === null ? '' : ` Next attempt: ${nextAttemptAt}.`;
  const lines = [`${id} (${phone ?? 'no number'}) is ${state}.${reason === null ? '' : ` ${reason}`}${next}`];
  return [...lines, ...(warning === null ? [] : [warning])].join('\n');
}

function sessionTable(sessions: Session[]): string {
  const shown = tableOfFilled(
    ['id', 'name', 'number', 'state', 'health', 'left today', 'pairing code'],
    sessions.map(({ id, name, phone, state, health, pairingCode }) => [
      id,
      name ?? '',
      phone ?? '',
      state,
      health === null ? '' : `${health.score} of 100`,
      health === null ? '' : `${health.leftToday}`,
      pairingCode?.code ?? '',
    ]),
  );
  const remarks = sessions
    .filter(({ reason, warning, health }) => reason ?? warning ?? health?.reasons[0])
    .map((session) => [inWords(session), ...(session.health?.reasons ?? [])].join('\n  '));
  return [shown, ...remarks].join('\n');
}
