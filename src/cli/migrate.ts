import { type Command, Option } from 'commander';
import { command } from './command.ts';
import { migrateFromV3, readV3Key, type V3KeySource } from './migrate-from-v3.ts';
import { bringSchemaUp, showMigrations } from './migrate-schema.ts';

interface MigrateOptions extends V3KeySource {
  status?: boolean;
  fromV3?: string;
  json?: boolean;
}

export function migrateCommand(): Command {
  return command(
    'migrate',
    'bring the schema of the database up to this version, with a backup before (every start does the same), or bring the tokens and the log of a v3 database along',
    'wotp migrate --status\n  $ wotp migrate --from-v3 ./v3/database.wodb --v3-key-file ./v3.key',
  )
    .addOption(
      new Option('--status', 'only show each migration, and whether it is applied').conflicts('fromV3'),
    )
    .option('--from-v3 <file>', "bring along v3's database (database.wodb); it is only read")
    .addOption(
      new Option(
        '--v3-key <key>',
        "v3's DB_MASTER_KEY; others on this machine can see it while the command runs",
      ).conflicts('v3KeyFile'),
    )
    .option(
      '--v3-key-file <file>',
      'a file with that key (or set V3_DB_MASTER_KEY, or give it on standard input)',
    )
    .option('--json', 'print one line of JSON')
    .action(async ({ status, fromV3, json, ...source }: MigrateOptions, migrate: Command) => {
      if (fromV3 === undefined) {
        if (source.v3Key !== undefined || source.v3KeyFile !== undefined) {
          migrate.error("error: a key of v3 was given without v3's database: add --from-v3 <file>");
        }
        await (status ? showMigrations(json) : bringSchemaUp(json));
        return;
      }
      const key = await readV3Key(source);
      if (!key) {
        migrate.error(
          "error: the key of v3's database is missing: give --v3-key-file, V3_DB_MASTER_KEY, standard input or --v3-key",
        );
      }
      await migrateFromV3(fromV3, key, json);
    });
}
