import { sql } from 'kysely';
import type { Database, Transaction } from '../database/database.ts';
import { DAY_MS, MINUTE_MS } from '../lib/duration.ts';
import {
  DELIVERY_DIMENSIONS,
  DIMENSIONS,
  type Dimension,
  dayOf,
  KEYS_MAX,
  LENGTHS,
  lengthsOf,
  OTHER,
  QUARTER,
  startOf,
} from './figures.ts';
import { phoneLines } from './phones.ts';
import type { ConversionCounts, Tally } from './tally.ts';

type Table = 'analytics_messages' | 'analytics_conversion' | 'analytics_delivery';

/** The columns of each table: those that say what a row counts, and the counts. */
const COLUMNS: Record<Table, { keys: [name: string, isText: boolean][]; counts: string[] }> = {
  analytics_messages: {
    keys: [
      ['project_id', false],
      ['minutes', false],
      ['start', false],
    ],
    counts: ['messages', 'successful', 'failed'],
  },
  analytics_conversion: {
    keys: [
      ['project_id', false],
      ['dimension', true],
      ['minutes', false],
      ['start', false],
      ['key', true],
    ],
    counts: ['sent', 'delivered', 'verified'],
  },
  analytics_delivery: {
    keys: [
      ['project_id', false],
      ['dimension', true],
      ['minutes', false],
      ['start', false],
      ['key', true],
      ['bin', false],
    ],
    counts: ['messages', 'total_ms'],
  },
};

type Values = (string | number)[];

/** Writes counts: adds to them, replaces those of a day, deletes old ones. */
export function rollups(database: Database) {
  const phones = phoneLines(database);

  /** Adds rows, given as a JSON array of arrays, to those that are there: one statement, however many they are. */
  function adding(table: Table) {
    const { keys, counts } = COLUMNS[table];
    const names = [...keys.map(([name]) => name), ...counts];
    return database.prepareChange<{ rows: string }>((db, value) => {
      const source =
        database.engine === 'postgres'
          ? sql`jsonb_array_elements(${value('rows')}::jsonb) as given(value)`
          : sql`json_each(${value('rows')}) as given`;
      const selected = names.map((_, place) => {
        const cell = sql`given.value ->> ${sql.lit(place)}`;
        return keys[place]?.[1] ? cell : sql`cast(${cell} as bigint)`;
      });
      const sums = counts.map(
        (name) => sql`${sql.ref(name)} = ${sql.ref(`${table}.${name}`)} + ${sql.ref(`excluded.${name}`)}`,
      );
      const query = sql`insert into ${sql.table(table)} (${sql.join(names.map((name) => sql.ref(name)))})
        select ${sql.join(selected)} from ${source} where true
        on conflict (${sql.join(keys.map(([name]) => sql.ref(name)))}) do update set ${sql.join(sums)}`;
      return { compile: () => query.compile(db) };
    });
  }
  const addMessages = adding('analytics_messages');
  const addConversion = adding('analytics_conversion');
  const addDelivery = adding('analytics_delivery');

  const keysOf = database.prepare<{ projectId: number; dimension: string; start: number }, { key: string }>(
    (db, value) =>
      db
        .selectFrom('analytics_conversion')
        .select('key')
        .where('project_id', '=', value('projectId'))
        .where('dimension', '=', value('dimension'))
        .where('minutes', '=', sql.lit(DAY_MS / MINUTE_MS))
        .where('start', '=', value('start')),
  );

  /** The key under which a verification is counted: its own one, or `(other)` once its day has the most keys. */
  async function keyChooser(trx: Transaction): Promise<(row: ConversionCounts) => Promise<string>> {
    const known = new Map<string, Set<string>>();
    return async ({ projectId, dimension, start, key }) => {
      const max = KEYS_MAX[dimension];
      if (max === undefined) return key;
      const day = dayOf(start);
      const id = `${projectId} ${dimension} ${day}`;
      let keys = known.get(id);
      if (!keys) {
        const rows = await keysOf(trx, { projectId, dimension, start: day });
        keys = new Set(rows.map((row) => row.key));
        known.set(id, keys);
      }
      if (keys.has(key)) return key;
      if (keys.size >= max) return OTHER;
      keys.add(key);
      return key;
    };
  }

  async function addConversions(trx: Transaction, tally: Tally): Promise<void> {
    const sums = new Sums(5);
    const keyOf = await keyChooser(trx);
    for (const row of tally.conversion.values()) {
      const { projectId, dimension, start, sent, delivered, verified } = row;
      const key = await keyOf(row);
      const counts = [sent, delivered, verified];
      for (const minutes of lengthsOf(dimension))
        sums.add([projectId, dimension, minutes, startOf(start, minutes), key], counts);
    }
    await sums.write((rows) => addConversion(trx, { rows }));
  }

  return {
    /** Adds what events have added up to. */
    async add(trx: Transaction, tally: Tally): Promise<void> {
      const messages = new Sums(3);
      for (const { projectId, start, ...counts } of tally.messages.values()) {
        for (const minutes of LENGTHS.byZone) {
          const key = [projectId, minutes, startOf(start, minutes)];
          messages.add(key, [counts.messages, counts.successful, counts.failed]);
        }
      }
      await messages.write((rows) => addMessages(trx, { rows }));
      await addConversions(trx, tally);
      const delivery = new Sums(6);
      for (const {
        projectId,
        dimension,
        start,
        key,
        bin,
        messages: count,
        totalMs,
      } of tally.delivery.values()) {
        for (const minutes of lengthsOf(dimension))
          delivery.add([projectId, dimension, minutes, startOf(start, minutes), key, bin], [count, totalMs]);
      }
      await delivery.write((rows) => addDelivery(trx, { rows }));
      for (const lines of tally.phones.values()) await phones.add(trx, lines);
    },

    phones,

    /** Deletes all counts of a day (UTC), given by its beginning, in every project. */
    async removeDay(trx: Transaction, day: number): Promise<void> {
      for (const projectId of await projects(trx)) {
        await removeUntil(trx, projectId, { from: day, to: day + DAY_MS });
        await phones.remove(trx, projectId, day, day + DAY_MS);
      }
    },

    /**
     * Deletes the oldest day of one project that has counts from before `counts`, or phones from before `phones` (Unix ms,
     * the beginning of a day). Resolves to whether there was one.
     */
    async removeOldest(trx: Transaction, before: { counts: number; phones: number }): Promise<boolean> {
      for (const projectId of await projects(trx)) {
        const [counted, named] = [await oldest(trx, projectId), await phones.oldest(trx, projectId)];
        if (counted !== undefined && counted < before.counts) {
          await removeUntil(trx, projectId, {
            from: 0,
            to: Math.min(before.counts, dayOf(counted) + DAY_MS),
          });
          return true;
        }
        if (named !== undefined && named < before.phones) {
          await phones.remove(trx, projectId, 0, Math.min(before.phones, dayOf(named) + DAY_MS));
          return true;
        }
      }
      return false;
    },
  };

  async function projects(trx: Transaction): Promise<number[]> {
    const found: number[] = [];
    for (let last = 0; ; ) {
      const row = await trx
        .selectFrom('analytics_messages')
        .select('project_id')
        .where('project_id', '>', last)
        .orderBy('project_id')
        .limit(1)
        .executeTakeFirst();
      if (!row) return found;
      last = row.project_id;
      found.push(last);
    }
  }

  async function oldest(trx: Transaction, projectId: number): Promise<number | undefined> {
    const row = await trx
      .selectFrom('analytics_messages')
      .select('start')
      .where('project_id', '=', projectId)
      .where('minutes', '=', QUARTER)
      .orderBy('start')
      .limit(1)
      .executeTakeFirst();
    return row?.start;
  }

  /** Deletes the counts of whole days; what is left of the longest times that they were part of is added up again. */
  async function removeUntil(trx: Transaction, projectId: number, time: { from: number; to: number }) {
    for (const minutes of LENGTHS.byZone) {
      await trx
        .deleteFrom('analytics_messages')
        .where('project_id', '=', projectId)
        .where('minutes', '=', minutes)
        .where('start', '>=', time.from)
        .where('start', '<', time.to)
        .execute();
    }
    const of = [
      ['analytics_conversion', DIMENSIONS],
      ['analytics_delivery', DELIVERY_DIMENSIONS],
    ] as const;
    for (const [table, dimensions] of of) {
      for (const dimension of dimensions) {
        for (const minutes of lengthsOf(dimension)) {
          await trx
            .deleteFrom(table)
            .where('project_id', '=', projectId)
            .where('dimension', '=', dimension)
            .where('minutes', '=', minutes)
            .where('start', '>=', startOf(time.from, minutes))
            .where('start', '<', time.to)
            .execute();
        }
        await addUpAgain(trx, table, { projectId, dimension, time });
      }
    }
  }

  /** Makes the rows of the longest times that whole days of a period were part of, from the days that are left. */
  async function addUpAgain(
    trx: Transaction,
    table: 'analytics_conversion' | 'analytics_delivery',
    of: { projectId: number; dimension: Dimension; time: { from: number; to: number } },
  ): Promise<void> {
    const [longest, day] = lengthsOf(of.dimension);
    if (longest === undefined || day === undefined || day * MINUTE_MS !== DAY_MS) return;
    const { keys, counts } = COLUMNS[table];
    const same = keys.map(([name]) => name).filter((name) => name !== 'minutes' && name !== 'start');
    const [from, to] = [
      startOf(of.time.from, longest),
      startOf(of.time.to - 1, longest) + longest * MINUTE_MS,
    ];
    const long = sql.lit(longest * MINUTE_MS);
    const columns = [...same, 'minutes', 'start', ...counts].map((name) => sql.ref(name));
    await sql`insert into ${sql.table(table)} (${sql.join(columns)})
      select ${sql.join(same.map((name) => sql.ref(name)))}, ${sql.lit(longest)}, start / ${long} * ${long},
        ${sql.join(counts.map((name) => sql`sum(${sql.ref(name)})`))}
      from ${sql.table(table)}
      where project_id = ${of.projectId} and dimension = ${of.dimension} and minutes = ${sql.lit(day)}
        and start >= ${from} and start < ${to}
      group by ${sql.join(same.map((name) => sql.ref(name)))}, start / ${long}`.execute(trx);
  }
}

export type Rollups = ReturnType<typeof rollups>;

/** Rows whose counts are added up where what they count is the same. */
class Sums {
  readonly #rows = new Map<string, Values>();
  readonly #keys: number;

  /** @param keys how many of the first values say what a row counts */
  constructor(keys: number) {
    this.#keys = keys;
  }

  add(key: Values, counts: number[]): void {
    const id = key.join(' ');
    const row = this.#rows.get(id);
    if (!row) {
      this.#rows.set(id, [...key, ...counts]);
      return;
    }
    for (const [at, by] of counts.entries()) (row[this.#keys + at] as number) += by;
  }

  async write(write: (rows: string) => Promise<unknown>): Promise<void> {
    if (this.#rows.size > 0) await write(JSON.stringify([...this.#rows.values()]));
  }
}
