import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from 'commander';
import type { ApiClient } from './api-client.ts';
import { botSendCommand } from './bot-send.ts';
import { command, print, withApi } from './command.ts';
import { CommandError } from './command-error.ts';
import { table } from './table.ts';

const POLL_MS = 1_000;
const EXAMPLE_ID = 'ses_01jd3x8zq2e6v9k5m7n0p4r8st';
const WORKING = ['open', 'degraded'];

interface Session {
  id: string;
  name: string | null;
  state: string;
  phone: string | null;
  reason: string | null;
  /** ISO 8601. */
  nextAttemptAt: string | null;
  warning: string | null;
  pairingCode: { code: string; expiresAt: string } | null;
}

interface PairOptions {
  session?: string;
  name?: string;
  phone?: string;
  json?: boolean;
}

export function botCommand(): Command {
  const bot = command('bot', 'link and operate WhatsApp numbers', 'wotp bot pair');

  bot.addCommand(
    command('status', 'show the linked numbers and how they are', 'wotp bot status')
      .option('--json', 'print one line of JSON')
      .action(({ json }: { json?: boolean }) =>
        withApi(async (api) => {
          const sessions = await listSessions(api);
          print(json, { sessions }, sessions.length === 0 ? 'No number is linked.' : sessionTable(sessions));
        }),
      ),
  );

  bot.addCommand(
    command(
      'pair',
      'link a number: shows a QR code to scan, or with --phone a code to type',
      'wotp bot pair --phone +6283834946034',
    )
      .option('--session <id>', 'a session that is not linked (default: a new one)')
      .option('--name <name>', 'a name for the new session')
      .option('--phone <number>', 'link this number by a code that is typed into the phone')
      .option('--json', 'print lines of JSON; the last is the session')
      .action((options: PairOptions) => withApi((api) => pair(api, options))),
  );

  for (const [name, description] of [
    ['logout', 'unlink a number and forget its keys'],
    ['restart', 'connect a session anew'],
    ['pause', 'disconnect a session until it is resumed'],
    ['resume', 'connect a paused session again'],
  ] as const) {
    bot.addCommand(
      command(name, description, `wotp bot ${name} ${EXAMPLE_ID}`)
        .argument('<id>', 'the id of the session, as `bot status` shows it')
        .option('--json', 'print one line of JSON')
        .action((id: string, { json }: { json?: boolean }) =>
          withApi(async (api) => {
            const { data } = await api.call<{ data: Session }>('POST', `${pathOf(id)}/${name}`);
            print(json, data, inWords(data));
          }),
        ),
    );
  }

  bot.addCommand(
    command(
      'import',
      'take over a number from a Baileys multi-file folder',
      'wotp bot import auth_info_baileys',
    )
      .argument('<dir>', 'the folder with creds.json; stop the program that uses it first')
      .option('--name <name>', 'a name for the new session')
      .option('--json', 'print one line of JSON')
      .action((dir: string, { name, json }: { name?: string; json?: boolean }) =>
        withApi(async (api) => {
          const files = readFolder(dir);
          const { data: made } = await api.call<{ data: Session }>('POST', '/api/v1/bot/sessions', {
            name,
            link: false,
          });
          try {
            const { data } = await api.call<{ data: Session }>('POST', `${pathOf(made.id)}/import`, {
              files,
            });
            print(json, data, `${data.phone} is taken over as ${data.id}. Nobody has to scan a QR code.`);
          } catch (error) {
            await api.call('DELETE', pathOf(made.id));
            throw error;
          }
        }),
      ),
  );

  bot.addCommand(
    command(
      'export',
      'write the credentials of a number as a Baileys multi-file folder',
      `wotp bot export ${EXAMPLE_ID} auth_info_baileys`,
    )
      .argument('<id>', 'the id of the session, as `bot status` shows it')
      .argument('<dir>', 'a folder that is not there yet')
      .option('--json', 'print one line of JSON')
      .action((id: string, dir: string, { json }: { json?: boolean }) =>
        withApi(async (api) => {
          const { data } = await api.call<{ data: { files: Record<string, string> } }>(
            'POST',
            `${pathOf(id)}/export`,
          );
          const names = Object.keys(data.files);
          writeFolder(dir, data.files);
          const words = `${names.length} files are in ${dir}. Whoever has them can send as this number.`;
          print(json, { dir, files: names.length }, words);
        }),
      ),
  );
  bot.addCommand(botSendCommand());
  return bot;
}

const pathOf = (id: string) => `/api/v1/bot/sessions/${encodeURIComponent(id)}`;

async function listSessions(api: ApiClient): Promise<Session[]> {
  return (await api.call<{ data: Session[] }>('GET', '/api/v1/bot/sessions')).data;
}

async function pair(api: ApiClient, { session, name, phone, json }: PairOptions): Promise<void> {
  const id = session ?? (await make(api, name, phone !== undefined));
  if (phone !== undefined) {
    const { data } = await api.call<{ data: { code: string; expiresAt: string } }>(
      'POST',
      `${pathOf(id)}/pairing-code`,
      { phone },
    );
    const words = `${data.code}\n\nOn the phone: WhatsApp, Linked devices, Link a device, Link with phone number instead.`;
    print(json, data, words);
  } else if (session !== undefined) await api.call('POST', `${pathOf(id)}/restart`);
  const linked = await followLinking(api, id, { json, showsQr: phone === undefined });
  print(json, linked, `${linked.phone} is linked as ${linked.id}.`);
}

async function make(api: ApiClient, name: string | undefined, byCode: boolean): Promise<string> {
  const body = { name, link: !byCode };
  return (await api.call<{ data: Session }>('POST', '/api/v1/bot/sessions', body)).data.id;
}

/** Shows every QR code until the session is linked or has given up. */
async function followLinking(
  api: ApiClient,
  id: string,
  { json, showsQr }: { json: boolean | undefined; showsQr: boolean },
): Promise<Session> {
  let shown = '';
  for (;;) {
    const { data } = await api.call<{ data: Session }>('GET', pathOf(id));
    if (WORKING.includes(data.state)) return data;
    if (!['pairing', 'connecting', 'reconnecting'].includes(data.state)) {
      throw new CommandError(data.reason ?? 'The number was not linked.');
    }
    const qr = showsQr && data.state === 'pairing' ? await qrOf(api, id) : undefined;
    if (qr && qr.qr !== shown) {
      shown = qr.qr;
      const { qrForTerminal } = await import('../channels/whatsapp/qr-image.ts');
      const hint = 'On the phone: WhatsApp, Linked devices, Link a device. Then scan this:';
      print(json, qr, `${hint}\n\n${await qrForTerminal(qr.qr)}`);
    }
    await sleep(POLL_MS);
  }
}

async function qrOf(api: ApiClient, id: string): Promise<{ qr: string; expiresAt: string } | undefined> {
  try {
    return (await api.call<{ data: { qr: string; expiresAt: string } }>('GET', `${pathOf(id)}/qr`)).data;
  } catch (error) {
    // Between one QR code and the next there is none.
    if (error instanceof CommandError && error.message.includes('RESOURCE_NOT_FOUND')) return undefined;
    throw error;
  }
}

function readFolder(dir: string): Record<string, string> {
  try {
    const names = readdirSync(dir).filter((name) => name.endsWith('.json'));
    return Object.fromEntries(names.map((name) => [name, readFileSync(join(dir, name), 'utf8')]));
  } catch (error) {
    throw new CommandError(`${dir} cannot be read (${(error as NodeJS.ErrnoException).code}).`);
  }
}

function writeFolder(dir: string, files: Record<string, string>): void {
  try {
    mkdirSync(dir, { mode: 0o700 });
  } catch (error) {
    const isThere = (error as NodeJS.ErrnoException).code === 'EEXIST';
    throw new CommandError(
      isThere ? `${dir} is there already. Name a new folder.` : `${dir} cannot be made.`,
    );
  }
  for (const [name, text] of Object.entries(files)) writeFileSync(join(dir, name), text, { mode: 0o600 });
}

function inWords({ id, phone, state, reason, nextAttemptAt, warning }: Session): string {
  const next = nextAttemptAt === null ? '' : ` Next attempt: ${nextAttemptAt}.`;
  const lines = [`${id} (${phone ?? 'no number'}) is ${state}.${reason === null ? '' : ` ${reason}`}${next}`];
  return [...lines, ...(warning === null ? [] : [warning])].join('\n');
}

function sessionTable(sessions: Session[]): string {
  const shown = table(
    ['id', 'name', 'number', 'state', 'pairing code'],
    sessions.map(({ id, name, phone, state, pairingCode }) => [
      id,
      name ?? '',
      phone ?? '',
      state,
      pairingCode?.code ?? '',
    ]),
  );
  const remarks = sessions.filter(({ reason, warning }) => reason !== null || warning !== null).map(inWords);
  return [shown, ...remarks].join('\n');
}
