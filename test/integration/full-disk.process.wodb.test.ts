import { appendFileSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { expectProblem } from '../support/problem.ts';
import { smallDisk } from '../support/small-disk.ts';
import { type Answer, startTestApp, type TestApp } from '../support/test-app.ts';
import { newPhone, QUICK_ADMIN, verificationsOf } from '../support/verifications.ts';

const MB = 1024 * 1024;
const ENV = {
  ...QUICK_ADMIN,
  RATE_LIMIT_MAX: '1000000',
  DB_MASTER_KEY: 'the master key of the tests of a full disk',
};

interface SmallDisk {
  server: TestApp;
  /** Takes the last free byte. */
  fill(): void;
  /** Gives most of the disk back. */
  free(): void;
}

/** A server whose data lies on a small disk, most of which a file of somebody else takes; undefined where none can be had. */
async function onSmallDisk(): Promise<SmallDisk | undefined> {
  const dir = smallDisk(8 * MB);
  if (dir === undefined) return undefined;
  const foreign = join(dir, 'of somebody else');
  appendFileSync(foreign, Buffer.alloc(5 * MB));
  const server = await startTestApp({ dir, env: ENV });
  onTestFinished(() => server.stop({ keepFiles: true }));
  const fill = () => {
    try {
      for (;;) appendFileSync(foreign, Buffer.alloc(4096));
    } catch (error) {
      expect(error).toMatchObject({ code: 'ENOSPC' });
    }
  };
  return { server, fill, free: () => rmSync(foreign) };
}

/** Sends from several clients until a send is refused; resolves to the ids of what was acknowledged and the refusals. */
async function sendUntilRefused(server: TestApp): Promise<{ ids: string[]; refusals: Answer[] }> {
  const { send } = verificationsOf(server);
  const ids: string[] = [];
  const refusals: Answer[] = [];
  const client = async () => {
    while (refusals.length === 0) {
      const answer = await send({ phone: newPhone() });
      if (answer.status === 201) ids.push(answer.body.data.id);
      else refusals.push(answer);
    }
  };
  await Promise.all(Array.from({ length: 4 }, client));
  return { ids, refusals };
}

async function storedIn(server: TestApp): Promise<string[]> {
  const rows = await server.app.database.reader
    .selectFrom('verifications')
    .innerJoin('messages', 'messages.owner_id', 'verifications.id')
    .select('verifications.id')
    .orderBy('verifications.id')
    .execute();
  return rows.map(({ id }) => id);
}

test('while the disk is full sends are 503, nothing acknowledged is lost, and with space again all goes on by itself', async ({
  skip,
}) => {
  const given = await onSmallDisk();
  if (!given) return skip('a disk of its own cannot be mounted here');
  const { server, fill, free } = given;
  const { ids, refusals } = await sendUntilRefused(server);
  expect(ids.length).toBeGreaterThan(50);
  fill();
  let report = await server.call('GET', 'health', { key: null });
  // A single row, as health writes one, still finds room where a send finds none.
  while (report.status === 200) {
    const more = await sendUntilRefused(server);
    ids.push(...more.ids);
    refusals.push(...more.refusals);
    report = await server.call('GET', 'health', { key: null });
  }
  for (const refusal of refusals) {
    expect(expectProblem(refusal, 'SERVICE_UNAVAILABLE').detail).toBe(
      'The disk is full; nothing was changed.',
    );
  }

  expect(report.status).toBe(503);
  expect(report.body.checks.database).toMatchObject({
    status: 'unhealthy',
    detail: expect.stringContaining('The disk is full'),
  });
  expect((await server.call('GET', `otp/${ids[0]}`)).status).toBe(200);
  expect(await storedIn(server)).toEqual([...ids].sort());

  free();
  expect((await server.call('GET', 'health', { key: null })).status).toBe(200);
  const { sent, deliver } = verificationsOf(server);
  ids.push((await sent({ phone: newPhone() })).id);
  await deliver();
  const { body } = await server.call('GET', `otp/${ids[0]}`);
  expect(body.data.messageStatus).toBe('read');
  expect((await server.call('POST', 'database/verify', { asAdmin: true })).body.data).toMatchObject({
    findings: [],
    rows: { verifications: ids.length, messages: ids.length },
  });
  await server.stop({ keepFiles: true });

  const again = await startTestApp({ dir: server.dir, env: ENV, key: server.key, clock: server.clock });
  onTestFinished(() => again.stop({ keepFiles: true }));
  expect(await storedIn(again)).toEqual([...ids].sort());
}, 60_000);

test('a full disk is logged once when it begins, once a minute while it lasts, and once when there is space again', async ({
  skip,
}) => {
  const given = await onSmallDisk();
  if (!given) return skip('a disk of its own cannot be mounted here');
  const { server, fill, free } = given;
  const { send, sent } = verificationsOf(server);
  await sent({ phone: newPhone() });
  const key = (await server.call('POST', 'keys', { asAdmin: true, body: { name: 'x', permissions: ['*'] } }))
    .body.data.key;
  fill();
  const logged = () =>
    server.logLines
      .map((line) => JSON.parse(line))
      .filter(({ msg, level }) => level >= 40 || msg.endsWith('again'));
  const before = logged().length;
  // Ten seconds in which requests, the outbox and the counts of requests find no room.
  for (let second = 0; second < 10; second++) {
    for (let n = 0; n < 10; n++) {
      expect((await send({ phone: newPhone() })).status).toBe(503);
      await server.call('GET', 'otp?limit=1', { key });
    }
    await server.clock.advance(1_000);
  }
  const begun = logged().slice(before);
  expect(begun).toHaveLength(1);
  expect(begun[0].err.message).toContain('The disk is full');
  expect(begun[0].err).not.toHaveProperty('stack');

  for (let second = 0; second < 60; second++) {
    await send({ phone: newPhone() });
    await server.clock.advance(1_000);
  }
  expect(logged().slice(before + 1)).toMatchObject([
    { msg: expect.stringContaining('still fails'), failures: expect.any(Number) },
  ]);

  free();
  await server.clock.advance(4_000);
  await sent({ phone: newPhone() });
  await server.clock.advance(4_000);
  expect(logged().slice(before + 2)).toMatchObject([
    { level: 30, msg: expect.stringContaining('works again') },
  ]);
}, 60_000);

test('a server that stops while the disk is full loses nothing that was acknowledged, and leaves no half backup', async ({
  skip,
}) => {
  const given = await onSmallDisk();
  if (!given) return skip('a disk of its own cannot be mounted here');
  const { server, fill, free } = given;
  const { ids } = await sendUntilRefused(server);
  fill();
  const backup = await server.call('POST', 'database/backups', { asAdmin: true });
  expect(expectProblem(backup, 'SERVICE_UNAVAILABLE').detail).toBe(
    'The disk has no room for the backup. Free some space, or choose another folder. No backup was made.',
  );
  expect(readdirSync(join(server.dir, 'backups'))).toEqual([]);
  await server.stop({ keepFiles: true });
  free();

  const again = await startTestApp({ dir: server.dir, env: ENV, key: server.key, clock: server.clock });
  onTestFinished(() => again.stop({ keepFiles: true }));
  expect(await storedIn(again)).toEqual([...ids].sort());
  expect((await again.call('POST', 'database/backups', { asAdmin: true })).status).toBe(201);
}, 60_000);
