import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from 'commander';
import { type ApiClient, FileBody, runningServer } from '../cli/api-client.ts';
import { command, print, settings, withApi } from '../cli/command.ts';
import { CommandError } from '../cli/command-error.ts';
import { showProgress } from '../cli/progress.ts';
import { table, tableOfFilled } from '../cli/table.ts';
import { isUnfitFile, readBounded } from '../lib/bounded-file.ts';
import { counted } from '../lib/counted.ts';
import { PROGRAM } from '../lib/program.ts';
import { write } from '../lib/terminal.ts';
import { RESULTS_HEADER, resultLine } from './results-csv.ts';
import type { BulkResult } from './types.ts';

const PATH = '/api/v1/bulk';
const FILE_MAX_BYTES = 10 * 1_048_576;
/** How often the server is asked how far a job is, in ms. */
const ASK_EVERY_MS = 500;

interface Bulk {
  bulkId: string;
  status: string;
  total: number;
  processed: number;
  successful: number;
  failed: number;
  rejected: number;
  canceled: number;
  progress: string;
  ratePerSecond: number | null;
  etaSeconds: number | null;
  reason: string | null;
  createdAt: string;
  completedAt: string | null;
}

interface Accepted {
  bulkId?: string;
  total: number;
  duplicates: number;
  rejected: number;
  skipped: { line: number; reason: string }[];
}

interface SendOptions {
  template?: string;
  templateCode?: string;
  channel?: string;
  purpose?: string;
  expiryMinutes?: string;
  metadata?: string;
  dryRun?: boolean;
  json?: boolean;
}

export function bulkCommand(): Command {
  const bulk = command(
    'bulk',
    'Send one text to many recipients; follow, pause and cancel such jobs',
    'wotp bulk send people.csv --template "Hello {{name}}, your code is {{code}}"',
    'wotp bulk status',
  );

  bulk.addCommand(
    command(
      'send',
      'Send one text to the recipients in a CSV file',
      'wotp bulk send people.csv --template "Hello {{name}}, your code is {{code}}"',
      'wotp bulk send people.csv --template "We open at {{hour}}." --dry-run',
    )
      .argument('<file>', 'CSV in UTF-8 whose first line names the columns: phone or email, then variables')
      .option('--template <text>', 'the text, with {{name}} for the column name, {{code}} for a code')
      .option('--template-code <code>', 'the code of a template, in place of --template')
      .option('--channel <name>', 'one channel only')
      .option('--purpose <name>', 'what the codes are for')
      .option('--expiry-minutes <n>', 'how many minutes each code is valid')
      .option('--metadata <json>', 'a JSON object of your own, stored with the job')
      .option('--dry-run', 'check everything and send nothing')
      .option('--json', 'print one line of JSON, and do not wait')
      .action((file: string, options: SendOptions) => withApi((api) => sendFile(api, file, options))),
  );

  bulk.addCommand(
    command(
      'status',
      'Show a bulk job, or list the newest',
      'wotp bulk status',
      'wotp bulk status blk_01jd3x8zq2e6v9k5m7n0p4r8st',
    )
      .argument('[id]', 'the id of a job')
      .option('--json', 'print one line of JSON')
      .action((id: string | undefined, { json }: { json?: boolean }) =>
        withApi(async (api) => {
          if (id !== undefined) {
            const job = await statusOf(api, id);
            print(json, job, inWords(job));
            return;
          }
          const { data } = await api.call<{ data: Bulk[] }>('GET', PATH);
          print(json, { bulks: data }, data.length === 0 ? 'There is no bulk job.' : jobTable(data));
        }),
      ),
  );

  for (const [verb, description] of [
    ['pause', 'Pause a bulk job: queue no more of its messages'],
    ['resume', 'Resume a paused bulk job'],
    ['cancel', 'Cancel a bulk job: send nothing more of it'],
  ] as const) {
    bulk.addCommand(
      command(
        verb,
        description,
        `wotp bulk ${verb} blk_01jd3x8zq2e6v9k5m7n0p4r8st`,
        `wotp bulk ${verb} blk_01jd3x8zq2e6v9k5m7n0p4r8st --json`,
      )
        .argument('<id>', 'the id of the job')
        .option('--json', 'print one line of JSON')
        .action((id: string, { json }: { json?: boolean }) =>
          withApi(async (api) => {
            const { data } = await api.call<{ data: Bulk }>(
              'POST',
              `${PATH}/${encodeURIComponent(id)}/${verb}`,
            );
            print(json, data, inWords(data));
          }),
        ),
    );
  }

  bulk.addCommand(
    command(
      'results',
      'List what happened to the message of each recipient',
      'wotp bulk results blk_01jd3x8zq2e6v9k5m7n0p4r8st',
      'wotp bulk results blk_01jd3x8zq2e6v9k5m7n0p4r8st --csv > results.csv',
    )
      .argument('<id>', 'the id of the job')
      .option('--csv', 'print CSV')
      .option('--json', 'print one line of JSON')
      .action((id: string, { csv, json }: { csv?: boolean; json?: boolean }) =>
        withApi(async (api) => {
          if (csv) {
            writeCsv(RESULTS_HEADER);
            for await (const results of pagesOf(api, id)) writeCsv(results.map(resultLine).join(''));
            return;
          }
          const all: BulkResult[] = [];
          for await (const results of pagesOf(api, id)) all.push(...results);
          print(json, { results: all }, resultTable(all));
        }),
      ),
  );
  return bulk;
}

/** A terminal is given no carriage returns. */
const writeCsv = (lines: string) => write(lines.replaceAll('\r\n', '\n'));

async function sendFile(api: ApiClient, path: string, options: SendOptions): Promise<void> {
  const { template, templateCode, channel, purpose, expiryMinutes, metadata, dryRun = false, json } = options;
  const given = { template, templateCode, channel, purpose, expiryMinutes, metadata, dryRun: String(dryRun) };
  const query = new URLSearchParams(
    Object.entries(given).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
  const { data } = await api.call<{ data: Accepted }>(
    'POST',
    `${PATH}/send?${query}`,
    new FileBody('text/csv', fileOf(path)),
  );
  const { bulkId } = data;
  if (json || bulkId === undefined) {
    print(json, data, acceptedInWords(data, dryRun));
    return;
  }
  print(false, data, acceptedInWords(data, dryRun));
  if (!(await runningServer(settings()))) {
    print(false, {}, 'No server is running here. The messages are sent when it is started.');
    return;
  }
  print(false, {}, inWords(await follow(api, bulkId)));
}

function fileOf(path: string): Buffer {
  try {
    return readBounded(path, FILE_MAX_BYTES);
  } catch (error) {
    if (!isUnfitFile(error)) throw error;
    throw new CommandError(`${path} is larger than 10 MB. Split it, and send the parts one after another.`);
  }
}

/** Shows how far a job is until it has ended; where nobody watches, looks once. */
async function follow(api: ApiClient, id: string): Promise<Bulk> {
  const progress = showProgress(`sending ${id}`, false);
  try {
    for (;;) {
      const job = await statusOf(api, id);
      progress.reach(Number(job.progress));
      if (job.status !== 'processing' || !process.stderr.isTTY) return job;
      await sleep(ASK_EVERY_MS);
    }
  } finally {
    progress.end();
  }
}

async function statusOf(api: ApiClient, id: string): Promise<Bulk> {
  return (await api.call<{ data: Bulk }>('GET', `${PATH}/status/${encodeURIComponent(id)}`)).data;
}

async function* pagesOf(api: ApiClient, id: string): AsyncGenerator<BulkResult[]> {
  for (let cursor: string | null = '0'; cursor !== null; ) {
    const path: string = `${PATH}/${encodeURIComponent(id)}/results?limit=200&cursor=${cursor}`;
    const { data, page } = await api.call<{ data: BulkResult[]; page: { next: string | null } }>('GET', path);
    yield data;
    cursor = page.next;
  }
}

function acceptedInWords(
  { bulkId, total, duplicates, rejected, skipped }: Accepted,
  dryRun: boolean,
): string {
  const counts = `${counted(total, 'recipient')}, ${rejected} of them rejected, ${counted(duplicates, 'duplicate')}`;
  const head = dryRun ? `Nothing was sent. It would be accepted: ${counts}.` : `${bulkId}: ${counts}.`;
  const shown = skipped.map(({ line, reason }) => `  line ${line}: ${reason}`);
  return [head, ...shown].join('\n');
}

function inWords(job: Bulk): string {
  const { bulkId, status, total, processed, successful, failed, rejected, canceled, progress } = job;
  const lines = [
    `${bulkId}: ${status}, ${processed} of ${counted(total, 'recipient')} done (${progress} %)`,
    `  sent ${successful}, failed ${failed} (${rejected} of them rejected), canceled ${canceled}`,
  ];
  if (job.ratePerSecond !== null) {
    const left = job.etaSeconds === null ? '' : `, about ${job.etaSeconds} s left`;
    lines.push(`  ${job.ratePerSecond} a second${left}`);
  }
  if (job.reason !== null) lines.push(`  waiting: ${job.reason}`);
  if (status === 'paused') lines.push(`Resume it with: ${PROGRAM} bulk resume ${bulkId}`);
  else lines.push(`List the recipients with: ${PROGRAM} bulk results ${bulkId}`);
  return lines.join('\n');
}

function jobTable(jobs: readonly Bulk[]): string {
  const rows = jobs.map(({ bulkId, status, total, progress, createdAt }) => [
    bulkId,
    status,
    total,
    `${progress} %`,
    createdAt,
  ]);
  return table(['id', 'status', 'recipients', 'done', 'created'], rows);
}

function resultTable(results: readonly BulkResult[]): string {
  const rows = results.map(({ line, phone, email, status, reason, messageId, verificationId }) => [
    String(line),
    phone ?? '',
    email ?? '',
    status,
    reason ?? '',
    messageId ?? '',
    verificationId ?? '',
  ]);
  return tableOfFilled(['line', 'number', 'e-mail', 'status', 'reason', 'message', 'verification'], rows);
}
