import type { App } from './app.ts';
import type { Config } from './config/config.ts';
import type { FirstRun } from './first-run.ts';
import { PROGRAM } from './lib/program.ts';
import { VERSION } from './lib/version.ts';

/** What an operator or a program is told at the start; `signIn` works once, within 15 minutes. */
export interface StartReport {
  version: string;
  /** The address the server listens on, which a proxy in front forwards to. */
  local: string;
  /** Null where none is set. */
  public: string | null;
  api: string;
  dashboard: string;
  docs: string;
  signIn: string;
  /** Those that reach a person. */
  channels: string[];
  dataDir: string;
  /** Null where none are scheduled. */
  backups: { cron: string; keep: number; folder: string } | null;
  warnings: readonly string[];
  /** Null on every later run. */
  firstRun: FirstRun | null;
}

/** @param listening the address that the server says it listens on */
export function startReport(
  app: App,
  listening: string,
  { warnings, firstRun }: { warnings: readonly string[]; firstRun: FirstRun | undefined },
): StartReport {
  const { server, database, backups } = app.config;
  const isEverywhere = server.host === '0.0.0.0' || server.host === '::';
  const local = isEverywhere ? `http://127.0.0.1:${new URL(listening).port}` : listening;
  const base = server.publicUrl ?? local;
  const { cron, keep, folder } = backups;
  return {
    version: VERSION,
    local,
    public: server.publicUrl ?? null,
    api: `${base}/api/v1`,
    dashboard: `${base}/`,
    docs: `${base}/docs`,
    signIn: `${base}/#sign-in=${app.admin.newSignInToken()}`,
    channels: app.channelsInUse(),
    dataDir: database.dataDir,
    backups: cron === undefined || database.url !== undefined ? null : { cron, keep, folder },
    warnings,
    firstRun: firstRun ?? null,
  };
}

/** The report for people. */
export function banner(report: StartReport, config: Config, whyNoChannel: string | undefined): string {
  const { local, api, dashboard, docs, signIn, channels, warnings, firstRun } = report;
  const isMock = config.bot.mockMode;
  const lines = [
    `WOTP ${VERSION}${isMock ? ' – mock mode: messages go to the virtual phone, no real ones are sent' : ''}`,
    '',
    `  API        ${api}`,
    `  Dashboard  ${dashboard}`,
    `  Docs       ${docs}`,
    `  Local      ${local}${report.public === null ? '' : ' (what your proxy forwards to)'}`,
    `  Public     ${report.public ?? 'not set (PUBLIC_URL is the address that clients use)'}`,
    `  Channels   ${channels.length > 0 ? channels.join(', ') : `none reaches a real phone: ${whyNoChannel}`}`,
    `  Data       ${dataIn(config)}`,
    `  Backups    ${backupsOf(report, config)}`,
    `  Sign in    ${signIn}`,
    '             (works once, within 15 minutes)',
  ];
  if (warnings.length > 0) {
    lines.push('', '  Check these settings:', ...warnings.map((sentence) => `  - ${sentence}`));
  }
  if (firstRun) {
    lines.push('', '  First run. Keep these, they are shown only now:');
    if (firstRun.adminPassword) lines.push(`  Admin password  ${firstRun.adminPassword}`);
    lines.push(`  API key         ${firstRun.apiKey}`);
  }
  return `\n${lines.join('\n')}\n`;
}

function dataIn({ database }: Config): string {
  if (database.url === undefined) return database.dataDir;
  const { host, pathname } = new URL(database.url);
  return `PostgreSQL at ${host}${pathname}; ${database.dataDir} holds the control socket`;
}

function backupsOf({ backups }: StartReport, { database }: Config): string {
  if (database.url !== undefined) return 'with the tools of PostgreSQL';
  if (backups === null) return `off (set BACKUP_CRON, or run \`${PROGRAM} backup\`)`;
  return `on: ${backups.cron}, ${backups.keep} kept in ${backups.folder}`;
}
