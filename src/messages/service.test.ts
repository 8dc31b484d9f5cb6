import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { openTestOutbox, type TestOutbox } from '../../test/support/test-outbox.ts';
import { LEASE_MS } from './service.ts';
import { isFinal, statesBefore } from './state-machine.ts';
import type { ClaimedMessage, MessageStatus } from './types.ts';

const LIFE_MS = 300_000;

let outbox: TestOutbox;
beforeAll(async () => {
  outbox = await openTestOutbox();
});
afterAll(() => outbox.close());
beforeEach(() => outbox.clear());

/** Something that can happen to the messages of a verification. `n` chooses to which message, or by which claim. */
type Step =
  | { do: 'claim' | 'sent' | 'release' | 'recover' | 'die' | 'end'; n: number }
  | { do: 'fail'; n: number; how: 'permanent' | 'temporary' }
  | { do: 'receipt'; n: number; status: 'delivered' | 'read' }
  | { do: 'wait'; ms: number };

const n = fc.nat({ max: 5 });
const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('claim'), n }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constantFrom('sent', 'release', 'recover', 'die'), n }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('fail'), n, how: fc.constantFrom('permanent', 'temporary') }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('receipt'), n, status: fc.constantFrom('delivered', 'read') }),
  },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('wait'), ms: fc.constantFrom(500, 2_000) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('wait'), ms: fc.constantFrom(LEASE_MS, LIFE_MS) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('end'), n }) },
) as fc.Arbitrary<Step>;
// Without `size` lists are short as a rule, and most would end before anything has happened.
const steps = fc.array(step, { maxLength: 25, size: 'max' });

/** Lets it all happen to two messages of one verification; tells what was handed out and when it ended. */
async function live(happening: readonly Step[]) {
  const { messages, clock } = outbox;
  await outbox.clear();
  const ids = [await outbox.enqueue({ lifeMs: LIFE_MS }), await outbox.enqueue({ lifeMs: LIFE_MS })];
  const claims: (ClaimedMessage & { at: number; afterEnd: boolean })[] = [];
  let ended = false;
  const act = async (what: Step): Promise<void> => {
    if (what.do === 'wait') return clock.set(clock.now() + what.ms);
    const id = ids[what.n % 2]!;
    const claim = claims.at(-1 - (what.n % Math.max(1, claims.length)));
    switch (what.do) {
      case 'claim':
        for (const claimed of await messages.claimDue('simulator', 1 + (what.n % 2))) {
          claims.push({ ...claimed, at: clock.now(), afterEnd: ended });
        }
        return;
      case 'sent':
        if (claim) await messages.markSent(claim);
        return;
      case 'release':
        if (claim) await messages.release(claim, 'channel down', 1_000);
        return;
      case 'fail':
        if (claim) await messages.markTryFailed(claim, what.how, 'busy');
        return;
      case 'recover':
        await messages.recoverClaims(clock.now());
        return;
      case 'die':
        await messages.recoverClaims(Number.POSITIVE_INFINITY);
        return;
      case 'receipt':
        return messages.recordReceipts([{ channel: 'simulator', messageId: id, status: what.status }]);
      case 'end':
        await outbox.stopMessages(ids, { arrived: what.n % 2 === 0 });
        ended = true;
    }
  };
  for (const what of happening) await act(what);
  return { ids, claims, ended };
}

describe('whatever happens to messages, in whatever order', () => {
  test('their states only move as allowed, with one event each, and their code goes with their verification', async () => {
    await fc.assert(
      fc.asyncProperty(steps, async (happening) => {
        const { ids, claims, ended } = await live(happening);
        for (const id of ids) {
          const states = (await outbox.history(id)).map((entry) => entry.split(':')[0] as MessageStatus);
          expect(states[0]).toBe('queued');
          for (const [i, next] of states.slice(1).entries()) expect(statesBefore(next)).toContain(states[i]);
          expect(states.slice(0, -1).some(isFinal)).toBe(false);
          expect((await outbox.row(id)).status).toBe(states.at(-1));
          expect(await outbox.eventHistory(id)).toEqual(await outbox.changes(id));
          if (ended) expect((await outbox.row(id)).status).not.toBe('queued');
          expect((await outbox.messages.shown(outbox.database.reader, [id])).get(id)!.text).toBe(
            ended ? 'Code ••••••' : 'Code 481516',
          );
        }
        for (const claim of claims) expect(claim.at).toBeLessThan(claim.expiresAt);
        for (const id of ids) {
          const numbers = claims.filter((claim) => claim.id === id).map(({ claim }) => claim);
          expect(numbers, 'claims grow').toEqual([...new Set(numbers)].sort((a, b) => a - b));
        }
      }),
      { numRuns: 80, interruptAfterTimeLimit: 10_000 },
    );
  });

  test('once their verification has ended none is handed out again', async () => {
    await fc.assert(
      fc.asyncProperty(steps, steps, async (before, after) => {
        const { claims } = await live([...before, { do: 'end', n: 1 }, ...after]);
        expect(claims.filter(({ afterEnd }) => afterEnd)).toEqual([]);
        for (const { text } of claims) expect(text).toBe('Code 481516');
      }),
      { numRuns: 50, interruptAfterTimeLimit: 10_000 },
    );
  });
});

describe('the end of a verification', () => {
  test('cancels what waits, and leaves what a channel has in hand to what the channel reports', async () => {
    const inHand = await outbox.enqueue();
    const [claim] = await outbox.messages.claimDue('simulator', 1);
    const waits = await outbox.enqueue();
    await outbox.stopMessages([inHand, waits]);
    expect(await outbox.history(waits)).toEqual(['queued', 'canceled: verification canceled']);
    expect(await outbox.history(inHand)).toEqual(['queued', 'sending']);
    await outbox.messages.markSent(claim!);
    expect((await outbox.row(inHand)).status).toBe('sent');
  });

  test('by its code counts the newest message that was sent as delivered, where none is known to be', async () => {
    const [first, second] = [await outbox.enqueue(), await outbox.enqueue()];
    for (const claim of await outbox.messages.claimDue('simulator', 2)) await outbox.messages.markSent(claim);
    await outbox.stopMessages([first, second], { arrived: true });
    expect([(await outbox.row(first)).status, (await outbox.row(second)).status]).toEqual([
      'sent',
      'delivered',
    ]);
  });

  test('by its code leaves receipts as they are', async () => {
    const [first, second] = [await outbox.enqueue(), await outbox.enqueue()];
    for (const claim of await outbox.messages.claimDue('simulator', 2)) await outbox.messages.markSent(claim);
    await outbox.messages.recordReceipts([{ channel: 'simulator', messageId: first, status: 'read' }]);
    await outbox.stopMessages([first, second], { arrived: true });
    expect([(await outbox.row(first)).status, (await outbox.row(second)).status]).toEqual(['read', 'sent']);
  });

  test('by its code counts one that is just being sent as delivered', async () => {
    const id = await outbox.enqueue();
    const [claim] = await outbox.messages.claimDue('simulator', 1);
    await outbox.stopMessages([id], { arrived: true });
    await outbox.messages.markSent(claim!);
    expect((await outbox.history(id)).map((entry) => entry.split(':')[0])).toEqual([
      'queued',
      'sending',
      'delivered',
    ]);
  });

  test('twice is the same as once', async () => {
    const id = await outbox.enqueue();
    await outbox.stopMessages([id]);
    const before = await outbox.history(id);
    await outbox.stopMessages([id], { status: 'expired' });
    expect(await outbox.history(id)).toEqual(before);
    expect(await outbox.eventHistory(id)).toEqual(await outbox.changes(id));
  });
});

describe('what is shown of a message', () => {
  test('is its text with the code while the code lives, and bullets afterwards', async () => {
    const id = await outbox.enqueue({ code: '90817263' });
    const text = async () => (await outbox.messages.shown(outbox.database.reader, [id])).get(id)?.text;
    expect(await text()).toBe('Code 90817263');
    await outbox.stopMessages([id]);
    expect(await text()).toBe('Code ••••••');
  });

  test('is nothing for ids that do not exist', async () => {
    const none = 'msg_01jd3x8zq2e6v9k5m7n0p4r8st';
    expect((await outbox.messages.views(outbox.database.reader, [none])).size).toBe(0);
    expect(await outbox.messages.saidOf(outbox.database.reader, none)).toBeUndefined();
  });

  test('a sealed text that was moved to another message does not open, and fails that message alone', async () => {
    const [one, other] = [await outbox.enqueue({ code: '111111' }), await outbox.enqueue({ code: '222222' })];
    const { content } = await outbox.row(one);
    await outbox.database.transaction(async (trx) => {
      await trx.updateTable('messages').set({ content }).where('id', '=', other).execute();
    });
    expect(await outbox.messages.saidOf(outbox.database.reader, other)).toBeUndefined();
    const claims = await outbox.messages.claimDue('simulator', 10);
    expect(new Map(claims.map(({ id, text }) => [id, text]))).toEqual(
      new Map([
        [one, 'Code 111111'],
        [other, undefined],
      ]),
    );
  });
});

describe('a receipt', () => {
  test('of another channel changes nothing', async () => {
    const id = await outbox.enqueue();
    const [claim] = await outbox.messages.claimDue('simulator', 1);
    await outbox.messages.markSent(claim!);
    await outbox.messages.recordReceipts([{ channel: 'email', messageId: id, status: 'failed' }]);
    expect((await outbox.row(id)).status).toBe('sent');
  });

  test("under the provider's name is the message's, also when it comes a moment before the answer that gives it", async () => {
    const id = await outbox.enqueue();
    const early = { channel: 'simulator', providerId: 'wamid.1', status: 'delivered' } as const;
    await outbox.messages.recordReceipts([early]);
    await outbox.messages.recordEarlyReceipts();
    const [claim] = await outbox.messages.claimDue('simulator', 1);
    await outbox.messages.markSent(claim!, { providerId: 'wamid.1' });
    await outbox.messages.recordEarlyReceipts();
    expect(await outbox.history(id)).toEqual(['queued', 'sending', 'sent', 'delivered']);
  });

  test('that came before its message had a name outlives the process that took it, and whichever finds the message writes it once', async () => {
    const [arrived, bounced] = [await outbox.enqueue(), await outbox.enqueue()];
    const claims = await outbox.messages.claimDue('simulator', 2);
    const said = { channel: 'simulator', providerId: 'wamid.2', reason: '550 no mailbox, 481516' } as const;
    await outbox.messages.recordReceipts([
      { channel: 'simulator', providerId: 'wamid.1', status: 'read' },
      { channel: 'simulator', providerId: 'wamid.1', status: 'delivered' },
      { ...said, status: 'failed' },
    ]);
    const [row] = await outbox.database.reader
      .selectFrom('early_receipts')
      .select('reason')
      .where('status', '=', 'failed')
      .execute();
    expect(row!.reason!.toString('latin1')).not.toContain('481516');
    const [one, another] = [outbox.reopened(), outbox.reopened()];
    for (const claim of claims) {
      const providerId = claim.id === arrived ? 'wamid.1' : 'wamid.2';
      await one.markSent(claim, { providerId });
    }
    await Promise.all([one.recordEarlyReceipts(), another.recordEarlyReceipts()]);
    expect(await outbox.history(arrived)).toEqual(['queued', 'sending', 'sent', 'read']);
    const reason = 'failed: 550 no mailbox, ••••';
    expect(await outbox.history(bounced)).toEqual(['queued', 'sending', 'sent', reason]);
    expect(outbox.undeliverable).toEqual([{ id: bounced, reason: reason.slice('failed: '.length) }]);
    const left = await outbox.database.reader.selectFrom('early_receipts').select('seq').execute();
    expect(left).toEqual([]);
  });

  test('under a name that nobody has is kept for a minute, and not longer', async () => {
    const id = await outbox.enqueue();
    await outbox.messages.recordReceipts([{ channel: 'simulator', providerId: 'late', status: 'delivered' }]);
    outbox.clock.set(outbox.clock.now() + 60_000);
    const [claim] = await outbox.messages.claimDue('simulator', 1);
    await outbox.messages.markSent(claim!, { providerId: 'late' });
    await outbox.messages.recordEarlyReceipts();
    expect((await outbox.row(id)).status).toBe('sent');
    const left = await outbox.database.reader.selectFrom('early_receipts').select('seq').execute();
    expect(left).toEqual([]);
  });

  test('of a failure after it was sent fails the message, with the reason, and tells its owner once', async () => {
    const id = await outbox.enqueue();
    const [claim] = await outbox.messages.claimDue('simulator', 1);
    await outbox.messages.markSent(claim!);
    const bounced = { channel: 'simulator', messageId: id, status: 'failed', reason: 'no mailbox' } as const;
    await outbox.messages.recordReceipts([bounced, bounced]);
    expect(await outbox.history(id)).toEqual(['queued', 'sending', 'sent', 'failed: no mailbox']);
    expect(outbox.undeliverable).toEqual([{ id, reason: 'no mailbox' }]);
  });
});
