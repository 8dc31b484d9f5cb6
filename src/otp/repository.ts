import { sql } from 'kysely';
import type { Database, Executor, Transaction } from '../database/database.ts';
import { inProjects, ofProject, type Projects } from '../database/project.ts';
import type { Schema } from '../database/schema.ts';
import { HOUR_MS } from '../lib/duration.ts';
import type { FailedCheck } from './guess-budget.ts';
import { DESTINATION_COLUMNS, type OpenVerifications, openVerifications } from './open-verifications.ts';
import type { Ending } from './state-machine.ts';

export type VerificationRow = Schema['verifications'];

/** A verification without what no rule looks at: the caller's own JSON, which may be large, and the code. */
export type DestinationRow = Omit<VerificationRow, 'metadata' | 'sealed_code'>;

type NewVerificationRow = Omit<
  VerificationRow,
  'attempts' | 'verified_at' | 'reason' | 'limits_lifted_at' | 'verified_client_ip'
>;

/** A message of a verification: when it was put into the outbox (Unix ms) and its id. */
export type Send = [at: number, messageId: string];

/** Where a verification is on its route. */
type Place = Pick<VerificationRow, 'channel' | 'route' | 'step' | 'move_at'>;

/** What the text of a verification's messages is made of. */
export type SecretRow = Pick<
  VerificationRow,
  'id' | 'phone' | 'sealed_code' | 'key_version' | 'created_at' | 'expires_at'
>;

/** The verifications as they are stored; every query carries the project. */
export interface VerificationRepository extends OpenVerifications {
  insert(trx: Transaction, row: NewVerificationRow): Promise<void>;
  byId(executor: Executor, projectId: number, id: string): Promise<VerificationRow | undefined>;
  /** In any order, of whatever project. */
  byIds(
    executor: Executor,
    ids: readonly string[],
  ): Promise<Pick<VerificationRow, 'id' | 'status' | 'reason' | 'sends' | 'expires_at'>[]>;
  /** By the bare id, for parts that act for every project (the dispatcher's failures). */
  byIdInAnyProject(executor: Executor, id: string): Promise<VerificationRow | undefined>;
  /** A phone's verifications made at `since` (Unix ms) or later, oldest first. */
  ofDestination(
    executor: Executor,
    projectId: number,
    destination: string,
    since: number,
  ): Promise<DestinationRow[]>;
  /** The client addresses that verified a phone by a verification made at `since` (Unix ms) or later. */
  clientsThatVerified(
    executor: Executor,
    projectId: number,
    destination: string,
    since: number,
  ): Promise<ReadonlySet<string>>;
  /** Which of these verifications have been verified. */
  verifiedAmong(executor: Executor, projectId: number, ids: readonly string[]): Promise<ReadonlySet<string>>;
  /** How many phones from one identity to another, of as many digits, were verified after `since` (Unix ms); at most `atMost`. */
  verifiedPhones(
    executor: Executor,
    wanted: { projectId: number; from: string; to: string; since: number; atMost: number },
  ): Promise<number>;
  /** Leaves `pending`; resolves to the `sends` as they are then, to undefined when it had been left before. */
  end(
    trx: Transaction,
    end: { id: string; status: Ending; reason: string | null },
  ): Promise<string | undefined>;
  /**
   * Takes the code: from `pending` to `verified` at `at`, with no failed check left. False when it is no longer
   * pending, so that of any number of callers one succeeds.
   */
  consume(trx: Transaction, id: string, at: number, clientIp: string | null): Promise<boolean>;
  /** Takes one attempt of a pending verification and keeps the failed check; false when it is no longer pending. */
  spendAttempt(trx: Transaction, id: string, failedChecks: readonly FailedCheck[]): Promise<boolean>;
  setFailedChecks(trx: Transaction, id: string, failedChecks: readonly FailedCheck[]): Promise<void>;
  /** Keeps the messages of a pending verification, and where it is on its route; false when it is no longer pending. */
  setSends(trx: Transaction, id: string, sends: readonly Send[], place: Place): Promise<boolean>;
  /** The code, sealed, and the texts' life of verifications, by their ids; null once they have ended. */
  secretOf(executor: Executor, id: string): Promise<SecretRow | undefined>;
  /** No other channel is used for this verification any more: a message of it arrived. */
  stay(trx: Transaction, id: string): Promise<void>;
  /** Keeps other decisions about a verification away until the transaction ends, where several could be made at once. */
  lock(trx: Transaction, id: string): Promise<void>;
  /** Pending verifications whose time for the next channel has come, oldest first. */
  toMove(executor: Executor, now: number, limit: number): Promise<DestinationRow[]>;
  /** Pending verifications that wait for a receipt before the next channel is used, those first whose time comes first. */
  waiting(executor: Executor, limit: number): Promise<DestinationRow[]>;
  /** From `now` on, nothing that came before counts against the phone. */
  liftLimits(trx: Transaction, ids: readonly string[], now: number): Promise<void>;
  /** Pending verifications whose time is over, oldest first. */
  due(executor: Executor, now: number, limit: number): Promise<VerificationRow[]>;
  /**
   * Deletes the oldest of some projects that have ended and have an id below `before` and above `above`, up to `limit`;
   * resolves to what they were.
   */
  removeEnded(
    trx: Transaction,
    ended: { before: string; limit: number; projects: Projects; above?: string | undefined },
  ): Promise<VerificationRow[]>;
  /** How many verifications with an id from `firstId` on are in each state, as it is stored. */
  counts(projectId: number, firstId: string): Promise<Record<string, number>>;
}

/** The longest a verification may live, in ms. */
const LIFE_MAX_MS = HOUR_MS;

/** Failed checks take as much room from the start, so that no check makes its row grow and split its page. */
const FAILED_CHECKS_ROOM = 24;

/** The column `failed_checks`: JSON, filled up with blanks. */
export function failedChecksColumn(failedChecks: readonly FailedCheck[]): string {
  return JSON.stringify(failedChecks).padEnd(FAILED_CHECKS_ROOM);
}

export function verificationRepository(database: Database): VerificationRepository {
  const insert = database.prepareChange<NewVerificationRow>((db, value) =>
    db.insertInto('verifications').values({
      id: value('id'),
      project_id: value('project_id'),
      phone: value('phone'),
      email: value('email'),
      destination: value('destination'),
      purpose: value('purpose'),
      channel: value('channel'),
      route: value('route'),
      step: value('step'),
      move_at: value('move_at'),
      status: value('status'),
      code_mac: value('code_mac'),
      sealed_code: value('sealed_code'),
      key_version: value('key_version'),
      code_length: value('code_length'),
      attempts: sql.lit(0),
      sends: value('sends'),
      failed_checks: value('failed_checks'),
      client_ip: value('client_ip'),
      metadata: value('metadata'),
      is_test: value('is_test'),
      created_at: value('created_at'),
      expires_at: value('expires_at'),
    }),
  );
  const byId = database.prepare<{ projectId: number; id: string }, VerificationRow>((db, value) =>
    db
      .selectFrom('verifications')
      .selectAll()
      .where('id', '=', value('id'))
      .where('project_id', '=', value('projectId')),
  );
  const byIdInAnyProject = database.prepare<{ id: string }, VerificationRow>((db, value) =>
    db.selectFrom('verifications').selectAll().where('id', '=', value('id')),
  );
  const ofDestination = database.prepare<
    { projectId: number; destination: string; since: number },
    DestinationRow
  >((db, value) =>
    db
      .selectFrom('verifications')
      .select(DESTINATION_COLUMNS)
      .where('destination', '=', value('destination'))
      .where('created_at', '>=', value('since'))
      .where('project_id', '=', value('projectId'))
      .orderBy('created_at')
      .orderBy('id'),
  );
  const clientsThatVerified = database.prepare<
    { projectId: number; destination: string; since: number },
    { clientIp: string }
  >((db, value) =>
    db
      .selectFrom('verifications')
      .select(sql<string>`verified_client_ip`.as('clientIp'))
      .distinct()
      .where('destination', '=', value('destination'))
      .where('created_at', '>=', value('since'))
      .where('project_id', '=', value('projectId'))
      .where('verified_client_ip', 'is not', null),
  );
  const end = database.prepare<{ id: string; status: string; reason: string | null }, { sends: string }>(
    (db, value) =>
      db
        .updateTable('verifications')
        .set({ status: value('status'), reason: value('reason'), sealed_code: null, move_at: null })
        .where('id', '=', value('id'))
        .where('status', '=', sql.lit('pending'))
        .returning('sends'),
  );
  const consume = database.prepareChange<{ id: string; at: number; clientIp: string | null }>((db, value) =>
    db
      .updateTable('verifications')
      .set({
        status: 'verified',
        verified_at: value('at'),
        verified_client_ip: value('clientIp'),
        failed_checks: failedChecksColumn([]),
        sealed_code: null,
        move_at: null,
      })
      .where('id', '=', value('id'))
      .where('status', '=', sql.lit('pending')),
  );
  const spendAttempt = database.prepareChange<{ id: string; failedChecks: string }>((db, value) =>
    db
      .updateTable('verifications')
      .set((eb) => ({ attempts: eb('attempts', '+', sql.lit(1)), failed_checks: value('failedChecks') }))
      .where('id', '=', value('id'))
      .where('status', '=', sql.lit('pending')),
  );
  const setFailedChecks = database.prepareChange<{ id: string; failedChecks: string }>((db, value) =>
    db
      .updateTable('verifications')
      .set({ failed_checks: value('failedChecks') })
      .where('id', '=', value('id')),
  );
  const setSends = database.prepareChange<{ id: string; sends: string } & Place>((db, value) =>
    db
      .updateTable('verifications')
      .set({
        sends: value('sends'),
        channel: value('channel'),
        route: value('route'),
        step: value('step'),
        move_at: value('move_at'),
      })
      .where('id', '=', value('id'))
      .where('status', '=', sql.lit('pending')),
  );
  const secretOf = database.prepare<{ id: string }, SecretRow>((db, value) =>
    db
      .selectFrom('verifications')
      .select(['id', 'phone', 'sealed_code', 'key_version', 'created_at', 'expires_at'])
      .where('id', '=', value('id')),
  );
  const stay = database.prepareChange<{ id: string }>((db, value) =>
    db
      .updateTable('verifications')
      .set({ move_at: null })
      .where('id', '=', value('id'))
      .where('move_at', 'is not', null),
  );
  const toMove = database.prepare<{ now: number; limit: number }, DestinationRow>((db, value) =>
    db
      .selectFrom('verifications')
      .select(DESTINATION_COLUMNS)
      .where('status', '=', sql.lit('pending'))
      .where('move_at', 'is not', null)
      .where('move_at', '<=', value('now'))
      .orderBy('move_at')
      .limit(value('limit')),
  );
  const waiting = database.prepare<{ limit: number }, DestinationRow>((db, value) =>
    db
      .selectFrom('verifications')
      .select(DESTINATION_COLUMNS)
      .where('status', '=', sql.lit('pending'))
      .where('move_at', 'is not', null)
      .orderBy('move_at')
      .limit(value('limit')),
  );
  const due = database.prepare<{ now: number; limit: number }, VerificationRow>((db, value) =>
    db
      .selectFrom('verifications')
      .selectAll()
      .where('status', '=', sql.lit('pending'))
      .where('expires_at', '<=', value('now'))
      .orderBy('expires_at')
      .limit(value('limit')),
  );

  return {
    ...openVerifications(database),
    async insert(trx, row) {
      await insert(trx, row);
    },
    async byId(executor, projectId, id) {
      const [row] = await byId(executor, { projectId, id });
      return row;
    },
    async byIdInAnyProject(executor, id) {
      const [row] = await byIdInAnyProject(executor, { id });
      return row;
    },
    byIds: (executor, ids) =>
      executor
        .selectFrom('verifications')
        .select(['id', 'status', 'reason', 'sends', 'expires_at'])
        .where('id', 'in', ids)
        .execute(),
    ofDestination: (executor, projectId, destination, since) =>
      ofDestination(executor, { projectId, destination, since }),
    async clientsThatVerified(executor, projectId, destination, since) {
      const rows = await clientsThatVerified(executor, { projectId, destination, since });
      return new Set(rows.map(({ clientIp }) => clientIp));
    },
    async verifiedAmong(executor, projectId, ids) {
      const rows = await executor
        .selectFrom('verifications')
        .select('id')
        .where('id', 'in', ids)
        .where('project_id', '=', projectId)
        .where('status', '=', 'verified')
        .execute();
      return new Set(rows.map(({ id }) => id));
    },
    async verifiedPhones(executor, { projectId, from, to, since, atMost }) {
      const rows = await executor
        .selectFrom('verifications')
        .select('destination')
        .distinct()
        .where('destination', '>=', from)
        .where('destination', '<=', to)
        .where(sql`length(destination)`, '=', from.length)
        .where('created_at', '>', since - LIFE_MAX_MS)
        .where('project_id', '=', projectId)
        .where('status', '=', 'verified')
        .where('verified_at', '>', since)
        .limit(atMost)
        .execute();
      return rows.length;
    },
    async end(trx, change) {
      const [changed] = await end(trx, change);
      return changed?.sends;
    },
    async consume(trx, id, at, clientIp) {
      return (await consume(trx, { id, at, clientIp })) === 1;
    },
    async spendAttempt(trx, id, failedChecks) {
      return (await spendAttempt(trx, { id, failedChecks: failedChecksColumn(failedChecks) })) === 1;
    },
    async setFailedChecks(trx, id, failedChecks) {
      await setFailedChecks(trx, { id, failedChecks: failedChecksColumn(failedChecks) });
    },
    async setSends(trx, id, sends, { channel, route, step, move_at }) {
      const place = { channel, route, step, move_at };
      return (await setSends(trx, { id, sends: JSON.stringify(sends), ...place })) === 1;
    },
    async secretOf(executor, id) {
      const [row] = await secretOf(executor, { id });
      return row;
    },
    async stay(trx, id) {
      await stay(trx, { id });
    },
    async lock(trx, id) {
      if (database.isExclusive) return;
      await trx.selectFrom('verifications').select('id').where('id', '=', id).forUpdate().execute();
    },
    toMove: (executor, now, limit) => toMove(executor, { now, limit }),
    waiting: (executor, limit) => waiting(executor, { limit }),
    async liftLimits(trx, ids, now) {
      if (ids.length === 0) return;
      await trx.updateTable('verifications').set({ limits_lifted_at: now }).where('id', 'in', ids).execute();
    },
    due: (executor, now, limit) => due(executor, { now, limit }),
    async removeEnded(trx, { before, limit, projects, above = '' }) {
      return trx
        .deleteFrom('verifications')
        .where('id', 'in', (eb) =>
          eb
            .selectFrom('verifications')
            .select('id')
            .where('id', '>', above)
            .where('id', '<', before)
            .where('status', '<>', sql.lit('pending'))
            .where(inProjects(projects))
            .orderBy('id')
            .limit(limit),
        )
        .returningAll()
        .execute();
    },
    async counts(projectId, firstId) {
      const rows = await database.reader
        .selectFrom('verifications')
        .select((eb) => ['status', eb.fn.countAll<number | string>().as('count')])
        .where('id', '>=', firstId)
        .where(ofProject(projectId))
        .groupBy('status')
        .orderBy('status')
        .execute();
      return Object.fromEntries(rows.map(({ status, count }) => [status, Number(count)]));
    },
  };
}
