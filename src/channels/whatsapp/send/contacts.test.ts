import { beforeEach, expect, onTestFinished, test } from 'vitest';
import { testClock } from '../../../../test/support/test-clock.ts';
import { openTestDatabase } from '../../../../test/support/test-database.ts';
import type { Database } from '../../../database/database.ts';
import { openKeyring } from '../../../database/keyring.ts';
import { DEFAULT_PROJECT } from '../../../database/project.ts';
import { ensureDefaultProject } from '../../../projects/service.ts';
import { sessionRepository } from '../link/repository.ts';
import { forgetContacts } from './contacts.ts';
import { dayOf } from './pacing.ts';

const DAY_MS = 24 * 60 * 60_000;
const NOW = Date.UTC(2026, 0, 15, 12);
const SESSION = 'ses_1';

let database: Database;
beforeEach(async () => {
  const opened = await openTestDatabase();
  onTestFinished(opened.close);
  database = opened.database;
  const clock = testClock(NOW);
  const keyring = await openKeyring(database, 'a master key of the tests, long enough', clock);
  const projectId = DEFAULT_PROJECT;
  await ensureDefaultProject({ database, clock });
  const session = { id: SESSION, projectId, name: null, proxy: null, phone: null, state: 'new' } as const;
  const rest = {
    reason: null,
    nextAttemptAt: null,
    linkedAt: null,
    phoneSeenAt: null,
    codes: {},
    createdAt: 0,
  };
  await database.transaction((trx) => sessionRepository(keyring).insert(trx, { ...session, ...rest }));
});

/** What is kept of a person who was written to so many days ago, and of the number itself. */
async function keep(name: string, daysAgo: number): Promise<void> {
  const at = NOW - daysAgo * DAY_MS;
  const key = (kind: string) => ({
    session_id: SESSION,
    kind,
    key: name,
    sealed: Buffer.from('sealed'),
    key_version: 1,
    used_day: dayOf(at),
  });
  await database.transaction(async (trx) => {
    await trx.insertInto('whatsapp_numbers').values({ phone: name, jid: null, checked_at: at }).execute();
    const chat = { phone: name, session_id: SESSION, last_wrote_at: at };
    await trx.insertInto('whatsapp_chats').values(chat).execute();
    for (const kind of ['session', 'lid-mapping', 'device-list', 'identity-key', 'creds', 'pre-key']) {
      await trx.insertInto('whatsapp_auth').values(key(kind)).execute();
    }
  });
}

const forget = (days: number, limit = 100) =>
  database.transaction((trx) => forgetContacts(trx, { before: NOW - days * DAY_MS, now: NOW, limit }));

async function kept(): Promise<Record<string, string[]>> {
  const { reader } = database;
  const chats = await reader.selectFrom('whatsapp_chats').select('phone').orderBy('phone').execute();
  const numbers = await reader.selectFrom('whatsapp_numbers').select('phone').orderBy('phone').execute();
  const auth = await reader.selectFrom('whatsapp_auth').select(['kind', 'key']).execute();
  return {
    chats: chats.map(({ phone }) => phone),
    numbers: numbers.map(({ phone }) => phone),
    auth: auth.map(({ kind, key }) => `${kind} ${key}`).sort(),
  };
}

const ALL = ['creds', 'device-list', 'identity-key', 'lid-mapping', 'pre-key', 'session'];

test('people whom nobody has written to for long are forgotten, and no key of the number itself', async () => {
  await keep('old', 181);
  await keep('young', 179);
  expect(await forget(180)).toBe(false);
  expect(await kept()).toEqual({
    chats: ['young'],
    numbers: ['young'],
    auth: [...ALL.map((kind) => `${kind} young`), 'creds old', 'pre-key old'].sort(),
  });
});

test('nobody is forgotten within 30 days, whatever the setting', async () => {
  await keep('somebody', 29);
  expect(await forget(1)).toBe(false);
  expect(await kept()).toEqual({
    chats: ['somebody'],
    numbers: ['somebody'],
    auth: ALL.map((kind) => `${kind} somebody`),
  });
});

test('a portion is no larger than asked for, and tells whether there may be more', async () => {
  for (const name of ['a', 'b', 'c']) await keep(name, 200);
  expect(await forget(180, 2)).toBe(true);
  expect((await kept()).chats).toHaveLength(1);
  while (await forget(180, 2));
  expect(await kept()).toEqual({
    chats: [],
    numbers: [],
    auth: ['a', 'b', 'c'].flatMap((name) => [`creds ${name}`, `pre-key ${name}`]).sort(),
  });
});
