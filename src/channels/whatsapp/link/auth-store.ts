import {
  type AuthenticationCreds,
  initAuthCreds,
  type SignalDataSet,
  type SignalDataTypeMap,
  type SignalKeyStore,
} from 'baileys';
import { sql } from 'kysely';
import type { Database, Transaction } from '../../../database/database.ts';
import type { Keyring } from '../../../database/keyring.ts';
import type { Schema } from '../../../database/schema.ts';
import type { Clock } from '../../../lib/clock.ts';
import { ExpectedError } from '../../../lib/expected-error.ts';
import { seal } from '../../../lib/seal.ts';
import { dayOf } from '../send/pacing.ts';
import {
  CREDENTIALS_KIND,
  credentialsIn,
  knownAuthValue,
  recordAsJson,
  VALUE_MAX_CHARS,
  writeAuthValue,
} from './auth-values.ts';

type AuthRow = Schema['whatsapp_auth'];
type Kind = keyof SignalDataTypeMap;

/**
 * A value: as JSON, null where there is none, or as the record of a session. libsignal makes a new record for every
 * change and leaves the old one alone, so records are shared with it, and become JSON only when they are written.
 */
type Value = string | null | SignalRecord;
type SignalRecord = object;

/** One value under its place. */
interface Entry {
  kind: string;
  key: string;
  value: Value;
}

const CREDENTIALS = { kind: CREDENTIALS_KIND, key: '' };
/** The kind whose values are shared as they are. */
const RECORDS = 'session';
/** Writes that are committed together. */
interface Batch {
  entries: Map<string, Entry>;
  written: Promise<void>;
  /** Ends the gathering when it has run down; each write winds it up again. */
  quiet: NodeJS.Timeout | undefined;
}

/** Values kept in memory for each session; the oldest go first. */
const CACHED_MAX = 2_000;
/** From one commit to the next, at least; less than anybody waits for WhatsApp to answer, in ms. */
const GATHER_MS = 15;
/** After a pause in the writes of this length nothing more belongs to them, and who waits for them has waited enough, in ms. */
const QUIET_MS = 3;
/** Up to so many rows are written one by one with a prepared query. */
const PREPARED_ROWS_MAX = 100;
/** Rows of one statement: far below the number of values any engine binds. */
const ROWS_MAX = 500;

/**
 * What Baileys must remember of one linked number, kept in the database. Reads see every write at once. Writes are
 * gathered and committed together, behind the caller's back; whoever lets something out of the house that depends on
 * them waits for `saved` first.
 */
export interface AuthStore {
  /** For Baileys' `auth`. Before the first `open` and after `clear` they are those of a client that is not linked. */
  readonly creds: AuthenticationCreds;
  /**
   * For one connection: from the next `open` or `clear` on each write throws. What a connection that is over still encrypts
   * would put the state of a phone back behind what the next one has sent.
   */
  readonly keys: SignalKeyStore;
  /** Whether the credentials are those of a linked phone. */
  readonly isLinked: boolean;
  /** Whether credentials are kept that cannot be read; then those here are of a client that is not linked. */
  readonly isDamaged: boolean;
  /** Whether all that was written is on disk. */
  readonly isSaved: boolean;
  /** Reads the credentials as they were saved last; forgets what is not saved. */
  open(): Promise<void>;
  /** Keeps the credentials as they are now. Those of a phone that is not linked yet are not kept. */
  saveCreds(): void;
  /** Replaces everything by what another installation has kept; safe with what is being written. */
  replace(
    trx: Transaction,
    creds: AuthenticationCreds,
    entries: readonly { kind: string; key: string; json: string }[],
  ): Promise<void>;
  /** Everything that is kept and can be read, with the credentials under the kind `creds`. */
  all(): Promise<{ kind: string; key: string; value: unknown }[]>;
  /** Resolves when everything written so far is on disk; rejects when it could not be kept, which loses it. */
  saved(): Promise<void>;
  /** Forgets everything, on disk too. */
  clear(): Promise<void>;
}

export interface AuthStoreOptions {
  database: Database;
  keyring: Keyring;
  clock: Clock;
  sessionId: string;
  /** Throws when this process may no longer write for the session; runs in the transaction of the writes. */
  checkLease: (trx: Transaction) => Promise<void>;
}

export function authStore({ database, keyring, clock, sessionId, checkLease }: AuthStoreOptions): AuthStore {
  const upsert = database.prepare<AuthRow, unknown>((db, value) =>
    db
      .insertInto('whatsapp_auth')
      .values({
        session_id: value('session_id'),
        kind: value('kind'),
        key: value('key'),
        sealed: value('sealed'),
        key_version: value('key_version'),
        used_day: value('used_day'),
      })
      .onConflict((conflict) =>
        conflict.columns(['session_id', 'kind', 'key']).doUpdateSet((eb) => ({
          sealed: eb.ref('excluded.sealed'),
          key_version: eb.ref('excluded.key_version'),
          used_day: eb.ref('excluded.used_day'),
        })),
      ),
  );

  let creds = initAuthCreds();
  let isDamaged = false;
  // What was read or written last, by place. A write stays here at least until it is on disk.
  const cache = new Map<string, Value>();
  // One batch is being written while the next one gathers.
  let writing: Batch | undefined;
  let gathering: Batch | undefined;
  let writtenAt = 0;
  // Once something is lost, all that follows builds on it, until the state is read again.
  let loss: { error: unknown } | undefined;
  let turn = 0; // How often the state was read again or forgotten.

  const placeOf = ({ kind, key }: { kind: string; key: string }) => `${kind}/${key}`;
  const contextOf = (entry: { kind: string; key: string }) => `${sessionId}/${placeOf(entry)}`;
  /** The text of a value; undefined when it does not open, or is larger than any. */
  const open = (row: Omit<AuthRow, 'session_id' | 'sealed' | 'used_day'> & { sealed: Buffer | null }) =>
    row.sealed === null
      ? undefined
      : keyring.open('whatsapp', {
          value: row.sealed,
          version: row.key_version,
          context: contextOf(row),
        });
  const kept = () =>
    database.reader
      .selectFrom('whatsapp_auth')
      .select(['kind', 'key', 'key_version'])
      // One that is too large is not even read.
      .select(sql<Buffer | null>`case when length(sealed) <= ${VALUE_MAX_CHARS} then sealed end`.as('sealed'))
      .where('session_id', '=', sessionId);

  function remember(place: string, value: Value): void {
    cache.delete(place);
    cache.set(place, value);
    for (const oldest of cache.keys()) {
      if (cache.size <= CACHED_MAX) break;
      cache.delete(oldest);
    }
  }

  /** What reads have to find; undefined when only the database knows. */
  function known(place: string): Value | undefined {
    const entry = gathering?.entries.get(place) ?? writing?.entries.get(place);
    return entry ? entry.value : cache.get(place);
  }

  function write(entries: readonly Entry[]): void {
    for (const entry of entries) {
      const place = placeOf(entry);
      // Baileys repeats what it has written before; the same again is no reason for a commit.
      if (known(place) === entry.value) continue;
      remember(place, entry.value);
      gathering ??= newBatch();
      gathering.entries.set(place, entry);
    }
    gathering?.quiet?.refresh();
  }

  function newBatch(): Batch {
    const batch: Batch = { entries: new Map(), written: Promise.resolve(), quiet: undefined };
    // What belongs together arrives together. While many messages leave, those of a moment share one sync to disk.
    const waitMs = writtenAt + GATHER_MS - performance.now();
    const pause = new Promise<void>((resolve) => {
      if (waitMs <= 0) {
        setImmediate(resolve);
        return;
      }
      const latest = setTimeout(resolve, waitMs);
      batch.quiet = setTimeout(() => {
        clearTimeout(latest);
        resolve();
      }, QUIET_MS);
    });
    const turn = pause.then(async () => {
      clearTimeout(batch.quiet);
      await writing?.written;
      if (loss) throw loss.error;
    });
    batch.written = turn.then(
      () => writeOut(batch),
      (error: unknown) => lose(batch, error),
    );
    // Whoever depends on it asks `saved`.
    batch.written.catch(() => {});
    return batch;
  }

  async function writeOut(batch: Batch): Promise<void> {
    gathering = undefined;
    writing = batch;
    writtenAt = performance.now();
    try {
      await database.transaction(async (trx) => {
        await checkLease(trx);
        await store(trx, [...batch.entries.values()]);
      });
    } catch (error) {
      lose(batch, error);
    } finally {
      if (writing === batch) writing = undefined;
    }
  }

  function lose(batch: Batch, error: unknown): never {
    if (gathering === batch) gathering = undefined;
    loss = { error };
    // Reads go on with what is on disk.
    for (const place of batch.entries.keys()) cache.delete(place);
    throw error;
  }

  async function saved(): Promise<void> {
    await (gathering ?? writing)?.written;
    if (loss) throw loss.error;
  }

  function rowOf(kind: string, key: string, value: string | SignalRecord): AuthRow {
    const json = typeof value === 'string' ? value : recordAsJson(value);
    return {
      session_id: sessionId,
      kind,
      key,
      sealed: seal(keyring.key('whatsapp'), json, contextOf({ kind, key })),
      key_version: keyring.version,
      used_day: dayOf(clock.now()),
    };
  }

  async function store(trx: Transaction, entries: readonly Entry[]): Promise<void> {
    const rows = entries.flatMap(({ kind, key, value }) => (value === null ? [] : [rowOf(kind, key, value)]));
    // Two values belong to a message, for which the prepared query is quicker; linking writes 812.
    if (rows.length <= PREPARED_ROWS_MAX) for (const row of rows) await upsert(trx, row);
    else {
      for (let first = 0; first < rows.length; first += ROWS_MAX) {
        await trx
          .insertInto('whatsapp_auth')
          .values(rows.slice(first, first + ROWS_MAX))
          .onConflict((conflict) =>
            conflict.columns(['session_id', 'kind', 'key']).doUpdateSet((eb) => ({
              sealed: eb.ref('excluded.sealed'),
              key_version: eb.ref('excluded.key_version'),
              used_day: eb.ref('excluded.used_day'),
            })),
          )
          .execute();
      }
    }
    for (const { kind, key, value } of entries) {
      if (value !== null) continue;
      await trx
        .deleteFrom('whatsapp_auth')
        .where('session_id', '=', sessionId)
        .where('kind', '=', kind)
        .where('key', '=', key)
        .execute();
    }
  }

  const forget = (trx: Transaction) =>
    trx.deleteFrom('whatsapp_auth').where('session_id', '=', sessionId).execute();

  async function fetch(kind: string, keys: readonly string[]): Promise<void> {
    const rows = await kept().where('kind', '=', kind).where('key', 'in', keys).execute();
    const found = new Map(rows.map((row) => [row.key, open(row)]));
    for (const key of keys) {
      const place = placeOf({ kind, key });
      // Something may have been written while the database was asked.
      if (known(place) !== undefined) continue;
      // One that does not open is as good as none: what needs it is agreed on again.
      const json = found.get(key) ?? null;
      const isRecord = json !== null && kind === RECORDS;
      remember(place, isRecord ? (knownAuthValue(kind, json) as SignalRecord) : json);
    }
  }

  const keysOf = (ownTurn: number): SignalKeyStore => ({
    async get<K extends Kind>(kind: K, ids: string[]) {
      const missing = ids.filter((key) => known(placeOf({ kind, key })) === undefined);
      if (missing.length > 0) await fetch(kind, missing);
      const result: { [id: string]: SignalDataTypeMap[K] } = {};
      for (const key of ids) {
        const value = known(placeOf({ kind, key }));
        if (value == null) continue;
        // A copy for each reader, except of records: Baileys changes what it is given.
        result[key] = (
          typeof value === 'string' ? knownAuthValue(kind, value) : value
        ) as SignalDataTypeMap[K];
      }
      return result;
    },
    set(data: SignalDataSet) {
      if (ownTurn !== turn) throw new ExpectedError('This connection is over; its keys are kept no more.');
      const entries: Entry[] = [];
      for (const [kind, values] of Object.entries(data)) {
        for (const [key, value] of Object.entries(values ?? {})) {
          const isRecord = kind === RECORDS && typeof value === 'object';
          entries.push({ kind, key, value: value == null ? null : isRecord ? value : writeAuthValue(value) });
        }
      }
      write(entries);
    },
  });

  const isLinkedIn = ({ me, account }: AuthenticationCreds) => me !== undefined && account !== undefined;
  return {
    get creds() {
      return creds;
    },
    get keys() {
      return keysOf(turn);
    },
    get isLinked() {
      return isLinkedIn(creds);
    },
    get isDamaged() {
      return isDamaged;
    },
    get isSaved() {
      return gathering === undefined && writing === undefined && loss === undefined;
    },

    async open() {
      await saved().catch(() => {});
      turn += 1;
      cache.clear();
      loss = undefined;
      const row = await kept().where('kind', '=', CREDENTIALS.kind).executeTakeFirst();
      const json = row && open(row);
      const found = json === undefined ? undefined : credentialsIn(json);
      isDamaged = row !== undefined && found === undefined;
      creds = found ?? initAuthCreds();
    },

    saveCreds() {
      if (isLinkedIn(creds)) write([{ ...CREDENTIALS, value: writeAuthValue(creds) }]);
    },

    async replace(trx, given, entries) {
      await checkLease(trx);
      await forget(trx);
      const all = entries.map(({ kind, key, json }) => ({ kind, key, value: json }));
      await store(trx, [...all, { ...CREDENTIALS, value: writeAuthValue(given) }]);
    },

    async all() {
      const rows = await kept().orderBy('kind').orderBy('key').execute();
      return rows.flatMap((row) => {
        const json = open(row);
        return json === undefined
          ? []
          : [{ kind: row.kind, key: row.key, value: JSON.parse(json) as unknown }];
      });
    },

    saved,

    async clear() {
      await saved().catch(() => {});
      turn += 1;
      cache.clear();
      loss = undefined;
      isDamaged = false;
      creds = initAuthCreds();
      await database.transaction(async (trx) => {
        await checkLease(trx);
        await forget(trx);
      });
    },
  };
}
