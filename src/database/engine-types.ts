import { type Kysely, type RawBuilder, SqliteAdapter, sql } from 'kysely';

interface EngineTypes {
  /** The column type of raw bytes. */
  binary: RawBuilder<unknown>;
  /** The column type of a number that the engine counts up with each row. */
  serial: RawBuilder<unknown>;
}

/** What the migrations have to say differently to each engine; everything else in them is the same. */
export function engineTypes(db: Kysely<unknown>): EngineTypes {
  if (db.getExecutor().adapter instanceof SqliteAdapter) {
    return { binary: sql`blob`, serial: sql`integer` };
  }
  return { binary: sql`bytea`, serial: sql`bigserial` };
}
