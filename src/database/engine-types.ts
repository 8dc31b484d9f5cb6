import { type CreateTableBuilder, type Kysely, type RawBuilder, SqliteAdapter, sql } from 'kysely';

interface EngineTypes {
  /** The column type of texts, which compare byte by byte: ids are compared with < and >. */
  text: RawBuilder<unknown>;
  /** The column type of raw bytes. */
  binary: RawBuilder<unknown>;
  /** Keeps a table's rows in the order of its primary key, where the engine can. */
  clustered: <T extends string, C extends string>(
    table: CreateTableBuilder<T, C>,
  ) => CreateTableBuilder<T, C>;
}

/** What the migrations have to say differently to each engine; everything else in them is the same. */
export function engineTypes(db: Kysely<unknown>): EngineTypes {
  if (db.getExecutor().adapter instanceof SqliteAdapter) {
    return { text: sql`text`, binary: sql`blob`, clustered: (table) => table.modifyEnd(sql`without rowid`) };
  }
  return { text: sql`text collate "C"`, binary: sql`bytea`, clustered: (table) => table };
}
