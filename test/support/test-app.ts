import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { type App, type AppOptions, buildApp } from '../../src/app.ts';
import { loadConfig } from '../../src/config/config.ts';
import type { Clock } from '../../src/lib/clock.ts';
import { LOG_SERIALIZERS } from '../../src/lib/logger.ts';
import { copyTemplateTo } from './copied-template.ts';
import { ENGINE } from './engine.ts';
import { createPostgres, type TestPostgres } from './postgres.ts';
import { type TestClock, testClock } from './test-clock.ts';
import { MASTER_KEY } from './wodb.ts';

/** An answer over real HTTP. */
export interface Answer {
  status: number;
  headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every shape
  body: any;
  text: string;
}

export interface CallOptions {
  /** Sent as JSON; a string is sent as it is. */
  body?: unknown;
  /** An API key; the first key when absent, none when null. */
  key?: string | null;
  /** Calls as the administrator instead. */
  asAdmin?: boolean;
  headers?: Record<string, string>;
}

export interface TestApp {
  app: App;
  clock: TestClock;
  dir: string;
  address: string;
  key: string;
  adminPassword: string;
  /** Every line the server logged. */
  logLines: string[];
  call(method: string, path: string, options?: CallOptions): Promise<Answer>;
  /** Stops the server and removes its folder; with `keepFiles` the folder stays for another start. */
  stop(options?: { keepFiles?: boolean }): Promise<void>;
}

export interface TestAppOptions {
  /** Settings beside the defaults of the tests. */
  env?: Record<string, string>;
  clock?: Clock;
  /** A folder of one's own, such as that of an earlier run; a copy of the template is made when absent. */
  dir?: string;
  key?: string;
  adminPassword?: string;
  /** A server on whose PostgreSQL database this one works too, with a folder of its own. */
  sharing?: TestApp;
  /** Features beside those of the product. */
  more?: AppOptions['more'];
}

/** The PostgreSQL database that a data folder belongs to. */
const databases = new Map<string, TestPostgres>();

async function postgresOf(dir: string, ownKey: boolean): Promise<TestPostgres> {
  return databases.get(dir) ?? (await createPostgres({ ownKey }));
}

/**
 * A whole server on a free port, over a real database of its own, with a clock that the test moves. Messages go
 * to the virtual phone when time is advanced.
 */
export async function startTestApp(options: TestAppOptions = {}): Promise<TestApp> {
  const dir = options.dir ?? mkdtempSync(join(tmpdir(), 'wotp-test-'));
  // With a key of its own a server begins from nothing.
  const ownKey = options.env?.DB_MASTER_KEY !== undefined;
  if (ENGINE === 'wodb' && options.dir === undefined && !ownKey) copyTemplateTo(dir);
  const clock = options.clock ?? testClock();
  const logLines: string[] = [];
  const log = pino(
    { level: 'trace', base: null, serializers: LOG_SERIALIZERS },
    { write: (line: string) => void logLines.push(line) },
  );
  const postgres = ENGINE === 'postgres' ? await postgresOf(options.sharing?.dir ?? dir, ownKey) : undefined;
  if (postgres) databases.set(dir, postgres);
  const engine = postgres && { DATABASE_URL: postgres.url, DB_MASTER_KEY: MASTER_KEY };
  const env = { NODE_ENV: 'test', PORT: '0', DATA_DIR: dir, ...engine, ...options.env };
  const config = loadConfig(env, { cwd: dir });
  const app = await buildApp({
    config,
    log,
    clock,
    more: options.more,
    onFatal: (error) => {
      throw error;
    },
  });
  const firstRun = await app.firstRun();
  const address = await app.start();
  const key = options.key ?? firstRun?.apiKey ?? '';
  const adminPassword =
    options.adminPassword ?? firstRun?.adminPassword ?? options.env?.MASTER_PASSWORD ?? '';

  return {
    app,
    clock: clock as TestClock,
    dir,
    address,
    key,
    adminPassword,
    logLines,
    async call(method, path, { body, key: given = key, asAdmin = false, headers = {} } = {}) {
      const credentials: Record<string, string> = asAdmin
        ? { 'x-master-key': adminPassword }
        : given === null
          ? {}
          : { authorization: `Bearer ${given}` };
      const answer = await fetch(new URL(path.startsWith('/') ? path : `/api/v1/${path}`, address), {
        method,
        headers: {
          ...credentials,
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...headers,
        },
        body: body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body),
      });
      // A stream has no end to wait for; `openStream` reads it.
      const isStream = answer.headers.get('content-type') === 'text/event-stream';
      if (isStream) await answer.body?.cancel();
      const text = isStream ? '' : await answer.text();
      const isJson = text !== '' && /\bjson\b/.test(answer.headers.get('content-type') ?? '');
      return { status: answer.status, headers: answer.headers, body: isJson ? JSON.parse(text) : text, text };
    },
    async stop({ keepFiles = false } = {}) {
      await app.stop();
      if (keepFiles) return;
      rmSync(dir, { recursive: true, force: true });
      databases.delete(dir);
      if (![...databases.values()].includes(postgres!)) await postgres?.drop();
    },
  };
}
