import { join } from 'node:path';
import { multistream, type Logger as PinoLogger, pino } from 'pino';
import { createPrivateFolder } from './private-folder.ts';
import { printableJson } from './terminal.ts';

/** The part of pino that the product uses. Fields come first, then one sentence. */
export type Logger = Pick<PinoLogger, 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal'>;

/** So many lines are gathered, or for this long, before they are written together. */
const GATHER_LINES = 256;
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
  const outputs = [gatheringOutput({ dest: 1 })];
  if (dir !== undefined) {
    createPrivateFolder(dir);
    outputs.push(gatheringOutput({ dest: join(dir, 'wotp.log'), mode: 0o600, append: true }));
  }
  const streams = outputs.map((stream) => ({ level: 'trace' as const, stream }));
  const log = pino({ level, base: null }, streams.length === 1 ? streams[0]!.stream : multistream(streams));
  return {
    log,
    async close() {
      await Promise.all(outputs.map((output) => output.close()));
    },
  };
}

/**
 * A destination in front of which lines are gathered: joined, many cost as much as one. (The library's own buffer
 * measures all it holds again at every line.)
 */
function gatheringOutput(target: { dest: number | string; mode?: number; append?: boolean }) {
  const destination = pino.destination({ ...target, sync: false });
  let lines: string[] = [];
  const pass = () => {
    if (lines.length > 0) destination.write(printableJson(lines.join('')));
    lines = [];
  };
  const timer = setInterval(pass, GATHER_MS).unref();
  // A process that ends without closing its log still says why.
  const passAtExit = () => {
    pass();
    destination.flushSync();
  };
  process.once('exit', passAtExit);
  return {
    write(line: string): void {
      if (lines.push(line) >= GATHER_LINES) pass();
    },

    async close(): Promise<void> {
      clearInterval(timer);
      process.off('exit', passAtExit);
      pass();
      const written = new Promise((resolve) => destination.flush(resolve));
      const tooLong = new Promise((resolve) => setTimeout(resolve, CLOSE_MAX_MS).unref());
      await Promise.race([written, tooLong]);
      // Otherwise the library would write again when the process exits, and try for ever on a closed pipe.
      destination.destroy();
    },
  };
}
