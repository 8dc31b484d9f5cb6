import type { Database, Transaction } from '../../../database/database.ts';
import { ConflictError } from '../../../errors/errors.ts';
import type { Clock } from '../../../lib/clock.ts';
import type { SessionRepository } from './repository.ts';

/** How long a lease lasts without renewal, in ms. */
export const LEASE_MS = 10_000;
/** How often leases are renewed, and free ones taken, in ms. A process that dies is replaced within the sum of the two. */
export const LEASE_CHECK_MS = 2_000;
/** How long its holder trusts a lease after the beginning of the renewal that succeeded last, in ms. */
const TRUSTED_MS = 7_000;

/** Another process drives the session by now: nothing that this one still knows of it counts. */
export class LeaseLostError extends ConflictError {
  constructor() {
    super('Another node drives this session now.');
  }
}

/** The right to drive a session, under a number that grows with each process that takes it. */
export interface Lease {
  readonly number: number;
  /** Whether it was renewed so lately that nobody else can have taken it, by a clock that nobody sets back. */
  readonly isSure: boolean;
  /** In the transaction of a write: whether it is in force, and stays so until the transaction ends. */
  holds(trx: Transaction): Promise<boolean>;
  /**
   * As `holds`, for a write that has to be refused otherwise.
   * @throws LeaseLostError
   */
  check(trx: Transaction): Promise<void>;
  /** It was renewed by what was begun at this time of the machine's clock. */
  renewed(begunAt: number): void;
  /** Counts no longer when it ends; nobody is told any more. */
  end(): void;
}

export interface LeaseOptions {
  database: Database;
  repository: SessionRepository;
  /** This machine's clock, which is never set back; not the one that machines share. */
  machineClock: Clock;
  owner: string;
  sessionId: string;
  number: number;
  /** When it was asked for, by the machine's clock. */
  begunAt: number;
  /** It was not renewed in time, and may pass to another process soon. */
  onUnsure: () => void;
}

/** A lease that was just taken. Where no other process can be, it is always in force. */
export function lease(options: LeaseOptions): Lease {
  const { database, repository, machineClock, owner, sessionId, number, onUnsure } = options;
  let sureUntil = 0;
  const trust = (begunAt: number) => {
    sureUntil = begunAt + TRUSTED_MS;
    return database.isExclusive
      ? undefined
      : machineClock.setTimeout(onUnsure, Math.max(0, sureUntil - machineClock.now()));
  };
  let timer = trust(options.begunAt);

  const holds = async (trx: Transaction) => {
    await database.serialize(trx, sessionId);
    return database.isExclusive || repository.holds(trx, sessionId, owner, number);
  };

  return {
    number,
    get isSure() {
      return database.isExclusive || machineClock.now() < sureUntil;
    },
    holds,
    async check(trx) {
      if (!(await holds(trx))) throw new LeaseLostError();
    },
    renewed(begunAt) {
      timer?.cancel();
      timer = trust(begunAt);
    },
    end() {
      timer?.cancel();
      sureUntil = 0;
    },
  };
}
