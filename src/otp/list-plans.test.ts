import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ENGINE } from '../../test/support/engine.ts';
import { plansOf } from '../../test/support/query-plans.ts';
import { testClock } from '../../test/support/test-clock.ts';
import { openTestDatabase } from '../../test/support/test-database.ts';
import { virtualInbox } from '../channels/simulator/virtual-inbox.ts';
import type { Database, Transaction } from '../database/database.ts';
import { newId } from '../lib/id.ts';
import { type VerificationFilter, verificationList } from './list.ts';
import { verificationRepository } from './repository.ts';

const clock = testClock();
const NOW = clock.now();
/** The number of the small project, and of the one whose rows are nearly all there are. */
const [SMALL, LARGE] = [2, 1];
const MANY = 20_000;

let opened: Awaited<ReturnType<typeof openTestDatabase>>;
beforeAll(async () => {
  opened = await openTestDatabase();
  await opened.database.transaction(async (trx) => {
    await trx
      .insertInto('projects')
      .values({ id: 'prj_small', number: SMALL, name: 'n', created_at: 0 })
      .execute();
    await seed(trx, SMALL, 10);
    await seed(trx, LARGE, MANY);
    await sql`analyze`.execute(trx);
  });
});
afterAll(() => opened.close());

/** Verifications in every state, and what arrived on virtual phones. */
async function seed(trx: Transaction, project: number, count: number): Promise<void> {
  const lasting = (prefix: 'ver' | 'msg') => sql.lit(newId(prefix, NOW - project).slice(0, -8));
  const number = sql.lit(project);
  const at = sql.lit(NOW - project);
  const end = sql`cast(10000000 + i as text)`;
  const series = sql`with recursive series (i) as (
    select 0 union all select i + 1 from series where i < ${sql.lit(count - 1)})`;
  await sql`insert into verifications (id, project_id, phone, destination, purpose, channel, status, code_mac, key_version,
      code_length, attempts, sends, failed_checks, created_at, expires_at)
    ${series} select ${lasting('ver')} || ${end}, ${number}, ${end}, ${end},
      case when i % 2 = 0 then 'default' else 'payment' end, 'simulator',
      case when i % 3 = 0 then 'verified' when i % 3 = 1 then 'failed' else 'pending' end, '00', 1, 6, 0, '[]', '[]', ${at}, ${at}
    from series`.execute(trx);
  await sql`insert into simulator_messages (message_id, project_id, address, at)
    ${series} select ${lasting('msg')} || ${end}, ${number}, ${end}, ${at} from series`.execute(trx);
}

const page = (filter: VerificationFilter) => (database: Database) =>
  verificationList(database).page(SMALL, filter, NOW, { limit: 50 });

test.each<[what: string, work: (database: Database) => Promise<unknown>, index: RegExp]>([
  ['verifications', page({}), /verifications_of_other_projects/],
  ['verifications of some time', page({ from: NOW - 1000, to: NOW }), /verifications_of_other_projects/],
  ['verified ones', page({ status: 'verified' }), /verifications_of_other_projects/],
  ['failed ones', page({ status: 'failed' }), /verifications_unverified_by_status/],
  ['those for a purpose', page({ purpose: 'payment' }), /verifications_by_purpose/],
  ['those of a phone', page({ destination: '10000003' }), /verifications_by_destination/],
  [
    'counts by state',
    (database) => verificationRepository(database).counts(SMALL, 'ver_'),
    /verifications_of_other_projects/,
  ],
  [
    'messages on virtual phones',
    (database) => virtualInbox(database).list(database.reader, { projectId: SMALL, limit: 50 }),
    /simulator_messages_of_other_projects/,
  ],
])('of a small project, %s are found without walking the rows of a large one', async (_, work, index) => {
  const plans = await plansOf(opened.database, work);
  expect(plans.length).toBeGreaterThan(0);
  // The rows of known ids are read by those.
  const byIndex = plans.filter((plan) => !/\(id=\?\)|sqlite_autoindex|_pkey/.test(plan));
  expect(byIndex.length).toBeGreaterThan(0);
  for (const plan of byIndex) expect(plan).toMatch(index);
  for (const plan of plans) expect(plan).not.toMatch(/SCAN (verifications|simulator_messages)|Seq Scan/);
});

test('a code of the default project is in no index that lists of other projects need', async () => {
  const { rows } =
    ENGINE === 'postgres'
      ? await sql<{
          name: string;
          text: string;
        }>`select indexname as name, indexdef as text from pg_indexes`.execute(opened.database.reader)
      : await sql<{
          name: string;
          text: string;
        }>`select name, sql as text from sqlite_schema where type = 'index'`.execute(opened.database.reader);
  const ofOthers = rows.filter(({ name }) => name.endsWith('_of_other_projects'));
  expect(ofOthers.map(({ name }) => name).sort()).toEqual([
    'api_keys_of_other_projects',
    'bulks_of_other_projects',
    'simulator_messages_of_other_projects',
    'templates_of_other_projects',
    'verifications_of_other_projects',
  ]);
  for (const { text } of ofOthers) expect(text).toMatch(/where \(?project_id <> 1\)?$/i);
});
