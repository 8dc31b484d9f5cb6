import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { plansOf } from '../../test/support/query-plans.ts';
import { testClock } from '../../test/support/test-clock.ts';
import { openTestDatabase } from '../../test/support/test-database.ts';
import { newId } from '../lib/id.ts';
import { messageBacklog } from './backlog.ts';

const NOW = testClock().now();
const [OWN, OTHER] = [1, 2];

let opened: Awaited<ReturnType<typeof openTestDatabase>>;
beforeAll(async () => {
  opened = await openTestDatabase();
  await opened.database.transaction(async (trx) => {
    const prefix = sql.lit(newId('msg', NOW).slice(0, -8));
    // Of 20,000 messages 20 wait and 10 are being sent, half of each in either project.
    await sql`insert into messages (id, project_id, owner_id, address, channel, lane, status, key_version, timeline,
        attempts, claim, due_at, expires_at, created_at)
      with recursive series (i) as (select 0 union all select i + 1 from series where i < 19999)
      select ${prefix} || cast(10000000 + i as text), 1 + i % 2, 'ver_1', '+6281234500000',
        case when i % 4 < 2 then 'email' else 'sms' end, 0,
        case when i < 20 then 'queued' when i < 30 then 'sending' else 'sent' end, 1, '[]', 0, 0, 0, 0,
        ${sql.lit(NOW)} + i from series`.execute(trx);
    await sql`analyze`.execute(trx);
  });
});
afterAll(() => opened.close());

test('counts what waits and what is being sent by channel, and says how old the oldest is', async () => {
  const byChannel = (rows: Awaited<ReturnType<ReturnType<typeof messageBacklog>>>) =>
    rows
      .map(({ status, channel, lane, count, oldestAt }) => [status, channel, lane, count, oldestAt - NOW])
      .sort((a, b) => String(a).localeCompare(String(b)));
  const backlog = messageBacklog(opened.database);
  expect(byChannel(await backlog())).toEqual([
    ['queued', 'email', 0, 10, 0],
    ['queued', 'sms', 0, 10, 2],
    ['sending', 'email', 0, 6, 20],
    ['sending', 'sms', 0, 4, 22],
  ]);
  expect(byChannel(await backlog(OTHER))).toEqual([
    ['queued', 'email', 0, 5, 1],
    ['queued', 'sms', 0, 5, 3],
    ['sending', 'email', 0, 3, 21],
    ['sending', 'sms', 0, 2, 23],
  ]);
  expect((await backlog(OWN)).reduce((sum, { count }) => sum + count, 0)).toBe(15);
});

test.each([undefined, OWN])(
  'reads the indexes of queued and sending messages alone (project %s)',
  async (project) => {
    const plans = await plansOf(opened.database, (database) => messageBacklog(database)(project));
    expect(plans).toHaveLength(2);
    expect(plans[0]).toMatch(/messages_queued_by_due/);
    expect(plans[1]).toMatch(/messages_sending_by_due/);
  },
);
