import { setTimeout as sleep } from 'node:timers/promises';
import { type Command, InvalidArgumentError } from 'commander';
import { type ApiClient, openApi, runningServer } from '../cli/api-client.ts';
import { command, print, settings, withApi } from '../cli/command.ts';
import { CommandError, RefusalError } from '../cli/command-error.ts';
import { tableOfFilled } from '../cli/table.ts';
import type { Config } from '../config/config.ts';
import { counted } from '../lib/counted.ts';
import { PROGRAM } from '../lib/program.ts';
import { printable, writeJson, writeLine } from '../lib/terminal.ts';

const PATH = '/api/v1/logs';
const PAGE_MAX = 200;
/** The most entries that are shown at once. */
const LIMIT_MAX = 100_000;
/** How often `--follow` asks for what is new, in ms. */
const POLL_MS = 500;
/** What the data of an entry may take of a line for people. */
const DATA_MAX = 120;

interface Entry {
  id: string;
  at: string;
  type: string;
  actor: string | null;
  subject: string | null;
  data: Record<string, unknown>;
}

interface Filter {
  type?: string;
  subject?: string;
  phone?: string;
  actor?: string;
  from?: string;
  to?: string;
}

interface Verdict {
  ok: boolean;
  checked: number;
  waiting: number;
  since: string | null;
  head: string | null;
  firstBad?: { detail: string };
}

/** `logs`, with filters and `--follow`, and `logs verify`. */
export function logsCommand(): Command {
  const logs = command(
    'logs',
    'Show, follow and verify events and administrative acts',
    'wotp logs --type "key.*,template.*" --actor admin',
    'wotp logs --phone +6283834946034 --from 2027-01-01T00:00:00Z',
    'wotp logs --follow --json',
    'wotp logs verify',
  )
    .option('--type <types>', 'event types, separated by commas; key.* for all of a kind')
    .option('--subject <id>', 'what it is about: a verification, a message, an API key …')
    .option('--phone <phone>', 'what concerns a phone number')
    .option('--actor <name>', 'who did it: an API key, admin, cli, server …')
    .option('--from <time>', 'from this time on (RFC 3339)')
    .option('--to <time>', 'before this time (RFC 3339)')
    .option('--limit <count>', 'how many entries at most', readLimit, 50)
    .option('--follow', 'then show what is recorded from now on, until Ctrl+C')
    .option('--json', 'print one line of JSON, with --follow one for each entry')
    .action(async ({ limit, follow, json, ...filter }: Filter & { limit: number } & Flags) => {
      if (follow) await withFollowable((api) => followLogs(api, filter, { limit, json }));
      else {
        await withApi(async (api) => {
          const { entries, hasMore } = await newest(api, filter, limit);
          const hint = hasMore
            ? `\nThere are older entries: show more with --limit, or name a time with --to.`
            : '';
          print(json, { logs: entries }, `${tableOf(entries)}${hint}`);
        });
      }
    });

  logs.addCommand(
    command(
      'verify',
      'Verify the audit log from end to end; exit 1 if it was changed',
      'wotp logs verify',
      'wotp logs verify --head 184:0a1b…',
    )
      .option(
        '--head <head>',
        'a head that an earlier verification has printed: checks that it is still there',
      )
      .option('--json', 'print one line of JSON')
      .action((_own: object, verify: Command) =>
        withApi(async (api) => {
          // `--json` is an option of `logs` as well, which takes it first.
          const { head, json } = verify.optsWithGlobals<{ head?: string; json?: boolean }>();
          const query = head === undefined ? '' : `?head=${encodeURIComponent(head)}`;
          const { data } = await api.call<{ data: Verdict }>('GET', `${PATH}/verify${query}`);
          print(json, data, verdictText(data));
          if (!data.ok) process.exitCode = 1;
        }),
      ),
  );
  return logs;
}

interface Flags {
  follow?: boolean;
  json?: boolean;
}

function readLimit(given: string): number {
  const limit = /^\d{1,6}$/.test(given) ? Number(given) : 0;
  if (limit < 1 || limit > LIMIT_MAX) throw new InvalidArgumentError(`Give a number from 1 to ${LIMIT_MAX}.`);
  return limit;
}

function pathOf(path: string, query: Record<string, string | number | undefined>): string {
  const given = Object.entries(query).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, String(value)] as [string, string]],
  );
  return `${path}?${new URLSearchParams(given)}`;
}

/** The newest entries, newest first. */
async function newest(
  api: ApiClient,
  filter: Filter,
  limit: number,
): Promise<{ entries: Entry[]; hasMore: boolean }> {
  const entries: Entry[] = [];
  for (let cursor: string | undefined; ; ) {
    const wanted = { ...filter, limit: Math.min(PAGE_MAX, limit - entries.length), cursor };
    const { data, page } = await api.call<{ data: Entry[]; page: { next: string | null } }>(
      'GET',
      pathOf(PATH, wanted),
    );
    entries.push(...data);
    if (page.next === null || entries.length >= limit) return { entries, hasMore: page.next !== null };
    cursor = page.next;
  }
}

/**
 * Works with an API in which something can happen while it is open: that of the running server, or on PostgreSQL one of
 * its own beside those of other machines.
 * @throws CommandError where nothing runs that could record anything
 */
async function withFollowable(work: (api: ApiClient) => Promise<void>): Promise<void> {
  const config = settings();
  const api = (await runningServer(config)) ?? (await ownApi(config));
  try {
    await work(api);
  } finally {
    await api.close();
  }
}

async function ownApi(config: Config): Promise<ApiClient> {
  if (config.database.url !== undefined) return openApi(config);
  throw new CommandError(
    `No server is running here, so nothing new is recorded. Start one with \`${PROGRAM} serve\`, or leave out --follow.`,
  );
}

/** Shows the newest entries, oldest first, and then every new one until the process is asked to end. */
async function followLogs(
  api: ApiClient,
  filter: Filter,
  { limit, json }: { limit: number; json?: boolean | undefined },
): Promise<void> {
  const end = new AbortController();
  const stop = () => end.abort();
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, stop);
  const show = (entry: Entry) => (json ? writeJson(entry) : writeLine(lineOf(entry)));
  type News = { entries: Entry[]; next: string; more: boolean };
  const news = async (after?: string) =>
    (await api.call<{ data: News }>('GET', pathOf(`${PATH}/follow`, { ...filter, after }))).data;
  try {
    // Where to go on is asked first, so that nothing is missed between the two; what comes twice is shown once.
    let { next } = await news();
    const { entries } = await newest(api, filter, limit);
    const shown = new Set(entries.map(({ id }) => id));
    for (const entry of entries.toReversed()) show(entry);
    while (!end.signal.aborted && !process.stdout.errored) {
      const found = await news(next).catch((error: unknown) => {
        throw hasStopped(error) ? new CommandError(STOPPED) : error;
      });
      for (const entry of found.entries) if (!shown.has(entry.id)) show(entry);
      next = found.next;
      if (!found.more) await sleep(POLL_MS, undefined, { signal: end.signal }).catch(() => {});
    }
  } finally {
    for (const name of ['SIGINT', 'SIGTERM'] as const) process.off(name, stop);
  }
}

const STOPPED = 'The server has stopped. Start it, and run the command again.';

function hasStopped(error: unknown): boolean {
  if (error instanceof RefusalError) return error.code === 'SERVICE_UNAVAILABLE';
  return ['ENOENT', 'ECONNREFUSED', 'ECONNRESET'].includes((error as NodeJS.ErrnoException).code ?? '');
}

function tableOf(entries: readonly Entry[]): string {
  if (entries.length === 0) return 'No entry matches.';
  const rows = entries.map((entry) => [
    entry.at,
    entry.type,
    entry.actor ?? '',
    entry.subject ?? '',
    dataOf(entry),
  ]);
  return tableOfFilled(['at', 'type', 'actor', 'subject', 'data'], rows);
}

function lineOf(entry: Entry): string {
  const { at, type, actor, subject } = entry;
  return printable([at, type, actor ?? '-', subject ?? '-', dataOf(entry)].join('  ')).replaceAll('\n', ' ');
}

function dataOf({ data, subject }: Entry): string {
  const text = Object.entries(data)
    .filter(([, value]) => value !== subject)
    .map(([name, value]) => `${name}: ${typeof value === 'string' ? value : JSON.stringify(value)}`)
    .join(', ');
  return text.length <= DATA_MAX ? text : `${text.slice(0, DATA_MAX - 1)}…`;
}

function verdictText({ ok, checked, waiting, since, head, firstBad }: Verdict): string {
  if (!ok) {
    return `The audit log was changed: ${firstBad?.detail}\nThe ${counted(checked, 'line')} before it are intact. Restore a backup, and compare with it.`;
  }
  const newest = waiting === 0 ? '' : `, the newest ${waiting} of which are not chained yet`;
  return [
    `The audit log is intact: ${counted(checked, 'line')} since ${since}${newest}.`,
    `Head: ${head}`,
    `Note the head elsewhere; later \`${PROGRAM} logs verify --head HEAD\` shows that nothing was taken back.`,
  ].join('\n');
}
