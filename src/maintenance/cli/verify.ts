import { realpathSync } from 'node:fs';
import type { Command } from 'commander';
import { runningServer } from '../../cli/api-client.ts';
import { command, print, settingsOfFile } from '../../cli/command.ts';
import { CommandError } from '../../cli/command-error.ts';
import { givenMasterKey, withKeyFile } from '../../cli/key-file.ts';
import { hasDatabaseFile, noDatabaseAt } from '../../cli/present-database.ts';
import type { Config } from '../../config/config.ts';
import { presentMasterKey } from '../../database/master-key.ts';
import { keyCheckPathIn } from '../../database/wodb/key-check.ts';
import type { Verdict } from '../../database/wodb/run-in-worker.ts';
import { counted } from '../../lib/counted.ts';
import { isThere } from '../../lib/system-error.ts';
import { INVARIANTS } from '../invariants.ts';
import { SEALED_VALUES } from '../sealed-values.ts';

interface VerifyOptions {
  keyFile?: string;
  json?: boolean;
}

type Shown = Pick<Verdict, 'findings' | 'schemaVersion' | 'rows'>;

export function verifyCommand(): Command {
  const verify = command(
    'verify',
    'Check the database or a backup from end to end; exit 1 if damaged',
    'wotp verify',
    'wotp verify data/backups/wotp-20270131-030000.wodb',
  ).argument('[file]', 'a backup, or another database file (default: the database itself)');
  return withKeyFile(verify, 'of the file')
    .option('--json', 'print one line of JSON')
    .action(async (file: string | undefined, { keyFile, json }: VerifyOptions) => {
      const config = settingsOfFile('verify');
      const { path } = config.database;
      const isDatabase =
        file === undefined || (isThere(file) && isThere(path) && realpathSync(file) === realpathSync(path));
      const { findings, schemaVersion, rows } = isDatabase
        ? await checkDatabase(config)
        : await (await import('../../database/wodb/verify.ts')).verifyAtRest({
            file,
            masterKey: givenMasterKey(keyFile) ?? masterKeyOf(config),
            invariants: INVARIANTS,
            sealedValues: SEALED_VALUES,
            now: Date.now(),
          });
      const name = isDatabase ? path : file;
      const rowCounts = `${counted(rows.verifications ?? 0, 'verification')}, ${counted(rows.messages ?? 0, 'message')}`;
      print(
        json,
        { file: name, ok: findings.length === 0, findings, schemaVersion, rows },
        findings.length === 0
          ? `${name} is intact: every page, reference and rule is correct (${rowCounts}).`
          : [`${name} has problems:`, ...findings.map((finding) => `  ${finding}`)].join('\n'),
      );
      if (findings.length > 0) process.exitCode = 1;
    });
}

/** Through the server when it runs; else the files are looked at as they lie there, whatever state they are in. */
async function checkDatabase(config: Config): Promise<Shown> {
  const server = await runningServer(config);
  if (server) return (await server.call<{ data: Shown }>('POST', '/api/v1/database/verify')).data;
  const { path, dataDir } = config.database;
  if (!hasDatabaseFile(config.database)) throw noDatabaseAt(path);
  const { verifyStopped } = await import('../../database/wodb/verify.ts');
  return verifyStopped({
    path,
    keyCheckPath: keyCheckPathIn(dataDir),
    masterKey: masterKeyOf(config),
    invariants: INVARIANTS,
    sealedValues: SEALED_VALUES,
    now: Date.now(),
  });
}

function masterKeyOf({ security, database }: Config): string {
  const key = presentMasterKey(security.masterKey, database.dataDir, database.path);
  if (key !== undefined) return key;
  throw new CommandError('There is no master key. Set DB_MASTER_KEY, or give the key with --key-file.');
}
