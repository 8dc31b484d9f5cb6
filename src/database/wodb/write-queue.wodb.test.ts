import Sqlite from 'better-sqlite3-multiple-ciphers';
import { expect, test, vi } from 'vitest';
import { tempFolder } from '../../../test/support/temp-folder.ts';
import { commitsInWal, newConnection } from '../../../test/support/wodb.ts';
import { ConflictError, DatabaseError } from '../../errors/errors.ts';
import { WodbConnection } from './connection.ts';
import { WriteQueue, type WriteQueueOptions } from './write-queue.ts';

/** A queue over a new encrypted file with one table, and a second connection that sees what is committed. */
function newQueue(options: Partial<WriteQueueOptions> = {}) {
  const { connection, path, fileKey } = newConnection(tempFolder());
  connection.sqlite.exec('create table notes (id integer primary key, text text not null unique)');
  const reader = new WodbConnection(path, fileKey, 'read');
  const onFatal = vi.fn();
  const queue = new WriteQueue(connection, { onFatal, ...options });
  return {
    queue,
    connection,
    onFatal,
    path,
    write: (text: string) => connection.run('insert into notes (text) values (?)', [text]),
    committed: () =>
      reader.run<{ text: string }>('select text from notes order by id', []).rows.map((r) => r.text),
    /** As a disk without room: the file may not grow beyond what it has. */
    fillDisk: () =>
      connection.sqlite.pragma(
        `max_page_count = ${connection.sqlite.pragma('page_count', { simple: true })}`,
      ),
    freeDisk: () => connection.sqlite.pragma('max_page_count = 1000000'),
  };
}

const BIG = 'x'.repeat(100_000);

test('transactions that wait at the same time share one commit, in the order they came', async () => {
  const { queue, write, committed, path } = newQueue();
  const before = commitsInWal(path);

  const results = await Promise.all(
    Array.from({ length: 100 }, (_, i) => queue.run(async () => write(`note ${i}`).changes + i)),
  );

  expect(results).toEqual(Array.from({ length: 100 }, (_, i) => i + 1));
  expect(committed()).toEqual(Array.from({ length: 100 }, (_, i) => `note ${i}`));
  expect(commitsInWal(path) - before).toBe(1);
});

test('a group has its limit, and what is over it comes with the next commit', async () => {
  const { queue, write, committed, path } = newQueue({ maxGroup: 10 });
  const before = commitsInWal(path);

  await Promise.all(Array.from({ length: 25 }, (_, i) => queue.run(async () => write(`note ${i}`))));

  expect(committed()).toHaveLength(25);
  expect(commitsInWal(path) - before).toBe(3);
});

test('a promise settles only after the commit that carries its transaction', async () => {
  const { queue, write, committed } = newQueue();
  const settled: string[] = [];
  const seenAtSettling: string[][] = [];
  const note = (name: string) => () => {
    settled.push(name);
    seenAtSettling.push(committed());
  };
  const failing = async () => {
    throw new ConflictError('no');
  };
  const seenInTheLast: string[][] = [];

  const all = [
    queue.run(async () => write('first')).then(note('first')),
    queue.run(failing).catch(note('failed')),
    queue
      .run(async () => {
        for (let turn = 0; turn < 100; turn++) await Promise.resolve();
        seenInTheLast.push([...settled], committed());
        write('last');
      })
      .then(note('last')),
  ];
  await Promise.all(all);

  expect(seenInTheLast).toEqual([[], []]);
  expect(settled).toEqual(['first', 'failed', 'last']);
  expect(seenAtSettling).toEqual(Array(3).fill(['first', 'last']));
});

test('a transaction that fails is undone whole and takes none of its neighbours with it', async () => {
  const { queue, write, committed, path } = newQueue();
  const before = commitsInWal(path);

  const outcomes = await Promise.allSettled([
    queue.run(async () => write('before')),
    queue.run(async () => {
      write('half done');
      throw new ConflictError('changed its mind');
    }),
    queue.run(async () => {
      write('also half done');
      write('before');
    }),
    queue.run(() => {
      write('thrown at once');
      throw new Error('not even a promise');
    }),
    queue.run(async () => write('after')),
  ]);

  expect(outcomes.map(({ status }) => status)).toEqual([
    'fulfilled',
    'rejected',
    'rejected',
    'rejected',
    'fulfilled',
  ]);
  expect(outcomes[1]).toMatchObject({ reason: { code: 'CONFLICT', message: 'changed its mind' } });
  expect(outcomes[2]).toMatchObject({ reason: { code: 'SQLITE_CONSTRAINT_UNIQUE' } });
  expect(committed()).toEqual(['before', 'after']);
  expect(commitsInWal(path) - before).toBe(1);
});

test('a transaction that catches its own failed query keeps the rest of what it wrote', async () => {
  const { queue, write, committed } = newQueue();
  await queue.run(async () => {
    write('one');
    expect(() => write('one')).toThrow(/UNIQUE/);
    write('two');
  });
  expect(committed()).toEqual(['one', 'two']);
});

test('a write beyond the longest queue is refused at once with QUEUE_FULL, 503 and a time to retry', async () => {
  const { queue, write, committed } = newQueue({ maxWaiting: 3 });
  const taken = Array.from({ length: 3 }, (_, i) => queue.run(async () => write(`note ${i}`)));
  expect(queue.length).toBe(3);

  const refused = await queue.run(async () => write('too many')).catch((error: unknown) => error);

  expect(refused).toBeInstanceOf(DatabaseError);
  expect(refused).toMatchObject({ code: 'QUEUE_FULL', status: 503, details: { retryAfterSeconds: 1 } });
  await Promise.all(taken);
  expect(queue.length).toBe(0);
  await queue.run(async () => write('room again'));
  expect(committed()).toEqual(['note 0', 'note 1', 'note 2', 'room again']);
});

test('closing finishes what is queued, over several groups, and refuses what comes later', async () => {
  const { queue, write, committed } = newQueue({ maxGroup: 2 });
  const queued = Array.from({ length: 5 }, (_, i) => queue.run(async () => write(`note ${i}`)));

  const closing = queue.close();
  const late = queue.run(async () => write('late'));

  await expect(late).rejects.toMatchObject({ code: 'SERVICE_UNAVAILABLE', status: 503 });
  await closing;
  expect(committed()).toHaveLength(5);
  await Promise.all([...queued, queue.close()]);
});

test('a transaction begun by what follows another one is not left waiting', async () => {
  const { queue, write, committed } = newQueue();
  for (let i = 0; i < 5; i++) await queue.run(async () => write(`note ${i}`));
  expect(committed()).toHaveLength(5);
});

test('a commit that fails rejects its whole group, keeps none of it, and the queue goes on', async () => {
  const { queue, connection, write, committed } = newQueue();
  // Checked by COMMIT itself, so it is COMMIT that fails.
  connection.sqlite.exec(
    'create table answers (note integer references notes (id) deferrable initially deferred)',
  );

  const outcomes = await Promise.allSettled([
    queue.run(async () => write('neighbour')),
    queue.run(async () => connection.run('insert into answers values (?)', [404])),
  ]);

  expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  expect(queue.failure).toBeDefined();
  expect(committed()).toEqual([]);
  await queue.run(async () => write('next'));
  expect(committed()).toEqual(['next']);
  expect(queue.failure).toBeUndefined();
});

test('a full disk acknowledges nothing, leaves what is stored readable, and ends by itself when there is room', async () => {
  const { queue, write, committed, fillDisk, freeDisk } = newQueue();
  await queue.run(async () => write('old'));
  fillDisk();

  const outcomes = await Promise.allSettled([
    queue.run(async () => write('small neighbour')),
    queue.run(async () => write(BIG)),
    queue.run(async () => write('behind it')),
  ]);

  for (const outcome of outcomes) {
    expect(outcome).toMatchObject({
      status: 'rejected',
      reason: { code: 'SERVICE_UNAVAILABLE', status: 503 },
    });
  }
  expect((outcomes[1] as PromiseRejectedResult).reason.message).toMatch(/disk is full/);
  expect(committed()).toEqual(['old']);
  freeDisk();
  await queue.run(async () => write('new'));
  expect(committed()).toEqual(['old', 'new']);
});

test('a full disk is not forgotten because a transaction without writes went through', async () => {
  const { queue, connection, write, fillDisk, freeDisk } = newQueue();
  fillDisk();
  await expect(queue.run(async () => write(BIG))).rejects.toThrow(/disk is full/);

  await queue.run(async () => connection.run('select count(*) from notes', []));
  expect(queue.failure).toBeDefined();

  freeDisk();
  await queue.run(async () => write('room'));
  expect(queue.failure).toBeUndefined();
});

test('a transaction that hides a full disk can neither write on alone nor harm its neighbours', async () => {
  const { queue, write, committed, fillDisk, onFatal } = newQueue();
  await queue.run(async () => write('old'));
  fillDisk();

  const outcomes = await Promise.allSettled([
    queue.run(async () => write('neighbour')),
    queue.run(async () => {
      try {
        write(BIG);
      } catch {
        // Goes on as if nothing had happened.
      }
      try {
        write('on its own');
      } catch {
        // And again.
      }
      return 'all is well';
    }),
  ]);

  for (const outcome of outcomes) {
    expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'SERVICE_UNAVAILABLE' } });
  }
  expect(committed()).toEqual(['old']);
  expect(onFatal).not.toHaveBeenCalled();
});

test("neighbours of a full disk hear of the disk, not of what another's transaction made of it", async () => {
  const { queue, write, fillDisk } = newQueue();
  fillDisk();

  const outcomes = await Promise.allSettled([
    queue.run(async () => write('neighbour')),
    queue.run(async () => {
      try {
        write(BIG);
      } catch {
        throw new ConflictError('a private matter');
      }
    }),
  ]);

  for (const outcome of outcomes) {
    expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'SERVICE_UNAVAILABLE' } });
  }
});

test('a query that outlives its transaction is refused and writes nothing', async () => {
  const { queue, write, committed } = newQueue();
  await queue.run(async () => write('inside'));
  expect(() => write('outside')).toThrow('after its transaction had ended');
  expect(committed()).toEqual(['inside']);
});

/** Lets a statement fail as SQLite does when the disk could not keep what was written: the transaction is gone. */
function failSync(connection: WodbConnection, failing: (sql: string) => boolean) {
  const statement = connection.statement.bind(connection);
  vi.spyOn(connection, 'statement').mockImplementation((sql) => {
    if (failing(sql)) {
      connection.sqlite.exec('ROLLBACK');
      throw new Sqlite.SqliteError('disk I/O error', 'SQLITE_IOERR_FSYNC');
    }
    return statement(sql);
  });
}

test.for([
  ['at the commit', (sql: string) => sql === 'COMMIT'],
  ['under a statement', (sql: string) => sql.startsWith('insert')],
] as const)('a failed sync %s is fatal: nothing more is written or acknowledged', async ([_, failing]) => {
  const { queue, connection, write, committed, onFatal } = newQueue({ maxGroup: 2 });
  failSync(connection, failing);

  const outcomes = await Promise.allSettled(
    Array.from({ length: 5 }, (_, i) => queue.run(async () => write(`note ${i}`))),
  );

  for (const outcome of outcomes) {
    expect(outcome).toMatchObject({
      status: 'rejected',
      reason: { code: 'SERVICE_UNAVAILABLE', status: 503 },
    });
    expect((outcome as PromiseRejectedResult).reason.message).not.toMatch(/nothing was changed/);
  }
  expect(onFatal).toHaveBeenCalledOnce();
  expect(onFatal.mock.calls[0]![0]).toMatchObject({ cause: expect.anything() });
  vi.restoreAllMocks();
  await expect(queue.run(async () => write('later'))).rejects.toMatchObject({ status: 503 });
  await queue.close();
  expect(committed()).toEqual([]);
});
