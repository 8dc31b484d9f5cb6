import { sql } from 'kysely';
import { SERVER } from '../database/acts.ts';
import type { Database } from '../database/database.ts';
import type { Schema } from '../database/schema.ts';
import type { EventRecorder } from '../events/record.ts';
import type { Clock } from '../lib/clock.ts';
import { pause } from '../lib/pause.ts';
import { KINDS } from './contents.ts';

/** Rows of all projects that are looked at together, and rows that one transaction deletes. */
const LOOKED_AT = 5_000;
const PORTION = 200;
/** Between two portions the queue belongs to everybody else, in ms. */
const PAUSE_MS = 5;

/** Which rows of a table: those whose `column` is `value`, told apart by `key`. */
interface Rows {
  table: keyof Schema;
  column: string;
  value: unknown;
  key: string;
}

/** Erases the data of deleted projects, a portion a transaction, so that the sends of others do not wait for it. */
export function erasure(deps: {
  database: Database;
  clock: Clock;
  events: EventRecorder;
  stopping: AbortSignal;
  /** Logs the linked numbers of a project out and removes them. */
  removeSessions: (projectId: number) => Promise<void>;
}) {
  const { database, clock, events, stopping, removeSessions } = deps;

  /** Deletes those of these rows that have one of the keys; resolves to how many they were. */
  async function remove({ table, column, value, key }: Rows, keys: readonly unknown[]): Promise<number> {
    // The number of the newest event must not be given out again.
    const butNewest = table === 'events' ? sql`and seq < (select max(seq) from events)` : sql``;
    const { numAffectedRows } = await database.transaction((trx) =>
      sql`delete from ${sql.table(table)} where ${sql.ref(column)} = ${value}
        and ${sql.ref(key)} in (${sql.join(keys)}) ${butNewest}`.execute(trx),
    );
    await pause(clock, PAUSE_MS, stopping);
    return Number(numAffectedRows ?? 0);
  }

  /** Deletes rows that an index finds. */
  async function removeAll(rows: Rows): Promise<number> {
    const { table, column, value, key } = rows;
    let removed = 0;
    while (!stopping.aborted) {
      const { rows: found } = await sql<{ key: unknown }>`
        select distinct ${sql.ref(key)} as key from ${sql.table(table)}
        where ${sql.ref(column)} = ${value} limit ${PORTION}`.execute(database.reader);
      if (found.length === 0) break;
      removed += await remove(
        rows,
        found.map((row) => row.key),
      );
    }
    return removed;
  }

  /** Walks over a table in the order of its key and deletes the rows of one project. */
  async function walk(
    { table, key, children = [] }: (typeof KINDS)[number],
    project: number,
  ): Promise<number> {
    let removed = 0;
    let after: unknown;
    while (!stopping.aborted) {
      const { rows } = await sql<{ key: unknown; project: number | null }>`
        select ${sql.ref(key)} as key, project_id as project from ${sql.table(table)}
        ${after === undefined ? sql`` : sql`where ${sql.ref(key)} > ${after}`}
        order by ${sql.ref(key)} limit ${LOOKED_AT}`.execute(database.reader);
      after = rows.at(-1)?.key;
      const own = rows.filter((row) => row.project === project).map((row) => row.key);
      for (const id of own) {
        for (const { table: of, parent, key: childKey } of children) {
          removed += await removeAll({ table: of, column: parent, value: id, key: childKey });
        }
      }
      while (own.length > 0 && !stopping.aborted) {
        removed += await remove({ table, column: 'project_id', value: project, key }, own.splice(0, PORTION));
      }
      if (rows.length < LOOKED_AT) break;
      await pause(clock, PAUSE_MS, stopping);
    }
    return removed;
  }

  /** What counts the recent sends of a project names it in its key. */
  async function removeRecentSends(project: number): Promise<void> {
    await database.transaction(async (trx) => {
      for (const kind of ['client', 'prefix']) {
        await trx
          .deleteFrom('recent_sends')
          .where('key', '>=', `${kind} ${project} `)
          .where('key', '<', `${kind} ${project}!`)
          .execute();
      }
    });
  }

  /** One pass over everything that a project has; resolves to how many rows it has deleted. */
  async function erase(project: number): Promise<number> {
    await removeSessions(project);
    await removeRecentSends(project);
    let removed = 0;
    for (const kind of KINDS) {
      const { table, key, walked } = kind;
      removed += walked
        ? await walk(kind, project)
        : await removeAll({ table, column: 'project_id', value: project, key });
    }
    return removed;
  }

  /** The project itself goes last, with the events that its own erasure has made. */
  async function end({ id, number, name }: { id: string; number: number; name: string }): Promise<void> {
    await database.transaction(async (trx) => {
      const { numDeletedRows } = await trx
        .deleteFrom('projects')
        .where('number', '=', number)
        .executeTakeFirst();
      // Another node was quicker.
      if (numDeletedRows === 0n) return;
      const data = { project: id, name };
      await events.record(trx, { type: 'project.erased', projectId: number, data, by: SERVER });
      await sql`delete from events where project_id = ${number} and seq < (select max(seq) from events)
        and seq >= (select max(seq) from events) - ${LOOKED_AT}`.execute(trx);
    });
  }

  return {
    /** Erases what deleted projects have. What is begun while it runs, or left when the server stops, is erased next time. */
    async eraseDeleted(): Promise<void> {
      const deleted = await database.reader
        .selectFrom('projects')
        .select(['id', 'number', 'name'])
        .where('deleted_at', 'is not', null)
        .orderBy('number')
        .execute();
      for (const project of deleted) {
        while (!stopping.aborted && (await erase(project.number)) > 0);
        if (!stopping.aborted) await end(project);
      }
    },
  };
}
