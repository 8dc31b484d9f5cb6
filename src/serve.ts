import { buildApp } from './app.ts';
import { banner, startReport } from './banner.ts';
import { isFailureOfLibrary } from './channels/whatsapp/library-scope.ts';
import { loadConfigToServe } from './config/config.ts';
import { openLog } from './lib/logger.ts';
import { writeJson, writeLine } from './lib/terminal.ts';
import { checkPlaces } from './places.ts';

/** A stop that takes longer is cut off, in ms. */
const STOP_MAX_MS = 9_500;

/**
 * Starts the server and keeps it running until SIGTERM or SIGINT. Resolves when it listens; prints its addresses, with
 * `json` as one line for machines. The process ends with 0 after a clean stop and with 1 when the disk fails.
 * @throws ConfigError, DatabaseOpenError, DatabaseInUseError and others whose message says what to do
 */
export async function serve({ json = false }: { json?: boolean } = {}): Promise<void> {
  const { config, warnings } = loadConfigToServe(process.cwd());
  checkPlaces(config);
  const { log, close: closeLog } = openLog(config.logging);
  const exit = async (code: number) => {
    await closeLog();
    process.exit(code);
  };
  const app = await buildApp({
    config,
    log,
    onFatal: (error) => {
      log.fatal({ err: error }, 'the disk failed to keep what was written; the server ends');
      void exit(1);
    },
  });

  let isStopping = false;
  const stop = async (signal: string) => {
    if (isStopping) return;
    isStopping = true;
    log.info({ signal }, 'stopping');
    // Referenced, so that it also keeps the process alive until the work is over.
    setTimeout(() => {
      log.error('the server did not stop in time and is cut off');
      void exit(1);
    }, STOP_MAX_MS);
    try {
      await app.stop();
      await exit(0);
    } catch (error) {
      log.fatal({ err: error }, 'the server did not stop cleanly');
      await exit(1);
    }
  };
  process.on('SIGTERM', () => void stop('SIGTERM'));
  process.on('SIGINT', () => void stop('SIGINT'));
  process.on('unhandledRejection', (reason) => {
    if (!isFailureOfLibrary(reason)) log.error({ err: reason }, 'a promise was rejected and nobody looked');
  });
  process.on('uncaughtException', (error) => {
    if (isFailureOfLibrary(error)) return;
    log.fatal({ err: error }, 'an error in the server that nobody has caught; the server ends');
    process.stderr.write(`wotp: An error in the server ended it:\n${error?.stack ?? error}\n`);
    void exit(1);
  });

  try {
    const address = await app.start();
    // Last, so that a start that fails has made nothing that would never be shown.
    const firstRun = await app.firstRun();
    const report = startReport(app, address, { warnings, firstRun });
    if (json) writeJson(report);
    else writeLine(banner(report, config, app.whyNoChannel()));
    for (const sentence of warnings) log.warn(sentence);
  } catch (error) {
    await app.stop();
    throw error;
  }
}
