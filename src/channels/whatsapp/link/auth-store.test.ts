import { initAuthCreds, type SignalDataSet } from 'baileys';
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { type TestClock, testClock } from '../../../../test/support/test-clock.ts';
import { openTestDatabase } from '../../../../test/support/test-database.ts';
import type { Database } from '../../../database/database.ts';
import { type Keyring, openKeyring } from '../../../database/keyring.ts';
import { DEFAULT_PROJECT } from '../../../database/project.ts';
import { ensureDefaultProject } from '../../../projects/service.ts';
import { type AuthStore, authStore } from './auth-store.ts';
import { sessionRepository } from './repository.ts';

const SESSION = 'ses_1';

let database: Database;
let keyring: Keyring;
let clock: TestClock;
let commits: number;
let failure: Error | undefined;

beforeEach(async () => {
  const opened = await openTestDatabase();
  onTestFinished(opened.close);
  clock = testClock();
  database = opened.database;
  keyring = await openKeyring(database, 'a master key of the tests, long enough', clock);
  const projectId = DEFAULT_PROJECT;
  await ensureDefaultProject({ database, clock });
  for (const id of [SESSION, 'ses_2']) {
    await database.transaction((trx) =>
      sessionRepository(keyring).insert(trx, {
        id,
        projectId,
        name: null,
        proxy: null,
        phone: null,
        state: 'new',
        reason: null,
        nextAttemptAt: null,
        linkedAt: null,
        phoneSeenAt: null,
        codes: {},
        createdAt: 0,
      }),
    );
  }
  commits = 0;
  failure = undefined;
});

/** A store as a process has it that has just started. */
async function newStore(sessionId = SESSION): Promise<AuthStore> {
  const counted = new Proxy(database, {
    get: (target, name) => {
      if (name !== 'transaction') return Reflect.get(target, name);
      return (work: Parameters<Database['transaction']>[0]) => {
        commits += 1;
        return failure ? Promise.reject(failure) : database.transaction(work);
      };
    },
  });
  const store = authStore({ database: counted, keyring, clock, sessionId, checkLease: async () => {} });
  await store.open();
  return store;
}

const sessionOf = (store: AuthStore, ...ids: string[]) => store.keys.get('session', ids);
const bytes = (text: string) => Buffer.from(text);

describe('the auth store', () => {
  test('gives back what was kept, of every kind, also to the next process', async () => {
    const data: SignalDataSet = {
      'pre-key': { '1': { public: bytes('pub'), private: bytes('priv') } },
      session: { '491510_1.0': bytes('a session') },
      'lid-mapping': { '4915100': '2000', '2000_reverse': '4915100' },
      'device-list': { '4915100': ['0', '3'] },
      tctoken: { 'x@lid': { token: bytes('token'), timestamp: '12' } },
      'sender-key-memory': { 'group@g.us': { 'a@lid': true } },
    };
    const first = await newStore();
    await first.keys.set(data);
    await first.saved();
    const second = await newStore();
    for (const [kind, values] of Object.entries(data)) {
      expect(await second.keys.get(kind as 'session', Object.keys(values))).toEqual(values);
    }
  });

  test('shows a write at once, and null removes it here and on disk', async () => {
    const store = await newStore();
    void store.keys.set({ session: { a: bytes('one'), b: bytes('two') } });
    expect(store.isSaved).toBe(false);
    expect(await sessionOf(store, 'a', 'b', 'c')).toEqual({ a: bytes('one'), b: bytes('two') });
    await store.saved();
    expect(store.isSaved).toBe(true);
    void store.keys.set({ session: { a: null } });
    expect(await sessionOf(store, 'a', 'b')).toEqual({ b: bytes('two') });
    await store.saved();
    expect(await sessionOf(await newStore(), 'a', 'b')).toEqual({ b: bytes('two') });
  });

  test('commits together what arrives together, and does not write the same again', async () => {
    const store = await newStore();
    const newest = bytes('2');
    void store.keys.set({ session: { a: bytes('1') } });
    void store.keys.set({ session: { b: bytes('1') }, 'device-list': { a: ['0'] } });
    void store.keys.set({ session: { a: newest } });
    await store.saved();
    expect(commits).toBe(1);
    // Baileys hands the same record over when the message leaves and when it commits, and equal lists again and again.
    void store.keys.set({ session: { a: newest }, 'device-list': { a: ['0'] } });
    await store.saved();
    expect(commits).toBe(1);
    expect(await sessionOf(await newStore(), 'a')).toEqual({ a: newest });
  });

  test('waits for the commit of what was written before, and not for what follows for ever', async () => {
    const store = await newStore();
    let isWriting = true;
    const writing = (async () => {
      for (let count = 0; isWriting; count++) {
        void store.keys.set({ session: { busy: bytes(String(count)) } });
        await new Promise((resolve) => setImmediate(resolve));
      }
    })();
    void store.keys.set({ session: { a: bytes('mine') } });
    await store.saved();
    expect(await sessionOf(await newStore(), 'a')).toEqual({ a: bytes('mine') });
    isWriting = false;
    await writing;
    await store.saved();
  });

  test('is not changed by a reader that changes what it got', async () => {
    const store = await newStore();
    void store.keys.set({ 'device-list': { a: ['0'] } });
    const read = await store.keys.get('device-list', ['a']);
    read.a!.push('9');
    expect(await store.keys.get('device-list', ['a'])).toEqual({ a: ['0'] });
    await store.saved();
  });

  test('takes nothing more from a connection whose state was read again or forgotten since', async () => {
    const store = await newStore();
    const first = store.keys;
    await first.set({ session: { a: bytes('as the first left it') } });
    await store.open();
    const second = store.keys;
    await second.set({ session: { a: bytes('as the second sent by it') } });
    expect(() => first.set({ session: { a: bytes('put back') } })).toThrow('This connection is over');
    expect(await sessionOf(store, 'a')).toEqual({ a: bytes('as the second sent by it') });
    await store.clear();
    expect(() => second.set({ session: { a: bytes('of nobody') } })).toThrow('This connection is over');
    expect(await sessionOf(store, 'a')).toEqual({});
  });

  test('tells everyone who waits when a write was lost, and goes on only once the state is read again', async () => {
    const store = await newStore();
    void store.keys.set({ session: { a: bytes('kept') } });
    await store.saved();
    failure = new Error('the disk is full');
    void store.keys.set({ session: { a: bytes('lost') } });
    await expect(store.saved()).rejects.toThrow('the disk is full');
    failure = undefined;
    expect(store.isSaved).toBe(false);
    await expect(store.saved()).rejects.toThrow('the disk is full');
    expect(await sessionOf(store, 'a')).toEqual({ a: bytes('kept') });
    await store.open();
    expect(store.isSaved).toBe(true);
  });

  test('keeps credentials once a phone is linked, and not before', async () => {
    const store = await newStore();
    store.saveCreds();
    expect(store.isLinked).toBe(false);
    expect(await store.all()).toEqual([]);
    const noiseKey = store.creds.noiseKey;
    Object.assign(store.creds, { me: { id: '491510:3@s.whatsapp.net' }, account: { details: bytes('x') } });
    store.saveCreds();
    await store.saved();
    const next = await newStore();
    expect(next.isLinked).toBe(true);
    expect(next.creds.noiseKey).toEqual({
      public: Buffer.from(noiseKey.public),
      private: Buffer.from(noiseKey.private),
    });
    await next.clear();
    expect(next.isLinked).toBe(false);
    expect((await newStore()).isLinked).toBe(false);
  });

  test('keeps the sessions apart, and nothing readable on disk', async () => {
    const [one, other] = [await newStore(), await newStore('ses_2')];
    void one.keys.set({ session: { a: bytes('of the first') } });
    await one.saved();
    expect(await sessionOf(other, 'a')).toEqual({});
    const [row] = await database.reader.selectFrom('whatsapp_auth').selectAll().execute();
    expect(row!.sealed.includes(bytes('of the first').toString('base64'))).toBe(false);
    // A value that is moved to another place does not open.
    await database.transaction((trx) => trx.updateTable('whatsapp_auth').set({ key: 'b' }).execute());
    expect(await sessionOf(await newStore(), 'b')).toEqual({});
  });

  test('takes the 812 keys of a first login in one commit, and the place of everything by an import', async () => {
    const store = await newStore();
    const preKeys = Object.fromEntries(
      Array.from({ length: 812 }, (_, i) => [String(i), { public: bytes(`p${i}`), private: bytes(`s${i}`) }]),
    );
    void store.keys.set({ 'pre-key': preKeys });
    await store.saved();
    expect(commits).toBe(1);
    expect(await store.all()).toHaveLength(812);
    await database.transaction((trx) =>
      store.replace(trx, initAuthCreds(), [{ kind: 'session', key: 'a', json: '"imported"' }]),
    );
    expect((await store.all()).map(({ kind, key }) => `${kind} ${key}`)).toEqual(['creds ', 'session a']);
  });

  test('remembers only so much, and still finds the rest', async () => {
    const store = await newStore();
    for (let part = 0; part < 5; part++) {
      const many = Array.from({ length: 1000 }, (_, i) => [`${part}-${i}`, bytes(`${part}-${i}`)]);
      void store.keys.set({ session: Object.fromEntries(many) });
      await store.saved();
    }
    expect(await sessionOf(store, '0-0', '4-999')).toEqual({ '0-0': bytes('0-0'), '4-999': bytes('4-999') });
  });
});
