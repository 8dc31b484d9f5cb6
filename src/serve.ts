import { isatty } from 'node:tty';
import { type App, buildApp } from './app.ts';
import { banner, startReport } from './banner.ts';
import { isFailureOfLibrary } from './channels/whatsapp/link/library-scope.ts';
import { loadConfigToServe } from './config/config.ts';
import { checkPlaces } from './config/places.ts';
import { boundHeapGrowth } from './lib/heap-growth.ts';
import { openLog } from './lib/logger.ts';
import { writeJson, writeLine } from './lib/terminal.ts';

/** A stop that takes longer is cut off, in ms. */
const STOP_MAX_MS = 9_500;

/**
 * Starts the server and keeps it running until SIGTERM or SIGINT, or until the terminal it was started from is closed.
 * Resolves when it listens; prints its addresses, with `json` as one line for machines. The process ends with 0 after a
 * clean stop and with 1 when it cannot go on; the log says why. Without a terminal SIGHUP reopens the log files.
 * @throws ConfigError, DatabaseOpenError, DatabaseInUseError and others whose message says what to do
 */
export async function serve({ json = false }: { json?: boolean } = {}): Promise<void> {
  boundHeapGrowth();
  const { config, warnings } = loadConfigToServe(process.cwd());
  checkPlaces(config);
  const { log, reopen: reopenLog, close: closeLog } = openLog(config.logging);
  const exit = async (code: number) => {
    await closeLog();
    process.exit(code);
  };
  let app: App | undefined;
  let isStopping = false;
  const stop = async (signal: string, why = 'stopping') => {
    if (isStopping) return;
    isStopping = true;
    log.info({ signal }, why);
    // Referenced, so that it also keeps the process alive until the work is over.
    setTimeout(() => {
      log.error('server did not stop in time; forced to end');
      void exit(1);
    }, STOP_MAX_MS);
    try {
      await app?.stop();
      log.info('stopped');
      await exit(0);
    } catch (error) {
      log.fatal({ err: error }, 'the server did not stop cleanly');
      await exit(1);
    }
  };
  process.on('SIGTERM', () => void stop('SIGTERM'));
  process.on('SIGINT', () => void stop('SIGINT'));
  // Asked now: of a terminal that is gone it can no longer be told that it was one.
  const hasTerminal = [0, 1, 2].some((descriptor) => isatty(descriptor));
  process.on('SIGHUP', () => {
    if (hasTerminal) {
      void stop('SIGHUP', 'the terminal was closed; stopping');
      return;
    }
    reopenLog();
    log.info({ signal: 'SIGHUP', dir: config.logging.dir }, 'log files reopened');
  });
  process.on('unhandledRejection', (reason) => {
    if (!isFailureOfLibrary(reason)) log.error({ err: reason }, 'unhandled promise rejection');
  });
  process.on('uncaughtException', (error) => {
    if (isFailureOfLibrary(error)) return;
    log.fatal({ err: error }, 'uncaught exception; the server ends');
    writeLine(`wotp: An error in the server ended it:\n${error?.stack ?? error}`, 'stderr');
    void exit(1);
  });

  try {
    app = await buildApp({
      config,
      log,
      onFatal: (error) => {
        log.fatal({ err: error }, 'the disk failed to keep what was written; the server ends');
        void exit(1);
      },
    });
    const address = await app.start();
    // Last, so that a start that fails has made nothing that would never be shown.
    const firstRun = await app.firstRun();
    const report = startReport(app, address, { warnings, firstRun });
    if (json) writeJson(report);
    else writeLine(banner(report, config, app.whyNoChannel()));
    for (const sentence of warnings) log.warn(sentence);
  } catch (error) {
    // Whoever started it reads why on standard error; whoever comes later, in the file.
    if (config.logging.dir !== undefined) log.fatal({ err: error }, 'the server did not start');
    await app?.stop();
    await closeLog();
    throw error;
  }
}
