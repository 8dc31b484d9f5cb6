import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { actorNamed } from '../../test/support/actors.ts';
import { testClock } from '../../test/support/test-clock.ts';
import { openTestDatabase } from '../../test/support/test-database.ts';
import { MASTER_KEY } from '../../test/support/wodb.ts';
import { sentenceOfBad } from '../database/audit-chain.js';
import type { Database } from '../database/database.ts';
import { type Keyring, openKeyring } from '../database/keyring.ts';
import { type EventRecorder, eventRecorder } from '../events/record.ts';
import { DAY_MS } from '../lib/duration.ts';
import { type AuditChain, auditChain, BrokenHeadError } from './chain.ts';

let opened: Awaited<ReturnType<typeof openTestDatabase>>;
let database: Database;
let clock: ReturnType<typeof testClock>;
let keyring: Keyring;
let events: EventRecorder;
let chain: AuditChain;

beforeEach(async () => {
  opened = await openTestDatabase();
  database = opened.database;
  clock = testClock();
  keyring = await openKeyring(database, MASTER_KEY, clock);
  events = eventRecorder(database, clock, keyring);
  chain = auditChain({ database, keyring });
  await chain.begin(clock.now());
});
afterEach(() => opened.close());

/** Records acts, one transaction each. */
async function act(count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    const version = i + 1;
    await database.transaction((trx) =>
      events.record(trx, {
        type: 'template.changed',
        projectId: 1,
        data: { template: 'welcome', version },
        by: actorNamed('admin'),
        before: { name: `name ${version}` },
        after: { name: `name ${version + 1}` },
      }),
    );
  }
}

/** Records acts that have their places in the chain. */
async function chained(count: number): Promise<void> {
  await act(count);
  await chain.link();
}

const lines = () =>
  database.reader.selectFrom('audit_log').selectAll().orderBy('position').orderBy('seq').execute();

const line = async (position: number) => (await lines()).find((each) => each.position === position)!;

/** What somebody does who can write to the database, but has no key. */
const tamper = (work: Parameters<Database['transaction']>[0]) => database.transaction(work);

/** What a verification finds, in its own words. */
async function finding(known?: Parameters<AuditChain['verify']>[0]): Promise<string | undefined> {
  const { firstBad } = await chain.verify(known);
  return firstBad && sentenceOfBad(firstBad);
}

describe('the chain', () => {
  test('is right when nobody has touched it', async () => {
    await chained(5);
    expect(await chain.verify()).toMatchObject({ checked: 5, waiting: 0, firstBad: undefined });
  });

  test('of nothing is right', async () => {
    expect(await chain.verify()).toMatchObject({ checked: 0, firstBad: undefined, since: clock.now() });
  });

  test('counts the lines that wait for their place', async () => {
    await chained(2);
    await act(3);
    expect(await chain.verify()).toMatchObject({ checked: 5, waiting: 3, firstBad: undefined });
  });

  test('is longer than what is read at once', async () => {
    await chained(1_203);
    expect(await chain.verify()).toMatchObject({ checked: 1_203, waiting: 0, firstBad: undefined });
  }, 60_000);

  test('has every line once when many processes chain at the same time', async () => {
    await act(60);
    const others = Array.from({ length: 4 }, () => auditChain({ database, keyring }));
    await Promise.all([
      ...others.map((other) => other.link()),
      act(40),
      ...others.map((other) => other.link()),
    ]);
    await chain.link();
    expect((await lines()).map(({ position }) => position)).toEqual(
      Array.from({ length: 100 }, (_, i) => i + 1),
    );
    expect(await finding()).toBeUndefined();
  }, 60_000);
});

describe('verifying names', () => {
  beforeEach(() => chained(6));

  test.each([
    ['data', (data: string) => data.replace('name 3', 'name 4')],
    ['actor', () => 'somebody'],
    ['address', () => '192.0.2.1'],
    ['type', () => 'template.created'],
    ['subject', () => 'another'],
    ['at', () => 1],
    ['project_id', () => 2],
    ['id', () => 'evt_01jd3x8zq2e6v9k5m7n0p4r8st'],
  ] as const)('a line whose %s was changed', async (column, to) => {
    const { seq, data } = await line(3);
    await tamper((trx) =>
      trx
        .updateTable('audit_log')
        .set({ [column]: to(data) })
        .where('seq', '=', seq)
        .execute(),
    );
    expect(await finding()).toMatch(/^Line 3 \(.*\) was changed after it was recorded\.$/);
  });

  test('one line that was removed', async () => {
    await tamper((trx) => trx.deleteFrom('audit_log').where('position', '=', 4).execute());
    expect(await finding()).toBe('Line 4 is missing.');
  });

  test('one line that was removed where those after it moved up', async () => {
    await tamper(async (trx) => {
      await trx.deleteFrom('audit_log').where('position', '=', 4).execute();
      for (const position of [5, 6])
        await trx
          .updateTable('audit_log')
          .set({ position: position - 1 })
          .where('position', '=', position)
          .execute();
    });
    expect(await finding()).toMatch(/^Line 4 \(.*\) is not the line that was recorded in this place\.$/);
  });

  test('two lines that were swapped', async () => {
    const [second, third] = [await line(2), await line(3)];
    await tamper(async (trx) => {
      await trx.updateTable('audit_log').set({ position: null }).where('seq', '=', second.seq).execute();
      await trx.updateTable('audit_log').set({ position: 2 }).where('seq', '=', third.seq).execute();
      await trx.updateTable('audit_log').set({ position: 3 }).where('seq', '=', second.seq).execute();
    });
    expect(await finding()).toMatch(/^Line 2 \(.*\) is not the line that was recorded in this place\.$/);
  });

  test('two lines that were swapped with all that belongs to their places', async () => {
    const [second, third] = [await line(2), await line(3)];
    await tamper(async (trx) => {
      await trx.deleteFrom('audit_log').where('position', 'in', [2, 3]).execute();
      const places = [
        { ...second, position: third.position, hash: third.hash },
        { ...third, position: second.position, hash: second.hash },
      ];
      await trx.insertInto('audit_log').values(places).execute();
    });
    expect(await finding()).toMatch(/^Line 2 \(.*\) is not the line that was recorded in this place\.$/);
  });

  test('the place from which the end was cut off', async () => {
    await tamper((trx) => trx.deleteFrom('audit_log').where('position', '>', 4).execute());
    expect(await finding()).toBe('Line 5 is missing.');
  });

  test('the place from which the end was cut off, also when more was recorded since', async () => {
    await tamper((trx) => trx.deleteFrom('audit_log').where('position', '>', 4).execute());
    await chained(2);
    expect(await finding()).toBe('Line 5 is missing.');
  });

  test('the beginning that was cut off', async () => {
    await tamper((trx) => trx.deleteFrom('audit_log').where('position', '<', 3).execute());
    expect(await finding()).toBe('Line 1 is missing.');
  });

  test('a line that something else than WOTP has added at the end', async () => {
    const last = await line(6);
    await tamper((trx) =>
      trx
        .insertInto('audit_log')
        .values({ ...last, seq: last.seq + 1_000, position: 7 })
        .execute(),
    );
    expect(await finding()).toMatch(/^Line 7 \(.*\) was added by something else than WOTP\.$/);
  });

  test('a line that something else has put among those that wait', async () => {
    const last = await line(6);
    const added = { ...last, seq: last.seq + 1_000, position: null, hash: null };
    await tamper((trx) => trx.insertInto('audit_log').values(added).execute());
    expect(await finding()).toMatch(/^A line that is not chained yet \(.*\) was changed/);
    await chain.link();
    expect(await finding()).toMatch(/^Line 7 \(.*\) was changed/);
  });

  test('the head when it was made to fit a cut', async () => {
    const { hash } = await line(4);
    await tamper(async (trx) => {
      await trx.deleteFrom('audit_log').where('position', '>', 4).execute();
      await trx.updateTable('audit_head').set({ position: 4, hash: hash! }).execute();
    });
    expect(await finding()).toBe('The head of the chain was changed or removed.');
    // And nothing that comes later makes it good again.
    await act(1);
    await expect(chain.link()).rejects.toThrow(BrokenHeadError);
    expect(await finding()).toBe('The head of the chain was changed or removed.');
  });

  test('a head that is gone, and does not begin the chain again', async () => {
    await tamper((trx) => trx.deleteFrom('audit_head').execute());
    await chain.begin(clock.now());
    expect(await finding()).toBe('The head of the chain was changed or removed.');
  });

  test('the end that was taken back together with its head, to whoever has noted a later one', async () => {
    const earlier = await database.reader.selectFrom('audit_head').selectAll().executeTakeFirstOrThrow();
    await chained(2);
    const { head } = await chain.verify();
    await tamper(async (trx) => {
      await trx.deleteFrom('audit_log').where('position', '>', 6).execute();
      await trx.updateTable('audit_head').set(earlier).execute();
    });
    expect(await finding()).toBeUndefined();
    expect(await finding(head)).toBe('Line 7 is missing.');
    await chained(2);
    expect(await finding(head)).toMatch(/^Line 8 \(.*\) is not the line that was recorded in this place\.$/);
  });
});

describe('retention', () => {
  beforeEach(async () => {
    await chained(5);
    clock.set(clock.now() + 10 * DAY_MS);
    await chained(5);
  });

  const forget = (limit: number) =>
    database.transaction((trx) => chain.forget(trx, clock.now() - DAY_MS, limit));

  test('deletes the oldest lines, and what is left can be verified', async () => {
    expect(await forget(3)).toBe(3);
    expect(await chain.verify()).toMatchObject({ checked: 7, firstBad: undefined });
    expect(await forget(100)).toBe(2);
    expect(await forget(100)).toBe(0);
    await chained(1);
    expect(await chain.verify()).toMatchObject({ checked: 6, firstBad: undefined });
  });

  test('leaves a change in what is left to be found', async () => {
    await forget(100);
    await tamper((trx) => trx.deleteFrom('audit_log').where('position', '=', 6).execute());
    expect(await finding()).toBe('Line 6 is missing.');
  });

  test('accepts a head that was noted before, as long as its line is there', async () => {
    const { hash } = await line(7);
    await forget(100);
    expect(await finding({ position: 7, hash: hash!.toString('hex') })).toBeUndefined();
    expect(await finding({ position: 7, hash: '00'.repeat(32) })).toMatch(/^Line 7/);
  });

  test('of a broken chain deletes nothing', async () => {
    await tamper((trx) => trx.updateTable('audit_head').set({ position: 9 }).execute());
    expect(await forget(100)).toBe(0);
    expect(await lines()).toHaveLength(10);
  });
});
