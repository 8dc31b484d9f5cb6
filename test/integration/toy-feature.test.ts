import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { programOf } from '../../src/cli/program.ts';
import { COMMANDS } from '../../src/commands.ts';
import { ConfigError, loadConfig } from '../../src/config/config.ts';
import { configurationPage, envExample } from '../../src/config/reference.ts';
import { DEFAULT_PROJECT } from '../../src/database/project.ts';
import { routesPage } from '../../src/http/routes-page.ts';
import { runHere } from '../support/command-in-process.ts';
import { ENGINE } from '../support/engine.ts';
import { type OpenApi, operationOf, type Schema } from '../support/openapi.ts';
import { startTestApp, type TestApp } from '../support/test-app.ts';
import { toyCommand } from '../support/toy-feature/cli.ts';
import { toyFeature } from '../support/toy-feature/index.ts';
import { addToyLines, TOY_MIGRATION } from '../support/toy-feature/lines.ts';
import { DAY_MS, QUICK_ADMIN } from '../support/verifications.ts';

/** What app.ts and commands.ts would have a line more for. */
const more = [toyFeature];
const commands = { ...COMMANDS, toy: async () => toyCommand() };

let takeLinesOut: () => void;
beforeAll(() => {
  takeLinesOut = addToyLines();
});
afterAll(() => takeLinesOut());

let server: TestApp;
beforeEach(async () => {
  server = await startTestApp({ env: { ...QUICK_ADMIN, TOY_WIND_SECONDS: '20' }, more });
});
afterEach(() => server.stop());

const make = (name: string) => server.call('POST', 'toys', { asAdmin: true, body: { name } });
const list = async () => (await server.call('GET', 'toys')).body.data;

/** Makes toys that are too old by now, while no work of the clock is due. */
async function makeLongAgo(...names: string[]): Promise<void> {
  const now = server.clock.now();
  server.clock.set(now - 8 * DAY_MS);
  for (const name of names) await make(name);
  server.clock.set(now);
}

/** Runs a command of the program beside the running server, as its operator would. */
const wotp = async (...args: string[]) =>
  runHere(await programOf(commands, args), args, {
    cwd: server.dir,
    settings: {
      DATA_DIR: server.dir,
      ...(ENGINE === 'postgres' && {
        DATABASE_URL: server.app.config.database.url!,
        DB_MASTER_KEY: server.app.config.security.masterKey!,
      }),
    },
  });

describe('a feature that is a folder, a line among the features and one among the commands', () => {
  test('has a table, made by its migration in a database that was there before', async () => {
    const { body } = await server.call('GET', 'database/migrations', { asAdmin: true });
    expect(body.data.migrations.at(-1)).toMatchObject({
      name: TOY_MIGRATION,
      appliedAt: expect.any(String),
    });
    expect((await make('train')).status).toBe(201);
    expect(await list()).toEqual([{ name: 'train', madeAt: '2026-01-15T12:00:00.000Z', windings: 0 }]);
    expect((await make('train')).body).toMatchObject({ status: 409, code: 'CONFLICT' });
  });

  test('has routes that are open to those only whom they name', async () => {
    expect((await server.call('GET', 'toys', { key: null })).status).toBe(401);
    const { body } = await server.call('POST', 'keys', {
      asAdmin: true,
      body: { name: 'checkout', permissions: ['otp:send'] },
    });
    const refused = await server.call('GET', 'toys', { key: body.data.key });
    expect(refused.body).toMatchObject({ status: 403, requiredPermission: 'otp:read' });
    expect((await server.call('POST', 'toys', { body: { name: 'train' } })).status).toBe(403);
    expect(await list()).toEqual([]);
  });

  test('is on the page of routes', () => {
    const page = routesPage(server.app.server.access);
    expect(page).toContain('| GET | `/api/v1/toys` | `otp:read` | an API key with `otp:read` |\n');
    expect(page).toContain('| POST | `/api/v1/toys` | `admin:database` | the administrator |\n');
  });

  test('is in the OpenAPI document: its routes, who may call them, and its entry in the health report', async () => {
    const { body } = await server.call('GET', '/openapi.json', { key: null });
    const document = body as OpenApi;
    expect(operationOf(document, 'POST /api/v1/toys')).toMatchObject({
      operationId: 'createToy',
      security: [{ admin: [] }],
    });
    expect(operationOf(document, 'GET /api/v1/toys').security).toEqual([{ apiKey: [] }, { admin: [] }]);
    const { schemas } = document.components as { schemas: Record<string, Schema> };
    expect(schemas.Toy?.properties).toHaveProperty('windings');
    expect(schemas.HealthReport?.properties?.checks?.properties?.toys).toMatchObject({
      properties: { count: { type: 'integer' } },
      required: ['status', 'count'],
    });
  });

  test('is in the health report and in the metrics', async () => {
    const report = async () => (await server.call('GET', 'health', { key: null })).body;
    expect(await report()).toMatchObject({
      status: 'degraded',
      checks: { toys: { status: 'degraded', count: 0, detail: expect.stringContaining('no toy') } },
    });
    await make('train');
    expect((await report()).checks.toys).toEqual({ status: 'healthy', count: 1 });

    await server.clock.advance(41_000);
    const { body } = await server.call('GET', 'health/metrics', { key: null });
    expect(body.figures).toMatchObject({ toysWound: 2, waitingWrites: expect.any(Number) });
  });

  test('works in the background by the clock, and no longer once the server is stopped', async () => {
    await make('train');
    await server.clock.advance(19_000);
    expect(await list()).toMatchObject([{ windings: 0 }]);
    await server.clock.advance(1_000);
    expect(await list()).toMatchObject([{ windings: 1 }]);

    await server.stop({ keepFiles: true });
    await server.clock.advance(60_000);
    const { dir, key, clock } = server;
    server = await startTestApp({ ...{ dir, key, clock, more }, env: QUICK_ADMIN });
    expect(await list()).toMatchObject([{ windings: 1 }]);
  });

  test('has its old data deleted by the retention', async () => {
    for (const name of ['ball', 'doll', 'train']) await make(name);
    server.clock.set(server.clock.now() + 8 * DAY_MS);
    await make('kite');
    for (let turn = 0; turn < 10; turn++) await server.clock.advance(20);
    expect(await list()).toMatchObject([{ name: 'kite' }]);
  });

  test('has its old data deleted and counted by a compaction', async () => {
    await makeLongAgo('ball', 'doll', 'train');
    const step = server.call('POST', 'database/compact', { asAdmin: true });
    let answered = false;
    void step.finally(() => {
      answered = true;
    });
    while (!answered) await server.clock.advance(10);
    expect((await step).body.data).toMatchObject({ purged: { toys: 3 }, done: true });
    expect(await list()).toEqual([]);
  });

  test('records its events', async () => {
    await make('train');
    const found = await server.app.database.reader
      .selectFrom('events')
      .select(['type', 'project_id', 'data'])
      .where('type', 'like', 'toy.%')
      .execute();
    expect(found).toEqual([{ type: 'toy.made', project_id: DEFAULT_PROJECT, data: '{"name":"train"}' }]);
  });

  test('has settings, which are checked with all others and documented', () => {
    expect(server.app.config).toMatchObject({ toy: { windSeconds: 20, days: 7 } });
    expect(() => loadConfig({ TOY_DAYS: 'many', PORT: 'none' })).toThrow(ConfigError);
    expect(() => loadConfig({ TOY_DAYS: 'many', PORT: 'none' })).toThrow(
      /PORT[\s\S]*TOY_DAYS: .*a whole number from 0 to 365/,
    );
    expect(configurationPage()).toContain('## Toys\n');
    expect(configurationPage()).toContain('| `TOY_DAYS` | `7` | a whole number from 0 to 365 |');
    expect(envExample()).toContain('#TOY_WIND_SECONDS=60');
  });

  test('has a command, in the help and beside the running server', async () => {
    const help = (await programOf(commands, ['--help'])).helpInformation();
    expect(help).toMatch(/^ {2}toy +Create toys$/m);
    expect(help).toMatch(/^ {2}compact /m);

    expect(JSON.parse(await wotp('toy', 'add', 'train', '--json'))).toMatchObject({ name: 'train' });
    expect(await list()).toMatchObject([{ name: 'train' }]);
    await expect(wotp('toy', 'add', 'train')).rejects.toThrow('There is a toy named train already.');
    expect(await wotp('health', '--url', server.address)).toMatch(/^ {2}toys +healthy$/m);
  });
});

describe.runIf(ENGINE === 'wodb')('on the embedded database', () => {
  test('the command compact says what it deleted of the feature', async () => {
    await makeLongAgo('ball', 'train');
    let printed: string | undefined;
    const command = wotp('compact').then((text) => {
      printed = text;
    });
    while (printed === undefined) await server.clock.advance(10);
    await command;
    expect(printed).toMatch(/^Deleted 2 toys that had expired\.\nThe database is /);
  });
});
