import type { Command } from 'commander';
import { loadConfig, readEnvironment } from '../config/config.ts';
import type { HealthReport } from '../health/service.ts';
import { command, print } from './command.ts';
import { CommandError } from './command-error.ts';

export function healthCommand(): Command {
  return command(
    'health',
    'ask the running server how it is; exits 1 when it cannot work',
    'wotp health --json',
  )
    .option('--url <address>', 'the server to ask (default: the one this configuration describes)')
    .option('--json', 'print one line of JSON')
    .action(async ({ url, json }: { url?: string; json?: boolean }) => {
      const { server } = loadConfig(readEnvironment(process.cwd()));
      const host = ['0.0.0.0', '::'].includes(server.host) ? '127.0.0.1' : server.host;
      const base = url ?? `http://${host.includes(':') ? `[${host}]` : host}:${server.port}`;
      const report = await ask(base);
      const checks = Object.entries(report.checks).map(
        ([name, check]) => `  ${name.padEnd(10)} ${check.status}`,
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

async function ask(base: string): Promise<HealthReport> {
  try {
    const answer = await fetch(new URL('/api/v1/health', base), { signal: AbortSignal.timeout(5_000) });
    return (await answer.json()) as HealthReport;
  } catch {
    throw new CommandError(
      `No server answers at ${base}. Start it with \`npm start\`, or name it with --url.`,
    );
  }
}
