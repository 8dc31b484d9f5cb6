import { sql } from 'kysely';
import type { Database, Executor } from '../database/database.ts';
import { firstIdAt } from '../lib/id.ts';
import type { DestinationRow } from './repository.ts';
import type { VerificationStatus } from './types.ts';

/**
 * The states, as they are stored, in which a request gets another answer than for a verification that never existed. Who
 * may not read cannot tell the others apart, neither by the answer nor by the work it took.
 */
const OPEN_FOR = {
  check: ['pending', 'expired', 'max_attempts_reached'],
  resend: ['pending', 'expired'],
  cancel: ['pending', 'expired', 'canceled'],
} as const satisfies Record<string, readonly VerificationStatus[]>;

/** Words of ours that stand in a query as they are. */
const literals = (words: readonly string[]) => words.map((word) => sql.lit(word));

export const DESTINATION_COLUMNS = [
  'id',
  'project_id',
  'phone',
  'email',
  'destination',
  'purpose',
  'channel',
  'route',
  'step',
  'move_at',
  'status',
  'reason',
  'code_mac',
  'key_version',
  'code_length',
  'attempts',
  'sends',
  'failed_checks',
  'client_ip',
  'is_test',
  'created_at',
  'expires_at',
  'verified_at',
  'limits_lifted_at',
  'verified_client_ip',
] as const satisfies readonly (keyof DestinationRow)[];

/** Finds what a request can be about, by the same reads whether or not there is anything. */
export interface OpenVerifications {
  /** A phone's verifications made at `since` (Unix ms) or later, oldest first; none where the newest for the purpose is not open for a check. */
  ofOpenDestination(
    executor: Executor,
    wanted: { projectId: number; destination: string; purpose: string; since: number },
  ): Promise<DestinationRow[]>;
  /**
   * The phone of a verification that is open for what is asked, and made at `since` (Unix ms) or later; undefined for
   * every other and for one that never existed, by the same reads.
   */
  openDestination(
    executor: Executor,
    request: keyof typeof OPEN_FOR,
    wanted: { projectId: number; id: string; since: number },
  ): Promise<string | undefined>;
}

export function openVerifications(database: Database): OpenVerifications {
  // Of one millisecond the id tells which came later. On SQLite so does the number of the row, which ends every entry of
  // the index, so that nothing has to be sorted: that would take several times as long as all else of a check's reads.
  const inOrderOfArrival = database.engine === 'wodb' ? sql.ref('verifications.rowid') : sql.ref('id');
  // Where nothing matches, the phone before it in the index is read: the same reads as for one that does.
  const ofOpenDestination = database.prepare<
    { projectId: number; destination: string; purpose: string; since: number },
    DestinationRow
  >((db, value) =>
    db
      .selectFrom((eb) =>
        eb
          .selectFrom('verifications')
          .select(['destination', 'status'])
          .where('destination', '<=', value('destination'))
          .where((or) =>
            or.or([
              or('destination', '<', value('destination')),
              or.and([or('project_id', '=', value('projectId')), or('purpose', '=', value('purpose'))]),
            ]),
          )
          .orderBy('destination', 'desc')
          .orderBy('created_at', 'desc')
          .orderBy(inOrderOfArrival, 'desc')
          .limit(sql.lit(1))
          .as('newest'),
      )
      // An outer join, so that both engines read the newest first.
      .leftJoin('verifications', (join) =>
        join
          .onRef('verifications.destination', '=', 'newest.destination')
          .on('verifications.created_at', '>=', value('since'))
          .on('verifications.project_id', '=', value('projectId')),
      )
      .select(DESTINATION_COLUMNS.map((column) => `verifications.${column}` as const))
      .where('newest.destination', '=', value('destination'))
      .where('newest.status', 'in', literals(OPEN_FOR.check))
      .orderBy('verifications.created_at')
      .orderBy('verifications.id')
      .$castTo<DestinationRow>(),
  );
  const openDestination = (request: keyof typeof OPEN_FOR) =>
    // Where nothing has the id, the verification before it is read: the same reads as for one that has.
    database.prepare<{ projectId: number; id: string; first: string }, { destination: string }>((db, value) =>
      db
        .selectFrom((eb) =>
          eb
            .selectFrom('verifications')
            .select(['id', 'project_id', 'destination', 'status'])
            .where('id', '<=', value('id'))
            .orderBy('id', 'desc')
            .limit(sql.lit(1))
            .as('nearest'),
        )
        .select('destination')
        .where('id', '=', value('id'))
        .where('id', '>=', value('first'))
        .where('project_id', '=', value('projectId'))
        .where('status', 'in', literals(OPEN_FOR[request])),
    );
  const openDestinations = {
    check: openDestination('check'),
    resend: openDestination('resend'),
    cancel: openDestination('cancel'),
  };

  return {
    async ofOpenDestination(executor, wanted) {
      const rows = await ofOpenDestination(executor, wanted);
      // What is left of an outer join without a match: the newest began before `since`.
      return rows.filter(({ id }) => (id as string | null) !== null);
    },
    async openDestination(executor, request, { projectId, id, since }) {
      const wanted = { projectId, id, first: firstIdAt('ver', since) };
      const [found] = await openDestinations[request](executor, wanted);
      return found?.destination;
    },
  };
}
