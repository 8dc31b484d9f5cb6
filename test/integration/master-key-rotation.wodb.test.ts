import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { resolveMasterKey } from '../../src/database/master-key.ts';
import { RebuildError } from '../../src/database/wodb/rebuild.ts';
import { restoreDatabase } from '../../src/database/wodb/restore.ts';
import { rotateMasterKey } from '../../src/database/wodb/rotate.ts';
import { endAllPending } from '../../src/otp/end-all.ts';
import { actorNamed } from '../support/actors.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { startTestApp, type TestApp } from '../support/test-app.ts';
import { newPhone, QUICK_ADMIN, verificationsOf } from '../support/verifications.ts';
import { contentsOf, modeOf } from '../support/wodb.ts';

const OLD = 'the master key of the first years, long enough';
const NEW = 'the master key that comes after it, long enough';
const CODE = '482913';

interface Given {
  dir: string;
  from?: TestApp;
  masterKey?: string;
}

/** A server over a folder; with `from` its clock, key and address of the earlier one go on. */
async function start({ dir, from, masterKey }: Given): Promise<TestApp> {
  const env = { ...QUICK_ADMIN, ...(masterKey === undefined ? {} : { DB_MASTER_KEY: masterKey }) };
  const server = await startTestApp({ dir, env, key: from?.key, clock: from?.clock });
  onTestFinished(() => server.stop({ keepFiles: true }));
  return server;
}

async function rotate(
  dir: string,
  masterKey: string,
  newMasterKey: string,
  keepsKey = false,
): Promise<number> {
  const path = join(dir, 'wotp.wodb');
  const { version } = await rotateMasterKey({ path, dataDir: dir, masterKey, newMasterKey, keepsKey });
  return version;
}

const keep = { keepFiles: true };

describe('after a rotation of the master key', () => {
  test('pending codes verify, messages are sent again with the same code, and kept answers are repeated', async () => {
    const dir = tempFolder();
    const before = await start({ dir, masterKey: OLD });
    const request = {
      body: { phone: newPhone(), code: CODE },
      headers: { 'idempotency-key': 'order-1' },
    };
    const first = await before.call('POST', 'otp/send', request);
    expect(first.status).toBe(201);
    const waiting = await verificationsOf(before).sent({ phone: newPhone() });
    const ended = await verificationsOf(before).sent({ phone: newPhone(), code: CODE });
    expect((await verificationsOf(before).check({ id: ended.id, code: CODE })).status).toBe(200);
    await before.stop(keep);

    expect(await rotate(dir, OLD, NEW)).toBe(2);

    const after = await start({ dir, from: before, masterKey: NEW });
    const { check, resend, inbox, deliver, sent } = verificationsOf(after);
    const again = await after.call('POST', 'otp/send', request);
    expect(again.headers.get('idempotency-replayed')).toBe('true');
    expect(again.body).toEqual(first.body);
    const other = await after.call('POST', 'otp/send', { ...request, body: { phone: newPhone() } });
    expect(other.body.code).toBe('IDEMPOTENCY_MISMATCH');

    expect((await check({ id: first.body.data.id, code: '000000' })).status).toBe(422);
    expect((await check({ id: first.body.data.id, code: CODE })).status).toBe(200);
    expect((await check({ id: ended.id, code: CODE })).status).toBe(404);

    await deliver();
    await after.clock.advance(30_000);
    expect((await resend(waiting.id)).status).toBe(200);
    await deliver();
    const codes = (await inbox(waiting.phone)).map(({ text }) => /\d{6}/.exec(text)?.[0]);
    expect(codes).toHaveLength(2);
    expect(new Set(codes).size).toBe(1);

    await sent({ phone: newPhone() });
    const rows = await after.app.database.reader
      .selectFrom('verifications')
      .select('key_version')
      .orderBy('id')
      .execute();
    expect(rows.map(({ key_version }) => key_version)).toEqual([1, 1, 1, 2]);
    const events = await after.app.database.reader
      .selectFrom('events')
      .select('data')
      .where('type', '=', 'master_key.rotated')
      .execute();
    expect(events).toEqual([{ data: '{"version":2,"actor":"cli"}' }]);
  });

  test('and another one, what was made under the first key can still be checked', async () => {
    const dir = tempFolder();
    const before = await start({ dir, masterKey: OLD });
    const { id } = await verificationsOf(before).sent({ phone: newPhone(), code: CODE });
    await before.stop(keep);
    expect(await rotate(dir, OLD, NEW)).toBe(2);
    expect(await rotate(dir, NEW, `${NEW}, the third`)).toBe(3);
    const after = await start({ dir, from: before, masterKey: `${NEW}, the third` });
    expect((await verificationsOf(after).check({ id, code: CODE })).status).toBe(200);
  });

  test('the old key opens the folder no more, and nothing of the old file or of the work is left', async () => {
    const dir = tempFolder();
    const before = await start({ dir, masterKey: OLD });
    await before.stop(keep);
    const old = readFileSync(join(dir, 'wotp.wodb'));
    const files = readdirSync(dir);
    await rotate(dir, OLD, NEW);
    expect(readdirSync(dir)).toEqual(files);
    const file = readFileSync(join(dir, 'wotp.wodb'));
    for (let page = 0; page < Math.min(file.length, old.length); page += 4096) {
      expect(file.subarray(page, page + 64).equals(old.subarray(page, page + 64))).toBe(false);
    }
    expect(modeOf(join(dir, 'wotp.wodb'))).toBe('0600');
    expect(modeOf(join(dir, 'wotp.keycheck'))).toBe('0600');
    const untouched = contentsOf(dir);
    await expect(startTestApp({ dir, env: { DB_MASTER_KEY: OLD } })).rejects.toThrow(
      /is not the key of this database/,
    );
    expect(contentsOf(dir)).toEqual(untouched);
  });

  test('a key that WOTP keeps itself is exchanged with the file, and the old one stays for the backups', async () => {
    const dir = tempFolder();
    const before = await start({ dir });
    const { id } = await verificationsOf(before).sent({ phone: newPhone(), code: CODE });
    await before.stop(keep);
    const kept = resolveMasterKey(undefined, dir, join(dir, 'wotp.wodb'));
    await rotate(dir, kept, NEW, true);
    const old = readdirSync(dir).filter((name) => /^master\.key\.replaced-\d{8}-\d{6}$/.test(name));
    for (const [name, key] of [
      ['master.key', NEW],
      [String(old), kept],
    ] as const) {
      expect(readFileSync(join(dir, name), 'utf8')).toBe(`${key}\n`);
      expect(modeOf(join(dir, name))).toBe('0600');
    }
    const after = await start({ dir, from: before });
    expect((await verificationsOf(after).check({ id, code: CODE })).status).toBe(200);
  });
});

test('a backup from before the rotation is restored with the old key and opens with the new one, all that is sealed in it too', async () => {
  const dir = tempFolder();
  const before = await start({ dir });
  const { id } = await verificationsOf(before).sent({ phone: newPhone(), code: CODE });
  const named = { body: { name: 'Key', permissions: ['otp:send'] }, headers: { 'idempotency-key': 'once' } };
  const first = await before.call('POST', 'keys', named);
  const { file } = await before.app.maintenance!.backup({}, actorNamed('test'));
  await before.stop(keep);
  const kept = resolveMasterKey(undefined, dir, join(dir, 'wotp.wodb'));
  await rotate(dir, kept, NEW, true);

  const restore = (backupMasterKey: string | undefined) =>
    restoreDatabase({
      file,
      path: join(dir, 'wotp.wodb'),
      keyCheckPath: join(dir, 'wotp.keycheck'),
      masterKeyPath: join(dir, 'master.key'),
      masterKey: NEW,
      backupMasterKey,
      endCodes: (draft, masterKey) => endAllPending(draft, { masterKey, now: 0, reason: 'restored' }),
      now: 0,
    });
  await expect(restore(undefined)).rejects.toThrow(/from before a rotation.*--key-file/);
  expect(await restore(kept)).toMatchObject({ keptMasterKey: false });
  expect(readFileSync(join(dir, 'master.key'), 'utf8')).toBe(`${NEW}\n`);

  const after = await start({ dir, from: before });
  expect((await after.call('POST', 'keys', named)).body).toEqual(first.body);
  expect((await verificationsOf(after).read(id)).body.data).toMatchObject({ reason: 'restored' });
  expect((await after.app.maintenance!.verify()).findings).toEqual([]);
});

describe('a rotation that cannot be done leaves everything as it was', () => {
  test('with a wrong present key', async () => {
    const dir = tempFolder();
    await (await start({ dir, masterKey: OLD })).stop(keep);
    const before = contentsOf(dir);
    await expect(rotate(dir, `${OLD}!`, NEW)).rejects.toThrow(/is not the key of this database/);
    expect(contentsOf(dir)).toEqual(before);
  });

  test('on a damaged file', async () => {
    const dir = tempFolder();
    const server = await start({ dir, masterKey: OLD });
    await server.call('POST', 'database/demo-data', { asAdmin: true, body: { count: 200 } });
    await server.stop(keep);
    const path = join(dir, 'wotp.wodb');
    const bytes = readFileSync(path);
    // The last pages hold rows; none of them is read to open it.
    for (const page of [1, 2, 3]) bytes[bytes.length - 4096 * page + 2_000]! ^= 1;
    writeFileSync(path, bytes);
    const before = contentsOf(dir);
    await expect(rotate(dir, OLD, NEW)).rejects.toThrow(RebuildError);
    expect(contentsOf(dir)).toEqual(before);
  });

  test('while a server runs', async () => {
    const dir = tempFolder();
    const server = await start({ dir, masterKey: OLD });
    await expect(rotate(dir, OLD, NEW)).rejects.toThrow(/Another WOTP process is using/);
    expect((await server.call('GET', 'health/ready', { key: null })).status).toBe(200);
  });

  test('where there is no database', async () => {
    const dir = tempFolder();
    await expect(rotate(dir, OLD, NEW)).rejects.toThrow(/There is no database/);
    expect(readdirSync(dir)).toEqual(['wotp.wodb.lock']);
  });
});

test('a start removes what a rotation that was cut off had built', async () => {
  const dir = tempFolder();
  await (await start({ dir, masterKey: OLD })).stop(keep);
  const names = ['wotp.wodb.rotating', 'wotp.wodb.rotating-wal', 'wotp.keycheck.new'];
  const left = [...names, 'master.key.new', 'master.key.old'];
  for (const name of left) writeFileSync(join(dir, name), 'half of it');
  await (await start({ dir, masterKey: OLD })).stop(keep);
  for (const name of left) expect(existsSync(join(dir, name)), name).toBe(false);
});
