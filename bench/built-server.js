// @ts-check
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('../dist/main.js', import.meta.url));

const SEED_AT_ONCE = 1_000;
/** Those of `npm start`. */
const NODE_FLAGS = ['--max-semi-space-size=32'];

/**
 * @typedef {{ masterKey: string, password: string }} Secrets
 * @typedef {{ status: number, body: any }} Answer
 */

/** The built server in a process of its own, on a free port, as an operator runs it. */
export class BuiltServer {
  #child;
  #exited;
  #address = '';
  #secrets;
  /** The API key that the first start prints; one that is given is kept. */
  apiKey;

  /**
   * Starts the server over a data folder; resolves when it listens.
   * @param {string} dir
   * @param {Secrets} secrets
   * @param {string} [apiKey] of an earlier start
   * @param {Record<string, string>} [settings] beside those that every server here has
   */
  static async start(dir, secrets, apiKey = '', settings = {}) {
    const server = new BuiltServer(dir, secrets, apiKey, settings);
    await server.#listening();
    return server;
  }

  /**
   * @private
   * @param {string} dir
   * @param {Secrets} secrets
   * @param {string} apiKey
   * @param {Record<string, string>} settings
   */
  constructor(dir, secrets, apiKey, settings) {
    this.#secrets = secrets;
    this.apiKey = apiKey;
    this.#child = spawn(process.execPath, [...NODE_FLAGS, MAIN], {
      // Away from the repository, so that no .env in it is read.
      cwd: dir,
      env: {
        PATH: process.env.PATH,
        PORT: '0',
        DATA_DIR: dir,
        DB_MASTER_KEY: secrets.masterKey,
        MASTER_PASSWORD: secrets.password,
        RATE_LIMIT_MAX: '1000000000',
        LOG_LEVEL: 'error',
        ...settings,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#exited = once(this.#child, 'exit');
  }

  #listening() {
    let printed = '';
    this.#child.stderr.on('data', (text) => {
      printed += text;
    });
    return new Promise((resolve, reject) => {
      const lines = createInterface({ input: this.#child.stdout });
      lines.on('line', (line) => {
        printed += `${line}\n`;
        this.#address = /^ +API +(http:.*\/api\/v1)$/.exec(line)?.[1] ?? this.#address;
        this.apiKey = /API key +(wotp_[0-9a-f]{64})/.exec(line)?.[1] ?? this.apiKey;
        if (this.#address === '' || this.apiKey === '') return;
        lines.close();
        // A log that nobody reads would fill its pipe; reading it line by line would take time from what is measured.
        this.#child.stdout.resume();
        resolve(undefined);
      });
      this.#exited.then(() => reject(new Error(`The server ended:\n${printed}`)));
    });
  }

  get pid() {
    return this.#child.pid;
  }

  /** Where it listens, without a path. */
  get address() {
    return new URL(this.#address).origin;
  }

  /** Ends the process without a chance to do anything more; resolves when it is gone. */
  async kill() {
    this.#child.kill('SIGKILL');
    await this.#exited;
  }

  /** Stops it as an operator does; resolves when it is gone. */
  async stop() {
    this.#child.kill('SIGTERM');
    assert.deepEqual(await this.#exited, [0, null], 'a clean stop ends with 0');
  }

  /**
   * Calls the API with the first key; rejects when the server is gone.
   * @param {string} method
   * @param {string} path
   * @param {object} [body]
   * @returns {Promise<Answer>}
   */
  call(method, path, body) {
    return this.#call(method, path, { authorization: `Bearer ${this.apiKey}` }, body);
  }

  /**
   * Sends a file with the first key.
   * @param {string} path
   * @param {string} type
   * @param {string} file
   * @returns {Promise<Answer>}
   */
  async upload(path, type, file) {
    const headers = { authorization: `Bearer ${this.apiKey}`, 'content-type': type };
    const answer = await fetch(`${this.#address}/${path}`, { method: 'POST', headers, body: file });
    return { status: answer.status, body: await answer.json() };
  }

  /**
   * Calls the API as the administrator.
   * @param {string} method
   * @param {string} path
   * @param {object} [body]
   * @returns {Promise<Answer>}
   */
  callAsAdmin(method, path, body) {
    return this.#call(method, path, { 'x-master-key': this.#secrets.password }, body);
  }

  /** Stores invented verifications of the last two weeks. @param {number} count */
  async seed(count) {
    for (let made = 0; made < count; made += SEED_AT_ONCE) {
      if (made % 10_000 === 0) process.stderr.write(`  stored ${made} of ${count}\r`);
      const body = { count: Math.min(SEED_AT_ONCE, count - made) };
      const { status, body: answer } = await this.callAsAdmin('POST', 'database/demo-data', body);
      assert.equal(status, 201, JSON.stringify(answer));
    }
  }

  /**
   * @param {string} method
   * @param {string} path
   * @param {Record<string, string>} headers
   * @param {object} [body]
   */
  async #call(method, path, headers, body) {
    const answer = await fetch(`${this.#address}/${path}`, {
      method,
      headers: body ? { ...headers, 'content-type': 'application/json' } : headers,
      body: body && JSON.stringify(body),
    });
    return { status: answer.status, body: await answer.json() };
  }
}
