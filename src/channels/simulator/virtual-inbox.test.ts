import { afterAll, beforeAll, expect, test } from 'vitest';
import { openTestDatabase } from '../../../test/support/test-database.ts';
import { virtualInbox } from './virtual-inbox.ts';

const [DEFAULT, OTHER] = [1, 2];
/** As many of another project, newer than the ones of the default project. */
const OTHERS = 5_200;

let opened: Awaited<ReturnType<typeof openTestDatabase>>;
beforeAll(async () => {
  opened = await openTestDatabase();
  const arrivals = Array.from({ length: OTHERS + 3 }, (_, i) => ({
    message_id: `msg_${String(i).padStart(26, '0')}`,
    project_id: i < 3 ? DEFAULT : OTHER,
    address: '+6283834946034',
    channel: 'whatsapp',
    at: i,
  }));
  await opened.database.transaction(async (trx) => {
    const project = { id: 'prj_other', number: OTHER, name: 'Another', created_at: 0 };
    await trx.insertInto('projects').values(project).execute();
    for (let from = 0; from < arrivals.length; from += 1_000) {
      await trx
        .insertInto('simulator_messages')
        .values(arrivals.slice(from, from + 1_000))
        .execute();
    }
  });
});
afterAll(() => opened.close());

test('the default project finds its messages behind thousands of another one, in pages that end sooner', async () => {
  const { database } = opened;
  const inbox = virtualInbox(database);
  const page = (before?: string) => inbox.list(database.reader, { projectId: DEFAULT, before, limit: 2 });
  const first = await page();
  expect(first.rows).toEqual([]);
  const second = await page(first.next!);
  expect(second.rows.map(({ at }) => at)).toEqual([2, 1]);
  const third = await page(second.next!);
  expect(third).toMatchObject({ rows: [{ at: 0 }], next: null });
});

test('what is asked for an address is one page', async () => {
  const { database } = opened;
  const filter = { projectId: DEFAULT, address: '+6283834946034', limit: 10 };
  const { rows, next } = await virtualInbox(database).list(database.reader, filter);
  expect([rows.length, next]).toEqual([3, null]);
});
