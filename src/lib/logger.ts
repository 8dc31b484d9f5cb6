import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type DestinationStream, multistream, type Logger as PinoLogger, pino } from 'pino';

/** The part of pino that the product uses. Fields come first, then one sentence. */
export type Logger = Pick<PinoLogger, 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal'>;

/** Lines are gathered up to this size, or this long, before they are written. */
const GATHER_BYTES = 4096;
const GATHER_MS = 250;

/** How long closing waits for a reader that takes nothing, in ms. */
const CLOSE_MAX_MS = 500;

/** A log, and the function that ends it. */
export interface OpenLog {
  log: Logger;
  /** Writes out what the log still holds. Gives up on a reader that is gone or takes nothing. */
  close(): Promise<void>;
}

/**
 * The server's log: one JSON object a line, to standard output and, when `dir` is given, also to `wotp.log` in it.
 */
export function openLog({ level, dir }: { level: string; dir: string | undefined }): OpenLog {
  const gathered = { sync: false, minLength: GATHER_BYTES, periodicFlush: GATHER_MS };
  const destinations = [pino.destination({ dest: 1, ...gathered })];
  if (dir !== undefined) {
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    destinations.push(
      pino.destination({ dest: join(dir, 'wotp.log'), mode: 0o600, append: true, ...gathered }),
    );
  }
  const streams = destinations.map((stream) => ({
    level: 'trace' as const,
    stream: stream as DestinationStream,
  }));
  const log = pino({ level, base: null }, streams.length === 1 ? streams[0]!.stream : multistream(streams));
  return {
    log,
    async close() {
      const written = destinations.map((destination) => new Promise((resolve) => destination.flush(resolve)));
      const tooLong = new Promise((resolve) => setTimeout(resolve, CLOSE_MAX_MS).unref());
      await Promise.race([Promise.all(written), tooLong]);
      // Otherwise the library would write again when the process exits, and try for ever on a closed pipe.
      for (const destination of destinations) destination.destroy();
    },
  };
}
