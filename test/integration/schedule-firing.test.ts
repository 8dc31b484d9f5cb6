import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { systemClock } from '../../src/lib/clock.ts';
import { endAllDue } from '../../src/scheduler/end-due.ts';
import { startMailServer } from '../support/mail-server.ts';
import { breakTable } from '../support/obstacles.ts';
import { schedulesOf } from '../support/schedules.ts';
import { startTestApp, type TestApp, type TestAppOptions } from '../support/test-app.ts';
import { DAY_MS, MINUTE_MS, newPhone, QUICK_ADMIN, verificationsOf } from '../support/verifications.ts';

const HOUR_MS = 60 * MINUTE_MS;
const keep = { keepFiles: true };

async function start({ env, ...options }: TestAppOptions = {}) {
  const server = await startTestApp({ env: { ...QUICK_ADMIN, ...env }, ...options });
  onTestFinished(() => server.stop());
  return { server, otp: verificationsOf(server), schedules: schedulesOf(server) };
}

/** The server of another process over the same data, after the clock has gone on by so much. */
async function restart(before: TestApp, ms: number, env: Record<string, string> = {}) {
  await before.stop(keep);
  before.clock.set(before.clock.now() + ms);
  const again = await start({ dir: before.dir, clock: before.clock, key: before.key, env });
  await again.server.clock.advance(0);
  return again;
}

describe('a schedule that is refused when it fires', () => {
  test('for a limit is tried again when the limit allows it', async () => {
    const { server, otp, schedules } = await start();
    const phone = newPhone();
    const [first, second] = [
      await schedules.scheduled(MINUTE_MS, { phone, purpose: 'login' }),
      await schedules.scheduled(MINUTE_MS, { phone, purpose: 'payment' }),
    ];
    await otp.jump(MINUTE_MS);
    const states = [await schedules.stateOf(first.id), await schedules.stateOf(second.id)];
    const waiting = states.find(({ status }) => status === 'pending');
    expect(states.map(({ status }) => status).sort()).toEqual(['fired', 'pending']);
    expect(waiting).toMatchObject({
      attempts: 1,
      nextAttemptAt: schedules.timeIn(30_000),
      reason: expect.stringMatching(/^RATE_LIMIT_EXCEEDED: /),
    });
    await server.clock.advance(30_000);
    expect(await schedules.stateOf(waiting.id)).toMatchObject({ status: 'fired', attempts: 2, reason: null });
    expect(await otp.messagesTo(phone)).toBe(2);
  });

  test('for a limit that lasts longer than it may be late fails at once, with the reason', async () => {
    const { server, otp, schedules } = await start({ env: { PHONE_LIMIT_PER_DAY: '1' } });
    const phone = newPhone();
    await otp.sent({ phone });
    const { id } = await schedules.scheduled(MINUTE_MS, { phone, purpose: 'other' });
    await server.clock.advance(MINUTE_MS);
    const reason = expect.stringMatching(/^RATE_LIMIT_EXCEEDED: /);
    expect(await schedules.stateOf(id)).toMatchObject({ status: 'failed', attempts: 1, reason });
    expect((await schedules.eventsOf(id)).at(-1)).toEqual({ type: 'schedule.failed', data: { reason } });
  });

  test('by a channel that is no longer there has all its attempts, and then fails', async () => {
    const mail = await startMailServer();
    onTestFinished(() => mail.stop());
    const smtp = { SMTP_URL: `smtp://127.0.0.1:${mail.port}`, SMTP_FROM: 'no-reply@example.com' };
    const real = { BOT_MOCK_MODE: 'false' };
    const before = await start({ env: { ...real, ...smtp } });
    const { id } = await before.schedules.scheduled(MINUTE_MS, {
      email: 'jo@example.com',
      channel: 'email',
    });

    const { server, schedules } = await restart(before.server, MINUTE_MS, real);
    const reason = expect.stringMatching(/^CHANNEL_UNAVAILABLE: /);
    expect(await schedules.stateOf(id)).toMatchObject({ status: 'pending', attempts: 1, reason });
    await server.clock.advance(30_000);
    expect(await schedules.stateOf(id)).toMatchObject({ status: 'pending', attempts: 2, reason });
    await server.clock.advance(MINUTE_MS - 1);
    expect((await schedules.stateOf(id)).attempts).toBe(2);
    await server.clock.advance(1);
    expect(await schedules.stateOf(id)).toMatchObject({ status: 'failed', attempts: 3, reason });
  });

  test('since its number has opted out fails at once, with the reason', async () => {
    const { server, otp, schedules } = await start();
    const phone = newPhone();
    const { id } = await schedules.scheduled(MINUTE_MS, { phone, maxAttempts: 5 });
    await server.call('POST', 'opt-outs', { asAdmin: true, body: { phone } });
    await otp.jump(MINUTE_MS);
    const reason = expect.stringMatching(/^PHONE_OPTED_OUT: /);
    expect(await schedules.stateOf(id)).toMatchObject({ status: 'failed', attempts: 1, reason });
    expect(await otp.messagesTo(phone)).toBe(0);
  });

  test('has all its attempts again when it is changed', async () => {
    const { otp, schedules } = await start();
    const phone = newPhone();
    await otp.sent({ phone });
    const { id } = await schedules.scheduled(1_000, { phone, purpose: 'login', maxAttempts: 2 });
    await otp.jump(1_000);
    expect(await schedules.stateOf(id)).toMatchObject({ attempts: 1 });
    const time = { scheduledTime: schedules.timeIn(MINUTE_MS) };
    expect((await schedules.change(id, time)).body.data).toMatchObject({ attempts: 0, reason: null });
    await otp.jump(MINUTE_MS);
    expect(await schedules.stateOf(id)).toMatchObject({ status: 'fired', attempts: 1 });
  });

  test('by an error that nobody expected is tried again, and the log has the error', async () => {
    const { server, schedules } = await start();
    const { id } = await schedules.scheduled(MINUTE_MS, { phone: newPhone() });
    const repair = await breakTable(server.app.database, 'insert', 'verifications', 'no room');
    await server.clock.advance(MINUTE_MS);
    const reason = 'INTERNAL_ERROR: Something went wrong on our side.';
    expect(await schedules.stateOf(id)).toMatchObject({ status: 'pending', attempts: 1, reason });
    expect(server.logLines.filter((line) => line.includes('no room') && line.includes(id))).toHaveLength(1);
    await repair();
    await server.clock.advance(30_000);
    expect(await schedules.stateOf(id)).toMatchObject({ status: 'fired', attempts: 2, reason: null });
  });

  test('because nothing can be written loses no attempt, and fires within a second once it can', async () => {
    const { server, schedules } = await start();
    const { id } = await schedules.scheduled(MINUTE_MS, { phone: newPhone() });
    const repair = await breakTable(server.app.database, 'update', 'schedules', 'no room');
    await server.clock.advance(3 * MINUTE_MS);
    expect(await schedules.stateOf(id)).toMatchObject({ status: 'pending', attempts: 0 });
    await repair();
    await server.clock.advance(1_000);
    expect(await schedules.stateOf(id)).toMatchObject({ status: 'fired', attempts: 1 });
  });

  test('delays no other: a hundred that are due together fire all the same', async () => {
    const { server, otp, schedules } = await start();
    const refused = newPhone();
    await otp.sent({ phone: refused });
    const ids = await Promise.all(
      Array.from({ length: 150 }, async (_, i) => {
        const phone = i % 3 === 0 ? refused : newPhone();
        return (await schedules.scheduled(5_000, { phone, purpose: `p${i}`, maxAttempts: 1 })).id;
      }),
    );
    await server.clock.advance(10_000);
    const states = await Promise.all(ids.map((id) => schedules.stateOf(id)));
    expect(states.map(({ status }) => status)).toEqual(ids.map((_, i) => (i % 3 === 0 ? 'failed' : 'fired')));
    const sent = states.flatMap(({ verificationId }) => verificationId ?? []);
    expect(new Set(sent).size).toBe(100);
  });
});

describe('a schedule whose code is pending already', () => {
  test('repeats it, as a send does', async () => {
    const { server, otp, schedules } = await start();
    const phone = newPhone();
    const { id } = await otp.sent({ phone });
    const schedule = await schedules.scheduled(MINUTE_MS, { phone });
    await server.clock.advance(MINUTE_MS);
    expect(await schedules.stateOf(schedule.id)).toMatchObject({ status: 'fired', verificationId: id });
    expect(await otp.messagesTo(phone)).toBe(2);
    expect(await schedules.eventsOf(schedule.id)).toEqual([
      { type: 'schedule.created', data: null },
      { type: 'schedule.fired', data: { verificationId: id } },
    ]);
  });
});

describe('a schedule whose time comes while no server runs', () => {
  test('is sent when the server starts less than ten minutes later', async () => {
    const before = await start();
    const phone = newPhone();
    const { id } = await before.schedules.scheduled(MINUTE_MS, { phone });
    const { otp, schedules } = await restart(before.server, 11 * MINUTE_MS - 1);
    expect((await schedules.stateOf(id)).status).toBe('fired');
    expect(await otp.messagesTo(phone)).toBe(1);
  });

  test('expires with the reason when it starts later', async () => {
    const before = await start();
    const phone = newPhone();
    const { id } = await before.schedules.scheduled(MINUTE_MS, { phone });
    const { otp, schedules } = await restart(before.server, 11 * MINUTE_MS);
    const reason = 'It could not be sent within 10 min of its time (SCHEDULER_MISFIRE_MINUTES).';
    expect(await schedules.stateOf(id)).toMatchObject({ status: 'expired', attempts: 0, reason });
    expect(await otp.messagesTo(phone)).toBe(0);
    expect((await schedules.eventsOf(id)).at(-1)).toEqual({ type: 'schedule.expired', data: { reason } });
  });

  test('may be as late as SCHEDULER_MISFIRE_MINUTES says', async () => {
    const before = await start();
    const [late, later] = [
      await before.schedules.scheduled(2 * MINUTE_MS, { phone: newPhone() }),
      await before.schedules.scheduled(MINUTE_MS, { phone: newPhone() }),
    ];
    const { schedules } = await restart(before.server, 3 * MINUTE_MS + 1, { SCHEDULER_MISFIRE_MINUTES: '2' });
    expect((await schedules.stateOf(late.id)).status).toBe('fired');
    expect((await schedules.stateOf(later.id)).status).toBe('expired');
  });
});

describe('a clock that is set', () => {
  test('forward, by less than ten minutes, sends what became due within five seconds', async () => {
    const { server, schedules } = await start();
    const { id } = await schedules.scheduled(6 * MINUTE_MS, { phone: newPhone() });
    await server.clock.advance(0);
    server.clock.set(server.clock.now() + 8 * MINUTE_MS);
    await server.clock.advance(5_000);
    expect((await schedules.stateOf(id)).status).toBe('fired');
  });

  test('forward by more expires what would be too late', async () => {
    const { server, schedules } = await start();
    const { id } = await schedules.scheduled(MINUTE_MS, { phone: newPhone() });
    server.clock.set(server.clock.now() + HOUR_MS);
    await server.clock.advance(5_000);
    expect((await schedules.stateOf(id)).status).toBe('expired');
  });

  test('back while the server runs changes nothing: the schedule is sent at its time', async () => {
    const { schedules } = await start({ clock: systemClock() });
    const { id } = await schedules.scheduled(1_000, { phone: newPhone() });
    const wall = Date.now;
    const set = vi.spyOn(Date, 'now').mockImplementation(() => wall() - HOUR_MS);
    onTestFinished(() => set.mockRestore());
    await expect.poll(async () => (await schedules.stateOf(id)).status, { timeout: 10_000 }).toBe('fired');
  });

  test('back delays what is pending until its time has come again, and fires nothing twice', async () => {
    const before = await start();
    const [early, late] = [newPhone(), newPhone()];
    const fired = await before.schedules.scheduled(MINUTE_MS, { phone: early });
    const pending = await before.schedules.scheduled(30 * MINUTE_MS, { phone: late });
    await before.otp.jump(MINUTE_MS);
    expect((await before.schedules.stateOf(fired.id)).status).toBe('fired');

    const { otp, schedules } = await restart(before.server, -HOUR_MS);
    await otp.jump(HOUR_MS);
    expect((await schedules.stateOf(pending.id)).status).toBe('pending');
    await otp.jump(29 * MINUTE_MS);
    expect((await schedules.stateOf(pending.id)).status).toBe('fired');
    expect([await otp.messagesTo(early), await otp.messagesTo(late)]).toEqual([1, 1]);
  });
});

describe('a restored database', () => {
  test('sends nothing of what may have been sent after its backup', async () => {
    const { server, otp, schedules } = await start();
    const [past, future] = [newPhone(), newPhone()];
    const due = await schedules.scheduled(MINUTE_MS, { phone: past });
    const later = await schedules.scheduled(2 * MINUTE_MS, { phone: future });
    const now = server.clock.now() + MINUTE_MS;
    expect(await endAllDue(server.app.database, { now, reason: 'restored' })).toBe(1);
    await otp.jump(2 * MINUTE_MS);
    expect(await schedules.stateOf(due.id)).toMatchObject({ status: 'expired', reason: 'restored' });
    expect((await schedules.stateOf(later.id)).status).toBe('fired');
    expect([await otp.messagesTo(past), await otp.messagesTo(future)]).toEqual([0, 1]);
  });
});

describe('a schedule that was read under other settings', () => {
  test('goes to the number that it was made for', async () => {
    const before = await start({ env: { DEFAULT_REGION: 'ID' } });
    const { id, phone } = await before.schedules.scheduled(MINUTE_MS, { phone: '0838 3494 6034' });
    expect(phone).toBe('+6283834946034');
    const { otp, schedules } = await restart(before.server, MINUTE_MS, { DEFAULT_REGION: 'GB' });
    const { verificationId } = await schedules.stateOf(id);
    expect((await otp.read(verificationId)).body.data.phone).toBe(phone);
  });
});

describe('a stored request that does not open', () => {
  test('fails its schedule alone, and cannot be changed', async () => {
    const { server, otp, schedules } = await start();
    const [broken, whole] = [
      await schedules.scheduled(MINUTE_MS, { phone: newPhone() }),
      await schedules.scheduled(MINUTE_MS, { phone: newPhone() }),
    ];
    await server.app.database.transaction((trx) =>
      trx
        .updateTable('schedules')
        .set({ sealed_request: Buffer.alloc(60) })
        .where('id', '=', broken.id)
        .execute(),
    );
    expect((await schedules.change(broken.id, { maxAttempts: 1 })).body.code).toBe('CONFLICT');
    expect(await schedules.stateOf(broken.id)).toMatchObject({ status: 'pending', metadata: null });
    await otp.jump(MINUTE_MS);
    expect(await schedules.stateOf(broken.id)).toMatchObject({
      status: 'failed',
      reason: 'The stored request of this schedule cannot be read.',
    });
    expect((await schedules.stateOf(whole.id)).status).toBe('fired');
  });
});

describe('a schedule that has ended', () => {
  test('is deleted 30 days after its end, a pending one never', async () => {
    const { server, otp, schedules } = await start();
    const ended = await schedules.scheduled(20 * DAY_MS, { phone: newPhone() });
    const pending = await schedules.scheduled(360 * DAY_MS, { phone: newPhone() });
    await otp.jump(20 * DAY_MS);
    expect((await schedules.stateOf(ended.id)).status).toBe('fired');
    const purge = async () => {
      await otp.jump(0);
      for (let turn = 0; turn < 10; turn++) await server.clock.advance(20);
    };
    server.clock.set(server.clock.now() + 30 * DAY_MS - MINUTE_MS);
    await purge();
    expect((await schedules.read(ended.id)).status).toBe(200);
    server.clock.set(server.clock.now() + HOUR_MS);
    await purge();
    expect((await schedules.read(ended.id)).status).toBe(404);
    expect((await schedules.stateOf(pending.id)).status).toBe('pending');
  });
});
