import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { settle, type TestClock, testClock } from '../../../test/support/test-clock.ts';
import { openTestDatabase } from '../../../test/support/test-database.ts';
import type { Database } from '../../database/database.ts';
import { newId } from '../../lib/id.ts';
import { type OutgoingMessage, type Receipt, SendError } from '../../messages/channel.ts';
import { type SimulatorFaults, simulatorFaults } from './faults.ts';
import { Simulator } from './simulator.ts';

const PHONE = '+6281234500001';

let database: Database;
let close: () => Promise<void>;
let clock: TestClock;
let faults: SimulatorFaults;
let simulator: Simulator;
let receipts: [messageId: string, status: string, at: number][];

beforeAll(async () => {
  ({ database, close } = await openTestDatabase());
});
afterAll(() => close());
beforeEach(async () => {
  await database.transaction(async (trx) => {
    await trx.deleteFrom('simulator_messages').execute();
  });
  clock = testClock();
  faults = simulatorFaults();
  receipts = [];
  simulator = makeSimulator();
});
afterEach(() => simulator.stop());

function makeSimulator(): Simulator {
  return new Simulator({ database, clock, faults, deliveredMs: 300, readMs: 1_000 });
}

const listener = {
  onReceipt: async ({ messageId, status }: Receipt) => void receipts.push([messageId!, status, clock.now()]),
};

function newMessage(to = PHONE): OutgoingMessage {
  return {
    id: newId('msg', clock.now()),
    projectId: 1,
    to,
    text: 'Code 481516',
    expiresAt: clock.now() + 300_000,
  };
}

const send = (message: OutgoingMessage) => simulator.send(message, new AbortController().signal);
const arrived = () => database.reader.selectFrom('simulator_messages').selectAll().execute();

describe('the virtual phone', () => {
  test('takes a message, and reports it delivered and then read', async () => {
    await simulator.start(listener);
    const message = newMessage();
    const at = clock.now();
    await send(message);
    expect(await arrived()).toEqual([
      { message_id: message.id, project_id: 1, address: PHONE, channel: 'whatsapp', at },
    ]);
    await clock.advance(5_000);
    expect(receipts).toEqual([
      [message.id, 'delivered', at + 300],
      [message.id, 'read', at + 1_000],
    ]);
  });

  test('keeps no text: that stays in the outbox, where it is wiped', async () => {
    await send(newMessage());
    expect(JSON.stringify(await arrived())).not.toContain('481516');
  });

  test('shows a message that comes twice under one id once', async () => {
    await simulator.start(listener);
    const message = newMessage();
    await Promise.all([send(message), send(message)]);
    await send(message);
    expect(await arrived()).toHaveLength(1);
    await clock.advance(5_000);
    expect(receipts).toHaveLength(2);
  });

  test('that is refused throws that the channel is down', async () => {
    faults.set({ to: PHONE }, { refuse: true });
    const refusal = await send(newMessage()).catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(SendError);
    expect(refusal).toMatchObject({ failure: 'unavailable', reason: 'channel down' });
    await send(newMessage('+6281234500002'));
    expect(await arrived()).toHaveLength(1);
  });

  test('that the channel refuses to this recipient throws for good', async () => {
    faults.set({ to: PHONE, channel: 'whatsapp' }, { refuse: true });
    await expect(send(newMessage())).rejects.toMatchObject({
      failure: 'permanent',
      reason: 'recipient refused',
    });
    await send(newMessage('+6281234500002'));
    expect(await arrived()).toHaveLength(1);
  });

  test('that is not on WhatsApp throws for good', async () => {
    faults.set({}, { notOnWhatsApp: true });
    await expect(send(newMessage())).rejects.toMatchObject({
      failure: 'permanent',
      reason: 'PHONE_NOT_ON_WHATSAPP',
    });
    expect(await arrived()).toEqual([]);
  });

  test('that drops acknowledges, and neither shows nor reports anything', async () => {
    await simulator.start(listener);
    faults.set({ to: PHONE }, { drop: true });
    await send(newMessage());
    await clock.advance(5_000);
    expect(await arrived()).toEqual([]);
    expect(receipts).toEqual([]);
  });

  test('that is slow acknowledges when its time has come, by the fault it had at the beginning', async () => {
    faults.set({ to: PHONE }, { delayMs: 2_000 });
    let taken = false;
    const sending = send(newMessage()).then(() => {
      taken = true;
    });
    faults.set({ to: PHONE }, { refuse: true });
    await clock.advance(1_999);
    expect(taken).toBe(false);
    await clock.advance(1);
    await sending;
    expect(await arrived()).toHaveLength(1);
  });

  test('that is slow gives up as soon as it is told to', async () => {
    faults.set({ to: PHONE }, { delayMs: 60_000 });
    const abort = new AbortController();
    const sending = simulator.send(newMessage(), abort.signal);
    const reason = new SendError('temporary', 'no answer within 30 seconds');
    abort.abort(reason);
    await expect(sending).rejects.toBe(reason);
    await clock.advance(120_000);
    expect(await arrived()).toEqual([]);
  });

  test('after a restart repeats the receipts of the last hour, which may have been lost', async () => {
    await simulator.start(listener);
    const old = newMessage();
    await send(old);
    clock.set(clock.now() + 60 * 60_000 + 1);
    const recent = newMessage();
    await send(recent);
    await simulator.stop();
    await clock.advance(5_000);
    expect(receipts).toEqual([]);

    simulator = makeSimulator();
    await simulator.start(listener);
    await clock.advance(5_000);
    expect(receipts.map(([id, status]) => [id, status])).toEqual([
      [recent.id, 'delivered'],
      [recent.id, 'read'],
    ]);
  });

  test('stopped reports nothing more; stopping twice or before the start is safe', async () => {
    await simulator.stop();
    await simulator.start(listener);
    await send(newMessage());
    await simulator.stop();
    await simulator.stop();
    await clock.advance(5_000);
    await settle();
    expect(receipts).toEqual([]);
  });
});
