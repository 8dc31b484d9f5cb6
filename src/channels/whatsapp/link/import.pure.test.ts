import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { BufferJSON, initAuthCreds, type SignalDataSet, useMultiFileAuthState } from 'baileys';
import { describe, expect, test } from 'vitest';
import { tempFolder } from '../../../../test/support/temp-folder.ts';
import { ValidationError } from '../../../errors/errors.ts';
import { knownAuthValue } from './auth-values.ts';
import { readAuthFiles, writeAuthFiles } from './import.ts';

const bytes = (text: string) => Buffer.from(text);

test('what Baileys wrote into a folder is read with its kinds and keys, and written the same', async () => {
  const folder = tempFolder();
  const { state, saveCreds } = await useMultiFileAuthState(folder);
  Object.assign(state.creds, { me: { id: '491510:3@s.whatsapp.net' }, account: { details: bytes('x') } });
  await saveCreds();
  const data: SignalDataSet = {
    'pre-key': { '17': { public: Buffer.alloc(32, 'a'), private: Buffer.alloc(32, 'b') } },
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
  expect(creds.noiseKey).toEqual(
    knownAuthValue('', JSON.stringify(JSON.parse(files['creds.json']!).noiseKey)),
  );
  const found = entries.map(({ kind, key, json }) => [kind, key, knownAuthValue('', json)]);
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

describe('a folder that Baileys could not have written', () => {
  const bytesOf = (length: number) => ({ type: 'Buffer', data: Buffer.alloc(length).toString('base64') });
  const claimed = (length: unknown) => ({ type: 'Buffer', data: { length } });
  const good = JSON.parse(
    JSON.stringify(
      { ...initAuthCreds(), me: { id: '4915123456789:3@s.whatsapp.net' }, account: { details: bytes('x') } },
      BufferJSON.replacer,
    ),
  );

  /** The file and the field that reading them is refused for. */
  function refusalOf(files: Record<string, unknown>): string[] {
    const texts = Object.entries({ 'creds.json': good, ...files }).map(([name, value]) => [
      name,
      typeof value === 'string' ? value : JSON.stringify(value),
    ]);
    try {
      readAuthFiles(Object.fromEntries(texts));
    } catch (error) {
      if (!(error instanceof ValidationError)) throw error;
      return (error.details.errors ?? []).map(({ path }) => path);
    }
    return [];
  }

  test('is refused by what is missing from it, and nothing else is', () => {
    expect(refusalOf({})).toEqual([]);
  });

  test.each([
    ['bytes that only claim a length', { noiseKey: { public: claimed(1e6), private: bytesOf(32) } }],
    ['a key of a few bytes', { noiseKey: { public: bytesOf(3), private: bytesOf(32) } }],
    ['more bytes than anything has', { routingInfo: bytesOf(5_000) }],
    ['bytes in place of text', { advSecretKey: bytesOf(32) }],
    ['what is no base64', { routingInfo: { type: 'Buffer', data: '***' } }],
    ['an object for bytes', { routingInfo: {} }],
    ['an id that is no number', { me: { id: 'status@broadcast' } }],
    ['the id of a group', { me: { id: '49151234@g.us' } }],
    ['an id of many digits', { me: { id: `${'1'.repeat(40)}@s.whatsapp.net` } }],
    ['a number in place of an id', { me: { id: 4915123456789 } }],
    ['a counter that counts nothing', { nextPreKeyId: -1 }],
  ])('is refused for %s among its credentials', (_what, change) => {
    expect(refusalOf({ 'creds.json': { ...good, ...change } })).toEqual(['files.creds.json']);
  });

  test.each([
    ['pre-key-1.json', {}],
    ['pre-key-1.json', { public: claimed(1e6), private: bytesOf(32) }],
    ['session-4915_1.0.json', []],
    ['session-4915_1.0.json', 'no JSON'],
    ['sender-key-memory-x.json', { a: 'b' }],
    ['app-state-sync-key-AA.json', { keyData: { length: 1e6 } }],
    ['app-state-sync-version-regular.json', { version: 1, hash: bytesOf(128), indexValueMap: { a: {} } }],
    ['lid-mapping-4915.json', { a: 1 }],
    ['device-list-4915.json', [1]],
    ['tctoken-4915.json', { token: 'x' }],
    ['identity-key-4915.json', bytesOf(5_000)],
    ['pre-key-1.json', `"${'x'.repeat(5_000_000)}"`],
  ])('is refused for a file %s that holds something else', (name, value) => {
    expect(refusalOf({ [name]: value })).toEqual([`files.${name}`]);
  });

  test('is refused for values that are nested deeper than any of theirs', () => {
    const deep = `${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}`;
    const bytes = '{"type":"Buffer","data":""}';
    const arrays = `${'['.repeat(200_000)}${bytes}${']'.repeat(200_000)}`;
    const session = 'session-491510_1.0.json';
    expect(refusalOf({ [session]: `{"_sessions":${deep}}` })).toEqual([`files.${session}`]);
    const senderKey = 'sender-key-1.json';
    expect(refusalOf({ [senderKey]: `[{"a":${arrays}}]` })).toEqual([`files.${senderKey}`]);
    expect(refusalOf({ [senderKey]: `[{"a":${deep}}]` })).toEqual([`files.${senderKey}`]);
    const creds = `${JSON.stringify(good).slice(0, -1)},"extra":${deep}}`;
    expect(refusalOf({ 'creds.json': creds })).toEqual(['files.creds.json']);
    const shallow = `${'['.repeat(20)}{"b":"\\"[[["}${']'.repeat(20)}`;
    expect(refusalOf({ [senderKey]: `[{"a":${shallow}}]` })).toEqual([]);
  });

  test('is refused for more files than any number has', () => {
    const many = Array.from({ length: 200_001 }, (_, number) => [`pre-key-${number}.json`, 'null']);
    expect(refusalOf(Object.fromEntries(many))).toEqual(['files']);
  });
});
