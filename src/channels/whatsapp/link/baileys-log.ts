import type { Logger } from '../../../lib/logger.ts';

/** The log as Baileys takes it. */
export interface BaileysLog {
  level: string;
  child(): BaileysLog;
  trace(fields: unknown, sentence?: string): void;
  debug(fields: unknown, sentence?: string): void;
  info(fields: unknown, sentence?: string): void;
  warn(fields: unknown, sentence?: string): void;
  error(fields: unknown, sentence?: string): void;
}

/** Said at every start because no history is downloaded, which an OTP sender does not need. */
const HARMLESS = /^⚠️ DANGER: DISABLING ALL SYNC/u;

/** How a connection ends: the session tells it, with what it means; after linking it is the normal way. */
const TOLD_BY_THE_SESSION = /^stream errored out/;

/**
 * What Baileys says, without the objects it adds: they hold stanzas, keys and numbers. Of numbers in its sentences the
 * last four digits stay. Its errors are warnings here, since the session tells by itself what they come to.
 * @param isOver whether the connection has ended: errors that the library reports after that are expected
 */
export function baileysLog(log: Logger, sessionId: string, isOver: () => boolean): BaileysLog {
  const say = (level: 'debug' | 'warn', fields: unknown, sentence?: string) => {
    const text = typeof fields === 'string' ? fields : (sentence ?? '');
    if (HARMLESS.test(text)) return;
    const cause = causeOf(fields);
    log[level](
      { session: sessionId, ...(cause === undefined ? {} : { cause: masked(cause) }) },
      masked(text),
    );
  };
  const same: BaileysLog = {
    level: 'warn',
    child: () => same,
    trace: () => {},
    debug: () => {},
    info: () => {},
    warn: (fields, sentence) => say('debug', fields, sentence),
    error: (fields, sentence) =>
      say(isOver() || TOLD_BY_THE_SESSION.test(sentence ?? '') ? 'debug' : 'warn', fields, sentence),
  };
  return same;
}

function causeOf(fields: unknown): string | undefined {
  if (typeof fields !== 'object' || fields === null) return undefined;
  const { err, error } = fields as { err?: unknown; error?: unknown };
  const cause = err ?? error;
  return cause instanceof Error ? cause.message : undefined;
}

/** A text in which no phone number can be read. */
function masked(text: string): string {
  return text.replace(/\d{3,}(?=\d{4})/g, '…');
}
