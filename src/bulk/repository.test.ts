import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ENGINE } from '../../test/support/engine.ts';
import { openTestDatabase } from '../../test/support/test-database.ts';
import { bulkRepository } from './repository.ts';

const MANY = 20_000;
const SMALL = 2;

let opened: Awaited<ReturnType<typeof openTestDatabase>>;
let repository: ReturnType<typeof bulkRepository>;
beforeAll(async () => {
  opened = await openTestDatabase();
  repository = bulkRepository(opened.database);
  await opened.database.transaction(async (trx) => {
    const number = sql`cast(10000000 + i as text)`;
    await sql`insert into bulks (id, project_id, status, content, key_version, total, duplicates, rejected, successful,
        failed, canceled, next_number, active, running_since, done_before, created_at, completed_at)
      with recursive series (i) as (select 0 union all select i + 1 from series where i < ${sql.lit(MANY - 1)})
      select 'blk_' || ${number}, case when i % 5000 = 0 then ${sql.lit(SMALL)} else 1 end, 'completed', '00', 1, 1, 0, 0, 1, 0, 0, 1, 0, i, 0, i, i
      from series`.execute(trx);
    await sql`analyze`.execute(trx);
  });
});
afterAll(() => opened.close());

test.each([
  ['a small project', SMALL, /bulks_of_other_projects/],
  ['the default project', 1, /autoindex_bulks|bulks_pkey|USING INDEX/],
])('the jobs of %s are listed by an index, newest first, each once', async (_, project, index) => {
  const ids: string[] = [];
  for (let before: string | undefined; ; ) {
    const rows = await repository.list(opened.database.reader, project, { before, limit: 200 });
    ids.push(...rows.map(({ id }) => id));
    before = rows.at(-1)?.id;
    if (rows.length < 200) break;
  }
  expect(ids).toEqual([...new Set(ids)].sort().reverse());
  expect(ids).toHaveLength(project === SMALL ? MANY / 5_000 : MANY - MANY / 5_000);
  const plan = await planOf(
    sql`select * from bulks where ${project === 1 ? sql`project_id = 1` : sql`(project_id = 2 and project_id <> 1)`}
      and status <> 'accepting' and id < 'blk_10019000' order by id desc limit 50`,
  );
  expect(plan).toMatch(index);
});

test('looking for jobs that there is something to do for reads no others', async () => {
  expect(await repository.active(opened.database.reader)).toEqual([]);
  const plan = await planOf(sql`select id from bulks where active = 1 and status <> 'accepting' order by id`);
  expect(plan).toMatch(/bulks_active/);
});

async function planOf(query: ReturnType<typeof sql>): Promise<string> {
  const explain = ENGINE === 'postgres' ? sql`explain ${query}` : sql`explain query plan ${query}`;
  const { rows } = await explain.execute(opened.database.reader);
  return (rows as Record<string, unknown>[]).map((row) => row.detail ?? row['QUERY PLAN']).join('\n');
}
