import type { Command } from 'commander';
import { command } from './command.ts';
import { bringSchemaUp, showMigrations } from './migrate-schema.ts';

interface MigrateOptions {
  status?: boolean;
  json?: boolean;
}

export function migrateCommand(): Command {
  return command(
    'migrate',
    'bring the schema of the database up to this version, with a backup before; every start does the same',
    'wotp migrate --status',
  )
    .option('--status', 'only show each migration, and whether it is applied')
    .option('--json', 'print one line of JSON')
    .action(({ status, json }: MigrateOptions) => (status ? showMigrations(json) : bringSchemaUp(json)));
}
