/** The commands that look after a WODB file. */
export type FileCommand = 'backup' | 'restore' | 'compact' | 'verify' | 'reset' | 'master-key rotate';

const INSTEAD: Record<FileCommand, string> = {
  backup: 'Make a backup with `pg_dump --format=custom --file=wotp.dump "$DATABASE_URL"`',
  restore: 'Restore one with `pg_restore --clean --if-exists --dbname="$DATABASE_URL" wotp.dump`',
  compact: 'Free disk space with `vacuumdb --full "$DATABASE_URL"`, at a quiet hour',
  verify: 'Check the database with `pg_amcheck --heapallindexed "$DATABASE_URL"`',
  reset: 'Create it again with `dropdb` and `createdb`; the next start is a first run',
  'master-key rotate': 'The pages are encrypted, if at all, by the disk under it, whose key you can change',
};

/** The sentence for a command that looks after a file, when the data lies in PostgreSQL. */
export function postgresToolsInstead(command: FileCommand): string {
  return `The data is in PostgreSQL (DATABASE_URL), whose own tools serve here. ${INSTEAD[command]}. Keep DB_MASTER_KEY as well: without it the codes and messages in a backup cannot be read.`;
}
