import { pino } from 'pino';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { ScriptedChannel } from '../../test/support/scripted-channel.ts';
import { settle } from '../../test/support/test-clock.ts';
import { openTestOutbox, type TestOutbox } from '../../test/support/test-outbox.ts';
import { troubleLog } from '../background/troubles.ts';
import { DatabaseError } from '../errors/errors.ts';
import type { Receipt } from './channel.ts';
import { SendError } from './channel.ts';
import { Dispatcher, type DispatcherOptions, SEND_TIMEOUT_MS } from './dispatcher.ts';
import { SEND_ATTEMPTS_MAX } from './retry-schedule.ts';
import { LEASE_MS } from './service.ts';

const OPTED_OUT = '+6281234500099';

let outbox: TestOutbox;
let channel: ScriptedChannel;
let dispatcher: Dispatcher;
let logLines: string[];

function makeDispatcher(options: Partial<DispatcherOptions> = {}): Dispatcher {
  const log = pino({ level: 'trace', base: null }, { write: (line: string) => void logLines.push(line) });
  return new Dispatcher({
    messages: outbox.messages,
    channels: [channel],
    clock: outbox.clock,
    isOptedOut: async (_projectId, phone) => phone === OPTED_OUT,
    isAlone: false,
    log,
    troubles: troubleLog({ log, clock: outbox.clock }),
    ...options,
  });
}

// One database for all: making a key from a password is slow on purpose. Each test finds an empty outbox.
beforeAll(async () => {
  outbox = await openTestOutbox();
});
afterAll(() => outbox.close());

beforeEach(async () => {
  await outbox.clear();
  channel = new ScriptedChannel('simulator');
  logLines = [];
  dispatcher = makeDispatcher();
});

/** Moves time on in small steps, so that whatever one step starts is over before the next. */
async function pass(ms: number): Promise<void> {
  for (let left = ms; left > 0; left -= 100) await outbox.clock.advance(Math.min(100, left));
}

/** Stops a dispatcher, moving time on for what waits for it. */
async function stopped(which: Dispatcher): Promise<void> {
  let isOver = false;
  const stopping = which.stop().then(() => {
    isOver = true;
  });
  for (let step = 0; step < 100 && !isOver; step++) await outbox.clock.advance(100);
  await stopping;
}

afterEach(async () => {
  await stopped(dispatcher);
  await settle();
  expect(dispatcher.inFlight, 'tries left running').toBe(0);
});

describe('a message in the outbox', () => {
  test('is handed to its channel once, with its text and its stored id, and is sent when acknowledged', async () => {
    await dispatcher.start();
    const id = await outbox.enqueue({ phone: '+6281234500009', code: '481516' });
    dispatcher.wake();
    await pass(200);
    expect(channel.tries.map(({ message }) => message)).toEqual([
      {
        id,
        projectId: 1,
        to: '+6281234500009',
        text: 'Code 481516',
        code: '481516',
        expiresAt: outbox.clock.now() + 300_000 - 200,
      },
    ]);
    expect(await outbox.history(id)).toEqual(['queued', 'sending']);
    expect(dispatcher.inFlight).toBe(1);
    channel.tries[0]!.acknowledge();
    await pass(5_000);
    expect(await outbox.history(id)).toEqual(['queued', 'sending', 'sent']);
    expect(await outbox.eventHistory(id)).toEqual(await outbox.changes(id));
    expect(channel.tries).toHaveLength(1);
  });

  test('that nobody woke the dispatcher for is found within a second', async () => {
    await dispatcher.start();
    await pass(100);
    await outbox.enqueue();
    await pass(1_000);
    expect(channel.tries).toHaveLength(1);
  });

  test('that was there before the start is sent', async () => {
    await outbox.enqueue();
    await dispatcher.start();
    await pass(100);
    expect(channel.tries).toHaveLength(1);
  });

  test('to a number that has opted out since is never handed over, and fails for good with that reason', async () => {
    await dispatcher.start();
    const id = await outbox.enqueue({ phone: OPTED_OUT });
    dispatcher.wake();
    await pass(200);
    const reason = 'PHONE_OPTED_OUT: this number asked for no more messages.';
    expect(channel.tries).toEqual([]);
    expect(await outbox.history(id)).toEqual(['queued', 'sending', `failed: ${reason}`]);
    expect(outbox.undeliverable).toEqual([{ id, reason }]);
  });

  test('for a channel that does not run waits', async () => {
    const id = await outbox.enqueue({ channel: 'sms' });
    await dispatcher.start();
    await pass(3_000);
    expect(channel.tries).toHaveLength(0);
    expect(await outbox.history(id)).toEqual(['queued']);
  });

  test('whose code has expired is never handed over', async () => {
    const id = await outbox.enqueue({ lifeMs: 1_000 });
    outbox.clock.set(outbox.clock.now() + 1_000);
    await dispatcher.start();
    await pass(3_000);
    expect(channel.tries).toHaveLength(0);
    expect((await outbox.row(id)).status).toBe('queued');
  });

  test('is not handed over before the dispatcher has started', async () => {
    await outbox.enqueue();
    dispatcher.wake();
    await pass(3_000);
    expect(channel.tries).toHaveLength(0);
  });
});

describe('a channel', () => {
  test('never has more in hand than it can take, and gets them all', async () => {
    channel = new ScriptedChannel('simulator', 3);
    channel.onTry = (attempt) => outbox.clock.setTimeout(attempt.acknowledge, 50);
    dispatcher = makeDispatcher();
    const ids: string[] = [];
    for (let i = 0; i < 20; i++) ids.push(await outbox.enqueue());
    await dispatcher.start();
    await pass(10_000);
    expect(channel.inHandMax).toBe(3);
    expect(new Set(channel.tries.map(({ message }) => message.id))).toEqual(new Set(ids));
    expect(channel.tries).toHaveLength(20);
  });

  test('that takes portions gets the next before it has run out of work', async () => {
    channel = new ScriptedChannel('simulator', 4, 4);
    dispatcher = makeDispatcher();
    for (let i = 0; i < 6; i++) await outbox.enqueue();
    await dispatcher.start();
    await pass(100);
    expect(channel.tries).toHaveLength(4);
    for (const { acknowledge } of channel.tries.slice(0, 2)) acknowledge();
    await settle();
    await outbox.clock.advance(0);
    expect(channel.tries).toHaveLength(6);
  });

  test('that is slow delays no other', async () => {
    const sms = new ScriptedChannel('sms', 1);
    sms.onTry = (attempt) => attempt.acknowledge();
    channel = new ScriptedChannel('simulator', 1);
    dispatcher = makeDispatcher({ channels: [channel, sms] });
    for (let i = 0; i < 5; i++) {
      await outbox.enqueue({ channel: 'simulator' });
      await outbox.enqueue({ channel: 'sms' });
    }
    await dispatcher.start();
    await pass(5_000);
    expect(channel.tries).toHaveLength(1);
    expect(sms.tries).toHaveLength(5);
  });
});

describe('a try that fails', () => {
  test('for good ends the message at once, with the reason', async () => {
    channel.onTry = ({ fail }) => fail(new SendError('permanent', 'PHONE_NOT_ON_WHATSAPP'));
    const id = await outbox.enqueue();
    await dispatcher.start();
    await pass(60_000);
    expect(await outbox.history(id)).toEqual(['queued', 'sending', 'failed: PHONE_NOT_ON_WHATSAPP']);
    expect(await outbox.eventHistory(id)).toEqual(await outbox.changes(id));
    expect(outbox.undeliverable).toEqual([{ id, reason: 'PHONE_NOT_ON_WHATSAPP' }]);
    expect(channel.tries).toHaveLength(1);
  });

  test('for now is repeated under the same id with growing waits, then given up', async () => {
    const triedAt: number[] = [];
    channel.onTry = ({ fail }) => {
      triedAt.push(outbox.clock.now());
      fail(new SendError('temporary', 'rate limited'));
    };
    const id = await outbox.enqueue();
    await dispatcher.start();
    await pass(120_000);
    expect(triedAt).toHaveLength(SEND_ATTEMPTS_MAX);
    expect(new Set(channel.tries.map(({ message }) => message.id))).toEqual(new Set([id]));
    const waits = triedAt.slice(1).map((at, i) => at - triedAt[i]!);
    waits.forEach((wait, i) => {
      expect(wait).toBeGreaterThanOrEqual(500 * 2 ** i);
      // The outbox is looked at once a second.
      expect(wait).toBeLessThanOrEqual(1_000 * 2 ** i + 1_100);
    });
    expect(await outbox.history(id)).toEqual([
      'queued',
      ...Array(SEND_ATTEMPTS_MAX - 1)
        .fill(['sending', 'queued: rate limited'])
        .flat(),
      'sending',
      'failed: rate limited',
    ]);
    expect(await outbox.eventHistory(id)).toEqual(await outbox.changes(id));
    expect(outbox.undeliverable).toEqual([{ id, reason: 'rate limited' }]);
  });

  test('because the channel is down costs no attempt, however often', async () => {
    channel.onTry = ({ fail }) => fail(new SendError('unavailable', 'channel down'));
    const id = await outbox.enqueue();
    await dispatcher.start();
    await pass(60_000);
    expect(channel.tries.length).toBeGreaterThan(SEND_ATTEMPTS_MAX);
    expect(await outbox.row(id)).toMatchObject({ status: 'queued', attempts: 0, reason: 'channel down' });
    channel.onTry = ({ acknowledge }) => acknowledge();
    await pass(5_000);
    expect(await outbox.row(id)).toMatchObject({ status: 'sent', attempts: 1 });
    expect(outbox.undeliverable).toEqual([]);
  });

  test('because a channel that is one for all projects is down is repeated though it says that it is not ready', async () => {
    channel.hasOwnLinks = false;
    channel.unready.set(1, { state: 'waiting', reason: 'unreachable' });
    channel.onTry = ({ fail }) => fail(new SendError('unavailable', 'unreachable'));
    const id = await outbox.enqueue();
    await dispatcher.start();
    await pass(5_000);
    channel.onTry = ({ acknowledge }) => acknowledge();
    await pass(3_000);
    expect((await outbox.row(id)).status).toBe('sent');
  });

  test('because the channel is down waits as long as the channel says', async () => {
    channel.onTry = ({ fail }) => fail(new SendError('unavailable', 'later', undefined, 30_000));
    await outbox.enqueue();
    await dispatcher.start();
    await pass(29_000);
    expect(channel.tries).toHaveLength(1);
    await pass(3_000);
    expect(channel.tries).toHaveLength(2);
  });

  test('for ever new reasons leaves a timeline of the newest 40 changes', async () => {
    const id = await outbox.enqueue();
    await dispatcher.start();
    for (let i = 0; i < 60; i++) {
      channel.waitReason = `reason ${i} with ],[ and "quotes"`;
      await pass(1_000);
    }
    const history = await outbox.history(id);
    expect(history).toHaveLength(40);
    expect(history).toEqual(
      Array.from({ length: 40 }, (_, i) => `queued: reason ${i + 20} with ],[ and "quotes"`),
    );
  });

  test('by an error that says nothing of itself is repeated, and nothing of it is shown', async () => {
    channel.onTry = ({ fail }) => fail(new TypeError('cannot read properties of undefined'));
    const id = await outbox.enqueue();
    await dispatcher.start();
    await pass(300);
    expect(await outbox.history(id)).toEqual(['queued', 'sending', 'queued: unexpected error']);
    expect(logLines.join()).toContain('cannot read properties');
  });

  test('after its code has expired ends the message as expired, which is no failure of the number', async () => {
    const [temporary, down] = [
      await outbox.enqueue({ lifeMs: 5_000 }),
      await outbox.enqueue({ lifeMs: 5_000 }),
    ];
    await dispatcher.start();
    await pass(200);
    outbox.clock.set(outbox.clock.now() + 5_000);
    for (const { message, fail } of channel.tries) {
      fail(new SendError(message.id === temporary ? 'temporary' : 'unavailable', 'too late'));
    }
    await settle();
    for (const id of [temporary, down]) {
      expect(await outbox.history(id)).toEqual(['queued', 'sending', 'expired: too late']);
      expect(await outbox.eventHistory(id)).toEqual(await outbox.changes(id));
    }
    expect(outbox.undeliverable).toEqual([]);
  });

  test('is not repeated when the code would have expired by then', async () => {
    channel.onTry = ({ fail }) => fail(new SendError('temporary', 'busy'));
    await outbox.enqueue({ lifeMs: 2_000 });
    await dispatcher.start();
    await pass(60_000);
    const latest = channel.tries.length;
    await pass(60_000);
    expect(channel.tries).toHaveLength(latest);
    expect(latest).toBeLessThan(SEND_ATTEMPTS_MAX);
  });

  test('when its verification ended meanwhile is not repeated', async () => {
    const ids = [await outbox.enqueue(), await outbox.enqueue()];
    await dispatcher.start();
    await pass(200);
    await outbox.stopMessages(ids);
    channel.tries[0]!.fail(new SendError('temporary', 'busy'));
    channel.tries[1]!.fail(new SendError('unavailable', 'channel down'));
    await pass(60_000);
    expect(channel.tries).toHaveLength(2);
    for (const id of ids) {
      expect((await outbox.row(id)).status).toBe('canceled');
      expect(await outbox.eventHistory(id)).toEqual(await outbox.changes(id));
    }
  });

  test('keeps the message when what has to follow a failure cannot be written, and tries again', async () => {
    let writable = false;
    outbox.whenUndeliverable.run = async () => {
      if (!writable) throw new Error('disk full');
    };
    channel.onTry = ({ fail }) => fail(new SendError('permanent', 'gone'));
    const id = await outbox.enqueue();
    await dispatcher.start();
    await pass(300);
    expect((await outbox.row(id)).status).toBe('sending');
    expect(logLines.join()).toContain('disk full');
    writable = true;
    await pass(LEASE_MS + 2_000);
    expect((await outbox.row(id)).status).toBe('failed');
    expect(outbox.undeliverable).toHaveLength(1);
  });
});

describe('a try that takes too long', () => {
  test('is ended after 30 s and repeated; what it comes to later changes nothing', async () => {
    const id = await outbox.enqueue();
    await dispatcher.start();
    await pass(SEND_TIMEOUT_MS + 200);
    expect(channel.tries[0]!.signal.aborted).toBe(true);
    expect(await outbox.history(id)).toEqual(['queued', 'sending', 'queued: no answer within 30 seconds']);
    await pass(3_000);
    expect(channel.tries).toHaveLength(2);
    channel.tries[0]!.acknowledge();
    await pass(200);
    expect((await outbox.row(id)).status).toBe('sending');
    channel.tries[1]!.acknowledge();
    await pass(200);
    expect((await outbox.row(id)).status).toBe('sent');
  });

  test('leaves no timer behind that ends another', async () => {
    await outbox.enqueue();
    await dispatcher.start();
    await pass(200);
    channel.tries[0]!.acknowledge();
    await pass(SEND_TIMEOUT_MS);
    expect(channel.tries[0]!.signal.aborted).toBe(false);
  });
});

describe('receipts', () => {
  test('move a message on, each once', async () => {
    const id = await outbox.enqueue();
    await dispatcher.start();
    await pass(200);
    channel.tries[0]!.acknowledge();
    await settle();
    for (const status of ['delivered', 'delivered', 'read', 'delivered', 'read'] as const) {
      channel.receipts!.onReceipt({ messageId: id, status });
      await settle();
    }
    expect(await outbox.history(id)).toEqual(['queued', 'sending', 'sent', 'delivered', 'read']);
    expect(await outbox.eventHistory(id)).toEqual(await outbox.changes(id));
  });

  test('that come before the acknowledgement are believed, and are not taken back by it', async () => {
    const id = await outbox.enqueue();
    await dispatcher.start();
    await pass(200);
    channel.receipts!.onReceipt({ messageId: id, status: 'read' });
    await settle();
    channel.tries[0]!.acknowledge();
    await pass(200);
    expect(await outbox.history(id)).toEqual(['queued', 'sending', 'read']);
  });

  test('for messages that nobody sent change nothing', async () => {
    const id = await outbox.enqueue({ channel: 'sms' });
    await dispatcher.start();
    channel.receipts!.onReceipt({ messageId: id, status: 'delivered' });
    channel.receipts!.onReceipt({ messageId: 'msg_01jd3x8zq2e6v9k5m7n0p4r8st', status: 'read' });
    await pass(200);
    expect(await outbox.history(id)).toEqual(['queued']);
  });

  test('that cannot be written are logged, and nothing stops', async () => {
    const failing = { ...outbox.messages, recordReceipts: () => Promise.reject(new Error('disk full')) };
    dispatcher = makeDispatcher({ messages: failing });
    await dispatcher.start();
    channel.receipts!.onReceipt({ messageId: 'msg_1', status: 'delivered' });
    await outbox.enqueue();
    await pass(1_200);
    expect(logLines.join()).toContain('receipts not recorded');
    expect(channel.tries).toHaveLength(1);
  });
});

describe('many receipts at once', () => {
  test('share transactions, so that they leave the queue to others', async () => {
    const portions: number[] = [];
    const counting = {
      ...outbox.messages,
      recordReceipts: (receipts: readonly (Receipt & { channel: 'simulator' })[]) => {
        portions.push(receipts.length);
        return outbox.messages.recordReceipts(receipts);
      },
    };
    dispatcher = makeDispatcher({ messages: counting });
    await dispatcher.start();
    for (let i = 0; i < 1_000; i++)
      channel.receipts!.onReceipt({ messageId: `msg_${i}`, status: 'delivered' });
    await pass(200);
    expect(portions.reduce((sum, count) => sum + count, 0)).toBe(1_000);
    expect(portions.length).toBeLessThanOrEqual(11);
  });
});

describe('a database that cannot be written for a while', () => {
  /** The outbox, whose writes of outcomes and receipts are refused until `isBack` is set. */
  const outage = () => {
    const state = { isBack: false };
    const { markSent, release, recordReceipts } = outbox.messages;
    const refusing =
      <Args extends unknown[]>(write: (...args: Args) => Promise<void>) =>
      (...args: Args): Promise<void> =>
        state.isBack ? write(...args) : Promise.reject(new DatabaseError('no connection'));
    const messages = {
      ...outbox.messages,
      markSent: refusing(markSent),
      release: refusing(release),
      recordReceipts: refusing(recordReceipts),
    };
    dispatcher = makeDispatcher({ messages });
    return state;
  };

  test('is told what became of messages as soon as it is back; none is sent twice', async () => {
    const state = outage();
    await dispatcher.start();
    const [first, second] = [await outbox.enqueue(), await outbox.enqueue()];
    await pass(1_000);
    const tryOf = (id: string) => channel.tries.find(({ message }) => message.id === id)!;
    tryOf(first).acknowledge();
    tryOf(second).fail(new SendError('unavailable', 'channel down'));
    channel.receipts!.onReceipt({ messageId: first, status: 'delivered' });
    await pass(20_000);
    expect((await outbox.row(first)).status).toBe('sending');
    state.isBack = true;
    await pass(1_100);
    expect((await outbox.row(first)).status).toBe('delivered');
    expect((await outbox.history(second)).slice(0, 3)).toEqual(['queued', 'sending', 'queued: channel down']);
    await pass(LEASE_MS);
    expect(channel.tries.filter(({ message }) => message.id === first)).toHaveLength(1);
  });

  test('holds up no stop', async () => {
    outage();
    await dispatcher.start();
    await outbox.enqueue();
    await pass(1_000);
    channel.tries[0]!.acknowledge();
    await pass(1_000);
    await stopped(dispatcher);
    expect(logLines.join()).toContain('outcome of a send not recorded');
  });
});

describe('a try that failed', () => {
  test.each([
    ['a number that takes no message', new SendError('permanent', 'not on WhatsApp'), 30],
    ['a provider that is busy', new SendError('temporary', 'try later'), 40],
    ['a bug', new TypeError('undefined is not a function'), 50],
  ])('is logged for who has to act: %s', async (_what, error, level) => {
    dispatcher = makeDispatcher();
    await dispatcher.start();
    await outbox.enqueue();
    await pass(200);
    channel.tries[0]!.fail(error);
    await pass(200);
    const lines = logLines.map((line) => JSON.parse(line));
    expect(lines.filter(({ msg }) => msg === 'send failed')).toMatchObject([{ level }]);
  });
});

describe('an outbox that cannot be read', () => {
  test('is tried again until it can, and logged when that begins and when it ends', async () => {
    let readable = false;
    let tries = 0;
    const failing = {
      ...outbox.messages,
      claimDue: (...claim: Parameters<typeof outbox.messages.claimDue>) =>
        readable || ++tries < 0 ? outbox.messages.claimDue(...claim) : Promise.reject(new Error('disk full')),
    };
    dispatcher = makeDispatcher({ messages: failing });
    await outbox.enqueue();
    await dispatcher.start();
    await pass(2_500);
    expect(tries).toBeGreaterThanOrEqual(2);
    expect(logLines.filter((line) => line.includes('outbox not read'))).toHaveLength(1);
    readable = true;
    await pass(1_200);
    expect(channel.tries).toHaveLength(1);
    await pass(4_000);
    expect(logLines.filter((line) => line.includes('reading the outbox works again'))).toHaveLength(1);
  });
});

describe('claims', () => {
  test('of a process that died are taken back at the next start, at the cost of no attempt', async () => {
    const id = await outbox.enqueue();
    await outbox.messages.claimDue('simulator', 10);
    dispatcher = makeDispatcher({ isAlone: true });
    await dispatcher.start();
    expect(await outbox.row(id)).toMatchObject({ status: 'queued', attempts: 0 });
    await pass(200);
    expect(channel.tries.map(({ message }) => message.id)).toEqual([id]);
    expect(await outbox.history(id)).toEqual(['queued', 'sending', 'queued: interrupted', 'sending']);
  });

  describe('of a process that died, by a channel that reports what it took,', () => {
    let id: string;
    beforeEach(async () => {
      channel.reportsWhatItTook = true;
      dispatcher = makeDispatcher({ isAlone: true });
      id = await outbox.enqueue();
      await outbox.messages.claimDue('simulator', 10);
      await dispatcher.start();
      await pass(10_000);
      expect(channel.tries).toHaveLength(0);
    });

    test.each(['sent', 'delivered'] as const)('are not sent again once it reports %s', async (status) => {
      await channel.receipts!.onReceipt({ messageId: id, status });
      await pass(2 * LEASE_MS);
      expect(channel.tries).toHaveLength(0);
      expect(await outbox.history(id)).toEqual(['queued', 'sending', status]);
      expect(await outbox.eventHistory(id)).toEqual(await outbox.changes(id));
    });

    test('are sent again when it has reported nothing by the end of their lease', async () => {
      await pass(LEASE_MS);
      expect(channel.tries.map(({ message }) => message.id)).toEqual([id]);
      expect(await outbox.history(id)).toEqual(['queued', 'sending', 'queued: interrupted', 'sending']);
    });
  });

  test('end with their lease, whoever holds them', async () => {
    await outbox.enqueue();
    await outbox.messages.claimDue('simulator', 10);
    await dispatcher.start();
    await pass(LEASE_MS - 1_000);
    expect(channel.tries).toHaveLength(0);
    await pass(2_500);
    expect(channel.tries).toHaveLength(1);
  });

  test('that are over write nothing any more', async () => {
    const id = await outbox.enqueue();
    const [stale] = await outbox.messages.claimDue('simulator', 10);
    await outbox.messages.recoverClaims(Number.POSITIVE_INFINITY);
    const [fresh] = await outbox.messages.claimDue('simulator', 10);
    expect(fresh!.claim).toBeGreaterThan(stale!.claim);
    const before = await outbox.history(id);
    await outbox.messages.markSent(stale!);
    await outbox.messages.release(stale!, 'late', 0);
    await outbox.messages.markTryFailed(stale!, 'temporary', 'late');
    await outbox.messages.markTryFailed(stale!, 'permanent', 'late');
    expect(outbox.undeliverable).toEqual([]);
    expect(await outbox.history(id)).toEqual(before);
    expect(await outbox.eventHistory(id)).toEqual(await outbox.changes(id));
    await outbox.messages.markSent(fresh!);
    expect((await outbox.row(id)).status).toBe('sent');
  });

  test('taken back after the code expired end as expired', async () => {
    const id = await outbox.enqueue({ lifeMs: 1_000 });
    await outbox.messages.claimDue('simulator', 10);
    outbox.clock.set(outbox.clock.now() + 1_000);
    await outbox.messages.recoverClaims(Number.POSITIVE_INFINITY);
    expect((await outbox.history(id)).at(-1)).toMatch(/^expired/);
    expect(await outbox.eventHistory(id)).toEqual(await outbox.changes(id));
  });

  test('taken back after the verification ended are not sent', async () => {
    const id = await outbox.enqueue();
    await outbox.messages.claimDue('simulator', 10);
    await outbox.stopMessages([id]);
    await outbox.messages.recoverClaims(Number.POSITIVE_INFINITY);
    await dispatcher.start();
    await pass(3_000);
    expect(channel.tries).toHaveLength(0);
    expect((await outbox.row(id)).status).toBe('canceled');
  });

  test('are shared out: ten dispatchers at once hand each message over once', async () => {
    const ids = new Set<string>();
    for (let i = 0; i < 30; i++) ids.add(await outbox.enqueue());
    const claims = await Promise.all(
      Array.from({ length: 10 }, () => outbox.messages.claimDue('simulator', 7)),
    );
    const claimed = claims.flat().map(({ id }) => id);
    expect(claimed).toHaveLength(30);
    expect(new Set(claimed)).toEqual(ids);
  });
});

describe('lanes', () => {
  test('a code is the next message of a channel that sends one a second, though 10,000 of many wait', async () => {
    channel = new ScriptedChannel('simulator', 1);
    channel.onTry = ({ acknowledge }) => outbox.clock.setTimeout(acknowledge, 1_000);
    dispatcher = makeDispatcher();
    await outbox.fill({ lane: 'bulk', count: 10_000 });
    await dispatcher.start();
    await pass(5_000);
    const sentBefore = channel.tries.length;
    expect(sentBefore).toBeGreaterThan(2);

    const code = await outbox.enqueue();
    dispatcher.wake();
    await pass(1_500);
    expect(channel.tries[sentBefore]?.message.id).toBe(code);
  }, 60_000);

  test('are taken in their order, and of one lane the oldest first', async () => {
    const ids: string[] = [];
    for (const lane of ['bulk', 'code', 'single', 'bulk', 'code'] as const) {
      ids.push(await outbox.enqueue({ lane }));
      await pass(100);
    }
    const claimed: string[] = [];
    for (let i = 0; i < ids.length; i++)
      claimed.push(...(await outbox.messages.claimDue('simulator', 1)).map(({ id }) => id));
    expect(claimed).toEqual([1, 4, 2, 0, 3].map((i) => ids[i]));
  });
});

describe('a channel that can take nothing', () => {
  test('leaves its messages untried, and their timeline says why, once for each reason', async () => {
    channel.waitReason = 'no number is linked';
    const ids = [await outbox.enqueue(), await outbox.enqueue()];
    await dispatcher.start();
    await pass(5_000);
    channel.waitReason = 'the number is paused';
    await pass(5_000);
    channel.waitReason = undefined;
    channel.onTry = ({ acknowledge }) => acknowledge();
    await pass(2_000);
    for (const id of ids) {
      const history = [
        'queued',
        'queued: no number is linked',
        'queued: the number is paused',
        'sending',
        'sent',
      ];
      expect(await outbox.history(id)).toEqual(history);
      expect(await outbox.eventHistory(id)).toEqual(history.filter((change) => change !== 'sending'));
      expect(await outbox.row(id)).toMatchObject({ attempts: 1, reason: null });
    }
    expect(channel.tries).toHaveLength(2);
  });

  test('holds up no other channel, and codes expire as always', async () => {
    channel.waitReason = 'no number is linked';
    const id = await outbox.enqueue({ lifeMs: 3_000 });
    await dispatcher.start();
    await pass(5_000);
    expect(await outbox.history(id)).toEqual(['queued', 'queued: no number is linked']);
  });
});

describe('stopping', () => {
  test('waits for the tries under way, and takes no more', async () => {
    const id = await outbox.enqueue();
    await dispatcher.start();
    await pass(200);
    let isOver = false;
    const stopping = dispatcher.stop().then(() => {
      isOver = true;
    });
    await outbox.enqueue();
    dispatcher.wake();
    await pass(2_000);
    expect(isOver).toBe(false);
    channel.tries[0]!.acknowledge();
    await settle();
    await stopping;
    expect((await outbox.row(id)).status).toBe('sent');
    expect(channel.tries).toHaveLength(1);
    expect(channel.stops).toBe(1);
  });

  test('gives back what has not ended in 5 s, at the cost of no attempt', async () => {
    const id = await outbox.enqueue();
    await dispatcher.start();
    await pass(200);
    await stopped(dispatcher);
    expect(channel.tries[0]!.signal.aborted).toBe(true);
    expect(await outbox.row(id)).toMatchObject({ status: 'queued', attempts: 0, reason: 'server stopping' });
  });

  test('waits for receipts that are being written', async () => {
    const id = await outbox.enqueue();
    await dispatcher.start();
    await pass(200);
    channel.tries[0]!.acknowledge();
    await settle();
    channel.receipts!.onReceipt({ messageId: id, status: 'delivered' });
    await dispatcher.stop();
    expect((await outbox.row(id)).status).toBe('delivered');
  });

  test('does not last as long as the receipts that wait: after two seconds the rest is refused', async () => {
    const recorded: number[] = [];
    dispatcher = makeDispatcher({
      messages: {
        ...outbox.messages,
        recordReceipts: async (receipts) => {
          recorded.push(receipts.length);
          await new Promise<void>((resolve) => outbox.clock.setTimeout(resolve, 900));
        },
      },
    });
    await dispatcher.start();
    const kept = Array.from({ length: 1_000 }, (_, i) =>
      channel.receipts!.onReceipt({ messageId: `msg_${i}`, status: 'delivered' }),
    );
    const outcomes = Promise.allSettled(kept);
    await stopped(dispatcher);
    expect(recorded).toEqual([100, 100, 100]);
    const refused = (await outcomes).filter(({ status }) => status === 'rejected');
    expect(refused).toHaveLength(700);
    expect(logLines.filter((line) => line.includes('receipts left unrecorded'))).toHaveLength(1);
  });

  test('before the start is for good', async () => {
    await dispatcher.stop();
    await dispatcher.start();
    await outbox.enqueue();
    await pass(3_000);
    expect(channel.tries).toHaveLength(0);
  });

  test('twice is the same as once, and both return when the work is over', async () => {
    const id = await outbox.enqueue();
    await dispatcher.start();
    await pass(200);
    const over: string[] = [];
    const both = [
      dispatcher.stop().then(() => over.push('first')),
      dispatcher.stop().then(() => over.push('second')),
    ];
    await pass(1_000);
    expect(over).toEqual([]);
    channel.tries[0]!.acknowledge();
    await Promise.all(both);
    await dispatcher.stop();
    expect((await outbox.row(id)).status).toBe('sent');
  });

  test('starting twice is the same as once', async () => {
    await dispatcher.start();
    await dispatcher.start();
    await outbox.enqueue();
    await pass(1_200);
    expect(channel.tries).toHaveLength(1);
  });
});

describe('a channel that sends for some projects only', () => {
  test('leaves the messages of the others in the queue, tried once, and tells them once why', async () => {
    const waits = { state: 'waiting', reason: 'WHATSAPP_DAILY_CAP: enough for today.' } as const;
    channel.unready.set(2, waits);
    channel.onTry = ({ message, acknowledge, fail }) =>
      message.projectId === 2 ? fail(new SendError('unavailable', waits.reason)) : acknowledge();
    const capped = [await outbox.enqueue({ projectId: 2 }), await outbox.enqueue({ projectId: 2 })];
    await dispatcher.start();
    await pass(10_000);
    const own = await outbox.enqueue();
    dispatcher.wake();
    await pass(20_000);
    expect((await outbox.row(own)).status).toBe('sent');
    expect(channel.tries.filter(({ message }) => message.projectId === 2).length).toBeLessThanOrEqual(2);
    for (const id of capped) {
      const history = await outbox.history(id);
      expect(history.filter((entry) => entry === `queued: ${waits.reason}`)).toHaveLength(1);
    }
    channel.unready.clear();
    channel.onTry = ({ acknowledge }) => acknowledge();
    await pass(5_000);
    for (const id of capped) expect((await outbox.row(id)).status).toBe('sent');
  });
});
