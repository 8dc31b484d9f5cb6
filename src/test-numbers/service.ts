import type { Actor } from '../database/acts.ts';
import type { Database, Executor, Transaction } from '../database/database.ts';
import type { Keyring } from '../database/keyring.ts';
import type { Schema } from '../database/schema.ts';
import { ConflictError, NotFoundError } from '../errors/errors.ts';
import type { EventRecorder } from '../events/record.ts';
import type { Clock } from '../lib/clock.ts';
import { newId } from '../lib/id.ts';
import { seal } from '../lib/seal.ts';

/** So many a project: they are for reviewers and tests, not for users. */
export const TEST_NUMBERS_MAX = 20;

/** An address that gets a fixed code and no message. */
export interface TestNumber {
  id: string;
  /** E.164, or an e-mail address. */
  address: string;
  /** The code that every verification of it has. */
  code: string;
  note: string | null;
  /** Unix ms. */
  createdAt: number;
}

/** An address as it was read, and the code it is to have. */
interface NewTestNumber {
  projectId: number;
  address: string;
  identity: string;
  masked: string;
  code: string;
  note: string | null;
}

export type TestNumberService = ReturnType<typeof testNumberService>;

/** The test numbers of every project. They are few, so that each send finds them in memory. */
export function testNumberService(deps: {
  database: Database;
  keyring: Keyring;
  events: EventRecorder;
  clock: Clock;
  /** Whether listed numbers are treated differently at all. */
  areOn: boolean;
}) {
  const { database, keyring, events, clock, areOn } = deps;
  /** The code by project and identity. */
  let codes: ReadonlyMap<string, string> = new Map();
  const nameOf = (projectId: number, identity: string) => `${projectId}:${identity}`;

  function codeIn({ id, code: value, key_version: version }: Schema['test_numbers']): string | undefined {
    return keyring.open('test-code', { value, version, context: id });
  }

  /** Reads the list again, for what another process has changed. */
  async function reload(executor: Executor = database.reader): Promise<void> {
    if (!areOn) return;
    const rows = await executor.selectFrom('test_numbers').selectAll().execute();
    codes = new Map(
      rows.flatMap((row): [string, string][] => {
        const code = codeIn(row);
        return code === undefined ? [] : [[nameOf(row.project_id, row.identity), code]];
      }),
    );
  }

  const reloadAfter = async (trx: Transaction) => {
    const before = codes;
    await reload(trx);
    const after = codes;
    codes = before;
    database.afterCommit(trx, () => {
      codes = after;
    });
  };

  return {
    reload,

    /** The code of an address in a project; undefined where it is no test number. */
    codeFor: (projectId: number, identity: string): string | undefined =>
      codes.size === 0 ? undefined : codes.get(nameOf(projectId, identity)),

    /** A project's test numbers, the oldest first. */
    async list(projectId: number): Promise<TestNumber[]> {
      const rows = await database.reader
        .selectFrom('test_numbers')
        .selectAll()
        .where('project_id', '=', projectId)
        .orderBy('id')
        .execute();
      return rows.flatMap((row) => {
        const { id, address, note, created_at: createdAt } = row;
        const code = codeIn(row);
        return code === undefined ? [] : [{ id, address, code, note, createdAt }];
      });
    },

    /**
     * Lists an address.
     * @throws ConflictError where it is listed already, there are too many, or test numbers are off
     */
    async add(trx: Transaction, wanted: NewTestNumber, by: Actor): Promise<TestNumber> {
      if (!areOn) {
        throw new ConflictError(
          'Test numbers are off in production. Set TEST_NUMBERS=true and restart the server to use them.',
        );
      }
      const { projectId, address, identity, masked, code, note } = wanted;
      await database.serialize(trx, `test numbers of ${projectId}`);
      const known = await trx
        .selectFrom('test_numbers')
        .select('identity')
        .where('project_id', '=', projectId)
        .execute();
      if (known.some((row) => row.identity === identity)) {
        throw new ConflictError(
          'This address is a test number already. Remove it first to give it another code.',
        );
      }
      if (known.length >= TEST_NUMBERS_MAX) {
        throw new ConflictError(`A project can have ${TEST_NUMBERS_MAX} test numbers. Remove one first.`);
      }
      const now = clock.now();
      const id = newId('tst', now);
      await trx
        .insertInto('test_numbers')
        .values({
          id,
          project_id: projectId,
          address,
          identity,
          code: seal(keyring.key('test-code'), code, id),
          key_version: keyring.version,
          note,
          created_at: now,
        })
        .execute();
      await events.record(trx, {
        type: 'test_number.added',
        projectId,
        data: { testNumberId: id, number: masked },
        by,
      });
      await reloadAfter(trx);
      return { id, address, code, note, createdAt: now };
    },

    /** Takes an address off the list; its pending verifications stay as they are. Throws NotFoundError. */
    async remove(trx: Transaction, projectId: number, id: string, by: Actor): Promise<void> {
      const removed = await trx
        .deleteFrom('test_numbers')
        .where('project_id', '=', projectId)
        .where('id', '=', id)
        .returning('id')
        .execute();
      if (removed.length === 0) throw new NotFoundError('There is no test number with this id.');
      await events.record(trx, { type: 'test_number.removed', projectId, data: { testNumberId: id }, by });
      await reloadAfter(trx);
    },
  };
}
