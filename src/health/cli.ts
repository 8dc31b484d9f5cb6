import { type Command, InvalidArgumentError } from 'commander';
import { command, print } from '../cli/command.ts';
import { CommandError } from '../cli/command-error.ts';
import { loadConfigOf } from '../config/config.ts';
import { PROGRAM } from '../lib/program.ts';
import type { HealthReport } from './service.ts';

export function healthCommand(): Command {
  return command(
    'health',
    'Show the health of the running server; exit 1 if it cannot work',
    'wotp health',
    'wotp health --url http://127.0.0.1:3000 --json',
  )
    .option(
      '--url <address>',
      'the server to ask (default: the one this configuration describes)',
      webAddress,
    )
    .option('--json', 'print one line of JSON')
    .action(async ({ url, json }: { url?: string; json?: boolean }) => {
      const { server } = loadConfigOf(process.cwd());
      const host = ['0.0.0.0', '::'].includes(server.host) ? '127.0.0.1' : server.host;
      const base = url ?? `http://${host.includes(':') ? `[${host}]` : host}:${server.port}`;
      const report = await ask(base);
      const checks = Object.entries(report.checks).map(([name, check]) =>
        `  ${name.padEnd(10)} ${check.status.padEnd(10)} ${wordsOf(check)}`.trimEnd(),
      );
      print(
        json,
        report,
        [`${report.status} (${base}, version ${report.version}, up ${report.uptime} s)`, ...checks].join(
          '\n',
        ),
      );
      if (report.status === 'unhealthy') process.exitCode = 1;
    });
}

/** What stands behind the status of a check: its reason, or the figure it is judged by. */
function wordsOf(check: {
  detail?: string;
  mode?: string;
  freeBytes?: number;
  residentBytes?: number;
  lastAt?: string | null;
}): string {
  const { detail, mode, freeBytes, residentBytes, lastAt } = check;
  if (detail !== undefined) return detail;
  if (mode === 'mock') return 'Mock mode: messages go to the virtual phone.';
  if (freeBytes !== undefined) return `${megabytes(freeBytes)} MB are free.`;
  if (residentBytes !== undefined) return `${megabytes(residentBytes)} MB are in use.`;
  if (lastAt !== undefined)
    return lastAt === null ? 'No backup has been created yet.' : `The last one is from ${lastAt}.`;
  return '';
}

const megabytes = (bytes: number) => Math.round(bytes / 1_000_000);

async function ask(base: string): Promise<HealthReport> {
  let report: Partial<HealthReport> | null;
  try {
    const answer = await fetch(new URL('/api/v1/health', base), { signal: AbortSignal.timeout(5_000) });
    report = (await answer.json()) as Partial<HealthReport> | null;
  } catch {
    throw new CommandError(
      `No server answers at ${base}. Start it with \`${PROGRAM} serve\`, or name it with --url.`,
    );
  }
  if (!report?.status || !report.checks) throw new CommandError(`What answers at ${base} is not WOTP.`);
  return report as HealthReport;
}

function webAddress(text: string): string {
  if (!URL.canParse(text) || !/^https?:$/.test(new URL(text).protocol)) {
    throw new InvalidArgumentError('Allowed: an address such as http://127.0.0.1:3000.');
  }
  return text;
}
