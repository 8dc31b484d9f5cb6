import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { bulkCommand } from '../../src/bulk/cli.ts';
import { runHere } from '../support/command-in-process.ts';
import { startTestApp, type TestApp } from '../support/test-app.ts';
import { newPhone, QUICK_ADMIN } from '../support/verifications.ts';

let server: TestApp;
let phones: string[];

beforeEach(async () => {
  server = await startTestApp({ env: QUICK_ADMIN });
  phones = [newPhone(), newPhone()];
  writeFileSync(join(server.dir, 'people.csv'), `phone,name\n${phones[0]},Ayu\n${phones[1]},=Budi\n`);
});
afterEach(() => server.stop());

const run = (...args: string[]) =>
  runHere(bulkCommand(), args, { cwd: server.dir, settings: { DATA_DIR: server.dir } });
const json = async (...args: string[]) => JSON.parse(await run(...args, '--json'));
const SEND = ['send', 'people.csv', '--template', 'Hello {{name}}'];

test('one recipient is counted in the singular', async () => {
  writeFileSync(join(server.dir, 'people.csv'), `phone,name\n${phones[0]},Ayu\n${phones[0]},Ayu\n`);
  expect(await run(...SEND)).toMatch(/^blk_\w+: 1 recipient, 0 of them rejected, 1 duplicate\.\n/);
});

test('send, status and results tell of a job in words', async () => {
  const printed = await run(...SEND);
  expect(printed).toMatch(/^blk_\w+: 2 recipients, 0 of them rejected, 0 duplicates\.\n/);
  expect(printed).toMatch(/processing, 0 of 2 recipients done \(0\.00 %\)/);
  const [id] = /blk_\w+/.exec(printed)!;
  await server.clock.advance(5_000);
  expect(await run('status', id)).toMatch(
    /completed, 2 of 2 recipients done \(100\.00 %\)\n {2}sent 2, failed 0/,
  );
  expect(await run('status')).toMatch(new RegExp(`${id}.*completed`));
  expect(await run('results', id)).toMatch(/\+62\d+ .*read/);
  const csv = await run('results', id, '--csv');
  expect(csv).toMatch(
    /^phone,status,reason,messageId,verificationId,email,line\n'\+62\d+,read,,msg_\w+,,,2\n/,
  );
});

test('a dry run sends nothing', async () => {
  expect(await run(...SEND, '--dry-run')).toMatch(/^Nothing was sent\. It would be accepted: 2 recipients/);
  expect(await json(...SEND, '--dry-run')).toMatchObject({ total: 2, duplicates: 0, rejected: 0 });
  expect(await run('status')).toBe('There is no bulk job.\n');
});

test('pause, resume and cancel answer with the job', async () => {
  const { bulkId: id } = await json(...SEND);
  expect(await json('pause', id)).toMatchObject({ status: 'paused' });
  expect(await run('status', id)).toMatch(/Resume it with: .* bulk resume blk_/);
  expect(await json('resume', id)).toMatchObject({ status: 'processing' });
  expect(await json('cancel', id)).toMatchObject({ status: 'canceled', canceled: 2 });
  expect((await json('results', id)).results).toMatchObject([{ status: 'canceled' }, { status: 'canceled' }]);
});

test('a file that is refused is refused with every line', async () => {
  writeFileSync(join(server.dir, 'people.csv'), 'phone,name\n12,Ayu\n34,Budi\n');
  await expect(run(...SEND)).rejects.toThrow(/line 2: .*\n {2}line 3: /s);
});

test('a file that is too large is refused', async () => {
  writeFileSync(join(server.dir, 'people.csv'), Buffer.alloc(10 * 1_048_576 + 1, 0x61));
  await expect(run(...SEND)).rejects.toThrow(/is larger than 10 MB/);
});
