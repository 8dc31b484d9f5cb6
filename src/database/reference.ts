import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import Sqlite from 'better-sqlite3-multiple-ciphers';
import { Kysely, SqliteDialect } from 'kysely';
import { migrateToLatest } from './migrate.ts';
import type { Schema } from './schema.ts';
import { schemaWords, type TableWords } from './schema-words.ts';

interface Column {
  name: string;
  type: string;
  isNullable: boolean;
  isKey: boolean;
  isUnique: boolean;
  fallback: string | null;
  /** The table whose rows it names. */
  references?: { table: string; isEnforced: boolean };
}

interface Index {
  name: string;
  columns: string[];
  isUnique: boolean;
  /** The rows that are in it; undefined for all. */
  condition: string | undefined;
}

interface Table {
  name: string;
  columns: Column[];
  indexes: Index[];
}

const NO_WORDS: TableWords = { purpose: '', kept: '', columns: new Map(), indexes: new Map() };

/** The tables of a database to which all migrations were just applied, in the order in which they are made. */
export async function migratedTables(): Promise<Table[]> {
  const sqlite = new Sqlite(':memory:');
  const db = new Kysely<Schema>({ dialect: new SqliteDialect({ database: sqlite }) });
  await migrateToLatest(db);
  const rows = sqlite
    .prepare(
      `select name from sqlite_schema where type = 'table' and name not like 'sqlite_%'
         and name not like 'kysely_%' order by rowid`,
    )
    .all() as { name: string }[];
  const names = rows.map(({ name }) => name);
  const tables = names.map((name) => ({
    name,
    columns: columnsOf(sqlite, name, names),
    indexes: indexesOf(sqlite, name),
  }));
  await db.destroy();
  return tables;
}

function columnsOf(sqlite: Sqlite.Database, table: string, tables: readonly string[]): Column[] {
  const rows = sqlite.pragma(`table_info(${table})`) as {
    name: string;
    type: string;
    notnull: number;
    dflt_value: string | null;
    pk: number;
  }[];
  const enforced = new Map(
    (sqlite.pragma(`foreign_key_list(${table})`) as { from: string; table: string }[]).map((key) => [
      key.from,
      key.table,
    ]),
  );
  const unique = new Set(
    (sqlite.pragma(`index_list(${table})`) as { name: string; origin: string }[])
      .filter(({ origin }) => origin === 'u')
      .flatMap(({ name }) => indexColumns(sqlite, name)),
  );
  return rows.map(({ name, type, notnull, dflt_value, pk }) => {
    const named = enforced.get(name) ?? tableNamedBy(name, tables);
    return {
      name,
      type: type.toLowerCase(),
      isNullable: notnull === 0,
      isKey: pk > 0,
      isUnique: unique.has(name),
      fallback: dflt_value,
      ...(named !== undefined && { references: { table: named, isEnforced: enforced.has(name) } }),
    };
  });
}

/** `verification_id` names a row of `verifications`, `key_version` one of `key_versions`. */
function tableNamedBy(column: string, tables: readonly string[]): string | undefined {
  if (!/_(id|version)$/.test(column)) return undefined;
  const plural = `${column.replace(/_id$/, '')}s`;
  return tables.find((table) => table === plural);
}

function indexesOf(sqlite: Sqlite.Database, table: string): Index[] {
  const made = sqlite.prepare(`select sql from sqlite_schema where type = 'index' and name = ?`);
  return (sqlite.pragma(`index_list(${table})`) as { name: string; unique: number; origin: string }[])
    .filter(({ origin }) => origin === 'c')
    .map(({ name, unique }) => ({
      name,
      columns: indexColumns(sqlite, name),
      isUnique: unique === 1,
      condition: /\) where (.+)$/is.exec((made.get(name) as { sql: string }).sql)?.[1],
    }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

function indexColumns(sqlite: Sqlite.Database, index: string): string[] {
  return (sqlite.pragma(`index_info(${index})`) as { name: string }[]).map(({ name }) => name);
}

/** What the files of `tables/` say; they lie beside the built program as they do in the repository. */
export function writtenWords(): Map<string, TableWords> {
  const folder = fileURLToPath(new URL('../../src/database/tables/', import.meta.url));
  const words = readdirSync(folder).flatMap((name) => [
    ...schemaWords(readFileSync(join(folder, name), 'utf8')),
  ]);
  return new Map(words);
}

/** The text of `docs/DATABASE.md`: tables from the migrations, words from `tables/`. */
export async function databasePage(): Promise<string> {
  const tables = await migratedTables();
  const words = writtenWords();
  const wordsOf = (name: string) => words.get(name) ?? NO_WORDS;
  return `# The database

Every table, column and index, and how long rows stay. This page is generated from the migrations
(\`src/database/migrations/\`) and from the comments in \`src/database/tables/\` by \`npm run docs\`. How the file
itself is built and encrypted is in [WODB_SPEC.md](WODB_SPEC.md).

- **Times** are Unix milliseconds. **Ids** are TypeIDs: a prefix and a UUIDv7, so they sort by the time when they
  were made. **JSON** is kept as text.
- **Types** are those of the embedded engine. On PostgreSQL \`blob\` is \`bytea\`, and a number that counts up by
  itself is \`bigserial\`; names and everything else are the same.
- **Phones** are in E.164. Codes are stored as an HMAC and, sealed, with their verification, or in the body of a schedule
  until it fires.
- \`kysely_migration\` and \`kysely_migration_lock\` say which migrations were applied.
- Indexes beside those listed here belong to primary keys and to columns that are marked unique.

## How the tables belong together

A solid line is a foreign key that the database enforces. A dotted one is kept by the program alone: a row is
written after or together with what it names, and a look-up at each write is saved.

\`\`\`mermaid
${diagram(tables)}
\`\`\`

## What is kept, and how long

| table | what is in it | rows stay |
|---|---|---|
${tables.map(({ name }) => `| [\`${name}\`](#${name}) | ${cell(wordsOf(name).purpose)} | ${cell(wordsOf(name).kept)} |`).join('\n')}

${tables.map((table) => section(table, wordsOf(table.name))).join('\n')}`;
}

function section({ name, columns, indexes }: Table, words: TableWords): string {
  const rows = columns.map(
    (column) =>
      `| \`${column.name}\` | ${column.type} | ${notesOf(column)} | ${cell(words.columns.get(column.name) ?? '')} |`,
  );
  const indexRows = indexes.map(
    (index) =>
      `| \`${index.name}\` | ${indexedBy(index)} | ${index.condition ? `\`${cell(index.condition)}\`` : ''} | ${cell(words.indexes.get(index.name) ?? '')} |`,
  );
  const indexTable =
    indexRows.length === 0
      ? ''
      : `\n| index | on | only rows where | why |\n|---|---|---|---|\n${indexRows.join('\n')}\n`;
  return `## ${name}

${words.purpose}

| column | type | | what it is |
|---|---|---|---|
${rows.join('\n')}
${indexTable}`;
}

function notesOf({ isKey, isUnique, isNullable, fallback, references }: Column): string {
  const notes = [
    isKey && 'primary key',
    isUnique && 'unique',
    isNullable && 'may be null',
    fallback !== null && `default ${fallback}`,
    references && `→ [\`${references.table}\`](#${references.table})`,
  ];
  return notes.filter((note) => note !== false && note !== undefined).join(', ');
}

function indexedBy({ columns, isUnique }: Index): string {
  const list = columns.map((column) => `\`${column}\``).join(', ');
  return isUnique ? `${list} (unique)` : list;
}

/** Mermaid's entity-relationship diagram. */
function diagram(tables: readonly Table[]): string {
  const entities = tables.map(({ name, columns }) => {
    const lines = columns.map((column) => {
      const keys = [
        column.isKey && 'PK',
        column.references && 'FK',
        column.isUnique && !column.isKey && 'UK',
      ].filter((key) => key);
      return `    ${[column.type, column.name, keys.join(', ')].join(' ').trimEnd()}`;
    });
    return `  ${name} {\n${lines.join('\n')}\n  }`;
  });
  const lines = tables.flatMap(({ name, columns }) =>
    columns.flatMap(({ name: column, references, isNullable, isKey }) => {
      if (!references) return [];
      const [one, many] = [isNullable ? '|o' : '||', isKey ? 'o|' : 'o{'];
      return `  ${references.table} ${one}${references.isEnforced ? '--' : '..'}${many} ${name} : ${column}`;
    }),
  );
  return ['erDiagram', ...lines, ...entities].join('\n');
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|');
}
