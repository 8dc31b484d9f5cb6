import { runningServer } from '../../cli/api-client.ts';
import { print, settings } from '../../cli/command.ts';
import { type Progress, showProgress } from '../../cli/progress.ts';
import { table } from '../../cli/table.ts';
import type { Config } from '../../config/config.ts';
import type { Database } from '../../database/database.ts';
import { presentMasterKey, resolveMasterKey } from '../../database/master-key.ts';
import { MIGRATIONS, type MigrationState, migrationStates } from '../../database/migrate.ts';
import { openPostgres, readPostgres } from '../../database/postgres/open.ts';
import { withDatabaseAtRest } from '../../database/wodb/at-rest.ts';
import { WodbConnection } from '../../database/wodb/connection.ts';
import { kyselyOver } from '../../database/wodb/dialect.ts';
import { keyCheckPathIn } from '../../database/wodb/key-check.ts';
import { openWodb, type Upgrade } from '../../database/wodb/open.ts';
import { isThere } from '../../lib/system-error.ts';

interface SchemaState {
  engine: Database['engine'];
  migrations: MigrationState[];
}

/** Shows each migration and whether the database has it. Changes nothing. */
export async function showMigrations(json: boolean | undefined): Promise<void> {
  const config = settings();
  const server = await runningServer(config);
  const state = server
    ? (await server.call<{ data: SchemaState }>('GET', '/api/v1/database/migrations')).data
    : await stateAtRest(config);
  const rows = state.migrations.map(({ number, name, appliedAt }) => [number, name, appliedAt ?? 'pending']);
  print(json, state, `The database is ${state.engine}.\n${table(['number', 'name', 'applied'], rows)}`);
}

/** Brings the schema up to this version. A running server has done so when it started. */
export async function bringSchemaUp(json: boolean | undefined): Promise<void> {
  const config = settings();
  const { applied, backup }: Upgrade = (await runningServer(config))
    ? { applied: [], backup: null }
    : await upgrade(config, json);
  const lines = [
    applied.length === 0 ? 'The schema is up to date.' : `Applied ${applied.join(', ')}.`,
    backup === null ? '' : `A backup of the database as it was before: ${backup}`,
  ];
  print(json, { applied, backup }, lines.filter((line) => line !== '').join('\n'));
}

async function stateAtRest({ database, security }: Config): Promise<SchemaState> {
  const { dataDir, path, url } = database;
  if (url !== undefined) return { engine: 'postgres', migrations: await readPostgres(url, migrationStates) };
  const keyCheckPath = keyCheckPathIn(dataDir);
  const masterKey = presentMasterKey(security.masterKey, dataDir, path);
  if (masterKey === undefined || ![path, keyCheckPath].some(isThere)) {
    const names = Object.keys(MIGRATIONS);
    return { engine: 'wodb', migrations: names.map((name, i) => ({ number: i + 1, name, appliedAt: null })) };
  }
  return withDatabaseAtRest({ path, keyCheckPath, masterKey }, async (file) => {
    const connection = new WodbConnection(file.path, file.fileKey, 'read');
    try {
      return { engine: 'wodb' as const, migrations: await migrationStates(kyselyOver(connection)) };
    } finally {
      connection.close();
    }
  });
}

async function upgrade(config: Config, json: boolean | undefined): Promise<Upgrade> {
  const { database, security, backups } = config;
  const { dataDir, path, url, poolSize } = database;
  if (url !== undefined) {
    const { migrations } = await stateAtRest(config);
    const opened = await openPostgres({ url, poolSize });
    await opened.close();
    return {
      applied: migrations.filter((each) => each.appliedAt === null).map(({ name }) => name),
      backup: null,
    };
  }
  let progress: Progress | undefined;
  try {
    const opened = await openWodb({
      path,
      keyCheckPath: keyCheckPathIn(dataDir),
      masterKey: resolveMasterKey(security.masterKey, dataDir, path),
      backupFolder: backups.folder,
      onBackupProgress(done) {
        progress ??= showProgress('backing up before the change', json);
        progress.reach(done * 100);
      },
      onFatal: (error) => {
        throw error;
      },
    });
    await opened.close();
    return opened.upgrade;
  } finally {
    progress?.end();
  }
}
