import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openTestOutbox, type TestOutbox } from '../../test/support/test-outbox.ts';
import { verificationRow } from '../../test/support/verifications.ts';
import { DEFAULT_PROJECT } from '../database/project.ts';
import { type VerificationFilter, verificationList } from './list.ts';
import type { VerificationRow } from './repository.ts';
import { statusAt } from './state-machine.ts';
import { VERIFICATION_STATUSES } from './types.ts';

const ANOTHER_PROJECT = 2;
const PHONE = '+6281234567890';
const PURPOSES = ['default', 'login', 'default', 'payment', 'rare'];
/** A page looks at so little that every way of making it comes to its bound. */
const NARROW = { rows: 6, entries: 6 };

let outbox: TestOutbox;
let now: number;
/** What is stored, newest first: every state with every purpose, two a millisecond. */
let rows: VerificationRow[];

beforeAll(async () => {
  outbox = await openTestOutbox();
  now = outbox.clock.now();
  rows = Array.from({ length: 90 }, (_, i) => {
    const created_at = now - 1_000 + Math.floor(i / 2);
    return verificationRow({
      created_at,
      project_id: i % 4 === 3 ? ANOTHER_PROJECT : DEFAULT_PROJECT,
      purpose: PURPOSES[i % 5]!,
      status: [...VERIFICATION_STATUSES, 'verified'][i % 7]!,
      ...(i % 3 === 0 && { phone: PHONE, destination: PHONE.slice(1) }),
      // A few that are pending as they are stored have just run out.
      expires_at: i % 28 === 0 ? now : now + 1,
    });
  }).reverse();
  await outbox.database.transaction((trx) => trx.insertInto('verifications').values(rows).execute());
});
afterAll(() => outbox.close());

const idsOf = (some: readonly VerificationRow[]) => some.map(({ id }) => id);

/** The ids that a filter lets through, newest first. */
function matching(
  { destination, purpose, status, from, to }: VerificationFilter,
  project = DEFAULT_PROJECT,
): string[] {
  return idsOf(
    rows.filter(
      (row) =>
        row.project_id === project &&
        (destination === undefined || row.destination === destination) &&
        (purpose === undefined || row.purpose === purpose) &&
        (status === undefined || statusAt(row, now) === status) &&
        (from === undefined || row.created_at >= from) &&
        (to === undefined || row.created_at < to),
    ),
  );
}

/** The pages of a list, one after the other; `next` says where each but the last ended. */
async function pagesOf(
  filter: VerificationFilter,
  limit: number,
  {
    bounds,
    project = DEFAULT_PROJECT,
  }: { bounds?: Partial<typeof NARROW & { amongOthers: number }> | undefined; project?: number } = {},
) {
  const list = verificationList(outbox.database, bounds);
  const pages: { ids: string[]; next: string | null }[] = [];
  for (let before: string | undefined; pages.length <= rows.length; ) {
    const page = await list.page(project, filter, now, { limit, ...(before && { before }) });
    expect(page.rows.length).toBeLessThanOrEqual(limit);
    pages.push({ ids: idsOf(page.rows), next: page.next });
    if (page.next === null) return pages;
    before = page.next;
  }
  throw new Error('the list has no end');
}

describe.each([
  ['the default project, where a page may look at everything', DEFAULT_PROJECT, undefined],
  ['the default project, where a page may look at a few rows only', DEFAULT_PROJECT, NARROW],
  ['another, where a page may look at everything', ANOTHER_PROJECT, undefined],
  ['another, where a page may look at a few rows only', ANOTHER_PROJECT, NARROW],
])('the pages of %s, hold each verification that matches once, newest first', (_where, project, bounds) => {
  async function expectAll(filter: VerificationFilter, limits: readonly number[]): Promise<void> {
    for (const limit of limits) {
      const pages = await pagesOf(filter, limit, { bounds, project });
      expect(pages.flatMap(({ ids }) => ids)).toEqual(matching(filter, project));
    }
  }

  describe.each([undefined, ...VERIFICATION_STATUSES])('in state %s', (status) => {
    test.each([undefined, 'default', 'login', 'rare', 'nobody-asked'])('for purpose %s', async (purpose) => {
      // Two verifications were made in each of these milliseconds, in the latter one that has just run out: `from`
      // takes them along, `to` does not.
      const [from, to] = [now - 990, now - 972];
      const narrowed = { ...(status && { status }), ...(purpose && { purpose }) };
      await expectAll(narrowed, [2, 5]);
      await expectAll({ ...narrowed, from }, [5]);
      await expectAll({ ...narrowed, to }, [5]);
    });
  });

  test.each<VerificationFilter>([
    {},
    { purpose: 'login' },
    { status: 'pending' },
    { status: 'expired' },
    { status: 'verified', purpose: 'default' },
  ])('of one phone, %o', async (narrowed) => {
    await expectAll({ ...narrowed, destination: PHONE.slice(1), from: now - 995, to: now - 960 }, [1, 4]);
  });
});

test.each<VerificationFilter>([{ purpose: 'login' }, { status: 'failed' }, { status: 'pending' }])(
  'a page that is full says where the next one begins, and the last one that nothing follows: %o',
  async (filter) => {
    const all = matching(filter);
    const limit = all.length - 1;
    expect(await pagesOf(filter, limit)).toEqual([
      { ids: all.slice(0, limit), next: all.at(-2) },
      { ids: all.slice(limit), next: null },
    ]);
    expect(await pagesOf(filter, all.length)).toEqual([{ ids: all, next: null }]);
  },
);

describe('a page that has looked at enough', () => {
  /** Where the pages end, counted in what they look at. */
  const endsIn = (looked: readonly VerificationRow[], pages: readonly { next: string | null }[]) =>
    pages.slice(0, -1).map(({ next }) => looked.findIndex(({ id }) => id === next));

  test.each([1, 2, 5])(
    'ends at the last row it looked at, however few of them match, and the next goes on there (%i a page)',
    async (limit) => {
      const filter = { purpose: 'default', status: 'pending' } as const;
      const pages = await pagesOf(filter, limit, { bounds: NARROW, project: ANOTHER_PROJECT });
      const own = rows.filter(({ project_id }) => project_id === ANOTHER_PROJECT);
      expect(endsIn(own, pages)).toEqual(Array.from({ length: pages.length - 1 }, (_, i) => 6 * i + 5));
      expect(pages).toHaveLength(Math.floor(own.length / 6) + 1);
    },
  );

  test('of the default project ends at the last of all rows it looked at, of whatever project', async () => {
    const filter = { purpose: 'default', status: 'pending' } as const;
    const pages = await pagesOf(filter, 50, { bounds: { rows: 8, amongOthers: 6 } });
    expect(endsIn(rows, pages)).toEqual(Array.from({ length: rows.length / 6 }, (_, i) => 6 * i + 5));
  });

  test('of the index of a state ends at the last entry it looked at', async () => {
    const own = rows.filter(
      ({ status, project_id }) => status === 'failed' && project_id === DEFAULT_PROJECT,
    );
    const filter = { status: 'failed', purpose: 'default' } as const;
    const pages = await pagesOf(filter, 50, { bounds: { rows: 500, entries: 5 } });
    expect(endsIn(own, pages)).toEqual([4, 9]);
    expect(own).toHaveLength(10);
  });
});
