import { describe, expect, test, vi } from 'vitest';
import { actorNamed } from '../../../../test/support/actors.ts';
import { breakTable } from '../../../../test/support/obstacles.ts';
import { silentTroubles } from '../../../../test/support/silent-log.ts';
import { testClock } from '../../../../test/support/test-clock.ts';
import {
  eventually,
  type SessionsUnderTest,
  startSessions,
} from '../../../../test/support/whatsapp-sessions.ts';
import { sendingMemory } from '../send/sending-memory.ts';

const OWN = '+4915100000001';

const drives = ({ sessions }: SessionsUnderTest) => sessions.all().length;

/** Lets so much time pass on all nodes, in steps in which each looks at its leases. */
async function pass(node: SessionsUnderTest, seconds: number): Promise<void> {
  for (let passed = 0; passed < seconds; passed += 2) await node.clock.advance(2_000);
}

/** Lets the node that drives a session find the command that another one has just left, and that one its answer. */
async function answered<T>(node: SessionsUnderTest, work: Promise<T>): Promise<T> {
  work.catch(() => {});
  const commands = () => node.database.reader.selectFrom('whatsapp_commands').selectAll().execute();
  await eventually(async () => (await commands()).length === 1);
  await node.clock.advance(1_000);
  await eventually(async () => (await commands()).every(({ sealed_answer }) => sealed_answer !== null));
  await node.clock.advance(200);
  return work;
}

test('a session is driven by one of two nodes; when that one stops, the other takes over at once', async () => {
  const first = await startSessions({ isShared: true });
  const id = await first.link(OWN);
  const second = await first.anotherNode();
  await pass(first, 60);
  expect([drives(first), drives(second)]).toEqual([1, 0]);
  expect(second.sessions.status.isLinked(first.projectId)).toBe(true);
  expect((await second.sessions.get(first.projectId, id)).state).toBe('open');
  await first.sessions.stop();
  await pass(second, 10);
  await second.reaches(id, 'open');
  expect([drives(first), drives(second)]).toEqual([0, 1]);
  expect(first.whatsapp.linked(OWN).logins).toBe(2);
});

test('a node that is cut off from the database steps down before another one can have taken over', async () => {
  const first = await startSessions({ isShared: true });
  const id = await first.link(OWN);
  const second = await first.anotherNode();
  await pass(first, 10);
  first.isCutOff = true;
  const closed: string[] = [];
  first.sessions.on('closed', (session) => closed.push(`first ${session.id}`));
  second.sessions.on('open', (session) => closed.push(`second ${session.id}`));
  await pass(first, 60);
  await second.reaches(id, 'open');
  expect(closed).toEqual([`first ${id}`, `second ${id}`]);
  expect([drives(first), drives(second)]).toEqual([0, 1]);
  await eventually(() => first.whatsapp.linked(OWN).online);
});

describe('a session that another node drives', () => {
  /** A linked session of the first of two nodes, and what the second one does with it. */
  async function twoNodes() {
    const first = await startSessions({ isShared: true });
    const id = await first.link(OWN);
    const second = await first.anotherNode();
    const { projectId, sessions } = { ...first, sessions: second.sessions };
    const command = (name: 'restart' | 'pause' | 'resume' | 'logout') =>
      answered(first, sessions.command(projectId, id, name, actorNamed('operator')));
    return { first, second, id, projectId, command };
  }

  test('is paused, resumed, restarted and logged out from any node, and stays where it is', async () => {
    const { first, second, id, command } = await twoNodes();
    const device = first.whatsapp.linked(OWN);
    expect(await command('pause')).toMatchObject({ state: 'paused', reason: 'Paused by the operator.' });
    expect(first.session(id).state).toBe('paused');
    await command('resume');
    await first.reaches(id, 'open');
    const { logins } = device;
    await command('restart');
    await first.reaches(id, 'open');
    await eventually(() => device.logins === logins + 1 && device.online);
    expect([drives(first), drives(second)]).toEqual([1, 0]);

    expect(await command('logout')).toMatchObject({
      state: 'logged_out',
      reason: expect.not.stringContaining('could not'),
    });
    await eventually(() => first.whatsapp.phone(OWN).linked.length === 0);
    const asked = await first.database.reader.selectFrom('whatsapp_commands').selectAll().execute();
    expect(asked).toEqual([]);
    const events = await first.database.reader
      .selectFrom('events')
      .select('data')
      .where('type', '=', 'bot.operated')
      .execute();
    expect(events.map(({ data }) => JSON.parse(data!))).toContainEqual({
      sessionId: id,
      action: 'logout',
      actor: 'operator',
    });
  });

  test('refuses with the words of the node that drives it', async () => {
    const { command } = await twoNodes();
    await expect(command('resume')).rejects.toMatchObject({
      code: 'CONFLICT',
      message: 'This session is not paused.',
    });
  });

  test('is renamed and removed from any node', async () => {
    const { first, second, id, projectId } = await twoNodes();
    const changes = { name: 'Front desk', proxy: 'socks5://user:secret@10.0.0.1:1080' };
    const changed = await answered(
      first,
      second.sessions.change(projectId, id, changes, actorNamed('operator')),
    );
    expect(changed).toMatchObject(changes);
    await answered(first, second.sessions.remove(projectId, id, actorNamed('operator')));
    const { sessions } = await first.sessions.list(projectId, { limit: 50 });
    expect([first.sessions.all(), sessions]).toEqual([[], []]);
    expect(first.whatsapp.phone(OWN).linked).toEqual([]);
  });

  test('shows its QR code and gives a pairing code on any node, and links by either', async () => {
    const { first, second, id, projectId, command } = await twoNodes();
    await command('logout');
    await command('restart');
    await eventually(async () => (await second.sessions.qr(projectId, id)) !== undefined);
    expect(await second.sessions.qr(projectId, id)).toEqual(await first.sessions.qr(projectId, id));

    const asked = second.sessions.requestPairingCode(projectId, id, OWN.slice(1), actorNamed('operator'));
    const code = await answered(first, asked);
    expect((await second.sessions.get(projectId, id)).pairingCode).toEqual(code);
    await eventually(() => first.whatsapp.phone(OWN).codeRequested);
    await first.whatsapp.phone(OWN).enterCode(code.text);
    await first.reaches(id, 'open');
    await eventually(async () => (await second.sessions.get(projectId, id)).state === 'open');
    expect(await second.sessions.qr(projectId, id)).toBeUndefined();
    expect((await second.sessions.get(projectId, id)).pairingCode).toBeNull();
  });

  test('hands out its credentials on any node, and takes others over from the node that is given them', async () => {
    const { first, second, id, projectId } = await twoNodes();
    // The number has just been linked, and some of its keys may still be on their way into the database.
    await vi.waitFor(async () => {
      const exported = await second.sessions.exportFiles(projectId, id, actorNamed('operator'));
      expect(exported).toEqual(await first.sessions.exportFiles(projectId, id, actorNamed('operator')));
    });
    const { files: others } = first.whatsapp.phone('+4915100000002').pairedEarlier();
    const { id: empty } = await first.database.transaction((trx) =>
      first.sessions.create(trx, { projectId, name: null, proxy: null }, actorNamed('operator')),
    );
    await pass(first, 5);
    const [driver, other] = drives(first) === 2 ? [first, second] : [second, first];
    await answered(driver, other.sessions.importFiles(projectId, empty, others, actorNamed('operator')));
    await other.reaches(empty, 'open');
    expect(drives(first) + drives(second)).toBe(2);
    expect(other.session(empty).state).toBe('open');
  });

  test('does what it is told on the node that takes it over, when the one that drives it is gone', async () => {
    const { first, second, id, projectId } = await twoNodes();
    first.isCutOff = true;
    const paused = second.sessions.command(projectId, id, 'pause', actorNamed('operator'));
    await pass(first, 16);
    expect(await paused).toMatchObject({ state: 'paused', reason: 'Paused by the operator.' });
    expect([drives(first), drives(second)]).toEqual([0, 1]);
  });

  test('says so when the node that drives it does not answer, and does nothing later', async () => {
    const { first, second, id, projectId } = await twoNodes();
    const mend = await breakTable(first.database, 'update', 'whatsapp_commands', 'no answer can be left');
    const outcome = second.sessions
      .command(projectId, id, 'pause', actorNamed('operator'))
      .catch((error: unknown) => error);
    await pass(first, 22);
    expect(await outcome).toMatchObject({
      code: 'CONFLICT',
      message: expect.stringContaining('has not answered in time'),
    });
    await mend();
    await pass(first, 10);
    expect((await second.sessions.get(projectId, id)).state).toBe('open');
  });
});

describe('an owner that was frozen, and thaws after another node has taken its session over,', () => {
  /** The first of two nodes as it thaws: its clock stood still. `hears` whether it gets the 440 that was meant for it. */
  async function thawed({ hears }: { hears: boolean }) {
    const first = await startSessions({ isShared: true });
    const id = await first.link(OWN);
    const device = first.whatsapp.linked(OWN);
    if (!hears) device.freeze();
    const other = testClock(first.clock.now());
    const second = await first.anotherNode(other);
    for (let passed = 0; passed < 14; passed += 2) await other.advance(2_000);
    await second.reaches(id, 'open');
    const bothGoOn = async () => {
      for (let passed = 0; passed < 60; passed += 2) {
        await other.advance(2_000);
        await first.clock.advance(2_000);
      }
    };
    const { projectId, database } = first;
    const row = () =>
      database.reader.selectFrom('whatsapp_sessions').selectAll().where('id', '=', id).executeTakeFirst();
    return { first, second, id, device, projectId, row, bothGoOn };
  }

  test('does not act on the 440 it gets, and fights nobody', async () => {
    const { first, second, id, device, row, bothGoOn } = await thawed({ hears: true });
    await eventually(() => drives(first) === 0);
    await bothGoOn();
    expect(await row()).toMatchObject({ state: 'open', lease: 2 });
    expect(second.session(id).state).toBe('open');
    expect(first.changes.map(({ to }) => to)).not.toContain('action_required');
    expect(device.logins).toBe(2);
  });

  test('writes nothing that it learns later', async () => {
    const { first, second, id, device, row, bothGoOn } = await thawed({ hears: false });
    const { lease_until: _, ...before } = (await row())!;
    // It finds out that WhatsApp does not answer any more, and would say so.
    await bothGoOn();
    expect(drives(first)).toBe(0);
    expect(await row()).toMatchObject(before);
    expect(second.session(id).state).toBe('open');
    expect(device.logins).toBe(2);
  });

  test.each(['change', 'pause', 'logout', 'remove'] as const)(
    'refuses to %s the session, and leaves it as it is',
    async (command) => {
      const { first, second, id, projectId, row } = await thawed({ hears: false });
      const before = await row();
      const { sessions } = first;
      const asked = {
        change: () => sessions.change(projectId, id, { name: 'stale' }, actorNamed('operator')),
        pause: () => sessions.command(projectId, id, 'pause', actorNamed('operator')),
        logout: () => sessions.command(projectId, id, 'logout', actorNamed('operator')),
        remove: () => sessions.remove(projectId, id, actorNamed('operator')),
      }[command];
      await expect(asked()).rejects.toMatchObject({
        code: 'CONFLICT',
        message: 'Another node drives this session now.',
      });
      await eventually(() => drives(first) === 0);
      expect(await row()).toEqual(before);
      expect(second.session(id).state).toBe('open');
      expect(first.whatsapp.phone(OWN).linked).toHaveLength(1);
    },
  );

  test('may write nothing for the session: neither its keys, nor what it has sent, nor what was written to it', async () => {
    const { first, second, id } = await thawed({ hears: false });
    const holds = ({ sessions, database }: SessionsUnderTest) =>
      database.transaction((trx) => sessions.holds(trx, id));
    expect([await holds(first), await holds(second)]).toEqual([false, true]);
    const record = { day: 20_468, sentToday: 4_000, stopped: undefined };
    const memory = (node: SessionsUnderTest) =>
      sendingMemory(node.database, node.clock, silentTroubles, (trx, session) =>
        node.sessions.holds(trx, session),
      );
    await memory(second).keepSender({ sessionId: id, number: OWN }, { ...record, sentToday: 4_100 });
    const stale = memory(first);
    stale.keepSent(
      { sessionId: id, number: OWN, phone: '+4915200000001', at: first.clock.now(), before: undefined },
      record,
    );
    await stale.flush();
    await stale.keepSender({ sessionId: id, number: OWN }, record);
    expect((await memory(second).sender(OWN))!.sentToday).toBe(4_100);
    expect([...(await memory(second).chatsWith('+4915200000001'))]).toEqual([]);
  });
});

test('a node that takes a session over goes by what the last one has written, however late', async () => {
  const first = await startSessions({ isShared: true });
  const id = await first.link(OWN);
  const second = await first.anotherNode(testClock(first.clock.now()));
  // The second one has read that the session is open; then WhatsApp logs it out, and the first one dies.
  first.whatsapp.linked(OWN).disconnect(401);
  await first.reaches(id, 'logged_out');
  await eventually(async () => (await second.sessions.get(first.projectId, id)).state === 'logged_out');
  first.isCutOff = true;
  for (let passed = 0; passed < 14; passed += 2) await second.clock.advance(2_000);
  expect(second.session(id).state).toBe('logged_out');
  expect(second.changes).toEqual([]);
});
