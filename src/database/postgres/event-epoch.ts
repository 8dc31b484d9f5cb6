import type { PostgresConnection } from './connection.ts';

/**
 * Begins a new epoch of the events where transaction numbers may have begun again: the data is now on another server, in
 * another database, or on another timeline than when WOTP last looked (a dump that was loaded, a restore, a failover).
 * Readers order events by epoch first. Runs in the transaction of the migrations, of one process at a time.
 */
export async function beginEventEpoch(connection: PostgresConnection, origin: string): Promise<void> {
  const { rows } = await connection.run<{ origin: string | null; isAhead: boolean }>(
    `select (select value from settings where key = 'event_origin') as origin,
       coalesce((select max(tx) from events where epoch = wotp_event_epoch())
         >= pg_snapshot_xmax(pg_current_snapshot())::text::bigint, false) as "isAhead"`,
    [],
  );
  const known = rows[0]!;
  if (known.origin === origin && !known.isAhead) return;
  if (known.origin !== null) {
    // Whoever writes events waits, and then writes them in the new epoch.
    await connection.run('lock table events in exclusive mode', []);
    await connection.run(
      `insert into settings (key, value) values ('event_epoch', (wotp_event_epoch() + 1)::text)
         on conflict (key) do update set value = excluded.value`,
      [],
    );
  }
  await connection.run(
    `insert into settings (key, value) values ('event_origin', $1)
       on conflict (key) do update set value = excluded.value`,
    [origin],
  );
}

/** What changes whenever transaction numbers may begin again. */
export async function eventOrigin(connection: PostgresConnection): Promise<string> {
  const { rows } = await connection.run<{ database: string }>(
    'select oid::text as database from pg_database where datname = current_database()',
    [],
  );
  const { database } = rows[0]!;
  try {
    const { rows } = await connection.run<{ server: string }>(
      `select system_identifier || '/' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) as server
         from pg_control_system()`,
      [],
    );
    return `${rows[0]!.server}/${database}`;
  } catch {
    // Hosted servers may keep these functions to themselves; a lower transaction number then still shows.
    return database;
  }
}
