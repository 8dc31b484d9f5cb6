import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { schemaVersion } from '../../src/database/migrate.ts';
import { actorNamed } from '../support/actors.ts';
import { expectProblem } from '../support/problem.ts';
import { smallDisk } from '../support/small-disk.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { startTestApp, type TestApp } from '../support/test-app.ts';
import { settle } from '../support/test-clock.ts';
import { MINUTE_MS, newPhone, QUICK_ADMIN, verificationsOf } from '../support/verifications.ts';

const KEY = { DB_MASTER_KEY: 'the master key of the tests of backups' };
const ENV = { ...QUICK_ADMIN, ...KEY };

async function started(env: Record<string, string> = {}): Promise<TestApp> {
  const server = await startTestApp({ env: { ...ENV, ...env } });
  onTestFinished(() => server.stop());
  return server;
}

const backUp = (server: TestApp, body: object = {}) =>
  server.call('POST', 'database/backups', { body, asAdmin: true });

/** A server over a copy of a backup, as after a restore. */
async function startedFrom(file: string): Promise<TestApp> {
  const dir = tempFolder();
  writeFileSync(join(dir, 'wotp.wodb'), readFileSync(file), { mode: 0o600 });
  const server = await startTestApp({ dir, env: ENV });
  onTestFinished(() => server.stop({ keepFiles: true }));
  return server;
}

async function idsIn(server: TestApp): Promise<Set<string>> {
  const rows = await server.app.database.reader.selectFrom('verifications').select('id').execute();
  return new Set(rows.map(({ id }) => id));
}

test('a backup made under load is a cut through it: all that was acknowledged before is in it, and nothing by halves', async () => {
  const server = await started({ RATE_LIMIT_MAX: '1000000' });
  const { send } = verificationsOf(server);
  const acknowledged: string[] = [];
  let sending = true;
  const sender = async () => {
    while (sending) acknowledged.push((await send({ phone: newPhone() })).body.data.id);
  };
  const senders = Array.from({ length: 8 }, sender);
  while (acknowledged.length < 100) await new Promise((resolve) => setImmediate(resolve));
  const before = [...acknowledged];
  const { status, body } = await backUp(server);
  const during = acknowledged.length - before.length;
  sending = false;
  await Promise.all(senders);
  expect(status).toBe(201);
  expect(during).toBeGreaterThan(5);

  const restored = await startedFrom(body.data.file);
  const ids = await idsIn(restored);
  expect(before.filter((id) => !ids.has(id))).toEqual([]);
  const verdict = await restored.call('POST', 'database/verify', { asAdmin: true });
  expect(verdict.body.data.findings).toEqual([]);
  const counted = JSON.parse(readFileSync(`${body.data.file}.json`, 'utf8')).rows;
  expect(counted).toMatchObject({ verifications: ids.size, messages: ids.size });
}, 60_000);

describe('a backup', () => {
  let server: TestApp;
  beforeAll(async () => {
    server = await startTestApp({ env: ENV });
  });
  afterAll(() => server.stop());

  test('lies in the data folder under the time, for its owner only, with a manifest that describes it', async () => {
    await verificationsOf(server).sent({ phone: newPhone() });
    const { status, body } = await backUp(server);
    expect(status).toBe(201);
    const file = join(server.dir, 'backups', 'wotp-20260115-120000.wodb');
    expect(body.data).toEqual({
      file,
      bytes: statSync(file).size,
      sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
      removed: [],
    });
    for (const path of [file, `${file}.json`]) expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(statSync(join(server.dir, 'backups')).mode & 0o777).toBe(0o700);
    expect(JSON.parse(readFileSync(`${file}.json`, 'utf8'))).toMatchObject({
      format: 'WOTP backup 1',
      file: 'wotp-20260115-120000.wodb',
      version: '4.0.0',
      schemaVersion: schemaVersion(),
      createdAt: '2026-01-15T12:00:00.000Z',
      ownMasterKey: true,
      bytes: body.data.bytes,
      sha256: body.data.sha256,
      rows: { verifications: 1, messages: 1, projects: 1 },
    });
    const content = readFileSync(file).toString('latin1');
    for (const plain of ['CREATE TABLE', 'SQLite', 'Default']) expect(content).not.toContain(plain);
  });

  test('of the same second gets a name of its own, and both are in the events', async () => {
    const { body } = await backUp(server);
    expect(body.data.file).toMatch(/wotp-20260115-120000-2\.wodb$/);
    const events = await server.app.database.reader
      .selectFrom('events')
      .select('data')
      .where('type', '=', 'backup.created')
      .orderBy('seq')
      .execute();
    expect(events.map(({ data }) => JSON.parse(data!))).toEqual([
      { actor: 'admin', file: 'wotp-20260115-120000.wodb' },
      { actor: 'admin', file: 'wotp-20260115-120000-2.wodb' },
    ]);
  });

  test('is made by an administrator only; its place, its key and how many are kept are up to the command line', async () => {
    expectProblem(await server.call('POST', 'database/backups'), 'FORBIDDEN');
    expectProblem(await server.call('POST', 'database/verify'), 'FORBIDDEN');
    const backupKey = { key: '0'.repeat(64), salt: '0'.repeat(32) };
    const before = readdirSync(join(server.dir, 'backups'));
    for (const body of [{ to: tempFolder() }, { backupKey }, { keep: 1 }]) {
      expectProblem(await backUp(server, body), 'FORBIDDEN');
    }
    expect(readdirSync(join(server.dir, 'backups'))).toEqual(before);
    expectProblem(await backUp(server, { keep: 0 }), 'VALIDATION_ERROR');
  });

  test('runs alone: a second one is refused meanwhile, and the job says how far it is', async () => {
    const first = server.app.maintenance!.backup({}, actorNamed('test'));
    expectProblem(await backUp(server), 'CONFLICT');
    expectProblem(await server.call('POST', 'database/verify', { asAdmin: true }), 'CONFLICT');
    expect(server.app.maintenance!.job()).toEqual({
      name: 'backup',
      phase: expect.stringMatching(/^(copying|checking)$/),
      percent: expect.any(Number),
    });
    await first;
    const { status, body } = await server.call('GET', 'database/job', { asAdmin: true });
    expect([status, body]).toEqual([200, { success: true, data: null }]);
  });
});

describe('a backup asked for with an Idempotency-Key', () => {
  const keyed = (server: TestApp, idempotencyKey: string, body: object = {}) =>
    server.call('POST', 'database/backups', {
      body,
      asAdmin: true,
      headers: { 'idempotency-key': idempotencyKey },
    });
  const backupsOf = (server: TestApp) =>
    readdirSync(join(server.dir, 'backups')).filter((name) => name.endsWith('.wodb'));

  test('is made once: a repetition is 409 while it runs, and gets the same answer afterwards', async () => {
    const server = await started();
    const first = keyed(server, 'nightly');
    while (server.app.maintenance!.job() === undefined) await new Promise((resolve) => setImmediate(resolve));
    expectProblem(await keyed(server, 'nightly'), 'IDEMPOTENCY_IN_PROGRESS');
    expectProblem(await keyed(server, 'another'), 'CONFLICT');
    const made = await first;
    expect(made.status).toBe(201);
    expect(made.headers.get('idempotency-replayed')).toBeNull();

    const again = await keyed(server, 'nightly');
    expect([again.status, again.text]).toEqual([201, made.text]);
    expect(again.headers.get('idempotency-replayed')).toBe('true');
    const { id: projectId } = await server.app.database.reader
      .selectFrom('projects')
      .select('id')
      .executeTakeFirstOrThrow();
    expectProblem(await keyed(server, 'nightly', { projectId }), 'IDEMPOTENCY_MISMATCH');
    expect(backupsOf(server)).toHaveLength(1);
    expect((await keyed(server, 'another')).status).toBe(201);
    expect(backupsOf(server)).toHaveLength(2);
  });

  test('is made by the repetition when the first could not be', async () => {
    const server = await started();
    writeFileSync(join(server.dir, 'backups'), 'where the folder has to be');
    expectProblem(await keyed(server, 'nightly'), 'SERVICE_UNAVAILABLE');
    rmSync(join(server.dir, 'backups'));
    const made = await keyed(server, 'nightly');
    expect(made.status).toBe(201);
    expect(made.headers.get('idempotency-replayed')).toBeNull();
  });
});

test('a stop gives a running backup up, answers who waits for it, and leaves nothing half-made', async () => {
  const server = await startTestApp({ env: ENV });
  const waiting = backUp(server);
  while (server.app.maintenance!.job() === undefined) await new Promise((resolve) => setImmediate(resolve));
  await server.stop({ keepFiles: true });
  const { detail } = expectProblem(await waiting, 'SERVICE_UNAVAILABLE');
  expect(detail).toBe('The server is stopping and has canceled the backup.');
  expect(readdirSync(join(server.dir, 'backups'))).toEqual([]);
  expect(readdirSync(server.dir).filter((name) => /-(wal|shm)$/.test(name))).toEqual([]);
  rmSync(server.dir, { recursive: true });
});

test('keeping the newest removes older backups that are described as ours, and nothing else', async () => {
  const server = await started();
  const folder = join(server.dir, 'backups');
  const made: string[] = [];
  for (let i = 0; i < 3; i++) {
    made.push((await backUp(server)).body.data.file);
    await server.clock.advance(MINUTE_MS);
  }
  const foreign = [
    'wotp-20200101-000000.wodb',
    'my own copy.wodb',
    'wotp-20200102-000000.wodb',
    'wotp-20200102-000000.wodb.json',
  ];
  for (const name of foreign) writeFileSync(join(folder, name), '{"format":"of somebody else"}');
  renameSync(made[0]!, `${made[0]!}.kept`);
  renameSync(`${made[0]!}.json`, `${made[0]!}.kept.json`);
  writeFileSync(join(folder, 'wotp-20200103-000000.wodb.draft'), 'half of one, left by a kill');

  const { removed } = await server.app.maintenance!.backup({ keep: 2 }, actorNamed('cli'));
  expect(removed).toEqual(['wotp-20260115-120100.wodb']);
  const newest = await server.app.database.reader
    .selectFrom('events')
    .select('data')
    .where('type', '=', 'backup.created')
    .orderBy('seq', 'desc')
    .executeTakeFirstOrThrow();
  expect(JSON.parse(newest.data!)).toEqual({
    actor: 'cli',
    file: 'wotp-20260115-120300.wodb',
    removed: ['wotp-20260115-120100.wodb'],
  });
  expect(readdirSync(folder).sort()).toEqual(
    [
      ...foreign,
      'wotp-20260115-120000.wodb.kept',
      'wotp-20260115-120000.wodb.kept.json',
      'wotp-20260115-120200.wodb',
      'wotp-20260115-120200.wodb.json',
      'wotp-20260115-120300.wodb',
      'wotp-20260115-120300.wodb.json',
    ].sort(),
  );
});

test('the backup that was just made is kept whatever the number, also beside others of its second and later ones', async () => {
  const server = await started();
  const { maintenance } = server.app;
  const later = await maintenance!.backup({}, actorNamed('cli'));
  server.clock.set(server.clock.now() - 60 * MINUTE_MS);
  for (let i = 0; i < 2; i++) await maintenance!.backup({}, actorNamed('cli'));
  const made = await maintenance!.backup({ keep: 2 }, actorNamed('cli'));
  expect(made.file).toMatch(/-3\.wodb$/);
  expect(made.removed).toHaveLength(2);
  expect(readdirSync(join(server.dir, 'backups')).filter((name) => name.endsWith('.wodb'))).toEqual(
    [later.file, made.file].map((file) => basename(file)).sort(),
  );
});

test('a schedule makes backups at its moments and keeps as many as it shall', async () => {
  const server = await started({ BACKUP_CRON: '*/10 * * * *', BACKUP_KEEP: '2' });
  const folder = join(server.dir, 'backups');
  const healthy = await server.call('GET', 'health');
  expect(healthy.body.checks.backup).toEqual({ status: 'healthy', lastAt: null });
  for (let i = 1; i <= 3; i++) {
    await server.clock.advance(10 * MINUTE_MS);
    await server.app.maintenance!.idle();
    await settle();
  }
  expect(readdirSync(folder).filter((name) => name.endsWith('.wodb'))).toEqual([
    'wotp-20260115-122000.wodb',
    'wotp-20260115-123000.wodb',
  ]);
  const { body } = await server.call('GET', 'health');
  expect(body.checks.backup).toEqual({ status: 'healthy', lastAt: '2026-01-15T12:30:00.000Z' });
  const metrics = await server.call('GET', 'health/metrics');
  expect(metrics.body.figures).toMatchObject({
    backupsSucceeded: 3,
    backupsFailed: 0,
    lastBackupAt: Date.parse('2026-01-15T12:30:00.000Z'),
    lastBackupBytes: statSync(join(folder, 'wotp-20260115-123000.wodb')).size,
  });
}, 60_000);

test('a scheduled backup that fails is in the log, in health and in the events, and the next one mends it', async () => {
  const server = await started({ BACKUP_CRON: '*/10 * * * *' });
  // A file where the folder should be: root is refused nothing, so rights alone would not do.
  writeFileSync(join(server.dir, 'backups'), 'in the way');
  await server.clock.advance(10 * MINUTE_MS);
  await server.app.maintenance!.idle();
  await settle();
  const report = await server.call('GET', 'health', { key: null });
  expect(report.status).toBe(200);
  expect(report.body.status).toBe('degraded');
  expect(report.body.checks.backup).toEqual({
    status: 'degraded',
    lastAt: null,
    detail: 'The latest backup failed; see the log.',
  });
  expect(server.logLines.join('')).toContain('the scheduled backup failed');
  const [event] = await server.app.database.reader
    .selectFrom('events')
    .select('data')
    .where('type', '=', 'backup.failed')
    .execute();
  expect(JSON.parse(event!.data!)).toMatchObject({
    actor: 'schedule',
    reason: expect.stringContaining('backup'),
  });

  renameSync(join(server.dir, 'backups'), join(server.dir, 'out of the way'));
  await server.clock.advance(10 * MINUTE_MS);
  await server.app.maintenance!.idle();
  await settle();
  expect((await server.call('GET', 'health')).body.checks.backup.status).toBe('healthy');
}, 60_000);

describe('verify', () => {
  test('finds nothing in what a server writes, in whatever state its verifications are', async () => {
    const server = await started();
    const calls = verificationsOf(server);
    const phones = Array.from({ length: 5 }, newPhone);
    const sent = await Promise.all(phones.map((phone) => calls.sent({ phone })));
    await calls.deliver();
    await calls.cancel(sent[0]!.id);
    const [message] = await calls.inbox(phones[1]!);
    await calls.check({ id: sent[1]!.id, code: /\d{6}/.exec(message!.text)![0] });
    for (let i = 0; i < 5; i++) await calls.check({ id: sent[2]!.id, code: '000000' });
    await calls.jump(31_000);
    await calls.resend(sent[3]!.id);
    await calls.sent({ phone: phones[4]!, code: 'ANOTHER1' });
    const verify = async () => (await server.call('POST', 'database/verify', { asAdmin: true })).body.data;
    expect(await verify()).toMatchObject({ findings: [], rows: { verifications: 6, messages: 7 } });
    await calls.jump(10 * MINUTE_MS);
    expect(await verify()).toMatchObject({ findings: [] });
  });

  test('tells each rule of the data that does not hold, with the ids', async () => {
    const server = await started();
    const { sent } = verificationsOf(server);
    const ids: string[] = [];
    for (let i = 0; i < 6; i++) ids.push((await sent({ phone: newPhone(), purpose: `p${i}` })).id);
    const [a, b, c, d, e, f] = ids as [string, string, string, string, string, string];
    await server.app.database.transaction(async (trx) => {
      const of = (id: string) => trx.updateTable('verifications').where('id', '=', id);
      const { destination } = await trx
        .selectFrom('verifications')
        .select('destination')
        .where('id', '=', b)
        .executeTakeFirstOrThrow();
      await of(a).set({ destination, purpose: 'p1' }).execute();
      await of(c).set({ status: 'lost' }).execute();
      await of(d).set({ verified_at: 5 }).execute();
      await trx.deleteFrom('messages').where('owner_id', '=', e).execute();
      await trx.updateTable('messages').set({ status: 'gone' }).where('owner_id', '=', d).execute();
      await trx.updateTable('messages').set({ owner_id: 'ver_x' }).where('owner_id', '=', f).execute();
    });
    const { body } = await server.call('POST', 'database/verify', { asAdmin: true });
    expect(body.data.findings).toEqual([
      `More than one verification is pending for one phone and purpose; the first of them: ${a}.`,
      `Verifications are in a state that does not exist: ${c}.`,
      expect.stringMatching(/^Messages are in a state that does not exist: msg_\w+\.$/),
      `Verifications are verified without a time, or have one without being verified: ${d}.`,
      `The newest message of these verifications does not exist: ${e}.`,
      expect.stringMatching(/^Messages belong to no verification of their project: msg_\w+\.$/),
      `Verifications still hold a code although they have ended: ${c}.`,
      expect.stringMatching(
        /^Messages wait to be sent although what they were sent for has ended: msg_\w+\.$/,
      ),
    ]);
  });
});

test('a backup that finds no room says so, leaves nothing behind, and the server goes on', async ({
  skip,
}) => {
  const disk = smallDisk(64 * 1024);
  if (disk === undefined) return skip('a disk of its own cannot be mounted here');
  const server = await started();
  await expect(server.app.maintenance!.backup({ to: disk }, actorNamed('cli'))).rejects.toThrow(
    'The disk has no room for the backup. Free some space, or choose another folder. No backup was made.',
  );
  expect(readdirSync(disk)).toEqual([]);
  await verificationsOf(server).sent({ phone: newPhone() });
  expect((await backUp(server)).status).toBe(201);
});

test('a folder that is not there and a name that is taken are refused before anything is written', async () => {
  const server = await started();
  const folder = tempFolder();
  mkdirSync(join(folder, 'sub'));
  writeFileSync(join(folder, 'taken'), 'x');
  await expect(
    server.app.maintenance!.backup({ to: join(folder, 'none', 'b.wodb') }, actorNamed('cli')),
  ).rejects.toThrow(/does not exist\. Create it/);
  await expect(
    server.app.maintenance!.backup({ to: join(folder, 'taken') }, actorNamed('cli')),
  ).rejects.toThrow(/exists already/);
  // A file of this name tonight would be in the way of every later night.
  await expect(
    server.app.maintenance!.backup({ to: join(folder, 'nightly'), keep: 14 }, actorNamed('cli')),
  ).rejects.toThrow(/Create the folder first/);
  expect(existsSync(join(folder, 'none'))).toBe(false);
  const made = await server.app.maintenance!.backup({ to: join(folder, 'named.wodb') }, actorNamed('cli'));
  expect(made.file).toBe(join(folder, 'named.wodb'));
  expect(readdirSync(folder).sort()).toEqual(['named.wodb', 'named.wodb.json', 'sub', 'taken']);
});
