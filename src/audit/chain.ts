import {
  type AuditHead,
  type AuditLine,
  type BadLine,
  chainCheck,
  GENESIS,
  hashOfLink,
  isGoodHead,
  isGoodLine,
  macOfHead,
} from '../database/audit-chain.js';
import type { Database, Executor, Transaction } from '../database/database.ts';
import type { Keyring } from '../database/keyring.ts';
import { ExpectedError } from '../lib/expected-error.ts';

/** Whatever moves an end of the chain takes it. */
const LOCK = 'audit chain';
/** Lines that get their place in one transaction. */
const TOGETHER_MAX = 200;
/** Lines that are read at once while the chain is verified. */
const READ_TOGETHER = 500;
const HEAD_ID = 1;
/** Verifications in a row that may meet a deletion. */
const TRIES_MAX = 3;

/** The head was changed by something else than WOTP: whatever was linked to it would hide that. */
export class BrokenHeadError extends ExpectedError {
  constructor() {
    super(
      'The head of the audit chain was changed or removed, so new lines get no place in it. Run `logs verify`, and restore a backup.',
    );
  }
}

/** What a verification of the chain came to. */
export interface ChainVerdict {
  /** Lines that were looked at. */
  checked: number;
  /** Of them, those that have no place in the chain yet. */
  waiting: number;
  /** The first line that is not right; undefined where all are. */
  firstBad: BadLine | undefined;
  /** The newest line: whoever notes it can tell later whether the chain still leads there. */
  head: NotedHead | undefined;
  /** When the chain began (Unix ms). */
  since: number | undefined;
}

/** The end of the chain as somebody has noted it. */
export interface NotedHead {
  position: number;
  /** Hex. */
  hash: string;
}

/** The chain over the lines of the audit log: each is bound to the one before, and the head to the last. */
export type AuditChain = ReturnType<typeof auditChain>;

export function auditChain({ database, keyring }: { database: Database; keyring: Keyring }) {
  const keyOf = (version: number) => keyring.keys.get(`audit ${version}`);

  const firstWaiting = database.prepare<object, { seq: number; at: number }>((db) =>
    db.selectFrom('audit_log').select(['seq', 'at']).where('position', 'is', null).orderBy('seq').limit(1),
  );
  const setPlace = database.prepareChange<{ seq: number; position: number; hash: Buffer }>((db, value) =>
    db
      .updateTable('audit_log')
      .set({ position: value('position'), hash: value('hash') })
      .where('seq', '=', value('seq')),
  );

  const readHead = (executor: Executor): Promise<AuditHead | undefined> =>
    executor.selectFrom('audit_head').selectAll().where('id', '=', HEAD_ID).executeTakeFirst();

  async function writeHead(trx: Transaction, head: Omit<AuditHead, 'mac' | 'key_version'>): Promise<void> {
    const content = { ...head, key_version: keyring.version };
    const row = { id: HEAD_ID, ...content, mac: macOfHead(keyring.key('audit'), content) };
    await trx
      .insertInto('audit_head')
      .values(row)
      .onConflict((conflict) => conflict.column('id').doUpdateSet(row))
      .execute();
  }

  const after = (executor: Executor, position: number, limit: number): Promise<AuditLine[]> =>
    executor
      .selectFrom('audit_log')
      .selectAll()
      .where('position', '>', position)
      .orderBy('position')
      .limit(limit)
      .execute();

  /** The head, alone until the transaction has ended. Throws BrokenHeadError. */
  async function takeHead(trx: Transaction): Promise<AuditHead> {
    await database.serialize(trx, LOCK);
    const head = await readHead(trx);
    if (!head || !isGoodHead(keyOf, head)) throw new BrokenHeadError();
    return head;
  }

  /** Gives the next lines their places. Resolves to how many there were. */
  const linkSome = (): Promise<number> =>
    database.transaction(async (trx) => {
      const head = await takeHead(trx);
      const waiting = await trx
        .selectFrom('audit_log')
        .select(['seq', 'mac', 'key_version'])
        .where('position', 'is', null)
        .orderBy('seq')
        .limit(TOGETHER_MAX)
        .execute();
      let { position, hash: previous } = head;
      for (const { seq, mac, key_version } of waiting) {
        position += 1;
        previous = hashOfLink(keyring.key('audit', key_version), { previous, position, mac });
        await setPlace(trx, { seq, position, hash: previous });
      }
      if (waiting.length > 0) await writeHead(trx, { ...headOf(head), position, hash: previous });
      return waiting.length;
    });

  /** What is wrong with lines that have no place yet, and how many there are. */
  async function checkWaiting(): Promise<{ waiting: number; bad: BadLine | undefined }> {
    let waiting = 0;
    for (let from = 0; ; ) {
      const lines = await database.reader
        .selectFrom('audit_log')
        .selectAll()
        .where('position', 'is', null)
        .where('seq', '>', from)
        .orderBy('seq')
        .limit(READ_TOGETHER)
        .execute();
      const bad = lines.find((line) => !isGoodLine(keyOf, line));
      if (bad) return { waiting, bad: { position: null, problem: 'changed', line: bad } };
      waiting += lines.length;
      if (lines.length < READ_TOGETHER) return { waiting, bad: undefined };
      from = lines.at(-1)!.seq;
      await turn();
    }
  }

  /** What is wrong beyond the end of the chain, and how many lines wait. */
  async function checkBeyond(): Promise<{ waiting: number; bad: BadLine | undefined }> {
    const [beyond] = await database.reader
      .selectFrom('audit_log')
      .selectAll()
      .where('position', '>', (eb) =>
        eb.selectFrom('audit_head').select('position').where('id', '=', HEAD_ID),
      )
      .orderBy('position')
      .limit(1)
      .execute();
    if (!beyond) return checkWaiting();
    return { waiting: 0, bad: { position: beyond.position, problem: 'added', line: beyond } };
  }

  async function check(
    head: AuditHead | undefined,
    known: NotedHead | undefined,
  ): Promise<Pick<ChainVerdict, 'checked' | 'waiting' | 'firstBad'>> {
    let checked = 0;
    const broken = (firstBad: BadLine) => ({ checked, waiting: 0, firstBad });
    if (!head || !isGoodHead(keyOf, head)) return broken({ position: null, problem: 'head' });
    const isNoted = (position: number, hash: Buffer) =>
      position !== known?.position || hash.toString('hex') === known.hash;
    if (!isNoted(head.anchor_position, head.anchor_hash)) {
      return broken({ position: head.anchor_position, problem: 'moved' });
    }
    const chain = chainCheck(keyOf, head);
    while (chain.position < head.position) {
      const left = Math.min(READ_TOGETHER, head.position - chain.position);
      const lines = await after(database.reader, chain.position, left);
      for (const line of lines) {
        const bad = chain.next(line);
        if (bad) return broken(bad);
        checked += 1;
        if (!isNoted(chain.position, line.hash!)) {
          return broken({ position: chain.position, problem: 'moved', line });
        }
      }
      if (lines.length === 0) break;
      await turn();
    }
    const end = chain.end();
    if (end) return broken(end);
    if (known && known.position > head.position) {
      return broken({ position: head.position + 1, problem: 'missing' });
    }
    const { waiting, bad } = await checkBeyond();
    return { checked: checked + waiting, waiting, firstBad: bad };
  }

  return {
    /** Begins the chain where there is none, at `now` (Unix ms). One whose head is gone does not begin again. */
    async begin(now: number): Promise<void> {
      if (await readHead(database.reader)) return;
      await database.transaction(async (trx) => {
        await database.serialize(trx, LOCK);
        if ((await readHead(trx)) || (await after(trx, 0, 1)).length > 0) return;
        await writeHead(trx, {
          position: 0,
          hash: GENESIS,
          anchor_position: 0,
          anchor_hash: GENESIS,
          since: now,
        });
      });
    },

    /** Gives every line that waits its place in the chain. Throws BrokenHeadError. */
    async link(): Promise<void> {
      // The cheap look first: most find nothing, and on WODB a transaction would sync.
      while ((await firstWaiting(database.reader, {})).length > 0) {
        if ((await linkSome()) < TOGETHER_MAX) return;
      }
    },

    /** Since when (Unix ms) a line has waited for its place; undefined where none waits. */
    async waitingSince(): Promise<number | undefined> {
      return (await firstWaiting(database.reader, {}))[0]?.at;
    },

    /** Deletes up to `limit` of the oldest lines from before `time` (Unix ms), and lets the chain begin after them. */
    async forget(trx: Transaction, time: number, limit: number): Promise<number> {
      await database.serialize(trx, LOCK);
      const head = await readHead(trx);
      // Of a chain that is broken nothing is deleted.
      if (!head || !isGoodHead(keyOf, head)) return 0;
      const oldest = await after(trx, head.anchor_position, limit);
      const keptFrom = oldest.findIndex(({ at }) => at >= time);
      const old = keptFrom === -1 ? oldest : oldest.slice(0, keptFrom);
      const last = old.at(-1);
      if (!last) return 0;
      await trx.deleteFrom('audit_log').where('position', '<=', last.position).execute();
      const anchor = { anchor_position: last.position!, anchor_hash: last.hash! };
      await writeHead(trx, { ...headOf(head), ...anchor });
      return old.length;
    },

    /**
     * Goes through the whole chain, a portion at a time, while lines are added and old ones are deleted.
     * @param known a head that somebody has noted: whether the chain still leads there is checked as well
     */
    async verify(known?: NotedHead): Promise<ChainVerdict> {
      for (let tries = 1; ; tries++) {
        const head = await readHead(database.reader);
        const found = await check(head, known);
        // What was deleted for its age meanwhile is missing from nothing.
        const isCurrent = (await readHead(database.reader))?.anchor_position === head?.anchor_position;
        if (found.firstBad && !isCurrent && tries < TRIES_MAX) continue;
        return {
          ...found,
          head: head && { position: head.position, hash: head.hash.toString('hex') },
          since: head?.since,
        };
      }
    },
  };
}

const headOf = ({ position, hash, anchor_position, anchor_hash, since }: AuditHead) => ({
  position,
  hash,
  anchor_position,
  anchor_hash,
  since,
});

/** Lets everything else have its turn. */
const turn = () => new Promise((resolve) => setImmediate(resolve));
