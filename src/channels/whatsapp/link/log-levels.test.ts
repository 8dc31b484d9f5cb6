import { describe, expect, test } from 'vitest';
import { actorNamed } from '../../../../test/support/actors.ts';
import {
  eventually,
  type SessionsUnderTest,
  startSessions,
} from '../../../../test/support/whatsapp-sessions.ts';

const OWN = '+4915100000001';
const [INFO, WARN, ERROR] = [30, 40, 50];

const linesOf = ({ logLines }: SessionsUnderTest, level: number) =>
  logLines.map((line) => JSON.parse(line)).filter((line) => line.level >= level);

describe('somebody has to act, and the log says so as an error without a stack,', () => {
  test.each([
    [401, 'logged_out'],
    [403, 'banned'],
    [411, 'action_required'],
    [440, 'action_required'],
  ] as const)('when WhatsApp closes with %i', async (code, state) => {
    const node = await startSessions();
    const id = await node.link(OWN);
    node.whatsapp.linked(OWN).disconnect(code);
    await node.reaches(id, state);
    const errors = linesOf(node, ERROR);
    expect(errors).toEqual([expect.objectContaining({ session: id, to: state, reason: expect.any(String) })]);
    expect(errors[0]).not.toHaveProperty('err');
  });

  test('when no linked number is connected for a minute: once, and once when one is again', async () => {
    const node = await startSessions();
    const id = await node.link(OWN);
    await node.whatsapp.goAway();
    await eventually(() => node.session(id).state === 'reconnecting');
    for (let passed = 0; passed < 300; passed += 10) await node.clock.advance(10_000);
    const sentence = 'no linked WhatsApp number is connected: nothing is sent over WhatsApp';
    expect(linesOf(node, ERROR).map(({ msg }) => msg)).toEqual([sentence]);
    await node.whatsapp.comeBack();
    for (let passed = 0; passed < 300 && node.session(id).state !== 'open'; passed += 10) {
      await node.clock.advance(10_000);
      await node.whatsapp.until(() => true);
    }
    await node.reaches(id, 'open');
    const back = linesOf(node, INFO).filter(
      ({ msg }) => msg === 'a linked WhatsApp number is connected again',
    );
    expect(back).toHaveLength(1);
  });
});

describe('nobody has to act, and the log has nothing above info,', () => {
  test('when a phone is linked, which WhatsApp ends with 515', async () => {
    const node = await startSessions();
    await node.linkByQr(OWN);
    expect(linesOf(node, WARN)).toEqual([]);
  });

  test('when the operator logs a number out', async () => {
    const node = await startSessions();
    const id = await node.link(OWN);
    await node.sessions.command(node.projectId, id, 'logout', actorNamed('operator'));
    expect(linesOf(node, WARN)).toEqual([]);
  });
});
