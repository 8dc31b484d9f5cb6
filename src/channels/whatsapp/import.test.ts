import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type SignalDataSet, useMultiFileAuthState } from 'baileys';
import { expect, test } from 'vitest';
import { tempFolder } from '../../../test/support/temp-folder.ts';
import { parse } from './auth-store.ts';
import { readAuthFiles, writeAuthFiles } from './import.ts';

const bytes = (text: string) => Buffer.from(text);

test('what Baileys wrote into a folder is read with its kinds and keys, and written the same', async () => {
  const folder = tempFolder();
  const { state, saveCreds } = await useMultiFileAuthState(folder);
  Object.assign(state.creds, { me: { id: '491510:3@s.whatsapp.net' }, account: { details: bytes('x') } });
  await saveCreds();
  const data: SignalDataSet = {
    'pre-key': { '17': { public: bytes('a'), private: bytes('b') } },
    session: { '491510_1.0': bytes('s') },
    'sender-key': { '4915-123@g.us::2000_1::0': bytes('k') },
    'sender-key-memory': { '4915-123@g.us': { 'a@lid': true } },
    'app-state-sync-version': { critical_block: { version: 1, hash: bytes('h'), indexValueMap: {} } },
    'lid-mapping': { '2000_reverse': '491510' },
    'device-list': { '491510': ['0'] },
    tctoken: { __index: { token: bytes('t') } },
    'identity-key': { '2000_1.0': bytes('i') },
  };
  await state.keys.set({ ...data, 'app-state-sync-key': { 'AA/B+=': { keyData: bytes('d') } } });
  const files = Object.fromEntries(
    readdirSync(folder).map((name) => [name, readFileSync(join(folder, name), 'utf8')]),
  );

  const { creds, entries } = readAuthFiles({ ...files, 'notes.txt': 'mine', 'other.json': '{}' });
  expect(creds.noiseKey).toEqual(parse('', JSON.stringify(JSON.parse(files['creds.json']!).noiseKey)));
  const found = entries.map(({ kind, key, json }) => [kind, key, parse('', json)]);
  const expected = Object.entries(data).flatMap(([kind, values]) =>
    Object.entries(values).map(([key, value]) => [kind, key, value]),
  );
  expect(found).toHaveLength(expected.length + 1);
  expect(found).toEqual(expect.arrayContaining(expected));
  expect(found.find(([kind]) => kind === 'app-state-sync-key')?.[1]).toBe('AA/B+=');

  const kept = entries.map(({ kind, key, json }) => ({ kind, key, value: JSON.parse(json) as unknown }));
  const written = writeAuthFiles([
    ...kept,
    { kind: 'creds', key: '', value: JSON.parse(files['creds.json']!) },
  ]);
  expect(Object.keys(written).sort()).toEqual(Object.keys(files).sort());
});
