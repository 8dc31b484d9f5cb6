import type { Command } from 'commander';
import { command, print, withApi } from '../cli/command.ts';
import { tableOfFilled } from '../cli/table.ts';
import { PROGRAM } from '../lib/program.ts';

interface OptOut {
  /** E.164. */
  phone: string;
  /** ISO 8601. */
  since: string;
  note: string | null;
}

type Page = { data: OptOut[]; page: { next: string | null } };

const PATH = '/api/v1/opt-outs';

export function optOutsCommand(): Command {
  const optOuts = command(
    'opt-outs',
    'List, add and remove numbers that get no messages',
    'wotp opt-outs list',
    'wotp opt-outs add +6283834946034',
  );

  optOuts.addCommand(
    command(
      'list',
      'List the numbers that opted out, newest first',
      'wotp opt-outs list',
      'wotp opt-outs list --json',
    )
      .option('--json', 'print one line of JSON')
      .action(({ json }: { json?: boolean }) =>
        withApi(async (api) => {
          const found: OptOut[] = [];
          for (let cursor: string | null = ''; cursor !== null; ) {
            const query: string = cursor === '' ? '' : `&cursor=${cursor}`;
            const { data, page }: Page = await api.call('GET', `${PATH}?limit=200${query}`);
            found.push(...data);
            cursor = page.next;
          }
          const rows = found.map(({ phone, since, note }) => [phone, since, note ?? '']);
          const text =
            found.length === 0
              ? 'No number has opted out.'
              : tableOfFilled(['number', 'since', 'note'], rows);
          print(json, { optOuts: found }, text);
        }),
      ),
  );

  optOuts.addCommand(
    command(
      'add',
      'Send no more messages to a number',
      'wotp opt-outs add +6283834946034',
      'wotp opt-outs add +6283834946034 --note "asked by e-mail"',
    )
      .argument('<phone>', 'the number, with its country code')
      .option('--note <text>', 'a note for administrators')
      .option('--json', 'print one line of JSON')
      .action((phone: string, { note, json }: { note?: string; json?: boolean }) =>
        withApi(async (api) => {
          const { data } = await api.call<{ data: OptOut }>('POST', PATH, { phone, note });
          print(
            json,
            data,
            `${data.phone} gets no more messages. Undo it with: ${PROGRAM} opt-outs remove ${data.phone}`,
          );
        }),
      ),
  );

  optOuts.addCommand(
    command(
      'remove',
      'Send messages to a number again, when its user asks for it',
      'wotp opt-outs remove +6283834946034',
      'wotp opt-outs remove +6283834946034 --json',
    )
      .argument('<phone>', 'the number, with its country code')
      .option('--json', 'print one line of JSON')
      .action((phone: string, { json }: { json?: boolean }) =>
        withApi(async (api) => {
          const path = `${PATH}/${encodeURIComponent(phone)}`;
          const { data } = await api.call<{ data: { id: string } }>('DELETE', path);
          print(json, { phone: data.id }, `${data.id} gets messages again.`);
        }),
      ),
  );
  return optOuts;
}
