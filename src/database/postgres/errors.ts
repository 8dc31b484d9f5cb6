import pg from 'pg';
import { DatabaseError } from '../../errors/errors.ts';
import { ExpectedError } from '../../lib/expected-error.ts';

/** The database server cannot be used as it is; the message says why and what to do. Nothing was changed. */
export class PostgresOpenError extends ExpectedError {
  constructor(message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
  }
}

/**
 * A statement that PostgreSQL refused. Holds what names the place and nothing of the values: the server's `detail`
 * and `where` repeat whole rows.
 */
class StatementError extends Error {
  readonly code: string;
  readonly table: string | undefined;
  readonly constraint: string | undefined;

  constructor(error: { code: string; message: string; table?: string; constraint?: string }) {
    super(error.message);
    this.code = error.code;
    this.table = error.table;
    this.constraint = error.constraint;
  }
}

const SERIALIZATION_FAILURE = '40001';
const DEADLOCK = '40P01';
/** A prepared `select *` met a table that a newer node has just given another column. */
const STALE_PLAN = '0A000';
const DISK_FULL = '53100';
const NUL_CHARACTER = '22021';

/**
 * Classes and codes (PostgreSQL manual, appendix A) of what passes without a change to the program: connections,
 * authorization, resources, an operator's intervention, the system, a lock not gotten, a standby, a vanished database.
 */
const OUTAGES = ['08', '28', '53', '57', '58', 'XX', '55P03', '25006', '3D000'];

/** The SQLSTATE of an error, or of the one behind a DatabaseError; '' when it is not the server's. */
function sqlState(error: unknown): string {
  const origin = error instanceof DatabaseError ? error.cause : error;
  const isFromServer = origin instanceof pg.DatabaseError || origin instanceof StatementError;
  return (isFromServer && origin.code) || '';
}

/** Whether the same transaction may succeed when it is run again; PostgreSQL has undone this one. */
export function isWorthARetry(error: unknown): boolean {
  return [SERIALIZATION_FAILURE, DEADLOCK, STALE_PLAN].includes(sqlState(error));
}

/** Whether the connection that met this error may be used again once its transaction is rolled back. */
export function leavesConnectionGood(error: unknown): boolean {
  if (error instanceof DatabaseError && sqlState(error) === '') return false;
  return sqlState(error) !== STALE_PLAN;
}

/** Turns what the driver rejects with into a 503 for outages and an error without values for the rest. */
export function asDatabaseError(error: unknown): unknown {
  if (error instanceof DatabaseError || error instanceof StatementError) return error;
  const code = sqlState(error);
  if (code === '') {
    return new DatabaseError('The database cannot be reached at the moment; nothing was changed.', error);
  }
  const refused = new StatementError(error as ConstructorParameters<typeof StatementError>[0]);
  if (code === DISK_FULL)
    return new DatabaseError("The database server's disk is full; nothing was changed.", refused);
  if (OUTAGES.some((outage) => code.startsWith(outage)) || isWorthARetry(refused)) {
    return new DatabaseError('The database cannot be used at the moment; nothing was changed.', refused);
  }
  return refused;
}

/** Whether a text with a NUL character was given, which PostgreSQL cannot store. */
export function isNulCharacter(error: unknown): boolean {
  return sqlState(error) === NUL_CHARACTER;
}

/** What to do about an error met while the database is opened; `place` is its address without the password. */
export function openError(error: unknown, place: string): unknown {
  const origin = error instanceof DatabaseError ? (error.cause ?? error) : error;
  const { message } = Object(origin) as { message?: string };
  switch (sqlState(origin)) {
    case '28P01':
    case '28000':
      return new PostgresOpenError(
        `PostgreSQL at ${place} refuses the user or the password in DATABASE_URL. Correct them there.`,
        origin,
      );
    case '3D000':
      return new PostgresOpenError(
        `There is no such database at ${place}. Create it (createdb), or correct DATABASE_URL.`,
        origin,
      );
  }
  if (!(error instanceof DatabaseError)) return error;
  return new PostgresOpenError(
    `PostgreSQL at ${place} cannot be used: ${message || 'no connection'}. Start it, or correct DATABASE_URL.`,
    origin,
  );
}
