import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { tempFolder } from '../../../test/support/temp-folder.ts';
import { newConnection } from '../../../test/support/wodb.ts';
import { Checkpointer } from './checkpointer.ts';
import { WriteQueue } from './write-queue.ts';

const MEGABYTE = 1_000_000;
const NOTE_BYTES = 50_000;

/** A queue whose commits are copied back by a checkpointer; `copiedFrom` is the file its thread opens. */
function newQueue(copiedFrom?: string) {
  const { connection, path, fileKey } = newConnection(tempFolder());
  connection.sqlite.exec('create table notes (id integer primary key, text text not null)');
  const onFatal = vi.fn();
  const checkpointer = new Checkpointer(connection, { path: copiedFrom ?? path, fileKey }, onFatal);
  const queue = new WriteQueue(connection, { onFatal, onCommit: () => checkpointer.committed() });
  return {
    connection,
    path,
    checkpointer,
    onFatal,
    walBytes: () => statSync(`${path}-wal`).size,
    async write(notes: number): Promise<void> {
      const text = 'x'.repeat(NOTE_BYTES);
      for (let i = 0; i < notes; i++) {
        await queue.run(async () => connection.run('insert into notes (text) values (?)', [text]));
      }
    },
    async close(): Promise<void> {
      await queue.close();
      await checkpointer.close();
      connection.close();
    },
  };
}

test('while writes go on, the WAL is copied back and begun anew', async () => {
  const { write, walBytes, path, onFatal, close } = newQueue();
  let written = 0;
  // Without beginning anew, the WAL would be as large as all that was written. On a busy machine the thread lags.
  do {
    await write(400);
    written += 400 * NOTE_BYTES;
  } while (walBytes() > written / 2 && written < 100 * MEGABYTE);

  expect(walBytes()).toBeLessThanOrEqual(written / 2);
  expect(statSync(path).size).toBeGreaterThan(5 * MEGABYTE);
  expect(onFatal).not.toHaveBeenCalled();
  await close();
  expect(existsSync(`${path}-wal`)).toBe(false);
});

test('without its thread the writer copies by itself', async () => {
  const { write, walBytes, onFatal, close } = newQueue(join(tempFolder(), 'no such file'));

  await write(1_500);

  expect(walBytes()).toBeLessThan(45 * MEGABYTE);
  expect(onFatal).not.toHaveBeenCalled();
  await close();
});

test('closing twice is as good as once, also when the thread was never needed', async () => {
  const { checkpointer, close } = newQueue();
  await checkpointer.close();
  await checkpointer.close();
  await close();
});
