import { type RawBuilder, sql } from 'kysely';
import { spellingsOf } from '../addresses/phone.ts';
import { phoneInAudit } from '../database/acts.ts';
import type { Database } from '../database/database.ts';
import type { Keyring } from '../database/keyring.ts';
import { EVENTS } from '../events/catalogue.ts';
import { isId, timeOfId } from '../lib/id.ts';
import { type LogRow, ofAct, ofEvent, type StoredAct, type StoredLogEvent } from './entries.ts';
import { timeIndex } from './time-index.ts';

/** Rows of a table that one page looks at, at most, so that nobody waits for long while it is made. */
const LOOKED_AT_MAX = 5_000;
/** Verifications, and messages beside them, by which the events of a phone are found; the newest. */
const TRACES_MAX = 5_000;
/** An event is committed so long after it was recorded at most, in ms. */
const COMMIT_MAX_MS = 60_000;

const ALL_TYPES = Object.keys(EVENTS);
const OF_V3 = ALL_TYPES.filter((type) => type.startsWith('v3.'));
const FROM_RECIPIENTS = ['message.received', 'number.opted_out', 'number.opted_in'];
/** What is an act in any case is shown as the audit log has it; the others as the events have them. */
const AS_EVENTS = ALL_TYPES.filter((type) => !OF_V3.includes(type) && !isAct(type));

function isAct(type: string): boolean {
  return EVENTS[type as keyof typeof EVENTS].audited;
}

/** Whose log is read. */
export interface LogScope {
  projectId: number;
  /** Whether events of the installation are shown too. */
  isAdmin: boolean;
}

/** What a log is narrowed by. Times are Unix ms, `from` including and `to` excluding. */
export interface LogFilter {
  /** All where absent. */
  types?: readonly string[] | undefined;
  subject?: string | undefined;
  /** E.164, with its identity. */
  phone?: { e164: string; identity: string } | undefined;
  actor?: string | undefined;
  from?: number | undefined;
  to?: number | undefined;
}

/** The form of the cursors of a log: the number of an event, or the time and number of one that is imported from v3. */
export const LOG_CURSOR = /^(?:\d{1,15}|v3\.\d{1,15}\.\d{1,15})$/;

/** Newest first. A page may be short, or empty, and have a next one. */
export interface LogPage {
  rows: LogRow[];
  next: string | null;
}

/** Matching rows of one source that are older than a number: all of them down to the number `downTo`; 0 where that is all. */
interface Portion {
  rows: LogRow[];
  downTo: number;
}

interface Source {
  table: 'events' | 'audit_log';
  /** Conditions that an index serves, or that hold for nearly all rows. */
  inner?: RawBuilder<unknown>[];
  /** All other conditions. */
  outer: RawBuilder<unknown>[];
}

export type LogList = ReturnType<typeof logList>;

/**
 * The log of a project: its events, and in place of those that are acts the lines of the audit log, by their numbers. What
 * was imported from v3 is older than all of them.
 */
export function logList(deps: {
  database: Database;
  keyring: Keyring;
  /** The newest verifications of a phone, and the newest messages beside them that went to it. */
  tracesOf: (projectId: number, identity: string, limit: number) => Promise<string[]>;
  lookedAtMax?: number;
}) {
  const { database, keyring, tracesOf, lookedAtMax = LOOKED_AT_MAX } = deps;
  const { reader } = database;
  const times = timeIndex(database);
  const all = (conditions: readonly RawBuilder<unknown>[]) =>
    conditions.length === 0 ? sql`true` : sql.join(conditions, sql` and `);
  const oneOf = (column: string, values: readonly string[]) =>
    values.length === 0 ? sql`false` : sql`${sql.ref(column)} in (${sql.join(values)})`;

  /** The conditions that every source has. */
  function common({ projectId, isAdmin }: LogScope, { from, to }: LogFilter): RawBuilder<unknown>[] {
    return [
      isAdmin ? sql`(project_id = ${projectId} or project_id is null)` : sql`project_id = ${projectId}`,
      ...(from === undefined ? [] : [sql`at >= ${from}`]),
      ...(to === undefined ? [] : [sql`at < ${to}`]),
    ];
  }

  /** Where the rows of a filter are found. */
  async function sourcesOf(scope: LogScope, filter: LogFilter): Promise<Source[]> {
    const { types = ALL_TYPES, subject, phone, actor } = filter;
    const always = common(scope, filter);
    const ofTypes = types.length === ALL_TYPES.length ? [] : [oneOf('type', types)];
    const acts: Source = {
      table: 'audit_log',
      inner: [
        ...(actor === undefined ? [] : [sql`actor = ${actor}`]),
        ...(subject === undefined ? [] : [sql`subject = ${subject}`]),
        ...(phone === undefined ? [] : [oneOf('phone', phonesInAudit(phone.identity))]),
      ],
      outer: [...always, ...ofTypes],
    };
    const asEvents = AS_EVENTS.filter((type) => types.includes(type));
    // Who did it is known of acts only.
    if (actor !== undefined || asEvents.length === 0) return [acts];
    const outer = [...always, oneOf('type', asEvents)];
    if (subject !== undefined) outer.push(sql`(subject = ${subject} or message_id = ${subject})`);
    const since = subject === undefined ? undefined : timeOf(subject);
    const createdAfter = (at: number | undefined) => (at === undefined ? [] : [afterTime(at)]);
    if (phone === undefined) {
      return [acts, { table: 'events', inner: await Promise.all(createdAfter(since)), outer }];
    }
    const traces = await tracesOf(scope.projectId, phone.identity, TRACES_MAX);
    const oldest = Math.min(...traces.map((id) => timeOf(id) ?? 0));
    const written = spellingsOf(phone.e164).map((e164) => sql`data like ${`%"from":"${e164}"%`}`);
    return [
      acts,
      ...(traces.length === 0
        ? []
        : [
            {
              table: 'events' as const,
              inner: [await afterTime(oldest)],
              outer: [...outer, sql`(${oneOf('subject', traces)} or ${oneOf('message_id', traces)})`],
            },
          ]),
      {
        table: 'events' as const,
        inner: [
          sql`type in (${sql.join(FROM_RECIPIENTS.map((type) => sql.lit(type)))})`,
          sql`project_id = ${scope.projectId}`,
        ],
        outer: [...outer, sql`(${sql.join(written, sql` or `)})`],
      },
    ];
  }

  const afterTime = async (at: number) => sql`seq >= ${await times.firstFrom('events', at - COMMIT_MAX_MS)}`;

  const phonesInAudit = (identity: string) =>
    [...keyring.keys]
      .filter(([name]) => name.startsWith('audit '))
      .map(([, key]) => phoneInAudit(key, identity));

  /** The newest rows of a source before a number, by looking at so many of them at most. */
  async function portionOf(
    { table, inner = [], outer }: Source,
    { before, from, limit }: { before: number; from: number; limit: number },
  ): Promise<Portion> {
    const range = sql`seq < ${before} and seq >= ${from} and ${all(inner)}`;
    const { rows: found } = await sql<StoredAct | StoredLogEvent>`
      select * from (
        select * from ${sql.table(table)} where ${range} order by seq desc limit ${sql.lit(lookedAtMax)}
      ) as looked_at where ${all(outer)} limit ${limit}`.execute(reader);
    const rows = found.map((row) =>
      table === 'audit_log' ? ofAct(row as StoredAct) : ofEvent(row as StoredLogEvent),
    );
    if (rows.length === limit) return { rows, downTo: rows.at(-1)!.seq };
    const { rows: last } = await sql<{ seq: number }>`
      select seq from ${sql.table(table)} where ${range}
      order by seq desc limit 1 offset ${sql.lit(lookedAtMax - 1)}`.execute(reader);
    return { rows, downTo: last[0]?.seq ?? 0 };
  }

  /** A page of what this server recorded. */
  async function ownPage(
    scope: LogScope,
    filter: LogFilter,
    { before, limit }: { before: number | undefined; limit: number },
  ): Promise<LogPage> {
    const { from, to } = filter;
    const sources = await sourcesOf(scope, filter);
    const portions = await Promise.all(
      sources.map(async (source) => {
        const { table } = source;
        const start =
          before ??
          (to === undefined ? Number.MAX_SAFE_INTEGER : await times.firstFrom(table, to + COMMIT_MAX_MS));
        const end = from === undefined ? 0 : await times.firstFrom(table, from - COMMIT_MAX_MS);
        return portionOf(source, { before: start, from: end, limit: limit + 1 });
      }),
    );
    const downTo = Math.max(...portions.map((portion) => portion.downTo));
    // Of an event that is an act as well the line of the audit log, which comes first, is shown.
    const bySeq = new Map<number, LogRow>();
    for (const { rows } of portions) {
      for (const row of rows) if (row.seq >= downTo && !bySeq.has(row.seq)) bySeq.set(row.seq, row);
    }
    const rows = [...bySeq.values()].sort((a, b) => b.seq - a.seq);
    if (rows.length > limit) {
      const shown = rows.slice(0, limit);
      return { rows: shown, next: String(shown.at(-1)!.seq) };
    }
    return { rows, next: downTo > 0 ? String(downTo) : null };
  }

  /** A page of what was imported from v3, by its time. */
  async function pageOfV3(
    scope: LogScope,
    filter: LogFilter,
    { after, limit }: { after: { at: number; seq: number } | undefined; limit: number },
  ): Promise<LogPage> {
    const conditions = [
      sql`type in (${sql.join(OF_V3.map((type) => sql.lit(type)))})`,
      ...common({ ...scope, isAdmin: false }, filter),
      ...(filter.types ? [oneOf('type', filter.types)] : []),
      ...(after ? [sql`(at, seq) < (${after.at}, ${after.seq})`] : []),
    ];
    const { rows: found } = await sql<StoredLogEvent>`
      select * from events where ${all(conditions)}
      order by at desc, seq desc limit ${limit + 1}`.execute(reader);
    const rows = found.slice(0, limit).map(ofEvent);
    const last = rows.at(-1);
    return { rows, next: found.length > limit && last ? `v3.${last.at}.${last.seq}` : null };
  }

  return {
    /** A page of the log of a project, from behind a cursor. */
    async page(
      scope: LogScope,
      filter: LogFilter,
      { cursor, limit }: { cursor?: string | undefined; limit: number },
    ): Promise<LogPage> {
      const [, at, seq] = /^v3\.(\d+)\.(\d+)$/.exec(cursor ?? '') ?? [];
      const isInV3 = at !== undefined;
      const before = cursor === undefined || isInV3 ? undefined : Number(cursor);
      const own = isInV3 ? { rows: [], next: null } : await ownPage(scope, filter, { before, limit });
      const { types = OF_V3, subject, phone, actor } = filter;
      const isOnlyOurs = [subject, phone, actor].some((each) => each !== undefined);
      if (own.next !== null || isOnlyOurs || !OF_V3.some((type) => types.includes(type))) return own;
      const left = limit - own.rows.length;
      if (left === 0) return { ...own, next: `v3.${Number.MAX_SAFE_INTEGER}.0` };
      const after = isInV3 ? { at: Number(at), seq: Number(seq) } : undefined;
      const ofV3 = await pageOfV3(scope, filter, { after, limit: left });
      return { rows: [...own.rows, ...ofV3.rows], next: ofV3.next };
    },

    phonesInAudit,

    /** The lines of the audit log of these events, by their numbers. */
    async actsOf(seqs: readonly number[]): Promise<Map<number, LogRow>> {
      if (seqs.length === 0) return new Map();
      const rows = await reader.selectFrom('audit_log').selectAll().where('seq', 'in', seqs).execute();
      return new Map(rows.map((row) => [row.seq, ofAct(row)]));
    },
  };
}

/** When something was made (Unix ms), as its id says; undefined where it does not. */
function timeOf(id: string): number | undefined {
  const prefix = id.slice(0, 3) as Parameters<typeof isId>[0];
  return isId(prefix, id) ? timeOfId(prefix, id) : undefined;
}
