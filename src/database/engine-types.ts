import { type Kysely, type RawBuilder, SqliteAdapter, sql } from 'kysely';

interface EngineTypes {
  /** The column type of texts, which compare byte by byte: ids are compared with < and >. */
  text: RawBuilder<unknown>;
  /** The column type of raw bytes. */
  binary: RawBuilder<unknown>;
  /** The column type of a number that the engine counts up with each row. */
  serial: RawBuilder<unknown>;
  /** For what only PostgreSQL needs or has. */
  isPostgres: boolean;
}

/** What the migrations have to say differently to each engine; everything else in them is the same. */
export function engineTypes(db: Kysely<unknown>): EngineTypes {
  if (db.getExecutor().adapter instanceof SqliteAdapter) {
    return { text: sql`text`, binary: sql`blob`, serial: sql`integer`, isPostgres: false };
  }
  return {
    text: sql`text collate "C"`,
    binary: sql`bytea`,
    serial: sql`bigserial`,
    isPostgres: true,
  };
}
