import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DEFAULT_PROJECT } from '../../src/database/project.ts';
import { verificationList } from '../../src/otp/list.ts';
import type { VerificationRow } from '../../src/otp/repository.ts';
import { startTestApp, type TestApp } from '../support/test-app.ts';
import { QUICK_ADMIN, verificationRow } from '../support/verifications.ts';

/** More than one page looks at. */
const MANY = 1_300;

let server: TestApp;
/** What is stored, newest first. */
let rows: VerificationRow[];

beforeAll(async () => {
  server = await startTestApp({ env: QUICK_ADMIN });
  const begin = server.clock.now() - 4 * MANY;
  const kinds = [
    ...Array.from({ length: MANY }, () => ({ purpose: 'login', status: 'verified' })),
    ...Array.from({ length: MANY }, () => ({ purpose: 'payment', status: 'expired' })),
    ...Array.from({ length: MANY }, () => ({ purpose: 'login', status: 'pending' })),
  ];
  // Where each filter alone finds many and both together one or two, the oldest and one in the middle.
  kinds[0] = { purpose: 'payment', status: 'verified' };
  kinds[MANY - 50] = { purpose: 'payment', status: 'verified' };
  kinds[2 * MANY + 3] = { purpose: 'payment', status: 'pending' };
  kinds[MANY] = { purpose: 'login', status: 'expired' };
  kinds[2 * MANY - 50] = { purpose: 'login', status: 'expired' };
  kinds[7] = { purpose: 'rare', status: 'verified' };
  kinds[8] = { purpose: 'rare', status: 'failed' };
  rows = kinds
    .map((kind, i) => verificationRow({ ...kind, project_id: DEFAULT_PROJECT, created_at: begin + i }))
    .reverse();
  await server.app.database.transaction(async (trx) => {
    for (let at = 0; at < rows.length; at += 200) {
      await trx
        .insertInto('verifications')
        .values(rows.slice(at, at + 200))
        .execute();
    }
  });
});
afterAll(() => server.stop());

const iso = (time: number) => new Date(time).toISOString();

/** The ids of every page of a list, a page each. */
async function pagesOf(query: Record<string, string>): Promise<string[][]> {
  const pages: string[][] = [];
  for (let cursor: string | null = ''; cursor !== null; ) {
    const given: Record<string, string> = cursor === '' ? query : { ...query, cursor };
    const { status, body } = await server.call('GET', `otp?${new URLSearchParams(given)}`);
    expect(status).toBe(200);
    pages.push(body.data.map(({ id }: { id: string }) => id));
    cursor = body.page.next;
  }
  return pages;
}

const stored = (matches: (row: VerificationRow) => boolean) => rows.filter(matches).map(({ id }) => id);

describe('a list of many verifications holds each that matches once, newest first', () => {
  const middle = 1.5 * MANY;
  test.each<[query: Record<string, string>, matches: (row: VerificationRow) => boolean]>([
    [{}, () => true],
    [{ status: 'verified' }, ({ status }) => status === 'verified'],
    [{ status: 'expired' }, ({ status }) => status === 'expired'],
    [{ status: 'failed' }, ({ status }) => status === 'failed'],
    [{ status: 'canceled' }, () => false],
    [{ status: 'pending' }, ({ status }) => status === 'pending'],
    [{ purpose: 'login' }, ({ purpose }) => purpose === 'login'],
    [{ purpose: 'rare' }, ({ purpose }) => purpose === 'rare'],
    [{ purpose: 'nobody-asked' }, () => false],
    [{ purpose: 'login', status: 'verified' }, (r) => r.purpose === 'login' && r.status === 'verified'],
    [{ purpose: 'login', status: 'expired' }, (r) => r.purpose === 'login' && r.status === 'expired'],
    [{ purpose: 'payment', status: 'verified' }, (r) => r.purpose === 'payment' && r.status === 'verified'],
    [{ purpose: 'payment', status: 'pending' }, (r) => r.purpose === 'payment' && r.status === 'pending'],
    [{ purpose: 'rare', status: 'failed' }, (r) => r.purpose === 'rare' && r.status === 'failed'],
  ])(
    '%o',
    async (query, matches) => {
      for (const limit of ['200', '77'])
        expect((await pagesOf({ ...query, limit })).flat()).toEqual(stored(matches));
      const { created_at } = rows[middle]!;
      const before = (await pagesOf({ ...query, limit: '200', to: iso(created_at) })).flat();
      const from = (await pagesOf({ ...query, limit: '200', from: iso(created_at) })).flat();
      expect(before).toEqual(stored((each) => matches(each) && each.created_at < created_at));
      expect([...from, ...before]).toEqual(stored(matches));
    },
    120_000,
  );
});

test('where two filters meet in hardly any row, a page ends before it has looked at all', async () => {
  const pages = await pagesOf({ purpose: 'payment', status: 'pending', limit: '50' });
  expect(pages.length).toBeGreaterThan(1);
  expect(pages.flat()).toHaveLength(1);
});

test('so it does where the index alone is looked at, and the next page goes on behind that', async () => {
  const list = verificationList(server.app.database, { entries: 500 });
  const found: string[][] = [];
  let before: string | undefined;
  for (;;) {
    const filter = { purpose: 'login', status: 'expired' } as const;
    const start = { before, limit: 50 };
    const page = await list.page(DEFAULT_PROJECT, filter, server.clock.now(), start);
    found.push(page.rows.map(({ id }) => id));
    if (page.next === null) break;
    before = page.next;
  }
  expect(found.map((ids) => ids.length)).toEqual([1, 0, 1]);
  expect(found.flat()).toEqual(stored((each) => each.purpose === 'login' && each.status === 'expired'));
});

test('those whose time has just run out are among the expired, in their place', async () => {
  server.clock.set(rows[MANY - 10]!.expires_at);
  const due = rows.filter(
    ({ status, expires_at }) => status === 'pending' && expires_at <= server.clock.now(),
  );
  expect(due).toHaveLength(10);
  const all = stored((each) => each.status === 'expired' || due.includes(each));
  expect((await pagesOf({ status: 'expired', limit: '4' })).flat()).toEqual(all);
  expect((await pagesOf({ status: 'pending', limit: '200' })).flat()).toEqual(
    stored((each) => each.status === 'pending' && !due.includes(each)),
  );
});
