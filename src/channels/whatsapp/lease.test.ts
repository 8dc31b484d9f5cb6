import { expect, test } from 'vitest';
import {
  eventually,
  type SessionsUnderTest,
  startSessions,
} from '../../../test/support/whatsapp-sessions.ts';

const OWN = '+4915100000001';

const drives = ({ sessions }: SessionsUnderTest) => sessions.all().length;

/** Lets so much time pass on all nodes, in steps in which each looks at its leases. */
async function pass(node: SessionsUnderTest, seconds: number): Promise<void> {
  for (let passed = 0; passed < seconds; passed += 5) await node.clock.advance(5_000);
}

test('a session is driven by one of two nodes; when that one stops, the other takes over at once', async () => {
  const first = await startSessions({ isShared: true });
  const id = await first.link(OWN);
  const second = await first.anotherNode();
  await pass(first, 60);
  expect([drives(first), drives(second)]).toEqual([1, 0]);
  expect(second.sessions.isLinked(first.projectId)).toBe(true);
  expect((await second.sessions.get(first.projectId, id)).state).toBe('open');
  await expect(second.sessions.command(first.projectId, id, 'pause', 'test')).rejects.toMatchObject({
    code: 'CONFLICT',
    message: expect.stringContaining('Another node'),
  });

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
