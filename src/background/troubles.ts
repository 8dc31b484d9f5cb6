import { ChannelError, DatabaseError, StoppingError, WotpError } from '../errors/errors.ts';
import type { Clock } from '../lib/clock.ts';
import type { Logger } from '../lib/logger.ts';

/** A trouble that lasts is logged again after this time at the earliest, in ms. */
const AGAIN_MS = 60_000;
/** A success ends a trouble when nothing has failed for this long: a full disk still takes a small write. In ms. */
const QUIET_MS = 3_000;

/** What is logged of a failure beside its error. */
interface Failure {
  /** The line when the trouble begins; `<work> failed` when absent. */
  message?: string;
  level?: 'warn' | 'error';
  fields?: Record<string, unknown>;
}

/**
 * Logs what fails again and again: once when it begins, once a minute at most while it lasts, with the number of
 * failures, and once when it ends. Works that fail for one cause outside the program (a full disk, say) share one trouble.
 */
export interface Troubles {
  /** A run of `work`, whose name is from a small set, has failed. */
  failed(work: string, error: unknown, failure?: Failure): void;
  /** A run of `work` has succeeded. */
  succeeded(work: string): void;
  /** Whether any trouble lasts, so that who is in a hurry need not name its work. */
  readonly isAny: boolean;
}

interface Trouble {
  /** What the lines about it call it: the work that failed first. */
  name: string;
  works: Set<string>;
  began: number;
  lastFailure: number;
  lastLine: number;
  failures: number;
  /** Whether its beginning was logged; not when it ended less than a minute before. */
  isTold: boolean;
}

/** The one log of troubles of a process. */
export function troubleLog({ log, clock }: { log: Logger; clock: Clock }): Troubles {
  const lasting = new Map<string, Trouble>();
  /** When the last line about a cause was written. */
  const told = new Map<string, number>();

  function begin(cause: string, work: string): Trouble {
    const now = clock.now();
    for (const [old, at] of told) if (now - at >= AGAIN_MS) told.delete(old);
    const lastLine = told.get(cause);
    const trouble: Trouble = {
      name: work,
      works: new Set(),
      began: now,
      lastFailure: now,
      lastLine: lastLine ?? now,
      failures: 0,
      isTold: lastLine === undefined,
    };
    lasting.set(cause, trouble);
    return trouble;
  }

  const lastsMs = ({ began }: Trouble) => clock.now() - began;

  function write(cause: string, trouble: Trouble, line: () => void): void {
    line();
    trouble.lastLine = clock.now();
    trouble.isTold = true;
    told.set(cause, trouble.lastLine);
  }

  return {
    failed(work, error, { message = `${work} failed`, level = 'error', fields = {} } = {}) {
      // Its own doing, which the log has told.
      if (error instanceof StoppingError) return;
      const cause = causeOf(error) ?? work;
      const isNew = !lasting.has(cause);
      const trouble = lasting.get(cause) ?? begin(cause, work);
      trouble.works.add(work);
      trouble.lastFailure = clock.now();
      trouble.failures += 1;
      if (isNew && trouble.isTold) {
        write(cause, trouble, () => log[level]({ err: error, ...fields }, message));
      } else if (clock.now() - trouble.lastLine >= AGAIN_MS) {
        const { failures } = trouble;
        const seconds = Math.round(lastsMs(trouble) / 1000);
        write(cause, trouble, () =>
          log[level]({ err: error, failures, seconds }, `${trouble.name} still fails`),
        );
      }
    },

    get isAny() {
      return lasting.size > 0;
    },

    succeeded(work) {
      for (const [cause, trouble] of lasting) {
        if (!trouble.works.has(work) || clock.now() - trouble.lastFailure < QUIET_MS) continue;
        lasting.delete(cause);
        if (!trouble.isTold) continue;
        const { name, failures } = trouble;
        const seconds = Math.round(lastsMs(trouble) / 1000);
        write(cause, trouble, () => log.info({ failures, seconds }, `${name} works again`));
      }
    },
  };
}

/** What failures of different works have in common, where it is outside the program; undefined elsewhere. */
function causeOf(error: unknown): string | undefined {
  const origin = error instanceof WotpError && error.cause !== undefined ? error.cause : error;
  const { code } = Object(origin) as { code?: unknown };
  if (typeof code !== 'string') return undefined;
  // Codes of the operating system and of network libraries.
  const isOutside = error instanceof DatabaseError || error instanceof ChannelError;
  return isOutside || /^E[A-Z0-9]+$/.test(code) ? code : undefined;
}
