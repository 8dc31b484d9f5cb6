import { describe, expect, test } from 'vitest';
import { actorNamed } from '../../../../test/support/actors.ts';
import { silentTroubles } from '../../../../test/support/silent-log.ts';
import {
  eventually,
  type SessionsUnderTest,
  startSessions,
} from '../../../../test/support/whatsapp-sessions.ts';
import { sendingMemory } from './sending-memory.ts';

const OWN = '+4915100000001';
const OTHER = '+4915100000002';

/** Scans the QR code of a session with the phone of this number. */
async function scan({ sessions, projectId, whatsapp }: SessionsUnderTest, id: string, number: string) {
  await eventually(async () => (await sessions.qr(projectId, id)) !== undefined);
  const code = await sessions.qr(projectId, id);
  await whatsapp.phone(number).scanQr(code!.text);
}

/** Waits until the last event tells that the session is in this state, and why. */
async function told(
  node: SessionsUnderTest,
  about: { sessionId: string; state: string; reason: string | null },
) {
  await eventually(async () => (await lastEvent(node)).state === about.state);
  expect(await lastEvent(node)).toMatchObject(about);
}

async function lastEvent({ database }: SessionsUnderTest): Promise<Record<string, unknown>> {
  const rows = await database.reader
    .selectFrom('events')
    .select('data')
    .orderBy('seq', 'desc')
    .limit(1)
    .execute();
  return JSON.parse(rows[0]!.data!);
}

describe('a second link of a number', () => {
  test('is refused with words that name the number and the first session, and sends nothing', async () => {
    const node = await startSessions();
    const first = await node.link(OWN);
    const second = await node.create();
    await scan(node, second, OWN);
    await node.reaches(second, 'action_required');
    const { reason } = await node.sessions.get(node.projectId, second);
    expect(reason).toContain(`The number ${OWN} is linked in the session ${first} already`);
    const logged = node.logLines.find((line) => line.includes('is linked in the session'));
    expect(logged).toMatch(/The number \+\*+\d{4} is linked in the session ses_/);
    expect(node.session(second).number).toBeUndefined();
    expect(node.session(second).socket).toBeUndefined();
    expect(node.session(first)).toMatchObject({ state: 'open', number: OWN });
    await told(node, { sessionId: second, state: 'action_required', reason });
  });

  test('is refused again by a restart, and takes over once the first one is logged out', async () => {
    const node = await startSessions();
    const first = await node.link(OWN);
    const second = await node.create();
    await scan(node, second, OWN);
    await node.reaches(second, 'action_required');
    await node.sessions.command(node.projectId, second, 'restart', actorNamed('operator'));
    expect(node.session(second).state).toBe('action_required');
    await node.sessions.command(node.projectId, first, 'logout', actorNamed('operator'));
    await node.sessions.command(node.projectId, second, 'restart', actorNamed('operator'));
    await node.reaches(second, 'open');
    expect(node.session(second).number).toBe(OWN);
  });

  test('is refused whichever node it is made on', async () => {
    const node = await startSessions({ isShared: true });
    const first = await node.link(OWN);
    const other = await node.anotherNode();
    const second = await other.create();
    await scan(other, second, OWN);
    await other.reaches(second, 'action_required');
    expect((await other.sessions.get(other.projectId, second)).reason).toContain(first);
  });
});

test('what a number has sent today, and where it stands with its rate, is its own: another session goes on with it', async () => {
  const { database, clock } = await startSessions();
  const memory = sendingMemory(database, clock, silentTroubles, async () => true);
  const record = { day: 20_468, sentToday: 4_000, stopped: { until: clock.now() + 1_000, stops: 2 } };
  await memory.keepSender({ sessionId: 'ses_1', number: OWN }, record);
  expect(await memory.sender(OWN)).toEqual(record);
  memory.keepSent(
    { sessionId: 'ses_2', number: OWN, phone: OTHER, at: clock.now(), before: undefined },
    { ...record, sentToday: 4_001 },
  );
  expect((await memory.sender(OWN))!.sentToday).toBe(4_001);
  expect(await memory.sender(OTHER)).toBeUndefined();
});

describe('another number than was expected', () => {
  test('that links a session of before is named beside the old one, in an event, and goes on when the operator says so', async () => {
    const node = await startSessions();
    const id = await node.link(OWN);
    await node.sessions.command(node.projectId, id, 'logout', actorNamed('operator'));
    await node.sessions.command(node.projectId, id, 'restart', actorNamed('operator'));
    await scan(node, id, OTHER);
    await node.reaches(id, 'action_required');
    const { reason } = await node.sessions.get(node.projectId, id);
    expect(reason).toContain(OWN);
    expect(reason).toContain(OTHER);
    await told(node, { sessionId: id, state: 'action_required', reason });
    expect(node.whatsapp.linked(OTHER).logins).toBe(0);

    // It stays so over a crash.
    const next = await node.crash();
    expect(next.session(id).state).toBe('action_required');
    await next.sessions.command(next.projectId, id, 'restart', actorNamed('operator'));
    await next.reaches(id, 'open');
    expect(next.session(id).number).toBe(OTHER);
  });

  test('that scans the QR code of a session whose pairing code is for another one is named, and goes on when the operator says so', async () => {
    const node = await startSessions();
    const id = await node.create();
    await node.sessions.requestPairingCode(node.projectId, id, OWN.slice(1), actorNamed('operator'));
    await scan(node, id, OTHER);
    await node.reaches(id, 'action_required');
    const { reason } = await node.sessions.get(node.projectId, id);
    expect(reason).toContain(`The pairing code was for ${OWN}, and ${OTHER} was linked.`);
    await node.sessions.command(node.projectId, id, 'restart', actorNamed('operator'));
    await node.reaches(id, 'open');
    expect(node.session(id).number).toBe(OTHER);
  });

  test('that a pairing code is asked for in a session of before is the one that was expected', async () => {
    const node = await startSessions();
    const id = await node.link(OWN);
    await node.sessions.command(node.projectId, id, 'logout', actorNamed('operator'));
    const code = await node.sessions.requestPairingCode(
      node.projectId,
      id,
      OTHER.slice(1),
      actorNamed('operator'),
    );
    await eventually(() => node.whatsapp.phone(OTHER).codeRequested);
    await node.whatsapp.phone(OTHER).enterCode(code.text);
    await node.reaches(id, 'open');
    expect(node.session(id).number).toBe(OTHER);
  });

  test('is not imported into a session of before', async () => {
    const node = await startSessions();
    const id = await node.link(OWN);
    await node.sessions.command(node.projectId, id, 'logout', actorNamed('operator'));
    const { files } = node.whatsapp.phone(OTHER).pairedEarlier();
    await expect(
      node.sessions.importFiles(node.projectId, id, files, actorNamed('operator')),
    ).rejects.toMatchObject({
      code: 'CONFLICT',
      message: expect.stringMatching(/\+4915100000001.*\+4915100000002/),
    });
  });
});

describe('a way to WhatsApp that cannot even be tried', () => {
  const agentFor = () => {
    throw new Error('This proxy cannot be used.');
  };

  test('leaves a new session with a reason and a next attempt, and the operator hears of it', async () => {
    const node = await startSessions({ agentFor });
    const wanted = { projectId: node.projectId, name: null, proxy: 'socks5://10.0.0.1:1080' };
    const { id } = await node.database.transaction((trx) =>
      node.sessions.create(trx, wanted, actorNamed('test')),
    );
    await expect(node.sessions.beginLinking(node.projectId, id)).rejects.toThrow('cannot be used');
    const { state, nextAttemptAt } = await node.sessions.get(node.projectId, id);
    expect(state).toBe('pairing');
    expect(nextAttemptAt).toBeGreaterThan(node.clock.now());
  });

  test('leaves a linked one with a reason and a next attempt, and works when it is taken away', async () => {
    const node = await startSessions({ agentFor });
    const id = await node.link(OWN);
    const change = (proxy: string | null) =>
      node.sessions.change(node.projectId, id, { proxy }, actorNamed('operator'));
    await change('socks5://10.0.0.1:1080');
    await expect(
      node.sessions.command(node.projectId, id, 'restart', actorNamed('operator')),
    ).rejects.toThrow();
    expect(node.session(id).state).toBe('reconnecting');
    expect(node.changes.at(-1)!.nextAttemptAt).toBeGreaterThan(node.clock.now());
    await change(null);
    await node.clock.advance(10_000);
    await node.reaches(id, 'open');
  });
});
