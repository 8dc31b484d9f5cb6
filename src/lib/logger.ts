import { join } from 'node:path';
import { multistream, type Logger as PinoLogger, pino, stdSerializers } from 'pino';
import { isForeseen } from './foreseen.ts';
import { createPrivateFolder } from './private-folder.ts';
import { refuseSharedFolder } from './shared-folder.ts';
import { systemErrorText } from './system-error.ts';
import { printableJson, writeLine } from './terminal.ts';

/** The part of pino that the product uses. Fields come first, then one sentence. */
export type Logger = Pick<PinoLogger, 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal'>;

/** So many lines are gathered, or for this long, before they are written together. */
const GATHER_LINES = 256;
const GATHER_MS = 250;

/** How often is said that the log cannot be written, in ms. */
const SAY_AGAIN_MS = 60_000;

/** How long closing waits for a reader that takes nothing, in ms. */
const CLOSE_MAX_MS = 500;

/** What an output that takes nothing may leave in memory, in bytes; more is dropped. */
const UNWRITTEN_MAX_BYTES = 1024 * 1024;

/**
 * Errors are logged in full where they are bugs; what was foreseen is logged without a stack. A message is a sentence of
 * its own, so what caused the error is a field beside it. Of causes only type, code and message are logged: what else
 * libraries attach to their errors may be data of callers.
 */
export const LOG_SERIALIZERS = {
  err(error: unknown): unknown {
    if (!(error instanceof Error)) return error;
    const { stack, ...rest } = stdSerializers.err(error);
    const fields = { ...rest, message: error.message, cause: causeOf(error, []) };
    return isForeseen(error) ? fields : { ...fields, stack };
  },
};

interface LoggedCause {
  type: string;
  code: unknown;
  message: string;
  cause: LoggedCause | undefined;
}

/** @param above the errors that lead here, none of which is gone through again */
function causeOf(error: Error, above: readonly Error[]): LoggedCause | undefined {
  const { cause } = error;
  const seen = [...above, error];
  if (!(cause instanceof Error) || seen.includes(cause)) return undefined;
  const { code } = cause as { code?: unknown };
  return { type: cause.constructor.name, code, message: cause.message, cause: causeOf(cause, seen) };
}

/** A log, and the functions that look after it. */
export interface OpenLog {
  log: Logger;
  /** Opens the log file again, after a log rotation has moved it away. */
  reopen(): void;
  /** Writes out what the log still holds. Gives up on a reader that is gone or takes nothing. */
  close(): Promise<void>;
}

/**
 * The server's log: one JSON object a line, to standard output and, when `dir` is given, also to `wotp.log` in it.
 * @throws FolderError when it cannot be created; SharedFolderError when others may write to it
 */
export function openLog({ level, dir }: { level: string; dir: string | undefined }): OpenLog {
  const outputs = [gatheringOutput({ dest: 1 })];
  if (dir !== undefined) {
    createPrivateFolder(dir);
    refuseSharedFolder(dir);
    outputs.push(gatheringOutput({ dest: join(dir, 'wotp.log'), mode: 0o600, append: true }));
  }
  const streams = outputs.map((stream) => ({ level: 'trace' as const, stream }));
  const options = { level, base: null, serializers: LOG_SERIALIZERS };
  const log = pino(options, streams.length === 1 ? streams[0]!.stream : multistream(streams));
  return {
    log,
    reopen() {
      for (const output of outputs) output.reopen();
    },
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
  const destination = pino.destination({ ...target, sync: false, maxLength: UNWRITTEN_MAX_BYTES });
  destination.on('error', troubleOf(target.dest));
  let lines: string[] = [];
  const pass = () => {
    if (lines.length > 0) destination.write(printableJson(lines.join('')));
    lines = [];
  };
  const timer = setInterval(pass, GATHER_MS).unref();
  // A process that ends without closing its log still says why.
  const passAtExit = () => {
    try {
      pass();
      destination.flushSync();
    } catch {
      // Was said when it began; and the library would try the same once more.
      destination.destroy();
    }
  };
  process.once('exit', passAtExit);
  return {
    reopen(): void {
      if (typeof target.dest === 'string') destination.reopen();
    },

    write(line: string): void {
      if (lines.push(line) >= GATHER_LINES) pass();
    },

    async close(): Promise<void> {
      clearInterval(timer);
      process.off('exit', passAtExit);
      pass();
      const written = new Promise((resolve) => destination.once('close', resolve));
      destination.end();
      const tooLong = new Promise((resolve) => setTimeout(resolve, CLOSE_MAX_MS).unref());
      await Promise.race([written, tooLong]);
      // Otherwise the library would write again when the process exits, and try for ever on a closed pipe.
      destination.destroy();
    },
  };
}

/**
 * Says on standard error that an output of the log takes nothing, once a minute at most. Without a listener the error
 * would end the process: a full disk of the log, or a terminal that is gone, is no reason for that.
 */
function troubleOf(dest: number | string): (error: NodeJS.ErrnoException) => void {
  let saidAt = Number.NEGATIVE_INFINITY;
  return (error) => {
    const now = performance.now();
    if (typeof dest === 'number' || now - saidAt < SAY_AGAIN_MS) return;
    saidAt = now;
    writeLine(`wotp: The log is not written. ${systemErrorText(error) ?? error.message}`, 'stderr');
  };
}
