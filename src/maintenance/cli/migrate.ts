import { type Command, Option } from 'commander';
import { command } from '../../cli/command.ts';
import { PERMISSIONS } from '../../http/permissions.ts';
import { permissionList } from '../../keys/cli.ts';
import { isThere } from '../../lib/system-error.ts';
import { migrateFromV3, readV3Key, type V3KeySource } from '../../v3/cli.ts';
import { bringSchemaUp, showMigrations } from './migrate-schema.ts';

interface MigrateOptions extends V3KeySource {
  status?: boolean;
  fromV3?: string;
  permissions?: string[];
  json?: boolean;
}

export function migrateCommand(): Command {
  return command(
    'migrate',
    'Upgrade the schema after a backup, or import data from v3',
    'wotp migrate --status',
    'wotp migrate --from-v3 ./v3/database.wodb --v3-key-file ./v3.key',
  )
    .addOption(
      new Option('--status', 'show each migration and whether it is applied; change nothing').conflicts(
        'fromV3',
      ),
    )
    .option(
      '--from-v3 <file>',
      "import the tokens and the log of v3's database (database.wodb), which is not changed",
    )
    .addOption(
      new Option(
        '--v3-key <key>',
        "v3's DB_MASTER_KEY; other users of this machine can see it while the command runs",
      ).conflicts('v3KeyFile'),
    )
    .option(
      '--v3-key-file <file>',
      'a file with that key (or set V3_DB_MASTER_KEY, or give it on standard input)',
    )
    .option(
      '--permissions <list>',
      `what the keys of v3's tokens may do, separated by commas (otp:send,otp:verify): ${PERMISSIONS.join(', ')}; or * for all`,
      permissionList,
    )
    .option('--json', 'print one line of JSON')
    .action(async ({ status, fromV3, permissions, json, ...source }: MigrateOptions, migrate: Command) => {
      if (fromV3 === undefined) {
        if (source.v3Key !== undefined || source.v3KeyFile !== undefined) {
          migrate.error("error: a key of v3 was given without v3's database: add --from-v3 <file>");
        }
        if (permissions !== undefined) {
          migrate.error("error: permissions were given without v3's database: add --from-v3 <file>");
        }
        await (status ? showMigrations(json) : bringSchemaUp(json));
        return;
      }
      const key = await readV3Key(source);
      if (!key) {
        const nothing = isThere(fromV3) ? '' : `; there is no file ${fromV3} either`;
        migrate.error(
          `error: the key of v3's database is missing: give --v3-key-file, V3_DB_MASTER_KEY, standard input or --v3-key${nothing}`,
        );
      }
      await migrateFromV3(fromV3, key, { permissions, asJson: json });
    });
}
