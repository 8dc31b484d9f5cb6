import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { makeProject } from '../support/keys.ts';
import { expectProblem } from '../support/problem.ts';
import { startTestApp, type TestApp } from '../support/test-app.ts';
import { newPhone, QUICK_ADMIN, verificationsOf } from '../support/verifications.ts';

let server: TestApp;
let otp: ReturnType<typeof verificationsOf>;
beforeAll(async () => {
  server = await startTestApp({ env: QUICK_ADMIN });
  otp = verificationsOf(server);
});
afterAll(() => server.stop());

const asAdmin = { asAdmin: true };
const add = (body: object) => server.call('POST', 'opt-outs', { ...asAdmin, body });
const remove = (phone: string) => server.call('DELETE', `opt-outs/${encodeURIComponent(phone)}`, asAdmin);

async function eventsOfType(type: string): Promise<unknown[]> {
  const rows = await server.app.database.reader
    .selectFrom('events')
    .select('data')
    .where('type', '=', type)
    .orderBy('seq')
    .execute();
  return rows.map(({ data }) => JSON.parse(data!));
}

describe('a number that has opted out', () => {
  test('is refused at the send, however it is written, with what to do, and nothing is counted', async () => {
    const phone = newPhone();
    await add({ phone });
    for (const written of [phone, phone.slice(1), phone.replace('+62', '+62 ')]) {
      const refused = await otp.send({ phone: written });
      expect(expectProblem(refused, 'PHONE_OPTED_OUT').detail).toContain('START');
      expect(refused.status).toBe(403);
    }
    expect(await otp.messagesTo(phone)).toBe(0);
    expect((await otp.limits(phone)).body.data).toMatchObject({
      messagesLast10Minutes: 0,
      messagesLastDay: 0,
      nextSendAt: null,
    });
    await remove(phone);
    expect((await otp.send({ phone })).status).toBe(201);
  });

  test('is refused at once when it opted out while a code was pending, and that code still verifies', async () => {
    const phone = newPhone();
    const { id } = await otp.sent({ phone, code: '481516' });
    await otp.deliver();
    await add({ phone });
    await otp.jump(31_000);
    expectProblem(await otp.send({ phone }), 'PHONE_OPTED_OUT');
    expectProblem(await otp.resend(id), 'PHONE_OPTED_OUT');
    expect((await otp.check({ id, code: '481516' })).status).toBe(200);
  });

  test('gets nothing of what was queued before, and timeline and events say why', async () => {
    const phone = newPhone();
    const { id } = await otp.sent({ phone });
    await add({ phone });
    await otp.deliver();
    expect(await otp.inbox(phone)).toEqual([]);
    const { data } = (await otp.read(id)).body;
    expect(data).toMatchObject({ status: 'failed', messageStatus: 'failed' });
    expect(data.reason).toMatch(/^PHONE_OPTED_OUT: /);
    expect(data.timeline.at(-1)).toMatchObject({ status: 'failed', reason: data.reason });
    expect(await eventsOfType('otp.failed')).toContainEqual({ reason: data.reason });
    expect(await eventsOfType('message.failed')).toContainEqual({ reason: data.reason });
  });

  test('is so in one project only', async () => {
    const phone = newPhone();
    const { projectId, key } = await makeProject(server);
    await add({ phone, projectId });
    expectProblem(await otp.send({ phone }, { key }), 'PHONE_OPTED_OUT');
    expect((await otp.send({ phone })).status).toBe(201);
    expect((await remove(phone)).status).toBe(404);
  });
});

describe('the list of opt-outs', () => {
  test('takes a number with a note once, shows it, and lets it go, each with an event', async () => {
    const phone = newPhone();
    const added = await add({ phone: `${phone.slice(0, 6)} ${phone.slice(6)}`, note: 'asked by e-mail' });
    expect(added.status).toBe(201);
    const since = new Date(server.clock.now()).toISOString();
    expect(added.body.data).toEqual({ phone, since, note: 'asked by e-mail' });
    const again = await add({ phone });
    expect([again.status, again.body.data]).toEqual([200, added.body.data]);
    expect((await add({ phone, note: 'and by letter' })).body.data.note).toBe('and by letter');
    const { data } = (await server.call('GET', 'opt-outs', asAdmin)).body;
    expect(data).toContainEqual({ phone, since, note: 'and by letter' });
    expect((await remove(phone)).body.data).toEqual({ id: phone });
    expectProblem(await remove(phone), 'RESOURCE_NOT_FOUND');
    const actor = expect.any(String);
    expect(await eventsOfType('number.opted_out')).toContainEqual({ from: phone, actor });
    expect(await eventsOfType('number.opted_in')).toContainEqual({ from: phone, actor });
  });

  test('is the administrator’s alone, and stands under its old address too', async () => {
    const phone = newPhone();
    for (const path of ['opt-outs', 'bot/opt-outs']) {
      expect((await server.call('GET', path)).status).toBe(403);
      const made = await server.call('POST', path, { ...asAdmin, body: { phone } });
      expect(made.status).toBe(201);
      const listed = (await server.call('GET', path, asAdmin)).body.data;
      expect(listed.map((entry: { phone: string }) => entry.phone)).toContain(phone);
      expect((await server.call('DELETE', `${path}/${phone.slice(1)}`, asAdmin)).status).toBe(200);
    }
  });

  test('refuses what is no phone, and a note that is too long', async () => {
    expectProblem(await add({ phone: '12' }), 'PHONE_INVALID');
    expectProblem(await add({ phone: newPhone(), note: 'x'.repeat(501) }), 'VALIDATION_ERROR');
  });
});
