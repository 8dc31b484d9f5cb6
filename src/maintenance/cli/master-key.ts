import { closeSync, fchmodSync, fsyncSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import type { Command } from 'commander';
import { command, print, settingsOfFile } from '../../cli/command.ts';
import { CommandError } from '../../cli/command-error.ts';
import { KEY_FILE_MAX_BYTES } from '../../cli/key-file.ts';
import { hasDatabaseFile } from '../../cli/present-database.ts';
import { showProgress } from '../../cli/progress.ts';
import type { Config } from '../../config/config.ts';
import { GROUPS } from '../../config/groups.ts';
import { generateMasterKey, masterKeyPathIn, resolveMasterKey } from '../../database/master-key.ts';
import { syncFolder } from '../../database/private-files.ts';
import { withDatabaseAtRest } from '../../database/wodb/at-rest.ts';
import { keyCheckPathIn } from '../../database/wodb/key-check.ts';
import { DatabaseInUseError } from '../../database/wodb/lock.ts';
import { type Rotated, rotateMasterKey } from '../../database/wodb/rotate.ts';
import { readBounded } from '../../lib/bounded-file.ts';
import { PROGRAM } from '../../lib/program.ts';

const NEW_KEY_VARIABLE = 'WOTP_NEW_MASTER_KEY';

interface RotateOptions {
  newKeyFile?: string;
  yes?: boolean;
  json?: boolean;
}

export function masterKeyCommand(): Command {
  const masterKey = command(
    'master-key',
    'Create and change the key that encrypts the database',
    'wotp master-key create --write new.key',
    'wotp master-key rotate --new-key-file new.key --yes',
  );
  masterKey.addCommand(
    command(
      'create',
      'Create a master key: print it, or with --write store it in a file',
      'wotp master-key create --write new.key',
      'wotp master-key create --json',
    )
      .option('--write <file>', 'write it to a file that does not exist, readable by its owner alone')
      .option('--json', 'print one line of JSON')
      .action(create),
  );
  masterKey.addCommand(
    command(
      'rotate',
      'Put the database under a new master key; the server has to be stopped',
      'wotp master-key rotate --yes',
      'wotp master-key rotate --new-key-file new.key --yes',
    )
      .option(
        '--new-key-file <file>',
        `a file that holds the new key; - is standard input (or ${NEW_KEY_VARIABLE}; default: a new key, where master.key holds the current one)`,
      )
      .option('--yes', 'confirm; without it nothing is changed')
      .option('--json', 'print one line of JSON')
      .action(rotate),
  );
  return masterKey;
}

function create({ write, json }: { write?: string; json?: boolean }): void {
  const key = generateMasterKey();
  if (write === undefined) {
    print(json, { masterKey: key }, key);
    return;
  }
  const file = resolve(write);
  writeNewFile(file, `${key}\n`);
  const lines = [
    `A new master key is in ${file}. Nothing uses it yet.`,
    'For a new installation set DB_MASTER_KEY to it, and keep a copy in another place: without it the data is lost.',
    `For existing data: ${PROGRAM} master-key rotate --new-key-file ${write} --yes`,
  ];
  print(json, { file }, lines.join('\n'));
}

/** Writes a file that only its owner may read, and none over another. */
function writeNewFile(file: string, text: string): void {
  try {
    const descriptor = openSync(file, 'wx', 0o600);
    try {
      fchmodSync(descriptor, 0o600);
      writeFileSync(descriptor, text);
      fsyncSync(descriptor);
    } catch (error) {
      rmSync(file, { force: true });
      throw error;
    } finally {
      closeSync(descriptor);
    }
    syncFolder(dirname(file));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new CommandError(
      code === 'EEXIST'
        ? `${file} exists and stays as it is: what is in it may be the only key of your data. Name another file.`
        : `${file} cannot be written (${code}). Name a file in a folder you may write to.`,
    );
  }
}

async function rotate({ newKeyFile, yes, json }: RotateOptions): Promise<void> {
  const config = settingsOfFile('master-key rotate');
  const { dataDir, path } = config.database;
  const keepsKey = config.security.masterKey === undefined;
  // Looked at first: otherwise a key would be made for a database that is not there.
  if (!hasDatabaseFile(config.database)) {
    throw new CommandError(
      `There is no database at ${path} yet. Start the server with a key of your choice in DB_MASTER_KEY.`,
    );
  }
  const newMasterKey = newKeyOf(newKeyFile, config);
  if (!yes) {
    throw new CommandError(
      `This rewrites the whole database under the new master key, and the old key no longer opens it. Keep the old key as long as you keep backups made with it. To continue, add --yes.`,
    );
  }
  const progress = showProgress('rewriting the database under the new key', json);
  let rotated: Rotated;
  try {
    const masterKey = resolveMasterKey(config.security.masterKey, dataDir, path);
    if (masterKey === newMasterKey) {
      // Only a key that opens the database is its present one.
      await withDatabaseAtRest({ path, keyCheckPath: keyCheckPathIn(dataDir), masterKey }, async () => {});
      throw new CommandError('The new master key is the current one. Give another; nothing was changed.');
    }
    rotated = await rotateMasterKey({
      path,
      dataDir,
      masterKey,
      newMasterKey,
      keepsKey,
      onProgress: (done) => progress.reach(done * 100),
    });
  } catch (error) {
    if (!(error instanceof DatabaseInUseError)) throw error;
    throw new CommandError(
      'A server or another command is using the database. Stop it, rotate the key, and start it with the new one; nothing was changed.',
    );
  } finally {
    progress.end();
  }
  const { version, oldKeyPath } = rotated;
  print(
    json,
    { version, keptIn: keepsKey ? masterKeyPathIn(dataDir) : null, oldKeyIn: oldKeyPath },
    [
      `The database is under the new master key (version ${version}).`,
      keepsKey
        ? `It is kept in ${masterKeyPathIn(dataDir)}.`
        : 'Set DB_MASTER_KEY to it before the next start.',
      oldKeyPath === null
        ? 'Backups made until now open with the old key only: keep it as long as you keep them.'
        : `Backups made until now open with the old key only, which is kept in ${oldKeyPath}. Remove it with the last of them.`,
    ].join('\n'),
  );
}

/** The new key as it was given, or a new one where WOTP keeps the key itself. */
function newKeyOf(file: string | undefined, config: Config): string {
  const keepsKey = config.security.masterKey === undefined;
  const fromEnvironment = process.env[NEW_KEY_VARIABLE] ?? '';
  if (file === undefined && fromEnvironment === '') {
    if (keepsKey) return generateMasterKey();
    throw new CommandError(
      `The master key is set by DB_MASTER_KEY, so you have to give the new one: in a file (--new-key-file) or in ${NEW_KEY_VARIABLE}. \`${PROGRAM} master-key create\` makes one.`,
    );
  }
  // What stands in a file, and master.key is one, is read without white space at its ends.
  const given = file === undefined ? fromEnvironment : readKeyFile(file);
  const key = file !== undefined || keepsKey ? given.trim() : given;
  const { masterKey } = GROUPS.security;
  const accepted = key === '' ? undefined : masterKey.parse(key);
  if (accepted === undefined) {
    throw new CommandError(`The new master key is not one; allowed: ${masterKey.allowed}.`);
  }
  return accepted;
}

function readKeyFile(file: string): string {
  try {
    return readBounded(file === '-' ? 0 : file, KEY_FILE_MAX_BYTES).toString('utf8');
  } catch (error) {
    throw new CommandError(
      `The file of the new key cannot be read (${(error as NodeJS.ErrnoException).code}): ${file}. Nothing was changed.`,
    );
  }
}
