import { type SelectQueryBuilder, sql } from 'kysely';
import type { Database } from '../database/database.ts';
import { DEFAULT_PROJECT, ofProject } from '../database/project.ts';
import type { Schema } from '../database/schema.ts';
import { firstIdAt, timeOfId } from '../lib/id.ts';
import type { VerificationRow } from './repository.ts';
import { statusAt } from './state-machine.ts';
import { DEFAULT_PURPOSE, type VerificationStatus } from './types.ts';

/**
 * How many rows a page looks at, at most, or entries of an index that tell enough: so nobody waits for long while one is
 * made, whatever it is narrowed by. A page ends here only where what most rows have (`verified`, the purpose `default`, the
 * default project) is rare, or two filters meet in hardly any row; everything else is found by an index.
 */
const LOOKED_AT_MAX = {
  rows: 500,
  entries: 20_000,
  /** Rows of all projects, for a page of the default one. */
  amongOthers: 5_000,
};

/** What a list is narrowed by; times are Unix ms, `from` including and `to` excluding. */
export interface VerificationFilter {
  /** The identity of a phone. */
  destination?: string;
  purpose?: string;
  status?: VerificationStatus;
  from?: number;
  to?: number;
}

/** Where a page begins, after the id `before`, and how many rows it may hold. */
interface PageStart {
  before?: string;
  limit: number;
}

/** Newest first. `next` is the id after which the next page goes on; a page may be short, or empty, and have a next one. */
interface VerificationPage {
  rows: VerificationRow[];
  next: string | null;
}

type Query<Row> = SelectQueryBuilder<Schema, 'verifications', Row>;

/** Rows in the order of a list. */
interface Source {
  /** The first `limit` of those after an id. */
  rowsBefore(id: string | undefined, limit: number): Promise<VerificationRow[]>;
  /** Where to go on when there were fewer, in case not all were looked at. */
  end?(before: string | undefined): Promise<string | null>;
}

/** Makes the pages of the list of verifications; a page looks at so many rows and entries of an index, at most. */
export function verificationList({ reader }: Database, lookedAtMax: Partial<typeof LOOKED_AT_MAX> = {}) {
  const {
    rows: rowsMax,
    entries: entriesMax,
    amongOthers: amongOthersMax,
  } = { ...LOOKED_AT_MAX, ...lookedAtMax };

  /** Rows by their time, which is the order of their ids: an index that ends with the time has it. */
  function byTime(
    projectId: number,
    { from, to }: VerificationFilter,
    narrow: (query: Query<VerificationRow>) => Query<VerificationRow>,
  ): Source {
    let query = reader.selectFrom('verifications').selectAll().where('project_id', '=', projectId);
    if (from !== undefined) query = query.where('created_at', '>=', from);
    if (to !== undefined) query = query.where('created_at', '<', to);
    const ordered = narrow(query).orderBy('created_at', 'desc').orderBy('id', 'desc');
    const after = (before: string | undefined) =>
      before === undefined
        ? ordered
        : ordered.where('created_at', '<=', timeOfId('ver', before)).where('id', '<', before);
    return { rowsBefore: (before, limit) => after(before).limit(limit).execute() };
  }

  function within<Row>(query: Query<Row>, { from, to }: VerificationFilter, before: string | undefined) {
    let narrowed = query;
    if (from !== undefined) narrowed = narrowed.where('id', '>=', firstIdAt('ver', from));
    if (to !== undefined) narrowed = narrowed.where('id', '<', firstIdAt('ver', to));
    if (before !== undefined) narrowed = narrowed.where('id', '<', before);
    return narrowed.orderBy('id', 'desc');
  }

  /** The id of the last of so many entries; null where there are fewer. */
  async function lastEntry(entries: Query<{ id: string }>, max: number): Promise<string | null> {
    const last = await entries
      .limit(1)
      .offset(max - 1)
      .executeTakeFirst();
    return last?.id ?? null;
  }

  /** All rows of a project by their id. */
  function byId(projectId: number, filter: VerificationFilter): Source {
    const all = reader.selectFrom('verifications');
    if (projectId !== DEFAULT_PROJECT) {
      const own = all.selectAll().where(ofProject(projectId));
      return { rowsBefore: (before, limit) => within(own, filter, before).limit(limit).execute() };
    }
    // By the primary key, and so among the rows of all others: only so many of them are looked at.
    return {
      rowsBefore: (before, limit) =>
        reader
          .selectFrom(within(all.selectAll(), filter, before).limit(amongOthersMax).as('newest'))
          .selectAll()
          .where('project_id', '=', projectId)
          .limit(limit)
          .execute(),
      end: (before) => lastEntry(within(all.select('id'), filter, before), amongOthersMax),
    };
  }

  /** A page of those that have ended like this, unverified, by the index of just them, which knows their purpose too. */
  async function unverified(
    projectId: number,
    filter: VerificationFilter & { status: string },
    { before, limit }: PageStart,
  ): Promise<VerificationPage> {
    const ofStatus = reader
      .selectFrom('verifications')
      .where('project_id', '=', projectId)
      .where('status', '=', filter.status)
      .where('status', '<>', sql.lit('pending'))
      .where('status', '<>', sql.lit('verified'));
    const entries = within(ofStatus.select(['id', 'purpose']), filter, before)
      .limit(entriesMax)
      .as('entries');
    let matching = reader.selectFrom(entries).select('id');
    if (filter.purpose !== undefined) matching = matching.where('purpose', '=', filter.purpose);
    const ids = (await matching.limit(limit + 1).execute()).map(({ id }) => id);
    const rows =
      ids.length === 0
        ? []
        : await reader
            .selectFrom('verifications')
            .selectAll()
            .where('id', 'in', ids.slice(0, limit))
            .orderBy('id', 'desc')
            .execute();
    if (ids.length > limit) return { rows, next: ids[limit - 1]! };
    return { rows, next: await lastEntry(within(ofStatus.select('id'), filter, before), entriesMax) };
  }

  /** Takes the rows that match from those that come, until the page is full or has looked at enough. */
  async function walk(
    { rowsBefore, end }: Source,
    matches: (row: VerificationRow) => boolean,
    { before, limit }: PageStart,
  ): Promise<VerificationPage> {
    const found: VerificationRow[] = [];
    let position = before;
    let portion = limit + 1;
    for (let left = rowsMax; left > 0; left -= portion, portion = Math.min(2 * portion, left)) {
      const rows = await rowsBefore(position, portion);
      found.push(...rows.filter(matches));
      if (found.length > limit) return cut(found, limit);
      if (rows.length < portion) return { rows: found, next: (await end?.(position)) ?? null };
      position = rows.at(-1)!.id;
    }
    return { rows: found, next: position ?? null };
  }

  /** Whether a page could look at all rows of an index that are narrowed like this. */
  async function areFew(narrow: (query: Query<unknown>) => Query<unknown>): Promise<boolean> {
    const some = narrow(reader.selectFrom('verifications').select(sql.lit(1).as('one')))
      .limit(rowsMax + 1)
      .as('some');
    const { count } = await reader
      .selectFrom(some)
      .select((eb) => eb.fn.countAll<number>().as('count'))
      .executeTakeFirstOrThrow();
    return count <= rowsMax;
  }

  const isPending = <Row>(query: Query<Row>) => query.where('status', '=', sql.lit('pending'));

  return {
    /** A page of a project's verifications as they stand at `now` (Unix ms). */
    async page(
      projectId: number,
      filter: VerificationFilter,
      now: number,
      start: PageStart,
    ): Promise<VerificationPage> {
      const { destination, purpose, status, from = 0, to = Number.POSITIVE_INFINITY } = filter;
      const matches = (row: VerificationRow) =>
        (purpose === undefined || row.purpose === purpose) &&
        (status === undefined || statusAt(row, now) === status);
      const narrowed = (narrow: (query: Query<VerificationRow>) => Query<VerificationRow>) =>
        walk(byTime(projectId, filter, narrow), matches, start);

      /** Those that are pending as they are stored, by their expiry: a handful, or not all. */
      async function pending(isOver: boolean): Promise<VerificationRow[]> {
        const rows = await isPending(reader.selectFrom('verifications').selectAll())
          .where('expires_at', isOver ? '<=' : '>', now)
          .limit(rowsMax)
          .execute();
        return rows
          .filter((row) => row.project_id === projectId && matches(row))
          .filter(({ created_at }) => created_at >= from && created_at < to)
          .filter(({ id }) => start.before === undefined || id < start.before);
      }

      if (destination !== undefined) return narrowed((query) => query.where('destination', '=', destination));
      if (status === 'pending' && (await areFew((query) => isPending(query).where('expires_at', '>', now)))) {
        return cut(newestFirst(await pending(false)), start.limit);
      }
      const hasIndex = status !== undefined && status !== 'pending' && status !== 'verified';
      if (purpose !== undefined && purpose !== DEFAULT_PURPOSE) {
        const ofPurpose = <Row>(query: Query<Row>) =>
          query
            .where('project_id', '=', projectId)
            .where('purpose', '=', purpose)
            .where('purpose', '<>', sql.lit(DEFAULT_PURPOSE));
        if (!hasIndex || (await areFew(ofPurpose))) return narrowed(ofPurpose);
      }
      if (!hasIndex) return walk(byId(projectId, filter), matches, start);

      const page = await unverified(projectId, { ...filter, status }, start);
      if (status !== 'expired') return page;
      // What the sweep has not written down yet; after a long stop it may be more than this for some seconds.
      const overdue = (await pending(true)).filter(({ id }) => page.next === null || id > page.next);
      const { rows, next } = cut(newestFirst([...page.rows, ...overdue]), start.limit);
      return { rows, next: next ?? page.next };
    },
  };
}

function newestFirst(rows: VerificationRow[]): VerificationRow[] {
  return rows.sort((a, b) => (a.id < b.id ? 1 : -1));
}

function cut(rows: VerificationRow[], limit: number): VerificationPage {
  if (rows.length <= limit) return { rows, next: null };
  const shown = rows.slice(0, limit);
  return { rows: shown, next: shown.at(-1)!.id };
}
