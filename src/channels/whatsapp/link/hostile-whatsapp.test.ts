import { deflateSync } from 'node:zlib';
import { encodeBinaryNode } from 'baileys';
import { describe, expect, onTestFinished, test } from 'vitest';
import { actorNamed } from '../../../../test/support/actors.ts';
import { childrenOf, type Stanza, stanza } from '../../../../test/support/fake-whatsapp/stanza.ts';
import {
  eventually,
  type SessionsUnderTest,
  startSessions,
} from '../../../../test/support/whatsapp-sessions.ts';

const OWN = '+4915100000001';
const MB = 1024 * 1024;
const TOO_LONG = 'WhatsApp sent more data at once than is allowed.';
const FAILED = 'The WhatsApp library failed on data that WhatsApp sent. See the log.';

const SERVER = { from: '@s.whatsapp.net', id: 'attack-1' };

function emptyStanzas(count: number): Buffer {
  return Buffer.alloc(count * 3, Buffer.from([248, 1, 3]));
}

/** A list in a list of empty stanzas, which are objects of a hundred bytes for every three on the wire. */
function wideFrame(bytes: number): Buffer {
  const list = Buffer.concat([Buffer.from([248, 2, 3, 249, 0xff, 0xff]), emptyStanzas(65_535)]);
  const lists = Math.ceil(bytes / list.length);
  return Buffer.concat([Buffer.from([0, 248, 2, 3, 248, lists]), ...Array<Buffer>(lists).fill(list)]);
}

/** Waits for the end of the connection, and of the wait for the next one; resolves to why it has ended. */
async function endOfConnection({ changes, clock }: SessionsUnderTest): Promise<string | null> {
  const last = () => changes.at(-1)!;
  await eventually(() => last().to === 'reconnecting');
  const { reason, nextAttemptAt } = last();
  expect(nextAttemptAt).toBeGreaterThan(clock.now());
  return reason;
}

describe('ends the connection with a reason and a next attempt, and works on the next one:', () => {
  test.each<[string, string, () => Uint8Array | Uint8Array[], 'sealed' | 'as they are']>([
    ['a frame that is wide', TOO_LONG, () => wideFrame(2 * MB), 'sealed'],
    ['a frame of 300 kB that is nothing but empty stanzas', TOO_LONG, () => wideFrame(0.3 * MB), 'sealed'],
    [
      'a frame that inflates to 1.9 MB of empty stanzas',
      TOO_LONG,
      () => Buffer.concat([Buffer.from([2]), deflateSync(wideFrame(1.7 * MB).subarray(1))]),
      'sealed',
    ],
    [
      'a frame with a negative length, which would be read for ever',
      FAILED,
      () => Buffer.from([0, 248, 2, 3, 249, 255, 255, 248, 2, 3, 254, 255, 255, 255, 247]),
      'sealed',
    ],
    ['the announcement of a frame of 16 MB', TOO_LONG, () => Buffer.from([255, 255, 255, 0]), 'as they are'],
    [
      'a frame of 64 kB that inflates to 64 MB',
      FAILED,
      () => Buffer.concat([Buffer.from([2]), deflateSync(Buffer.alloc(64 * MB))]),
      'sealed',
    ],
    ['a frame that is compressed, and is not', FAILED, () => Buffer.from([2, 1, 2, 3]), 'sealed'],
    ['a frame that ends in its middle', FAILED, () => Buffer.from([0, 248, 9, 3]), 'sealed'],
    ['a frame whose lists are 20,000 deep', FAILED, () => deepFrame(20_000), 'sealed'],
    [
      'bytes that nobody has sealed',
      FAILED,
      () => Buffer.from([0, 0, 20, ...Buffer.alloc(20)]),
      'as they are',
    ],
  ])('%s', async (_what, expected, bytes, how) => {
    const sessions = await startSessions();
    const id = await sessions.link(OWN);
    const device = sessions.whatsapp.linked(OWN);
    device.attack([bytes()].flat(), how);
    const reason = await endOfConnection(sessions);
    expect(reason).toBe(expected);
    await sessions.clock.advance(10_000);
    await sessions.reaches(id, 'open');
    expect(device.logins).toBe(2);
  });
});

function deepFrame(depth: number): Buffer {
  return Buffer.concat([
    Buffer.from([0]),
    Buffer.alloc(depth * 5, Buffer.from([248, 2, 3, 248, 1])),
    Buffer.from([248, 1, 3]),
  ]);
}

describe('is ignored by a linked session, which stays open with its number and its keys:', () => {
  const ref = stanza('ref', {}, Buffer.from('2@ref'));
  test.each<[string, Stanza]>([
    [
      'the question for a passkey',
      stanza('notification', { ...SERVER, type: 'passkey_prologue_request', t: '1' }, [
        stanza('passkey_request_options'),
      ]),
    ],
    [
      'what a QR code is made of',
      stanza('iq', { ...SERVER, type: 'set', xmlns: 'md' }, [stanza('pair-device', {}, [ref])]),
    ],
    [
      'that a phone was paired',
      stanza('iq', { ...SERVER, type: 'set' }, [
        stanza('pair-success', {}, [
          stanza('device-identity', {}, Buffer.from('nothing')),
          stanza('device', { jid: '4915100000009:1@s.whatsapp.net', lid: '2000:1@lid' }),
          stanza('platform', { name: 'x' }),
        ]),
      ]),
    ],
    [
      'the answer to a pairing code',
      stanza('notification', { ...SERVER, type: 'link_code_companion_reg', t: '1' }, [
        stanza('link_code_companion_reg', { stage: 'primary_hello' }, [
          stanza('link_code_pairing_ref', {}, Buffer.from('ref')),
          stanza('primary_identity_pub', {}, Buffer.alloc(32)),
          stanza('link_code_pairing_wrapped_primary_ephemeral_pub', {}, Buffer.alloc(80)),
        ]),
      ]),
    ],
    [
      'that all its groups are to be fetched',
      stanza('ib', SERVER, [stanza('dirty', { type: 'groups', timestamp: '1' })]),
    ],
  ])('%s', async (_what, attack) => {
    const { whatsapp, clock, changes, session, reaches, ...sessions } = await startSessions();
    const id = await sessions.link(OWN);
    const device = whatsapp.linked(OWN);
    const asked = device.queries.length;
    const credentials = async () => {
      const files = await sessions.sessions.exportFiles(sessions.projectId, id, actorNamed('test'));
      const { noiseKey, me, account, advSecretKey, registered } = JSON.parse(files['creds.json']!);
      return { noiseKey, me, account, advSecretKey, registered };
    };
    const before = await credentials();
    device.attack(attack);
    // An answer to a question that comes after it shows that it was read.
    await clock.advance(20_000);
    await eventually(() => device.queries.slice(asked).some(({ child }) => child === 'ping'));
    await clock.advance(0);
    expect(session(id)).toMatchObject({ state: 'open', number: OWN });
    expect(changes.at(-1)!.to).toBe('open');
    expect(device.logins).toBe(1);
    expect(device.queries.slice(asked).map(({ xmlns }) => xmlns)).not.toContain('w:g2');
    expect(await sessions.sessions.qr(sessions.projectId, id)).toBeUndefined();
    expect(await credentials()).toEqual(before);
    await reaches(id, 'open');
  });
});

test('of many frames in one message a few are taken a turn of the event loop, in order, before the connection is over', async () => {
  const sessions = await startSessions();
  let turn = 0;
  const nextTurn = () => {
    turn += 1;
    immediate = setImmediate(nextTurn);
  };
  let immediate = setImmediate(nextTurn);
  onTestFinished(() => clearImmediate(immediate));
  const heard: { id: string; turn: number }[] = [];
  sessions.sessions.on('open', (_session, socket) => {
    socket.ws.on('CB:attack', ({ attrs }: Stanza) => heard.push({ id: attrs.id!, turn }));
  });
  await sessions.link(OWN);
  const device = sessions.whatsapp.linked(OWN);
  const ids = Array.from({ length: 400 }, (_, i) => String(i));
  device.attack(ids.map((id) => Buffer.from(encodeBinaryNode(stanza('attack', { id })))));
  device.drop();
  await endOfConnection(sessions);
  expect(heard.map(({ id }) => id)).toEqual(ids);
  const inOneTurn = heard.map((first) => heard.filter((other) => other.turn === first.turn).length);
  expect(Math.max(...inOneTurn)).toBe(8);
});

test('of a stanza that is wide no more is taken than a number that sends codes is ever sent', async () => {
  const sessions = await startSessions();
  const heard: Stanza[] = [];
  sessions.sessions.on('open', (_session, socket) => {
    for (const tag of ['message', 'receipt', 'iq'])
      socket.ws.on(`CB:${tag}`, (heardOf: Stanza) => heard.push(heardOf));
  });
  await sessions.link(OWN);
  const device = sessions.whatsapp.linked(OWN);
  const many = (length: number, tag: string) =>
    Array.from({ length }, (_, i) => stanza(tag, { id: String(i) }));
  const from = { from: '4915100000009@s.whatsapp.net', id: 'attack' };
  const attributes = Object.fromEntries(Array.from({ length: 5_000 }, (_, i) => [`a${i}`, 'x']));
  device.attack(stanza('message', from, many(5_000, 'enc')));
  device.attack(stanza('receipt', from, [stanza('list', {}, many(5_000, 'item'))]));
  device.attack(stanza('iq', { ...from, ...attributes }, [stanza('props', {}, many(5_000, 'prop'))]));
  await eventually(() => heard.some(({ tag, attrs }) => tag === 'iq' && attrs.id === 'attack'));
  const [message, receipt, answer] = ['message', 'receipt', 'iq'].map(
    (tag) => heard.find((candidate) => candidate.tag === tag && candidate.attrs.id === 'attack')!,
  );
  expect(childrenOf(message)).toHaveLength(32);
  expect(childrenOf(childrenOf(receipt)[0])).toHaveLength(256);
  // The settings of WhatsApp's client are as many.
  expect(childrenOf(childrenOf(answer)[0])).toHaveLength(5_000);
  expect(Object.keys(answer!.attrs)).toHaveLength(64);
});
