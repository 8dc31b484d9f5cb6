import { existsSync, statSync } from 'node:fs';
import type { FileSpace } from '../database.ts';
import { asDatabaseError, type WodbConnection } from './connection.ts';
import type { WriteQueue } from './write-queue.ts';

/** The space of a database file that is open; `path` is its real one. */
export function fileSpace(
  path: string,
  { writer, reader, queue }: { writer: WodbConnection; reader: WodbConnection; queue: WriteQueue },
): FileSpace {
  const number = (pragma: string) => Number(reader.sqlite.pragma(pragma, { simple: true }));
  const sizeOf = (file: string) => (existsSync(file) ? statSync(file).size : 0);

  return {
    measure: () => ({
      bytes: sizeOf(path) + sizeOf(`${path}-wal`),
      freeBytes: number('freelist_count') * number('page_size'),
    }),

    async release(pages) {
      await queue.run(async () => {
        // It moves one page each time it is asked for a row.
        writer.sqlite.pragma(`incremental_vacuum(${pages})`);
      });
    },

    async checkpoint() {
      // Right behind a commit, in the same step, no transaction can be open.
      await queue.run(async () => {});
      const { sqlite } = writer;
      // A reader in another thread may hold the WAL. It is not waited for: the next commits empty it.
      sqlite.pragma('busy_timeout = 0');
      try {
        sqlite.pragma('wal_checkpoint(TRUNCATE)');
      } catch (error) {
        throw asDatabaseError(error);
      } finally {
        sqlite.pragma('busy_timeout = 5000');
      }
    },
  };
}
