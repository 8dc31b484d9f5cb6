// @ts-check
// Another process for the tests of the database: `node wodb-child.js <command> <data folder>`. Says what it has done
// in lines of JSON and uses the built program, as a real second process would.
import { join } from 'node:path';

const dist = (/** @type {string} */ name) => import(new URL(`../../dist/${name}`, import.meta.url).href);
const { openWodb } = await dist('database/wodb/open.js');
const { keyCheckPathIn } = await dist('database/wodb/key-check.js');
const { resolveMasterKey } = await dist('database/master-key.js');

const [command = '', dir = ''] = process.argv.slice(2);
const path = join(dir, 'wotp.wodb');

/** @param {object} fact */
const say = (fact) => process.stdout.write(`${JSON.stringify(fact)}\n`);

const open = () =>
  openWodb({
    path,
    keyCheckPath: keyCheckPathIn(dir),
    masterKey: 'a master key of the tests, long enough',
    onFatal: (/** @type {Error} */ error) => say({ fatal: error.message }),
  });

/** @type {Record<string, () => Promise<void>>} */
const commands = {
  /** Opens the database, writes and stays until it is killed. */
  async hold() {
    const database = await open();
    await write(database, 'held');
    say({ holds: true });
    setInterval(() => {}, 60_000);
  },

  /** Resolves the master key of a folder. */
  async 'master-key'() {
    say({ masterKey: resolveMasterKey(undefined, dir, path) });
  },

  /** Writes in groups of three until the disk refuses, then tells what is left. */
  async 'write-until-refused'() {
    const database = await open();
    const acknowledged = [];
    for (let group = 0; ; group++) {
      const keys = [0, 1, 2].map((i) => `${group}-${i}`);
      const outcomes = await Promise.allSettled(keys.map((key) => write(database, key, 'x'.repeat(20_000))));
      const refused = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason] : []));
      if (refused.length === 0) {
        acknowledged.push(...keys);
        continue;
      }
      const rows = await database.reader.selectFrom('settings').select('key').execute();
      say({
        acknowledged,
        refused: refused.map(({ code, status, cause }) => ({ code, status, cause: cause?.code })),
        readable: rows.map((/** @type {{ key: string }} */ row) => row.key),
      });
      return process.exit(0);
    }
  },
};

/**
 * @param {any} database
 * @param {string} key
 */
async function write(database, key, value = 'x') {
  await database.transaction((/** @type {any} */ trx) =>
    trx.insertInto('settings').values({ key, value }).execute(),
  );
}

try {
  await commands[command]?.();
} catch (error) {
  say({ error: error instanceof Error ? error.name : String(error) });
}
