import { type Kysely, type RawBuilder, sql } from 'kysely';
import { engineTypes } from '../engine-types.ts';

/** The tables whose rows carry their project, parents first: SQLite rebuilds also what refers to them. */
const CARRIERS = [
  'api_keys',
  'verifications',
  'messages',
  'events',
  'simulator_messages',
  'whatsapp_sessions',
  'suppressed_numbers',
] as const;
const DEFAULT_PROJECT = 1;

/**
 * Projects get numbers, which rows carry in place of the 30 characters of an id: the default project is 1. Lists of one
 * project get indexes that begin with it, and what a code of the default project has is in none that a list of others needs.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  const numbers = await numbersOf(db);
  if (engineTypes(db).isPostgres) await rewriteOnPostgres(db, numbers);
  else await rebuildOnSqlite(db, numbers);

  // What was counted lately goes on counting.
  for (const [id, number] of numbers) {
    for (const kind of ['client', 'prefix']) {
      await sql`update recent_sends set key = replace(key, ${`${kind} ${id} `}, ${`${kind} ${number} `})`.execute(
        db,
      );
    }
  }
  await sql`delete from settings where key = 'default_project_id'`.execute(db);

  await listIndexes(db);
}

async function numbersOf(db: Kysely<unknown>): Promise<Map<string, number>> {
  const { rows } = await sql<{ id: string; is_default: number }>`
    select id, case when id in (select value from settings where key = 'default_project_id') then 1 else 0 end as is_default
    from projects order by id`.execute(db);
  let next = DEFAULT_PROJECT;
  return new Map(rows.map(({ id, is_default }) => [id, is_default === 1 ? DEFAULT_PROJECT : ++next]));
}

/** The number for what `column` names; null for null. */
function numberFor(column: 'id' | 'project_id', numbers: ReadonlyMap<string, number>): RawBuilder<unknown> {
  if (numbers.size === 0) return sql`cast(null as integer)`;
  const cases = [...numbers].map(([id, number]) => sql`when ${sql.lit(id)} then ${sql.lit(number)}`);
  return sql`case ${sql.ref(column)} ${sql.join(cases, sql` `)} end`;
}

async function rewriteOnPostgres(db: Kysely<unknown>, numbers: ReadonlyMap<string, number>): Promise<void> {
  const parents = ['api_keys', 'whatsapp_sessions'];
  for (const table of parents) {
    await db.schema.alterTable(table).dropConstraint(`${table}_project_id_fkey`).execute();
  }
  await sql`alter table projects add column number integer unique`.execute(db);
  await sql`update projects set number = ${numberFor('id', numbers)}`.execute(db);
  await sql`alter table projects alter column number set not null`.execute(db);
  for (const table of CARRIERS) {
    await sql`alter table ${sql.table(table)} alter column project_id type integer
      using ${numberFor('project_id', numbers)}`.execute(db);
  }
  for (const table of parents) {
    await db.schema
      .alterTable(table)
      .addForeignKeyConstraint(`${table}_project_id_fkey`, ['project_id'], 'projects', ['number'])
      .execute();
  }
}

/** SQLite cannot change the type of a column: each table is made again, with what refers to it, and takes the old name. */
async function rebuildOnSqlite(db: Kysely<unknown>, numbers: ReadonlyMap<string, number>): Promise<void> {
  const tables = ['projects', ...CARRIERS, 'whatsapp_auth'];
  const statements = await sql<{ type: string; name: string; table: string; text: string }>`
    select type, name, tbl_name as "table", sql as text from sqlite_schema where sql is not null`.execute(db);
  const indexes = statements.rows.filter(({ type, table }) => type === 'index' && tables.includes(table));
  const renamed = (name: string) => (tables.includes(name) ? `new_${name}` : name);

  for (const table of tables) {
    const { text } = statements.rows.find(({ type, name }) => type === 'table' && name === table)!;
    const wanted = text
      .replace(`"${table}"`, `"${renamed(table)}"`)
      .replace('"project_id" text', '"project_id" integer')
      .replace('references "projects" ("id")', 'references "projects" ("number")')
      .replace('"name" text not null', (name) =>
        table === 'projects' ? `"number" integer not null unique, ${name}` : name,
      )
      .replace(/references "(\w+)"/g, (_, name: string) => `references "${renamed(name)}"`);
    await sql.raw(wanted).execute(db);
    const { rows } = await sql<{ name: string }>`select name from pragma_table_info(${table})`.execute(db);
    const columns = rows.map(({ name }) => sql.ref(name));
    const values = rows.map(({ name }) =>
      name === 'project_id' ? numberFor('project_id', numbers) : sql.ref(name),
    );
    if (table === 'projects') {
      columns.push(sql.ref('number'));
      values.push(numberFor('id', numbers));
    }
    await sql`insert into ${sql.table(renamed(table))} (${sql.join(columns)})
      select ${sql.join(values)} from ${sql.table(table)} order by rowid`.execute(db);
  }
  for (const table of tables.toReversed()) await sql`drop table ${sql.table(table)}`.execute(db);
  for (const table of tables) await db.schema.alterTable(renamed(table)).renameTo(table).execute();
  for (const { text } of indexes) await sql.raw(text).execute(db);
}

async function listIndexes(db: Kysely<unknown>): Promise<void> {
  const isOther = sql<boolean>`project_id <> 1`;
  const ofOthers = (table: string, column: string) =>
    db.schema
      .createIndex(`${table}_of_other_projects`)
      .on(table)
      .columns(['project_id', column])
      .where(isOther)
      .execute();
  await ofOthers('verifications', 'id');
  await ofOthers('simulator_messages', 'message_id');
  await ofOthers('api_keys', 'id');

  await db.schema.dropIndex('verifications_unverified_by_status').execute();
  await db.schema.dropIndex('verifications_by_purpose').execute();
  await db.schema
    .createIndex('verifications_unverified_by_status')
    .on('verifications')
    .columns(['project_id', 'status', 'id', 'purpose'])
    .where(sql`status`, '<>', sql.lit('pending'))
    .where(sql`status`, '<>', sql.lit('verified'))
    .execute();
  await db.schema
    .createIndex('verifications_by_purpose')
    .on('verifications')
    .columns(['project_id', 'purpose', 'created_at'])
    .where(sql`purpose`, '<>', sql.lit('default'))
    .execute();
}
