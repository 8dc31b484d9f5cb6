import { deflateSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { type Stanza, stanza } from '../../../test/support/fake-whatsapp/stanza.ts';
import {
  eventually,
  type SessionsUnderTest,
  startSessions,
} from '../../../test/support/whatsapp-sessions.ts';

const OWN = '+4915100000001';
const MB = 1024 * 1024;
const TOO_LONG = 'WhatsApp sent more at once than is taken.';
const FAILED = 'The WhatsApp library failed on something that WhatsApp sent. The log tells more.';

const SERVER = { from: '@s.whatsapp.net', id: 'attack-1' };

/** A list in a list of empty stanzas, which are objects of a hundred bytes for every three on the wire. */
function wideFrame(bytes: number): Buffer {
  const many = Buffer.alloc(65_535 * 3, Buffer.from([248, 1, 3]));
  const list = Buffer.concat([Buffer.from([248, 2, 3, 249, 0xff, 0xff]), many]);
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
  test.each<[string, string, () => Uint8Array, 'sealed' | 'as they are']>([
    ['a frame that is wide', TOO_LONG, () => wideFrame(2 * MB), 'sealed'],
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
    device.attack(bytes(), how);
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
      const files = await sessions.sessions.exportFiles(sessions.projectId, id, 'test');
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
