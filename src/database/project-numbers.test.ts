import { sql } from 'kysely';
import { expect, onTestFinished, test } from 'vitest';
import { ENGINE } from '../../test/support/engine.ts';
import { createPostgres } from '../../test/support/postgres.ts';
import { tempFolder } from '../../test/support/temp-folder.ts';
import { openDatabase } from '../../test/support/wodb.ts';
import type { Database } from './database.ts';
import { MIGRATIONS } from './migrate.ts';
import { openPostgres } from './postgres/open.ts';

const OURS = 'prj_01jd3x8zq2e6v9k5m7n0p4r8st';
const OLDER = 'prj_01jc3x8zq2e6v9k5m7n0p4r8st';
const CARRIERS = [
  'api_keys',
  'verifications',
  'messages',
  'events',
  'simulator_messages',
  'whatsapp_sessions',
  'suppressed_numbers',
];

/** What opens one database again and again. */
async function aDatabase(): Promise<() => Promise<Database>> {
  if (ENGINE === 'wodb') {
    const dir = tempFolder();
    return () => openDatabase(dir);
  }
  const { url, drop } = await createPostgres({ empty: true });
  onTestFinished(drop);
  return () => openPostgres({ url, poolSize: 2 });
}

/** Runs what is given with the migrations before one alone. */
async function asBefore(migration: string, work: () => Promise<void>): Promise<void> {
  const later = Object.entries(MIGRATIONS).filter(([name]) => name >= migration);
  for (const [name] of later) delete MIGRATIONS[name];
  try {
    await work();
  } finally {
    Object.assign(MIGRATIONS, Object.fromEntries(later));
  }
}

const OF_PROJECT: Record<string, (project: string | number | null, n: string) => string> = {
  api_keys: (project, n) =>
    `insert into api_keys (id, project_id, name, hash, preview, permissions, created_at) values ('key_${n}', ${project}, 'n', 'hash ${n}', 'p', '[]', 5)`,
  verifications: (project, n) =>
    `insert into verifications (id, project_id, phone, destination, purpose, channel, status, code_mac, key_version, code_length, attempts, sends, failed_checks, created_at, expires_at) values ('ver_${n}', ${project}, '+62', '62', 'default', 'simulator', 'expired', '00', 1, 6, 0, '[]', '[]', 5, 6)`,
  messages: (project, n) =>
    `insert into messages (id, project_id, verification_id, phone, channel, lane, status, body, key_version, timeline, attempts, claim, due_at, expires_at, created_at) values ('msg_${n}', ${project}, 'ver_${n}', '+62', 'simulator', 0, 'sent', 'b', 1, '[]', 1, 1, 5, 6, 5)`,
  events: (project, n) =>
    `insert into events (project_id, type, at, subject) values (${project}, 'otp.created', 5, 'ver_${n}')`,
  simulator_messages: (project, n) =>
    `insert into simulator_messages (message_id, project_id, phone, at) values ('msg_${n}', ${project}, '+62', 5)`,
  whatsapp_sessions: (project, n) =>
    `insert into whatsapp_sessions (id, project_id, key_version, state, created_at, lease_until, lease) values ('ses_${n}', ${project}, 1, 'new', 5, 0, 0)`,
  suppressed_numbers: (project, n) =>
    `insert into suppressed_numbers (project_id, identity, phone, created_at) values (${project}, '62${n}', '+62', 5)`,
};

test('the tables of the commit before get the numbers of their projects, and keep everything else', async () => {
  const open = await aDatabase();
  const before: Record<string, Record<string, unknown>[]> = {};
  await asBefore('0015', async () => {
    const database = await open();
    await database.transaction(async (trx) => {
      const run = (text: string) => sql.raw(text).execute(trx);
      await run(
        `insert into projects (id, name, created_at) values ('${OLDER}', 'Older', 1), ('${OURS}', 'Default', 2)`,
      );
      await run(`insert into settings (key, value) values ('default_project_id', '${OURS}')`);
      for (const insert of Object.values(OF_PROJECT)) {
        await run(insert(`'${OURS}'`, 'a'));
        await run(insert(`'${OLDER}'`, 'b'));
      }
      await run(OF_PROJECT.events!(null, 'c'));
      await run(
        `insert into whatsapp_auth (session_id, kind, key, sealed, key_version) values ('ses_a', 'creds', 'k', '00', 1)`,
      );
      await run(
        `insert into recent_sends (key, verifications, used_hour) values ('client ${OURS} 10.0.0.1', '["ver_a"]', 7), ('prefix ${OLDER} 62812', '["ver_b"]', 7)`,
      );
    });
    for (const table of [...CARRIERS, 'whatsapp_auth']) {
      before[table] = (
        await sql<Record<string, unknown>>`select * from ${sql.table(table)}`.execute(database.reader)
      ).rows;
    }
    await database.close();
  });

  await asBefore('0016', async () => {
    const database = await open();
    const { reader } = database;
    expect(await reader.selectFrom('projects').selectAll().orderBy('number').execute()).toEqual([
      { id: OURS, number: 1, name: 'Default', created_at: 2 },
      { id: OLDER, number: 2, name: 'Older', created_at: 1 },
    ]);
    for (const [table, rows] of Object.entries(before)) {
      expect(rows.length, table).toBeGreaterThan(0);
      const now = await sql<Record<string, unknown>>`select * from ${sql.table(table)}`.execute(reader);
      const numbered = rows.map((row) =>
        'project_id' in row
          ? { ...row, project_id: row.project_id && (row.project_id === OURS ? 1 : 2) }
          : row,
      );
      expect(now.rows, table).toEqual(numbered);
    }
    expect(await reader.selectFrom('recent_sends').select('key').orderBy('key').execute()).toEqual([
      { key: 'client 1 10.0.0.1' },
      { key: 'prefix 2 62812' },
    ]);
    expect(await reader.selectFrom('settings').select('value').where('value', '=', OURS).execute()).toEqual(
      [],
    );

    // Foreign keys, keys and numbers that count up go on from there.
    const refused = (text: string) =>
      expect(database.transaction((trx) => sql.raw(text).execute(trx))).rejects.toThrow();
    await refused(OF_PROJECT.api_keys!(3, 'x'));
    await refused(OF_PROJECT.whatsapp_sessions!(3, 'x'));
    await refused(OF_PROJECT.suppressed_numbers!(1, 'a'));
    await refused(`insert into projects (id, number, name, created_at) values ('prj_x', 2, 'n', 1)`);
    await refused(
      `insert into whatsapp_auth (session_id, kind, key, sealed, key_version) values ('ses_x', 'creds', 'k', '00', 1)`,
    );
    await database.transaction((trx) => sql.raw(OF_PROJECT.events!(1, 'd')).execute(trx));
    const events = await reader.selectFrom('events').select('subject').orderBy('seq').execute();
    expect(events.map(({ subject }) => subject)).toEqual(['ver_a', 'ver_b', 'ver_c', 'ver_d']);
    await database.close();
  });
});
