import { describe, expect, onTestFinished, test } from 'vitest';
import { runSchedulerRound } from '../../bench/scheduler-rounds.js';
import { schedulesOf } from '../support/schedules.ts';
import { startTestApp } from '../support/test-app.ts';
import { testClock } from '../support/test-clock.ts';
import { newPhone, QUICK_ADMIN } from '../support/verifications.ts';

/** Two nodes over one database, by one clock. */
async function startTwo() {
  const clock = testClock();
  const a = await startTestApp({ env: QUICK_ADMIN, clock });
  const { key, adminPassword } = a;
  const b = await startTestApp({ env: QUICK_ADMIN, clock, sharing: a, key, adminPassword });
  onTestFinished(async () => {
    await b.stop();
    await a.stop();
  });
  return { clock, a, b };
}

describe('over two nodes', () => {
  test('what one has accepted fires once, though both look for it at the same moment', async () => {
    const { clock, a, b } = await startTwo();
    const ids = await Promise.all(
      Array.from({ length: 40 }, async (_, i) => {
        const { id } = await schedulesOf(i % 2 === 0 ? a : b).scheduled(10_000, { phone: newPhone() });
        return id;
      }),
    );
    await clock.advance(15_000);
    const states = await Promise.all(ids.map((id) => schedulesOf(b).stateOf(id)));
    expect(states.map(({ status }) => status)).toEqual(ids.map(() => 'fired'));
    const rows = await a.app.database.reader.selectFrom('verifications').select('id').execute();
    expect(rows.map(({ id }) => id).sort()).toEqual(
      states.map(({ verificationId }) => verificationId).sort(),
    );
  });

  test('a refusal is counted once', async () => {
    const { clock, a, b } = await startTwo();
    const phone = newPhone();
    expect((await a.call('POST', 'otp/send', { body: { phone } })).status).toBe(201);
    const { id } = await schedulesOf(a).scheduled(10_000, { phone, purpose: 'login' });
    await clock.advance(10_000);
    expect(await schedulesOf(b).stateOf(id)).toMatchObject({ status: 'pending', attempts: 1 });
  });

  test('a cancellation and the firing at the same moment: one of them happens', async () => {
    const { clock, a, b } = await startTwo();
    const scheduled = await Promise.all(
      Array.from({ length: 20 }, () => schedulesOf(a).scheduled(10_000, { phone: newPhone() })),
    );
    await clock.advance(9_999);
    const [answers] = await Promise.all([
      Promise.all(scheduled.map(({ id }) => schedulesOf(b).cancel(id))),
      clock.advance(1),
    ]);
    await clock.advance(10_000);
    for (const [i, { id }] of scheduled.entries()) {
      const { status, verificationId } = await schedulesOf(a).stateOf(id);
      expect(status).toBe(answers[i]!.status === 200 ? 'canceled' : 'fired');
      expect(verificationId === null).toBe(status === 'canceled');
    }
  });
});

test('what is due in one second fires once each over two processes, each of which is killed', async () => {
  const lines: string[] = [];
  await runSchedulerRound({ count: 600, engine: 'postgres', say: (line) => lines.push(line) });
  expect(lines).toHaveLength(4);
}, 120_000);
